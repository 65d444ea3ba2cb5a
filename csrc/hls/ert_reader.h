// C-simulated, not synthesised by us.
//
// Section Read of a core: asks the scratchpad for one word a cycle and tells Mac what to take out of it. A word
// that follows itself is asked for once.
#ifndef ERT_READER_H
#define ERT_READER_H

#include "ert_commands.h"

namespace ert {

template <class Core> class Reader {
    typedef Counts<Core::AGENTS> Counted;

    List<Core::COMMANDS, READ_BITS + NEED_BITS * Core::AGENTS> list;
    Counted counts = no_counts<Core::AGENTS>();
    Read c;
    bool busy = false;
    int wait = 0;
    int g = 0, oy = 0, ox = 0, ky = 0, kx = 0, i = 0;
    bool held = false; // a word is the last that was asked for
    At held_at = 0;
    int group = 0, column = 0, row = 0, tap = 0; // bytes: of g, of ox, of oy, of oy and ky

    int stepped(int at, int by) const
    {
        const int next = at + by;
        return int(c.base) + next >= int(c.ring_end) ? next - int(c.ring_bytes) : next;
    }
    void start()
    {
        ERT_STARTED(Core::AGENT, list.peek());
        c = Core::read(list.take());
        busy = true;
        wait = timing::READ_GAP;
        held = false;
        g = oy = ox = ky = kx = i = 0;
        group = column = row = tap = 0;
    }
    void advance(int count)
    {
        i += count;
        if (i < int(c.run)) {
            return;
        }
        i = 0;
        if (++kx < int(c.kw)) {
            return;
        }
        kx = 0;
        if (++ky < int(c.kh)) {
            tap = stepped(tap, int(c.s_ky));
            return;
        }
        ky = 0;
        tap = row;
        column += int(c.s_col);
        if (++ox < int(c.cols)) {
            return;
        }
        ox = column = 0;
        row = stepped(row, int(c.s_row));
        if (++oy == int(c.rows)) {
            oy = row = 0;
            group += int(c.s_group);
            busy = ++g < int(c.groups);
        }
        tap = row;
    }

public:
    void step(ERT_IN(Counted) counted, ERT_OUT(At) request, ERT_OUT(Piece) pieces)
    {
        if (!counted.empty()) {
            counts = counted.read();
        }
        list.tick();
        if (!busy) {
            if (list.ready() && all_met(counts, Core::need(list.peek()))) {
                start();
            }
            return;
        }
        if (wait > 0) {
            wait--;
            return;
        }
        if (pieces.full()) {
            return;
        }
        const int iy = int(c.iy0) + oy * int(c.d_iy) + ky * int(c.d_ky);
        const int ix = int(c.ix0) + ox * int(c.d_ix) + kx * int(c.d_kx);
        const bool outside = iy < 0 || iy >= int(c.in_h) || ix < 0 || ix >= int(c.in_w);
        const bool words = c.words != 0;
        const int at = int(c.base) + group + column + tap + kx * int(c.s_kx) + (words ? LANES * i : i);
        const At word = At(at >> 3);
        const bool again = held && word == held_at, asks = !outside && !again;
        if (asks && request.full()) {
            return;
        }
        const int from = words ? 0 : at & (LANES - 1);
        const int left = int(c.run) - i, room = LANES - from;
        const int count = words ? 1 : left < room ? left : room;
        const bool last = kx + 1 == int(c.kw) && ky + 1 == int(c.kh) && count == left;
        const bool end = last && ox + 1 == int(c.cols) && oy + 1 == int(c.rows) && g + 1 == int(c.groups);
        if (asks) {
            request.write(word);
            held = true;
            held_at = word;
        }
        pieces.write(Piece{ert_uint<3>(from), ert_uint<4>(count), c.pad, outside, again, last, end});
        advance(count);
    }
    bool finished() const { return list.finished() && !busy && all_met(counts, Core::totals()); }
};

template <class Core>
void run_Reader(ERT_IN(Counts<Core::AGENTS>) counted, ERT_OUT(At) request, ERT_OUT(Piece) pieces)
{
    Reader<Core> unit;
    ERT_RUN(unit, counted, request, pieces);
}

} // namespace ert

#endif
