/* The window of a binary convolution as a list: which taps are +1, or which are -1, whichever are fewer.
 * An entry is the number of a tap, (u * kernel_w + v) * in_c + c. */
#ifndef ERT_TAPS_H
#define ERT_TAPS_H

#include "include/ert_bits.h"
#include "kernels/binary/conv2d_b1.h"

#if defined(__ARM_FEATURE_UNALIGNED) || defined(__x86_64__)
/* Which bits of four are set, as four halfwords; how many. */
static const uint32_t ert_taps_of_four[16][2] = {
    {0x0, 0x0}, {0x0, 0x0}, {0x1, 0x0}, {0x10000, 0x0}, {0x2, 0x0}, {0x20000, 0x0}, {0x20001, 0x0}, {0x10000, 0x2},
    {0x3, 0x0}, {0x30000, 0x0}, {0x30001, 0x0}, {0x10000, 0x3}, {0x30002, 0x0}, {0x20000, 0x3}, {0x20001, 0x3}, {0x10000, 0x30002},
};
static const uint8_t ert_taps_in_four[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
#endif

/* The taps whose bits are set in `count` words, after the exclusive or with flip; `first` is the number of the first
 * bit's. Returns the end of the list, behind which up to four entries are written. One copy for all layers. */
static __attribute__((noinline)) uint16_t *ert_taps_of_words(
    uint16_t *list, const uint32_t *words, int32_t count, uint32_t flip, int32_t first)
{
#if defined(__ARM_FEATURE_UNALIGNED) || defined(__x86_64__)
    uint32_t twice = (uint32_t)first * 0x10001u;
    for (; count > 0; count--) {
        const uint32_t bits = *words++ ^ flip;
        for (int32_t k = 0; k < 32; k += 4, twice += 0x40004u) {
            const uint32_t four = bits >> k & 15u;
            __asm__("" : "+r"(twice)); /* else it is a base and a constant, in two additions */
            const uint32_t taps[2] = {ert_taps_of_four[four][0] + twice, ert_taps_of_four[four][1] + twice};
            __builtin_memcpy(list, taps, sizeof taps);
            list += ert_taps_in_four[four];
        }
    }
#else
    for (; count > 0; count--, first += 32) {
        for (uint32_t bits = *words++ ^ flip; bits != 0; bits &= bits - 1) {
            *list++ = (uint16_t)(first + ert_lowest_bit(bits));
        }
    }
#endif
    return list;
}

/* Whether the window with corner (r, q) lies on the map. */
ERT_INLINE int ert_taps_inside(int32_t r, int32_t q, const ert_conv2d_b1_t *g)
{
    return r >= 0 && r + (g->kernel_h - 1) * g->dilation_h < g->in_h && q >= 0 &&
           q + (g->kernel_w - 1) * g->dilation_w < g->in_w;
}

/* A kernel row of a window that lies on the map is one run of words, where no word is used in part only. */
ERT_INLINE int ert_taps_in_runs(int32_t r, int32_t q, const ert_conv2d_b1_t *g)
{
    return g->in_c % 32 == 0 && g->dilation_w == 1 && ert_taps_inside(r, q, g);
}

/* How many taps are +1; zeros outside of the map are not. */
ERT_INLINE int32_t ert_taps_count(const uint32_t *x, int32_t r, int32_t q, const ert_conv2d_b1_t *g)
{
    const int32_t words = ert_bit_words(g->in_c), runs = ert_taps_in_runs(r, q, g);
    int32_t ones = 0;
    for (int32_t u = 0; u < g->kernel_h; u++, r += g->dilation_h) {
        const uint32_t *run = runs ? x + (r * g->in_w + q) * words : x;
        for (int32_t k = 0; runs && k < g->kernel_w * words; k++) {
            ones += ert_popcount(run[k]);
        }
        for (int32_t k = 0; !runs && k < g->kernel_w * words; k++) {
            ones += ert_popcount(ert_conv2d_b1_word(x, r, q + k / words * g->dilation_w, k % words, g));
        }
    }
    return ones;
}

/* The taps that are +1, or with flip = ~0 those that are -1. Returns the end of the list. */
ERT_INLINE uint16_t *ert_taps_list(
    uint16_t *list, const uint32_t *x, int32_t r, int32_t q, uint32_t flip, const ert_conv2d_b1_t *g)
{
    const int32_t words = ert_bit_words(g->in_c), runs = ert_taps_in_runs(r, q, g);
    int32_t first = 0;
    for (int32_t u = 0; u < g->kernel_h; u++, r += g->dilation_h) {
        const uint32_t *run = runs ? x + (r * g->in_w + q) * words : x;
        if (runs) {
            list = ert_taps_of_words(list, run, g->kernel_w * words, flip, first);
            first += g->kernel_w * g->in_c;
        }
        for (int32_t v = 0; !runs && v < g->kernel_w; v++, first += g->in_c) {
            const int32_t column = q + v * g->dilation_w;
            for (int32_t word = 0; word < words && ert_conv2d_b1_counts(r, column, g); word++) {
                const uint32_t bits = ert_conv2d_b1_word(x, r, column, word, g) ^ flip;
                const uint32_t used = bits & ert_bits_used(g->in_c, word);
                list = ert_taps_of_words(list, &used, 1, 0, first + 32 * word);
            }
        }
    }
    return list;
}

/* As a sum in progress: `start`, and what the taps of the list weigh. kind: what is summed. */
typedef struct {
    enum { ERT_TAPS_ONES, ERT_TAPS_MINUS_ONES, ERT_TAPS_BOTH } kind;
    uint32_t start;
    int32_t count, count_minus; /* of the list's first and second part, rounded up to 16 */
    const uint16_t *taps, *minus;
} ert_taps_t;

/* Up to the next sixteen with the row behind the last tap's. */
ERT_INLINE int32_t ert_taps_fill(uint16_t *list, int32_t count, int32_t window)
{
    for (; count % 16 != 0; count++) {
        list[count] = (uint16_t)window;
    }
    return count;
}

ERT_INLINE ert_taps_t ert_taps(uint16_t *list, const uint32_t *x, int32_t r, int32_t q, const ert_conv2d_b1_t *g)
{
    const int32_t window = g->kernel_h * g->kernel_w * g->in_c;
    const int both = g->pad_value == 0 && !ert_taps_inside(r, q, g);
    const int32_t ones = both ? 0 : ert_taps_count(x, r, q, g);
    ert_taps_t t = {ERT_TAPS_ONES, (uint32_t)(window - ones), 0, 0, list, list};
    if (!both && 2 * ones > window) {
        t.kind = ERT_TAPS_MINUS_ONES;
        t.start = (uint32_t)ones;
    }
    const uint16_t *end = ert_taps_list(list, x, r, q, t.kind == ERT_TAPS_MINUS_ONES ? 0xFFFFFFFFu : 0, g);
    t.count = ert_taps_fill(list, (int32_t)(end - list), window);
    if (both) {
        uint16_t *const minus = list + t.count;
        const int32_t found = (int32_t)(ert_taps_list(minus, x, r, q, 0xFFFFFFFFu, g) - minus);
        const int32_t met = (int32_t)(end - list) + found;
        t.kind = ERT_TAPS_BOTH;
        t.minus = minus;
        t.count_minus = ert_taps_fill(minus, found, window);
        t.start = (uint32_t)(2 * found + window - met);
    }
    return t;
}

/* The dot product of a channel from its sum. ones: its weights that are +1; window: all of them. */
ERT_INLINE int32_t ert_taps_dot(const ert_taps_t *t, int32_t sum, int32_t ones, int32_t window)
{
    if (t->kind == ERT_TAPS_BOTH) {
        return sum - window;
    }
    return t->kind == ERT_TAPS_ONES ? 2 * (sum - ones) - window : 2 * (ones - sum) + window;
}

/* Bits of a sum, which is at most twice the window; more than are in the registers of ert_sliced_rows. */
enum { ERT_SLICED_BITS = 18 };
ERT_INLINE int32_t ert_sliced_bits(const ert_conv2d_b1_t *g)
{
    int32_t bits = 7;
    while (1 << bits <= 2 * g->kernel_h * g->kernel_w * g->in_c) {
        bits++;
    }
    return bits;
}

#endif
