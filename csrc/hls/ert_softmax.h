// C-simulated, not synthesised by us.
//
// Softmax unit, docs/numerics.md section 5: a row's largest byte as it is read, then the sum of the exponentials,
// its reciprocal, and the quotients. A byte a cycle.
#ifndef ERT_SOFTMAX_H
#define ERT_SOFTMAX_H

#include "ert_commands.h"

namespace ert {

inline int64_t multiply_high(int64_t a, int64_t b) { return (a * b + (int64_t(1) << 30)) >> 31; }

// 2^62 / total in Q0.31, for total in [2^31, 2^32): three steps of Newton's method.
inline int64_t reciprocal(int64_t total)
{
    const int64_t half = total >> 1, most = (int64_t(1) << 31) - 1;
    int64_t guess = 1515870810 + multiply_high(half, -1010580540); // 48/17 - 32/17 * half, in Q2.29
    for (int i = 0; i < 3; i++) {
        const int64_t error = (int64_t(1) << 29) - multiply_high(half, guess);
        const int64_t step = multiply_high(guess, error) * 4;
        guess += step > most ? most : step < -most - 1 ? -most - 1 : step;
    }
    return guess * 2 < most ? guess * 2 : most;
}

template <class Unit> class SoftmaxUnit {
    static constexpr int DEPTH = 1024, ENTRIES = 512;
    typedef Counts<Unit::AGENTS> Counted;
    enum State { IDLE, READ, SUM, DIVIDE, WRITE };

    List<Unit::COMMANDS, SOFTMAX_BITS + NEED_BITS * Unit::AGENTS> list;
    Counted counts = no_counts<Unit::AGENTS>();
    Softmax c;
    State state = IDLE;
    uint32_t table[ENTRIES];
    Word row_words[DEPTH / LANES];
    Word word = 0;
    bool have = false;
    int row = 0, x_at = 0, y_at = 0, asked = 0, i = 0, largest = 0, zeros = 0, wait = 0, fills_done = 0;
    int64_t total = 0, inverse = 0;

    void fill(ERT_IN(Fill) fills, ERT_OUT(Token) filled)
    {
        if (fills.empty() || filled.full()) {
            return;
        }
        const Fill f = fills.read();
        const uint64_t data = uint64_t(f.data);
        const int at = 2 * int(f.at) % ENTRIES;
        table[at] = uint32_t(data);
        table[at + 1] = uint32_t(data >> 32);
        if (f.last) {
            filled.write(Token(1));
            fills_done++;
        }
    }
    int64_t exponential(int at) const
    {
        return table[(2 * int(c.t_base) + largest - byte_of(row_words[at / LANES], at % LANES)) % ENTRIES];
    }
    void begin_row()
    {
        state = READ;
        asked = i = 0;
        largest = -128;
        total = 0;
        have = false;
    }
    void step_read(ERT_OUT(At) request, ERT_IN(Word) words)
    {
        if (asked * LANES < int(c.depth) && !request.full()) {
            request.write(At((x_at >> 3) + asked));
            asked++;
        }
        if (!have && !words.empty()) {
            word = words.read();
            row_words[i / LANES] = word;
            have = true;
        }
        if (have) {
            const int x = byte_of(word, i % LANES);
            largest = x > largest ? x : largest;
            i++;
            have = i % LANES != 0;
            if (i == int(c.depth)) {
                have = false;
                state = SUM;
                i = 0;
            }
        }
    }
    void step_sum()
    {
        total += (exponential(i) + (1 << 11)) >> 12; // Q12.19
        if (++i == int(c.depth)) {
            i = 0;
            wait = timing::SOFTMAX_DIVIDE;
            state = DIVIDE;
        }
    }
    void step_divide()
    {
        if (wait-- > 0) {
            return;
        }
        zeros = 0;
        while (zeros < 32 && !(total >> (31 - zeros) & 1)) {
            zeros++;
        }
        inverse = reciprocal(total << zeros);
        word = 0;
        state = WRITE;
    }
    int quotient(int at) const
    {
        if (total >= int64_t(1) << 28) {
            return -128;
        }
        const int64_t product = multiply_high(inverse, exponential(at));
        const int shift = 35 - zeros;
        const int64_t y = ((product + ((int64_t(1) << shift) >> 1)) >> shift) - 128;
        return y < 127 ? int(y) : 127;
    }
    void step_write(ERT_OUT(ScratchWrite) writes)
    {
        const int lane = i % LANES;
        const bool last = i + 1 == int(c.depth);
        if ((last || lane == LANES - 1) && writes.full()) {
            return;
        }
        word = (lane == 0 ? Word(0) : word) | Word(Word(quotient(i) & 255) << (8 * lane));
        if (last || lane == LANES - 1) {
            const bool end = last && row + 1 == int(c.rows);
            writes.write(ScratchWrite{At((y_at + i) >> 3), word, ert_uint<8>(255), end});
        }
        i++;
        if (last) {
            x_at += int(c.x_stride);
            y_at += int(c.y_stride);
            row++;
            begin_row();
            state = row < int(c.rows) ? READ : IDLE;
        }
    }

public:
    void step(ERT_IN(Counted) counted, ERT_IN(Fill) fills, ERT_OUT(Token) filled, ERT_OUT(At) request,
              ERT_IN(Word) words, ERT_OUT(ScratchWrite) writes)
    {
        if (!counted.empty()) {
            counts = counted.read();
        }
        fill(fills, filled);
        list.tick();
        switch (state) {
        case IDLE:
            if (list.ready() && all_met(counts, Unit::need(list.peek()))) {
                ERT_STARTED(Unit::AGENT, list.peek());
                c = Unit::command(list.take());
                row = 0;
                x_at = int(c.x);
                y_at = int(c.y);
                begin_row();
            }
            break;
        case READ:
            step_read(request, words);
            break;
        case SUM:
            step_sum();
            break;
        case DIVIDE:
            step_divide();
            break;
        case WRITE:
            step_write(writes);
            break;
        }
    }
    bool finished() const
    {
        return list.finished() && state == IDLE && fills_done == Unit::TABLE_LOADS && all_met(counts, Unit::totals());
    }
};

template <class Unit>
void run_SoftmaxUnit(ERT_IN(Counts<Unit::AGENTS>) counted, ERT_IN(Fill) fills, ERT_OUT(Token) filled,
                     ERT_OUT(At) request, ERT_IN(Word) words, ERT_OUT(ScratchWrite) writes)
{
    SoftmaxUnit<Unit> unit;
    ERT_RUN(unit, counted, fills, filled, request, words, writes);
}

} // namespace ert

#endif
