// C-simulated, not synthesised by us.
//
// Testbench: tb IMAGE RESULT BUS_BYTES LATENCY_CYCLES STALL SEED
// IMAGE    the external memory before, RESULT: after
// STALL    of 256 cycles, in how many a stream stands still; 1 and more also draw each stream's depth
// Prints "span AGENT COMMAND START END" of every command, "busy UNIT CYCLES", "cycles N". Exit code 3: a deadlock.
#include "config.h"
#include "ert_external.h"
#include <cstdlib>
#include <fstream>
#include <iterator>

void circuit(ert::Tasks &tasks);

static std::vector<uint64_t> read_image(const char *path)
{
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::vector<uint64_t> words((bytes.size() + 7) / 8);
    for (size_t i = 0; i < bytes.size(); i++) {
        words[i / 8] |= uint64_t(uint8_t(bytes[i])) << (8 * (i % 8));
    }
    return words;
}

static void write_image(const char *path, const std::vector<uint64_t> &words)
{
    std::ofstream file(path, std::ios::binary);
    for (uint64_t word : words) {
        for (int i = 0; i < 8; i++) {
            file.put(char(uint8_t(word >> (8 * i))));
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: tb IMAGE RESULT BUS_BYTES LATENCY_CYCLES STALL SEED\n");
        return 2;
    }
    std::vector<uint64_t> image = read_image(argv[1]);
    ert::ExternalBus &bus = ert::external_bus();
    bus.memory = image.data();
    bus.words = image.size();
    bus.bytes_per_cycle = atof(argv[3]);
    bus.latency = strtoull(argv[4], nullptr, 10);
    ert::clock().stall = unsigned(atoi(argv[5]));
    ert::clock().draw_depths = ert::clock().stall > 0;
    ert::clock().seed = strtoull(argv[6], nullptr, 10);

    ert::Tasks tasks;
    circuit(tasks);
#if defined(ERT_HLS) // streams without a clock do not say when they move
    const uint64_t idle = 100000000;
#else
    const uint64_t idle = 20000 + bus.latency + uint64_t(64 / bus.bytes_per_cycle);
#endif
    const bool completed = tasks.run(idle);
    for (size_t agent = 0; agent < ert::trace().spans.size(); agent++) {
        const std::vector<ert::Span> &spans = ert::trace().spans[agent];
        for (size_t n = 0; n < spans.size(); n++) {
            printf("span %zu %zu %llu %llu\n", agent, n, (unsigned long long)spans[n].start,
                   (unsigned long long)spans[n].end);
        }
    }
    for (size_t core = 0; core + 2 < size_t(AGENTS); core++) {
        const std::vector<uint64_t> &busy = ert::trace().busy;
        printf("busy %zu %llu\n", core, (unsigned long long)(core + 2 < busy.size() ? busy[core + 2] : 0));
    }
    printf("cycles %llu\n", (unsigned long long)ert::trace().cycles);
    if (!completed) {
        fprintf(stderr, "deadlock: nothing has moved for %llu cycles\n", (unsigned long long)idle);
        return 3;
    }
    write_image(argv[2], image);
    return 0;
}
