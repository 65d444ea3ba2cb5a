// Runs a circuit (csrc/verilog/ert_circuit.v) under Verilator, with an external memory around it.
//
// usage: circuit IMAGE-IN IMAGE-OUT BUS-BYTES LATENCY STALL SEED LIMIT COUNT...
//
// The memory moves BUS-BYTES a cycle (a share is allowed), both ways together, LATENCY cycles after a request its
// first word. STALL: how likely every valid, every ready and every port of the scratchpad is held back, drawn
// anew each cycle. COUNT: of commands, for each agent. ROM files are in the working folder.
//
// Out: "span AGENT COMMAND START END", "busy CORE CYCLES", "cycles N". Ends with 3 where nothing moves any more.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <vector>
#include "verilated.h"
#ifdef ERT_TOP  // the top.v of one design, which knows its counts
#include "Vtop.h"
using Circuit = Vtop;
#else
#include "Vert_circuit.h"
using Circuit = Vert_circuit;
#endif

namespace {

constexpr uint64_t kPatience = 200000;  // cycles in which nothing moves
constexpr size_t kRequests = 8;         // that the memory takes before it has served the first

struct Request {
    uint64_t at, left, from_cycle;
};

class Random {
public:
    Random(uint64_t seed, double p) : state_(seed * 2 + 1), below_(static_cast<uint64_t>(p * 4294967296.0)) {}
    bool hit()
    {
        if (below_ == 0) return false;
        state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
        return (state_ >> 32) < below_;
    }

private:
    uint64_t state_, below_;
};

std::vector<uint64_t> read_image(const char *path)
{
    std::vector<uint64_t> words;
    std::FILE *file = std::fopen(path, "rb");
    if (file == nullptr) {
        std::perror(path);
        std::exit(2);
    }
    uint64_t word = 0;
    while (std::fread(&word, 1, 8, file) > 0) {
        words.push_back(word);
        word = 0;
    }
    std::fclose(file);
    return words;
}

void write_image(const char *path, const std::vector<uint64_t> &words)
{
    std::FILE *file = std::fopen(path, "wb");
    if (file == nullptr || std::fwrite(words.data(), 8, words.size(), file) != words.size()) {
        std::perror(path);
        std::exit(2);
    }
    std::fclose(file);
}

[[noreturn]] void fail(int code, const char *what, uint64_t cycle, const std::vector<uint64_t> &ended)
{
    std::fprintf(stderr, "error: %s in cycle %llu; completed:", what, static_cast<unsigned long long>(cycle));
    for (uint64_t n : ended) std::fprintf(stderr, " %llu", static_cast<unsigned long long>(n));
    std::fprintf(stderr, "\n");
    std::exit(code);
}

}  // namespace

int main(int argc, char **argv)
{
    if (argc < 9) return 2;
    std::vector<uint64_t> memory = read_image(argv[1]);
    const double bus_bytes = std::atof(argv[3]);
    const uint64_t latency = std::strtoull(argv[4], nullptr, 10);
    const double stall = std::atof(argv[5]);
    Random random(std::strtoull(argv[6], nullptr, 10), stall);
    const uint64_t limit = std::strtoull(argv[7], nullptr, 10);
    const int agents = argc - 8;

    Circuit top;
#ifndef ERT_TOP
    std::memset(&top.counts, 0, sizeof top.counts);
    auto *const counts = reinterpret_cast<uint8_t *>(&top.counts);
    for (int a = 0; a < agents; a++) {
        const unsigned n = static_cast<unsigned>(std::atoi(argv[8 + a]));
        for (int b = 0; b < 12; b++) {
            counts[(12 * a + b) / 8] |= static_cast<uint8_t>((n >> b & 1) << ((12 * a + b) % 8));
        }
    }
    std::memset(&top.hold, 0, sizeof top.hold);
#endif
    const uint64_t hold_mask = (uint64_t{1} << (2 * agents - 1)) - 1;

    std::vector<std::vector<uint64_t>> began(static_cast<size_t>(agents));
    std::vector<uint64_t> ended(static_cast<size_t>(agents)), busy(static_cast<size_t>(agents));
    std::string spans;
    std::deque<Request> reads, writes;
    double tokens = 0;
    bool read_turn = true;
    uint64_t cycle = 0, moved = 0;

    top.rst = 1;
    top.start = 0;
    for (int k = 0; k < 4; k++) {
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
    }
    top.rst = 0;
    for (;; cycle++) {
        top.start = cycle == 0;
        tokens = std::min(tokens + bus_bytes, 8.0 + bus_bytes);

        // What the memory offers in this cycle; of two words that both could move, one, if there is no more.
        top.ext_rd_ready = reads.size() < kRequests && !random.hit();
        top.ext_wr_ready = writes.size() < kRequests && !random.hit();
        bool give = !reads.empty() && cycle >= reads.front().from_cycle + latency && !random.hit();
        bool take = !writes.empty() && !random.hit();
        const bool give_moves = give && top.ext_rd_data_ready;
        const bool take_moves = take && top.ext_wr_data_valid;
        if (tokens < 8) {
            give = take = false;
        } else if (give_moves && take_moves && tokens < 16) {
            (read_turn ? take : give) = false;
            read_turn = !read_turn;
        }
        top.ext_rd_data_valid = give;
        top.ext_wr_data_ready = take;
        if (give) {
            if (reads.front().at >= memory.size()) fail(4, "read outside of the external memory", cycle, ended);
            top.ext_rd_data = memory[reads.front().at];
        }
        if (stall > 0) {
            uint64_t hold = 0;
            for (int b = 0; b < 2 * agents - 1; b++) hold |= static_cast<uint64_t>(random.hit()) << b;
            hold &= hold_mask;
#ifndef ERT_TOP
            std::memcpy(&top.hold, &hold, std::min(sizeof top.hold, sizeof hold));
#endif
        }
        top.clk = 0;
        top.eval();

        bool moving = false;
        if (give && top.ext_rd_data_ready) {
            moving = true;
            tokens -= 8;
            reads.front().at++;
            if (--reads.front().left == 0) reads.pop_front();
        }
        if (take && top.ext_wr_data_valid) {
            moving = true;
            tokens -= 8;
            if (writes.front().at >= memory.size()) fail(4, "write outside of the external memory", cycle, ended);
            memory[writes.front().at++] = top.ext_wr_data;
            if (--writes.front().left == 0) writes.pop_front();
        }
        if (top.ext_rd_ready && top.ext_rd_valid) {
            moving = true;
            reads.push_back({top.ext_rd_addr, uint64_t{top.ext_rd_more} + 1, cycle});
        }
        if (top.ext_wr_ready && top.ext_wr_valid) {
            moving = true;
            writes.push_back({top.ext_wr_addr, uint64_t{top.ext_wr_more} + 1, cycle});
        }
        const uint64_t begun = top.begun, finished = top.finished, working = top.working;
        moving |= (begun | finished | working) != 0;
        if ((begun | finished) != 0) {
            for (size_t a = 0; a < static_cast<size_t>(agents); a++) {
                if (begun >> a & 1) began[a].push_back(cycle);
                if (finished >> a & 1) {
                    char line[96];
                    const unsigned long long from = began[a].size() > ended[a] ? began[a][ended[a]] : 0;
                    std::snprintf(line, sizeof line, "span %zu %llu %llu %llu\n", a,
                                  static_cast<unsigned long long>(ended[a]), from,
                                  static_cast<unsigned long long>(cycle));
                    spans += line;
                    ended[a]++;
                }
            }
        }
        for (uint64_t left = working; left != 0; left &= left - 1) {
            busy[static_cast<size_t>(__builtin_ctzll(left))]++;
        }
        if (top.done) break;
        moved = moving ? cycle : moved;
        if (cycle - moved > kPatience + latency) fail(3, "deadlock", cycle, ended);
        if (cycle > limit) fail(3, "the limit of cycles is reached", cycle, ended);
        top.clk = 1;
        top.eval();
    }
    top.final();
    write_image(argv[2], memory);
    std::fputs(spans.c_str(), stdout);
    for (size_t c = 0; c + 2 < static_cast<size_t>(agents); c++) {
        std::printf("busy %zu %llu\n", c, static_cast<unsigned long long>(busy[c]));
    }
    std::printf("cycles %llu\n", static_cast<unsigned long long>(cycle));
    return 0;
}
