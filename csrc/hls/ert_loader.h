// C-simulated, not synthesised by us.
//
// Loader: asks for the words of the next command while those of the one before arrive, and hands them to the
// memory that they are for, or to several. A command is complete when every one of them says that it has the last.
#ifndef ERT_LOADER_H
#define ERT_LOADER_H

#include "ert_commands.h"

namespace ert {

template <class Machine> class Loader {
    static constexpr int AGENTS = Machine::AGENTS, CORES = Machine::CORES;
    static constexpr int AHEAD = timing::LOADER_AHEAD;
    static constexpr int TABLE = 2 * CORES, SCRATCH = TABLE + 1; // targets: W of cores, P of cores, these
    typedef Counts<AGENTS> Counted;

    List<Machine::LOADS, LOAD_BITS + NEED_BITS * AGENTS> list;
    Counted counts = no_counts<AGENTS>();
    Load asking, moving;
    bool asks = false, moves = false;
    int row = 0, word = 0;                    // of asking
    int left = 0, ninth = 0, at = 0;          // of moving: words to come, of nine of parameters, destination
    Load under_way[AHEAD];
    uint64_t waiting[AHEAD] = {};             // bit i: target i has not got the last word
    int asked = 0, moved = 0, completed = 0;  // commands
    int settling = 0;                         // cycles until parameters are where they belong

    static uint64_t targets(const Load &c)
    {
        switch (int(c.dst)) {
        case Memory::SCRATCH:
            return uint64_t(1) << SCRATCH;
        case Memory::TABLE:
            return uint64_t(1) << TABLE;
        default:
            return (uint64_t(c.mask) & ((uint64_t(1) << CORES) - 1)) << (c.dst == Memory::PARAMS ? CORES : 0);
        }
    }
    void ask(ERT_OUT(Burst) bursts, ERT_OUT(At) requests)
    {
        list.tick();
        if (!asks) {
            const bool may = list.ready() && asked - completed < AHEAD;
            if (may && all_met(counts, Machine::load_need(list.peek()))) {
                ERT_STARTED(0, list.peek());
                asking = Machine::load(list.take());
                under_way[asked % AHEAD] = asking;
                waiting[asked % AHEAD] = targets(asking);
                asked++;
                asks = true;
                row = word = 0;
            }
            return;
        }
        const int from = int(asking.src_addr) + int(asking.stride) * row;
        if (!asking.scratch) {
            if (!bursts.full()) {
                bursts.write(Burst{ert_uint<EXTERNAL_BITS>(from), ert_uint<17>(asking.row_words)});
                asks = ++row < int(asking.rows);
            }
        } else if (!requests.full()) {
            requests.write(At(from + word));
            if (++word == int(asking.row_words)) {
                word = 0;
                asks = ++row < int(asking.rows);
            }
        }
    }
    bool free(uint64_t to, ERT_OUTS(Fill, fills, TABLE + 1), ERT_OUT(ScratchWrite) scratch) const
    {
        bool all = !(to >> SCRATCH & 1) || !scratch.full();
        for (int t = 0; t <= TABLE; t++) {
            ERT_PRAGMA(HLS unroll)
            all &= !(to >> t & 1) || !fills[t].full();
        }
        return all;
    }
    void move(ERT_IN(Word) external, ERT_IN(Word) internal, ERT_OUTS(Fill, fills, TABLE + 1),
              ERT_OUT(ScratchWrite) scratch)
    {
        // Commands for the scratchpad follow each other; any other waits until those before it are complete.
        const bool alike = moving.dst == Memory::SCRATCH && under_way[moved % AHEAD].dst == Memory::SCRATCH;
        if (!moves && moved < asked && (alike || completed == moved)) {
            moving = under_way[moved % AHEAD];
            moves = true;
            left = int(moving.rows) * int(moving.row_words);
            ninth = 0;
            at = int(moving.dst_addr);
        }
        const uint64_t to = targets(moving);
        if (!moves || !free(to, fills, scratch) || (moving.scratch ? internal.empty() : external.empty())) {
            return;
        }
        const Word data = moving.scratch ? internal.read() : external.read();
        const bool shifts = moving.dst == Memory::PARAMS && ninth == LANES;
        const bool last = --left == 0;
        if (to >> SCRATCH & 1) {
            scratch.write(ScratchWrite{At(at), data, ert_uint<8>(255), last});
        }
        const int place = shifts ? at - LANES : at;
        for (int t = 0; t <= TABLE; t++) {
            ERT_PRAGMA(HLS unroll)
            if (to >> t & 1) {
                fills[t].write(Fill{ert_uint<ADDRESS_BITS>(place), data, shifts, last});
            }
        }
        at += !shifts;
        ninth = ninth == LANES ? 0 : ninth + 1;
        if (last) {
            moves = false;
            moved++;
            settling = moving.dst == Memory::PARAMS ? timing::PARAMS_SETTLE : 0;
        }
    }
    void acknowledged(int target)
    {
        const uint64_t bit = uint64_t(1) << target;
        bool found = false;
        for (int i = 0; i < AHEAD; i++) { // it is the oldest's
            uint64_t &w = waiting[(completed + i) % AHEAD];
            if (!found && completed + i < asked && (w & bit)) {
                w &= ~bit;
                found = true;
            }
        }
    }
    void complete(ERT_OUT(Token) done)
    {
        settling -= settling > 0;
        if (completed < moved && settling == 0 && waiting[completed % AHEAD] == 0 && !done.full()) {
            done.write(Token(1));
            completed++;
        }
    }

public:
    void step(ERT_IN(Counted) counted, ERT_OUT(Burst) bursts, ERT_IN(Word) external, ERT_OUT(At) requests,
              ERT_IN(Word) internal, ERT_OUTS(Fill, fills, TABLE + 1), ERT_INS(Token, filled, TABLE + 1),
              ERT_OUT(ScratchWrite) scratch, ERT_IN(Token) scratched, ERT_OUT(Token) done)
    {
        if (!counted.empty()) {
            counts = counted.read();
        }
        for (int t = 0; t <= TABLE; t++) {
            ERT_PRAGMA(HLS unroll)
            if (!filled[t].empty()) {
                filled[t].read();
                acknowledged(t);
            }
        }
        if (!scratched.empty()) {
            scratched.read();
            acknowledged(SCRATCH);
        }
        complete(done);
        move(external, internal, fills, scratch);
        ask(bursts, requests);
    }
    bool finished() const { return completed == Machine::LOADS && all_met(counts, Machine::totals()); }
};

template <class Machine>
void run_Loader(ERT_IN(Counts<Machine::AGENTS>) counted, ERT_OUT(Burst) bursts, ERT_IN(Word) external,
                ERT_OUT(At) requests, ERT_IN(Word) internal, ERT_OUTS(Fill, fills, 2 * Machine::CORES + 1),
                ERT_INS(Token, filled, 2 * Machine::CORES + 1), ERT_OUT(ScratchWrite) scratch,
                ERT_IN(Token) scratched, ERT_OUT(Token) done)
{
    Loader<Machine> unit;
    ERT_RUN(unit, counted, bursts, external, requests, internal, fills, filled, scratch, scratched, done);
}

} // namespace ert

#endif
