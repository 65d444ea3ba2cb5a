// C-simulated, not synthesised by us.
//
// Section Out of a core: one lane a cycle, looked up, biased, rescaled, clamped; a word, or each byte, to the
// scratchpad. Its parameters are its own, and come from the loader like weights do.
#ifndef ERT_WRITER_H
#define ERT_WRITER_H

#include "ert_commands.h"
#include "ert_rescale.h"

namespace ert {

template <class Core> class Writer {
    struct Entry {
        int32_t bias, multiplier;
    };
    Entry entries[Core::PARAM_ENTRIES];
    Word shifts[Core::PARAM_ENTRIES / LANES];
    List<Core::COMMANDS, OUT_BITS> list;
    Out c;
    bool busy = false, have = false;
    int fills_done = 0;
    Pixel pixel;
    Word made = 0;
    int lane = 0, g = 0, oy = 0, ox = 0;
    int group = 0, row = 0, column = 0; // bytes

    void fill(ERT_IN(Fill) fills, ERT_OUT(Token) filled)
    {
        if (fills.empty() || filled.full()) {
            return;
        }
        const Fill f = fills.read();
        if (f.shifts) {
            shifts[int(f.at) / LANES] = f.data;
        } else {
            const uint64_t data = uint64_t(f.data);
            entries[int(f.at)] = Entry{int32_t(uint32_t(data)), int32_t(uint32_t(data >> 32))};
        }
        if (f.last) {
            filled.write(Token(1));
            fills_done++;
        }
    }
    void start()
    {
        c = Core::out(list.take());
        busy = true;
        lane = g = oy = ox = 0;
        group = row = column = 0;
    }
    int32_t looked_up() const
    {
        const int32_t sum = pixel.sum[lane];
        const int t = int(pixel.t_base);
        if (pixel.op == Op::TABLE) {
            return entries[t + (sum & 255)].bias;
        }
        if (pixel.op == Op::ADD) {
            return wrapped(entries[t + (sum & 255)].bias, entries[t + (sum >> 8 & 255)].multiplier);
        }
        return sum;
    }
    static int32_t wrapped(int32_t a, int32_t b) { return int32_t(uint32_t(a) + uint32_t(b)); }

    // The byte of the lane; in Mode::SIGN its bit.
    int result() const
    {
        if (c.mode == Mode::WORD) {
            return byte_of(pixel.word, lane);
        }
        const bool uniform = c.uniform != 0;
        const int p = int(c.p_base) + g * LANES + lane;
        const int32_t acc = uniform ? looked_up() : wrapped(looked_up(), entries[p].bias);
        if (c.mode == Mode::RAW) {
            return acc;
        }
        if (c.mode == Mode::SIGN) {
            return acc >= 0;
        }
        const int32_t multiplier = uniform ? int32_t(c.u_multiplier) : entries[p].multiplier;
        const int shift = uniform ? int(c.u_shift) : byte_of(shifts[p / LANES], p % LANES);
        const int64_t y = int(c.y_zero) + (c.mode == Mode::TWICE ? rescale_twice(acc, multiplier, shift)
                                                                 : rescale_once(acc, multiplier, shift));
        return y < int(c.y_min) ? int(c.y_min) : y > int(c.y_max) ? int(c.y_max) : int(y);
    }
    void next_pixel()
    {
        column += int(c.s_col);
        if (++ox < int(c.cols)) {
            return;
        }
        ox = column = 0;
        const int next = row + int(c.s_row);
        row = int(c.base) + next >= int(c.ring_end) ? next - int(c.ring_bytes) : next;
        if (++oy == int(c.rows)) {
            oy = row = 0;
            group += int(c.s_group);
            busy = ++g < int(c.groups);
        }
    }
    void step_lane(ERT_OUT(ScratchWrite) writes)
    {
        const bool by_lane = c.by_lane != 0, sign = c.mode == Mode::SIGN;
        const bool last_group = g + 1 == int(c.groups);
        const int lanes = by_lane && last_group ? int(c.last_lanes) : LANES;
        const bool writing = by_lane ? lane < lanes : lane == LANES - 1;
        if (writing && writes.full()) {
            return;
        }
        const int bits = sign ? lane : LANES * lane;
        made = (lane == 0 ? Word(0) : made) | Word(Word(result() & (sign ? 1 : 255)) << bits);
        if (writing) {
            const int at = int(c.base) + group + row + column + (by_lane ? lane * int(c.s_lane) : 0);
            const bool byte = by_lane || sign;
            const int in_word = byte ? at & (LANES - 1) : 0;
            const Word data = !byte ? made : by_lane ? Word(made >> bits) : made;
            const bool last = last_group && oy + 1 == int(c.rows) && ox + 1 == int(c.cols) && lane + 1 == lanes;
            writes.write(ScratchWrite{At(at >> 3), Word(data << (8 * in_word)),
                                      ert_uint<8>(byte ? 1 << in_word : 255), last});
        }
        if (++lane == LANES) {
            lane = 0;
            have = false;
            next_pixel();
        }
    }

public:
    void step(ERT_IN(Fill) fills, ERT_OUT(Token) filled, ERT_IN(Pixel) pixels, ERT_OUT(ScratchWrite) writes)
    {
        fill(fills, filled);
        list.tick();
        if (!busy) {
            if (list.ready()) {
                start();
            } else {
                return;
            }
        }
        if (!have && !pixels.empty()) {
            pixel = pixels.read();
            have = true;
        }
        if (have) {
            step_lane(writes);
        }
    }
    bool finished() const { return list.finished() && !busy && fills_done == Core::PARAM_LOADS; }
};

template <class Core>
void run_Writer(ERT_IN(Fill) fills, ERT_OUT(Token) filled, ERT_IN(Pixel) pixels, ERT_OUT(ScratchWrite) writes)
{
    Writer<Core> unit;
    ERT_RUN(unit, fills, filled, pixels, writes);
}

} // namespace ert

#endif
