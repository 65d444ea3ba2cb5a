// C-simulated, not synthesised by us.
//
// Section Mac of a core: one item a cycle, eight lanes. Its weights are its own: the loader's words come in a
// stream, and the last of a command is acknowledged.
#ifndef ERT_MULTIPLIER_H
#define ERT_MULTIPLIER_H

#include "ert_commands.h"

namespace ert {

template <class Core> class Multiplier {
    static constexpr int WIDTH = Core::BINARY ? LANES : 1; // words of the scratchpad in one of W

    Word weights[Core::WEIGHT_WORDS][WIDTH];
    Word window[timing::WINDOW_COLUMNS][LANES]; // columns, from any on; kh words each
    List<Core::COMMANDS, MAC_BITS> list;
    Mac c;
    bool busy = false, begun = false, ended = false; // ended: all columns are there
    int wait = 0, gap = 0; // gap: cycles until a pixel may end, since Out takes a lane a cycle
    int out_wait = 0;      // cycles until Out has its next command: it fetches that when this one's first pixel comes
    Piece piece;
    Word word = 0;
    bool have_piece = false, have_word = false;
    int taken = 0;                          // items of the piece
    int g = 0, oy = 0, ox = 0, k = 0;       // the pixel, and the number of its next item
    int kx = 0, ky = 0;                     // of a window
    int arrived = 0, part = 0, first = 0;   // columns that are complete, words of the next; the pixel's first
    int32_t sum[LANES] = {};
    int fills_done = 0;
    Word kept = 0; // first of a pair; what OR and AND have so far

    void fill(ERT_IN(Fill) fills, ERT_OUT(Token) filled)
    {
        if (!fills.empty() && !filled.full()) {
            const Fill f = fills.read();
            weights[int(f.at) / WIDTH][int(f.at) % WIDTH] = f.data;
            if (f.last) {
                filled.write(Token(1));
                fills_done++;
            }
        }
    }
    void start()
    {
        c = Core::mac(list.take());
        busy = true;
        begun = ended = false;
        wait = timing::MAC_GAP;
        g = oy = ox = k = kx = ky = 0;
        arrived = part = first = 0;
    }
    void take(ERT_IN(Piece) pieces, ERT_IN(Word) words)
    {
        if (!have_piece && !pieces.empty()) {
            piece = pieces.read();
            have_piece = true;
            taken = 0;
        }
        if (!have_piece || have_word) {
            return;
        }
        if (piece.outside || piece.again) {
            have_word = true;
        } else if (!words.empty()) {
            word = words.read();
            have_word = true;
        }
    }
    Word item() const { return piece.outside ? Word(Word(0x0101010101010101u) * uint8_t(int(piece.pad))) : word; }
    void drop() { have_piece = have_word = false; }

    void accumulate(Word x)
    {
        const bool begin = k == 0;
        const int at = int(c.w_base) + g * int(c.w_step) + k;
        if constexpr (Core::BINARY) {
            kept = begin ? x : c.op == Op::OR ? Word(kept | x) : Word(kept & x);
            for (int l = 0; l < LANES && c.op == Op::XNOR; l++) {
                ERT_PRAGMA(HLS unroll)
                sum[l] = (begin ? 0 : sum[l]) + equal_bits(x, weights[at][l]);
            }
        } else {
            const Word w = c.op == Op::DOT || c.op == Op::LANE ? weights[at][0] : Word(0);
            const int scalar = byte_of(x, int(piece.from) + taken);
            for (int l = 0; l < LANES; l++) {
                ERT_PRAGMA(HLS unroll)
                sum[l] = lane(begin, sum[l], c.op == Op::DOT ? scalar : byte_of(x, l), byte_of(w, l),
                              byte_of(kept, l));
            }
            kept = begin ? x : kept;
        }
    }
    int32_t lane(bool begin, int32_t so_far, int x, int w, int x0) const
    {
        const int32_t before = begin ? 0 : so_far;
        const int off = x - int(c.x_zero);
        switch (int(c.op)) {
        case Op::DOT:
        case Op::LANE:
            return before + off * (w - int(c.w_zero));
        case Op::SUM:
            return before + off;
        case Op::MAX:
            return begin || x > so_far ? x : so_far;
        case Op::MUL:
            return (x0 - int(c.x_zero)) * (x - int(c.w_zero));
        case Op::ADD:
            return (x0 & 255) | (x & 255) << 8;
        default:
            return x & 255;
        }
    }
    static int32_t equal_bits(Word x, Word w)
    {
        const uint64_t differ = uint64_t(x) ^ uint64_t(w);
#if defined(__GNUC__) && !defined(ERT_SYNTHESIS)
        return 64 - __builtin_popcountll(differ);
#else
        int32_t count = 64;
        for (int i = 0; i < 64; i++) {
            ERT_PRAGMA(HLS unroll)
            count -= int32_t(differ >> i & 1);
        }
        return count;
#endif
    }
    bool may_end(ERT_OUT(Pixel) pixels) const { return gap == 0 && !pixels.full(); }
    void send(ERT_OUT(Pixel) pixels)
    {
        gap = timing::LANE_CYCLES;
        if (!begun) {
            begun = true;
            out_wait = timing::OUT_CLAIM + List<Core::COMMANDS, OUT_BITS>::CYCLES;
        }
        Pixel p;
        for (int l = 0; l < LANES; l++) {
            ERT_PRAGMA(HLS unroll)
            p.sum[l] = sum[l];
        }
        p.word = kept;
        p.op = c.op;
        p.t_base = c.t_base;
        pixels.write(p);
        k = kx = ky = 0;
        first += int(c.sw);
        if (++ox == int(c.cols)) {
            ox = 0;
            first += int(c.kw) - int(c.sw); // the next row anew
            if (++oy == int(c.rows)) {
                oy = 0;
                busy = ++g < int(c.groups);
            }
        }
    }
    void step_items(ERT_IN(Piece) pieces, ERT_IN(Word) words, ERT_OUT(Pixel) pixels)
    {
        take(pieces, words);
        if (!have_word) {
            return;
        }
        const bool end = taken + 1 == int(piece.items);
        if (piece.last && end && !may_end(pixels)) {
            return;
        }
        ERT_WORKED(Core::AGENT);
        accumulate(item());
        k++;
        taken++;
        if (end) {
            if (piece.last) {
                send(pixels);
            }
            drop();
        }
    }
    void step_window(ERT_IN(Piece) pieces, ERT_IN(Word) words, ERT_OUT(Pixel) pixels)
    {
        const int column = first + kx;
        const bool last = kx + 1 == int(c.kw) && ky + 1 == int(c.kh);
        const bool room = arrived < first + timing::WINDOW_COLUMNS;
        if (column < arrived && !(last && !may_end(pixels))) {
            ERT_WORKED(Core::AGENT);
            accumulate(window[column % timing::WINDOW_COLUMNS][ky]);
            k++;
            if (++ky == int(c.kh)) {
                ky = 0;
                kx++;
            }
            if (last) {
                send(pixels);
            }
        }
        if (ended) {
            return; // what comes is the next command's
        }
        take(pieces, words);
        if (have_word && room) {
            window[arrived % timing::WINDOW_COLUMNS][part] = item();
            if (++part == int(c.kh)) {
                part = 0;
                arrived++;
            }
            ended = piece.end;
            drop();
        }
    }

public:
    void step(ERT_IN(Fill) fills, ERT_OUT(Token) filled, ERT_IN(Piece) pieces, ERT_IN(Word) words,
              ERT_OUT(Pixel) pixels)
    {
        fill(fills, filled);
        list.tick();
        gap -= gap > 0;
        out_wait -= out_wait > 0;
        if (!busy) {
            if (list.ready() && out_wait == 0) {
                start();
            }
        } else if (wait > 0) {
            wait--;
        } else if (c.window) {
            step_window(pieces, words, pixels);
        } else {
            step_items(pieces, words, pixels);
        }
    }
    bool finished() const { return list.finished() && !busy && fills_done == Core::WEIGHT_LOADS; }
};

template <class Core>
void run_Multiplier(ERT_IN(Fill) fills, ERT_OUT(Token) filled, ERT_IN(Piece) pieces, ERT_IN(Word) words,
                    ERT_OUT(Pixel) pixels)
{
    Multiplier<Core> unit;
    ERT_RUN(unit, fills, filled, pieces, words, pixels);
}

} // namespace ert

#endif
