// C-simulated, not synthesised by us.
//
// What all tasks share: the tokens of their streams, and a list of commands with the next one fetched ahead.
#ifndef ERT_COMMANDS_H
#define ERT_COMMANDS_H

#include "ert_isa.h"
#include "ert_timing.h"

namespace ert {

typedef ert_uint<64> Word;              // of the scratchpad, and of the external memory
typedef ert_uint<ADDRESS_BITS - 3> At;  // of a word of the scratchpad
typedef ert_uint<1> Token;

// Words of the external memory, one after the other.
struct Burst {
    ert_uint<EXTERNAL_BITS> at;
    ert_uint<17> words;
};

struct ExternalWrite {
    ert_uint<EXTERNAL_BITS> at;
    Word data;
    bool last; // of its command
};

struct ScratchWrite {
    At at;
    Word data;
    ert_uint<8> bytes; // bit i: byte i is written
    bool last;         // of its command
};

// A word for a private memory. shifts: those of parameters at to at + 7.
struct Fill {
    ert_uint<ADDRESS_BITS> at;
    Word data;
    bool shifts, last;
};

// What Mac is to take out of a word: `items` bytes from byte `from` on, or the word.
struct Piece {
    ert_uint<3> from;
    ert_uint<4> items;
    ert_int<8> pad;
    bool outside; // of the map: there is no word, each byte is `pad`
    bool again;   // the word is the one before, which is not sent twice
    bool last;    // item of its pixel
    bool end;     // of its command
};

// A pixel's sums, or, of ADD and TABLE, the unsigned bytes that index P; word: of OR and AND.
struct Pixel {
    int32_t sum[LANES];
    Word word;
    ert_uint<4> op;
    ert_uint<12> t_base;
};

// Completed commands of each agent, of the loader first.
template <int AGENTS> struct Counts {
    ert_uint<NEED_BITS> of[AGENTS];
};

// ap_uint has no value until it is given one.
template <int AGENTS> Counts<AGENTS> no_counts()
{
    Counts<AGENTS> none;
    for (int a = 0; a < AGENTS; a++) {
        none.of[a] = 0;
    }
    return none;
}

template <int AGENTS> bool all_met(const Counts<AGENTS> &counts, const Counts<AGENTS> &need)
{
    bool met = true;
    for (int a = 0; a < AGENTS; a++) {
        ERT_PRAGMA(HLS unroll)
        met &= counts.of[a] >= need.of[a];
    }
    return met;
}

inline int byte_of(Word word, int i) { return static_cast<int8_t>(static_cast<uint8_t>(word >> (8 * i))); }

// A list of commands, of BITS each, that is read from a memory of ROM_BITS: the next one while one executes.
template <int COMMANDS, int BITS> class List {
    int next = 0, wait = CYCLES;

public:
    static constexpr int CYCLES = timing::fetch((BITS + ROM_BITS - 1) / ROM_BITS);

    void tick() { wait -= wait > 0; }
    bool ready() const { return COMMANDS > 0 && next < COMMANDS && wait == 0; }
    int peek() const { return next; }
    int take()
    {
        wait = CYCLES;
        return next++;
    }
    bool finished() const { return next == COMMANDS; }
};

} // namespace ert

#endif
