// ert_softmax beside a memory: commands from the standard input, the memory afterwards to the standard output.
//
// Arguments: cycles from a request to its answer, percent of cycles in which the memory is ready, seed.
// In: the memory, then for each command 128 words of table and the command in 128 bits. Out: the memory, then
// for each command its cycles, 64 bits.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include "Vert_softmax.h"
#include "verilated.h"

static const unsigned WORDS = 1u << 16;
static uint64_t memory[WORDS];
static Vert_softmax top;
static unsigned latency, percent;
static uint64_t answers[64];
static bool answered[64];
static uint64_t now;

static bool ready()
{
    return static_cast<unsigned>(std::rand() % 100) < percent;
}

static void cycle()
{
    const unsigned slot = now % 64;
    top.rsp_valid = answered[slot];
    top.rsp_data = answers[slot];
    answered[slot] = false;
    answers[slot] = 0xdeadbeefdeadbeefu;
    top.rd_ready = ready();
    top.wr_ready = ready();
    top.clk = 0;
    top.eval();
    if (top.rd_valid && top.rd_ready) {
        answers[(now + latency) % 64] = memory[top.rd_addr % WORDS];
        answered[(now + latency) % 64] = true;
    }
    if (top.wr_valid && top.wr_ready) {
        for (unsigned lane = 0; lane < 8; lane++) {
            if (top.wr_bytes >> lane & 1) {
                std::memcpy(reinterpret_cast<char *>(&memory[top.wr_addr % WORDS]) + lane,
                            reinterpret_cast<const char *>(&top.wr_data) + lane, 1);
            }
        }
    }
    top.clk = 1;
    top.eval();
    now++;
}

int main(int count, char **arguments)
{
    if (count != 4) {
        return 2;
    }
    latency = static_cast<unsigned>(std::atoi(arguments[1]));
    percent = static_cast<unsigned>(std::atoi(arguments[2]));
    std::srand(static_cast<unsigned>(std::atoi(arguments[3])));
    if (std::fread(memory, sizeof memory, 1, stdin) != 1) {
        return 2;
    }
    top.rst = 1;
    cycle();
    cycle();
    top.rst = 0;
    std::vector<uint64_t> cycles;
    uint64_t table[128];
    uint32_t command[4];
    while (std::fread(table, sizeof table, 1, stdin) == 1 && std::fread(command, sizeof command, 1, stdin) == 1) {
        for (unsigned i = 0; i < 128; i++) {
            top.table_valid = 1;
            top.table_addr = i;
            top.table_data = table[i];
            cycle();
        }
        top.table_valid = 0;
        std::memcpy(&top.command, command, sizeof command);
        top.command_valid = 1;
        const uint64_t start = now;
        do {
            cycle();
            top.command_valid = 0;
        } while (!top.done && now - start < 40000000);
        if (!top.done) {
            std::fprintf(stderr, "not done\n");
            return 1;
        }
        cycles.push_back(now - start);
    }
    std::fwrite(memory, sizeof memory, 1, stdout);
    std::fwrite(cycles.data(), sizeof(uint64_t), cycles.size(), stdout);
    return 0;
}
