// C-simulated, not synthesised by us.
//
// The external memory. In the simulation one task with a latency and a number of bytes a cycle that reads and
// writes share; for an HLS tool two loops over a pointer, which become bursts.
#ifndef ERT_EXTERNAL_H
#define ERT_EXTERNAL_H

#include "ert_commands.h"
#include <cstdlib>

namespace ert {

#if defined(ERT_SYNTHESIS)

#if defined(ERT_TAPA)
#define ERT_MEMORY(T) tapa::mmap<T>
#else
#define ERT_MEMORY(T) T *
#endif

template <class Machine>
void run_ExternalRead(ERT_MEMORY(const uint64_t) memory, ERT_IN(Burst) bursts, ERT_OUT(Word) words)
{
    for (int left = Machine::BURSTS; left > 0; left--) {
        const Burst burst = bursts.read();
        for (int i = 0; i < int(burst.words); i++) {
            ERT_PRAGMA(HLS pipeline II = 1)
            words.write(Word(memory[int(burst.at) + i]));
        }
    }
}

template <class Machine>
void run_ExternalWrite(ERT_MEMORY(uint64_t) memory, ERT_IN(ExternalWrite) written, ERT_OUT(Token) stored)
{
    for (int left = Machine::STORED_WORDS; left > 0; left--) {
        ERT_PRAGMA(HLS pipeline II = 1)
        const ExternalWrite w = written.read();
        memory[int(w.at)] = uint64_t(w.data);
        if (w.last) {
            stored.write(Token(1));
        }
    }
}

#else

struct ExternalBus {
    uint64_t *memory = nullptr;
    size_t words = 0;
    double bytes_per_cycle = 8;
    uint64_t latency = 40;
};

inline ExternalBus &external_bus()
{
    static ExternalBus only;
    return only;
}

template <class Machine> class External {
    struct Waiting {
        Burst burst;
        uint64_t from; // the first cycle in which a word is there
    };
    Waiting queue[timing::BURSTS];
    int head = 0, count = 0;
    double credit = 0; // bytes
    bool turn = false; // to write
    int bursts_left = Machine::BURSTS, words_left = Machine::STORED_WORDS;

    static uint64_t &at(int word)
    {
        if (word < 0 || size_t(word) >= external_bus().words) {
            fprintf(stderr, "external memory: word %d of %zu\n", word, external_bus().words);
            std::abort();
        }
        return external_bus().memory[word];
    }
    void read(ERT_OUT(Word) words)
    {
        Waiting &w = queue[head];
        words.write(Word(at(int(w.burst.at))));
        w.burst.at++;
        w.burst.words--;
        if (w.burst.words == 0) {
            head = (head + 1) % timing::BURSTS;
            count--;
            bursts_left--;
        }
        credit -= LANES;
    }
    void write(ERT_IN(ExternalWrite) written, ERT_OUT(Token) stored)
    {
        const ExternalWrite w = written.read();
        at(int(w.at)) = uint64_t(w.data);
        words_left--;
        if (w.last) {
            stored.write(Token(1));
        }
        credit -= LANES;
    }

public:
    void step(ERT_IN(Burst) bursts, ERT_OUT(Word) words, ERT_IN(ExternalWrite) written, ERT_OUT(Token) stored)
    {
        const ExternalBus &bus = external_bus();
        const double most = LANES + bus.bytes_per_cycle;
        credit = credit + bus.bytes_per_cycle < most ? credit + bus.bytes_per_cycle : most;
        const bool may_read = count > 0 && clock().now >= queue[head].from && !words.full();
        const bool may_write = !written.empty() && !stored.full();
        for (int i = 0; i < 2; i++) {
            const bool writes = turn;
            turn = !turn;
            if (credit >= LANES && writes && may_write) {
                write(written, stored);
            } else if (credit >= LANES && !writes && may_read) {
                read(words);
            } else if (credit < LANES) {
                turn = !turn; // whose turn it was, it stays
                break;
            }
        }
        if (count < timing::BURSTS && !bursts.empty()) {
            queue[(head + count) % timing::BURSTS] = Waiting{bursts.read(), clock().now - 1 + bus.latency};
            count++;
        }
    }
    bool finished() const { return bursts_left == 0 && words_left == 0; }
};

#endif

} // namespace ert

#endif
