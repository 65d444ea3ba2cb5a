// C-simulated, not synthesised by us.
//
// Counts the completed commands of every agent and tells everybody who waits. A reader that is slow misses a
// count, and gets the next.
#ifndef ERT_COUNTER_H
#define ERT_COUNTER_H

#include "ert_commands.h"

namespace ert {

template <class Machine> class Counter {
    static constexpr int AGENTS = Machine::AGENTS, UNITS = AGENTS - 2;
    typedef Counts<AGENTS> Counted;

    Counted counts = no_counts<AGENTS>();
    bool news[AGENTS + 1];

    bool count(int agent, ERT_IN(Token) done)
    {
        if (done.empty()) {
            return false;
        }
        done.read();
        ERT_COMPLETED(agent, int(counts.of[agent]));
        counts.of[agent]++;
        return true;
    }

public:
    Counter()
    {
        for (int a = 0; a <= AGENTS; a++) {
            news[a] = all_met(counts, Machine::totals()); // a machine without commands ends, too
        }
    }

    // counted: of each agent, then of the scratchpad.
    void step(ERT_IN(Token) loader, ERT_IN(Token) storer, ERT_INS(Token, units, UNITS),
              ERT_OUTS(Counted, counted, AGENTS + 1))
    {
        bool any = count(0, loader);
        any |= count(1, storer);
        for (int u = 0; u < UNITS; u++) {
            ERT_PRAGMA(HLS unroll)
            any |= count(u + 2, units[u]);
        }
        for (int a = 0; a <= AGENTS; a++) {
            ERT_PRAGMA(HLS unroll)
            news[a] |= any;
            if (news[a] && !counted[a].full()) {
                counted[a].write(counts);
                news[a] = false;
            }
        }
    }
    bool finished() const
    {
        bool told = all_met(counts, Machine::totals());
        for (int a = 0; a <= AGENTS; a++) {
            told &= !news[a];
        }
        return told;
    }
};

template <class Machine>
void run_Counter(ERT_IN(Token) loader, ERT_IN(Token) storer, ERT_INS(Token, units, Machine::AGENTS - 2),
                 ERT_OUTS(Counts<Machine::AGENTS>, counted, Machine::AGENTS + 1))
{
    Counter<Machine> unit;
    ERT_RUN(unit, loader, storer, units, counted);
}

} // namespace ert

#endif
