// C-simulated, not synthesised by us.
//
// The scratchpad, and the one task that owns it: everybody else asks by streams. In each cycle a bank serves one
// read and one write; who asks for the same bank is served in turn.
#ifndef ERT_SCRATCHPAD_H
#define ERT_SCRATCHPAD_H

#include "ert_commands.h"

namespace ert {

template <class Machine> class Scratchpad {
    static constexpr int BANKS = Machine::BANKS, READERS = Machine::AGENTS, WRITERS = Machine::AGENTS - 1;
    static constexpr int UNITS = Machine::AGENTS - 2; // cores and softmax units
    static constexpr int WORDS = (Machine::SCRATCH_WORDS + BANKS - 1) / BANKS;
    typedef Counts<Machine::AGENTS> Counted;

    Word memory[BANKS][WORDS];
    At read_held[READERS];
    ScratchWrite write_held[WRITERS];
    bool reads[READERS] = {}, writes[WRITERS] = {};
    int read_turn[BANKS] = {}, write_turn[BANKS] = {};
    Counted counts = no_counts<Machine::AGENTS>();

    static int bank_of(At at) { return int(at) % BANKS; }

    // Who of N is served in a bank: the first from `turn` on that may be.
    template <int N> static int served(const bool (&may)[N], int turn)
    {
        int found = -1;
        for (int i = N - 1; i >= 0; i--) {
            ERT_PRAGMA(HLS unroll)
            const int who = turn + i < N ? turn + i : turn + i - N;
            found = may[who] ? who : found;
        }
        return found;
    }
    void serve_reads(int bank, ERT_OUTS(Word, data, READERS))
    {
        bool may[READERS];
        for (int r = 0; r < READERS; r++) {
            ERT_PRAGMA(HLS unroll)
            may[r] = reads[r] && bank_of(read_held[r]) == bank && !data[r].full();
        }
        const int who = served(may, read_turn[bank]);
        if (who >= 0) {
            data[who].write(memory[bank][int(read_held[who]) / BANKS]);
            reads[who] = false;
            read_turn[bank] = who + 1 < READERS ? who + 1 : 0;
        }
    }
    void serve_writes(int bank, const bool (&free)[WRITERS], bool (&acknowledge)[WRITERS])
    {
        bool may[WRITERS];
        for (int w = 0; w < WRITERS; w++) {
            ERT_PRAGMA(HLS unroll)
            may[w] = writes[w] && bank_of(write_held[w].at) == bank && (!write_held[w].last || free[w]);
        }
        const int who = served(may, write_turn[bank]);
        if (who < 0) {
            return;
        }
        const ScratchWrite w = write_held[who];
        Word mask = 0;
        for (int i = 0; i < LANES; i++) {
            ERT_PRAGMA(HLS unroll)
            mask |= int(w.bytes) >> i & 1 ? Word(Word(255) << (8 * i)) : Word(0);
        }
        Word &kept = memory[bank][int(w.at) / BANKS];
        kept = Word((kept & ~mask) | (w.data & mask));
        writes[who] = false;
        acknowledge[who] = w.last;
        write_turn[bank] = who + 1 < WRITERS ? who + 1 : 0;
    }

public:
    Scratchpad()
    {
        for (int b = 0; b < BANKS; b++) {
            for (int i = 0; i < WORDS; i++) {
                memory[b][i] = 0;
            }
        }
    }

    // Reader i is agent i. Writer 0 is the loader, writer 1 + i unit i. The last write of a command is
    // acknowledged: to the loader, or, of a unit, to the task that counts.
    void step(ERT_INS(At, requests, READERS), ERT_OUTS(Word, data, READERS),
              ERT_INS(ScratchWrite, written, WRITERS), ERT_OUT(Token) loaded, ERT_OUTS(Token, done, UNITS),
              ERT_IN(Counted) counted)
    {
        ERT_PRAGMA(HLS array_partition variable = memory dim = 1 complete)
        ERT_PRAGMA(HLS dependence variable = memory inter false)
        if (!counted.empty()) {
            counts = counted.read();
        }
        bool free[WRITERS], acknowledge[WRITERS] = {};
        for (int r = 0; r < READERS; r++) {
            ERT_PRAGMA(HLS unroll)
            if (!reads[r] && !requests[r].empty()) {
                read_held[r] = requests[r].read();
                reads[r] = true;
            }
        }
        for (int w = 0; w < WRITERS; w++) {
            ERT_PRAGMA(HLS unroll)
            if (!writes[w] && !written[w].empty()) {
                write_held[w] = written[w].read();
                writes[w] = true;
            }
            free[w] = w == 0 ? !loaded.full() : !done[w > 0 ? w - 1 : 0].full();
        }
        for (int bank = 0; bank < BANKS; bank++) {
            ERT_PRAGMA(HLS unroll)
            serve_reads(bank, data);
            serve_writes(bank, free, acknowledge);
        }
        if (acknowledge[0]) {
            loaded.write(Token(1));
        }
        for (int u = 0; u < UNITS; u++) {
            ERT_PRAGMA(HLS unroll)
            if (acknowledge[u + 1]) {
                done[u].write(Token(1));
            }
        }
    }
    bool finished() const { return all_met(counts, Machine::totals()); }
};

template <class Machine>
void run_Scratchpad(ERT_INS(At, requests, Machine::AGENTS), ERT_OUTS(Word, data, Machine::AGENTS),
                    ERT_INS(ScratchWrite, written, Machine::AGENTS - 1), ERT_OUT(Token) loaded,
                    ERT_OUTS(Token, done, Machine::AGENTS - 2), ERT_IN(Counts<Machine::AGENTS>) counted)
{
    Scratchpad<Machine> unit;
    ERT_RUN(unit, requests, data, written, loaded, done, counted);
}

} // namespace ert

#endif
