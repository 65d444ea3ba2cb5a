// C-simulated, not synthesised by us.
//
// Storer: words of the scratchpad to the external memory; complete when that has the last.
#ifndef ERT_STORER_H
#define ERT_STORER_H

#include "ert_commands.h"

namespace ert {

template <class Machine> class Storer {
    static constexpr int AGENTS = Machine::AGENTS, AHEAD = timing::STORER_AHEAD;
    typedef Counts<AGENTS> Counted;

    List<Machine::STORES, STORE_BITS + NEED_BITS * AGENTS> list;
    Counted counts = no_counts<AGENTS>();
    Store asking, moving;
    bool asks = false, moves = false;
    int word = 0, at = 0;
    Store under_way[AHEAD];
    int asked = 0, moved = 0, completed = 0; // commands

    void ask(ERT_OUT(At) requests)
    {
        list.tick();
        if (!asks) {
            const bool may = list.ready() && asked - completed < AHEAD;
            if (may && all_met(counts, Machine::store_need(list.peek()))) {
                ERT_STARTED(1, list.peek());
                asking = Machine::store(list.take());
                under_way[asked % AHEAD] = asking;
                asked++;
                asks = true;
                word = 0;
            }
        } else if (!requests.full()) {
            requests.write(At(int(asking.src_addr) + word));
            asks = ++word < int(asking.words);
        }
    }
    void move(ERT_IN(Word) words, ERT_OUT(ExternalWrite) external)
    {
        if (!moves && moved < asked) {
            moving = under_way[moved % AHEAD];
            moves = true;
            at = 0;
        }
        if (!moves || words.empty() || external.full()) {
            return;
        }
        const bool last = at + 1 == int(moving.words);
        external.write(ExternalWrite{ert_uint<EXTERNAL_BITS>(int(moving.dst_addr) + at), words.read(), last});
        at++;
        if (last) {
            moves = false;
            moved++;
        }
    }

public:
    void step(ERT_IN(Counted) counted, ERT_OUT(At) requests, ERT_IN(Word) words, ERT_OUT(ExternalWrite) external,
              ERT_IN(Token) stored, ERT_OUT(Token) done)
    {
        if (!counted.empty()) {
            counts = counted.read();
        }
        if (!stored.empty() && !done.full()) {
            stored.read();
            done.write(Token(1));
            completed++;
        }
        move(words, external);
        ask(requests);
    }
    bool finished() const { return completed == Machine::STORES && all_met(counts, Machine::totals()); }
};

template <class Machine>
void run_Storer(ERT_IN(Counts<Machine::AGENTS>) counted, ERT_OUT(At) requests, ERT_IN(Word) words,
                ERT_OUT(ExternalWrite) external, ERT_IN(Token) stored, ERT_OUT(Token) done)
{
    Storer<Machine> unit;
    ERT_RUN(unit, counted, requests, words, external, stored, done);
}

} // namespace ert

#endif
