/* fully_connected_s8 with SMLAD: eight outputs at a time (four pairs, include/ert_paired.h), straight from the int8
 * input, four at a time: SXTB16 leaves inputs 0, 2 in one word and 1, 3 in the other.
 * Weights   words [out_c/8][in_c/4][4 pairs][2], then pair by pair [in_c/4][2]; taps in the order 0, 2, 1, 3; in_c
 *           rounded up to four with zero weights
 * Requant   [pairs][ERT_PAIRED_WORDS]; uniform = 1, where all channels have one multiplier: it, then the first words
 * Overlap   none       Scratch: none       Limits: see include/ert_paired.h */
#ifndef ERT_FULLY_CONNECTED_S8__DSP_H
#define ERT_FULLY_CONNECTED_S8__DSP_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_dsp.h"
#include "include/ert_paired.h"
#include "kernels/fully_connected/fully_connected_s8.h"

/* The last 1 to 3 bytes of an input, the rest zero. */
ERT_INLINE uint32_t ert_fully_connected_s8__dsp_tail(const int8_t *x, int32_t count)
{
    uint32_t bytes = 0;
    for (int32_t n = 0; n < count; n++) {
        bytes |= (uint32_t)(uint8_t)x[n] << (8 * n);
    }
    return bytes;
}

/* Four inputs into the sums of `pairs` pairs. Returns the weights of the next four inputs. */
ERT_INLINE const uint32_t *ert_fully_connected_s8__dsp_four(
    uint32_t bytes, const uint32_t *w, ert_paired_t *sums, int32_t pairs)
{
    const uint32_t even = ert_sxtb16(bytes), odd = ert_sxtb16_odd(bytes);
    for (int32_t n = 0; n < pairs; n++, w += 2) {
        sums[n].raw = ert_smlad(w[1], odd, ert_smlad(w[0], even, sums[n].raw));
        sums[n].low = ert_smlad(ert_sxtb16(w[1]), odd, ert_smlad(ert_sxtb16(w[0]), even, sums[n].low));
    }
    return w;
}

#if defined(ERT_DSP_ASM)
/* One pair and four inputs. */
#define ERT_FULLY_CONNECTED_PAIR(raw, low) \
    "ldrd %[wa], %[wb], [%[w]], #8\n\t" \
    "smlad %[" raw "], %[wa], %[even], %[" raw "]\n\t" \
    "smlad %[" raw "], %[wb], %[odd], %[" raw "]\n\t" \
    "sxtb16 %[wa], %[wa]\n\t" \
    "sxtb16 %[wb], %[wb]\n\t" \
    "smlad %[" low "], %[wa], %[even], %[" low "]\n\t" \
    "smlad %[" low "], %[wb], %[odd], %[" low "]\n\t"
#define ERT_FULLY_CONNECTED_FOUR \
    "ldr %[even], [%[x]], #4\n\t" \
    "sxtb16 %[odd], %[even], ror #8\n\t" \
    "sxtb16 %[even], %[even]\n\t" \
    ERT_FULLY_CONNECTED_PAIR("r0", "l0") \
    ERT_FULLY_CONNECTED_PAIR("r1", "l1") \
    ERT_FULLY_CONNECTED_PAIR("r2", "l2") \
    ERT_FULLY_CONNECTED_PAIR("r3", "l3")
/* Four such at a time until x is the first end, which comes in `even`, then one at a time until it is the second,
 * which comes in `odd`. Both wait on the stack, for want of registers. */
#define ERT_FULLY_CONNECTED_LOOPS \
    __asm__ volatile("push {%[even], %[odd]}\n\t" \
                     "cmp %[x], %[even]\n\t" \
                     "beq 2f\n" \
                     "1:\n\t" \
                     ERT_FULLY_CONNECTED_FOUR \
                     ERT_FULLY_CONNECTED_FOUR \
                     ERT_FULLY_CONNECTED_FOUR \
                     ERT_FULLY_CONNECTED_FOUR \
                     "ldr %[even], [sp]\n\t" \
                     "cmp %[x], %[even]\n\t" \
                     "bne.w 1b\n" \
                     "2:\n\t" \
                     "ldr %[even], [sp, #4]\n\t" \
                     "cmp %[x], %[even]\n\t" \
                     "beq 4f\n" \
                     "3:\n\t" \
                     ERT_FULLY_CONNECTED_FOUR \
                     "ldr %[even], [sp, #4]\n\t" \
                     "cmp %[x], %[even]\n\t" \
                     "bne 3b\n" \
                     "4:\n\t" \
                     "add sp, #8" \
                     : [x] "+r"(at), [w] "+r"(weights), [r0] "+r"(r0), [l0] "+r"(l0), [r1] "+r"(r1), \
                       [l1] "+r"(l1), [r2] "+r"(r2), [l2] "+r"(l2), [r3] "+r"(r3), [l3] "+r"(l3), \
                       [even] "+r"(even), [odd] "+r"(odd), [wa] "=&r"(wa), [wb] "=&r"(wb) \
                     : \
                     : "cc", "memory")
#endif

/* `fours` groups of four inputs into the sums of four pairs. */
ERT_INLINE const uint32_t *ert_fully_connected_s8__dsp_block(
    const int8_t *x, const uint32_t *w, ert_paired_t *s, int32_t fours)
{
#if defined(ERT_DSP_ASM)
    register const int8_t *at __asm__("r0") = x;
    register const uint32_t *weights __asm__("r1") = w;
    register int32_t r0 __asm__("r2") = s[0].raw, l0 __asm__("r3") = s[0].low;
    register int32_t r1 __asm__("r4") = s[1].raw, l1 __asm__("r5") = s[1].low;
    register int32_t r2 __asm__("r6") = s[2].raw, l2 __asm__("r7") = s[2].low;
    register int32_t r3 __asm__("r8") = s[3].raw, l3 __asm__("r9") = s[3].low;
    register const int8_t *even __asm__("r10") = x + 4 * (fours & ~3), *odd __asm__("r11") = x + 4 * fours;
    register uint32_t wa __asm__("r12"), wb __asm__("lr");
    ERT_FULLY_CONNECTED_LOOPS;
    const ert_paired_t sums[4] = {{r0, l0}, {r1, l1}, {r2, l2}, {r3, l3}};
    for (int32_t n = 0; n < 4; n++) {
        s[n] = sums[n];
    }
    return weights;
#else
    for (; fours > 0; fours--, x += 4) {
        w = ert_fully_connected_s8__dsp_four(ert_load32(x), w, s, 4);
    }
    return w;
#endif
}

ERT_INLINE void ert_fully_connected_s8__dsp_store(
    int8_t *y, int32_t twice, ert_channel_t c, const ert_fully_connected_s8_t *g)
{
    const int32_t v = ert_channel_requantize_once(twice, c.multiplier, c.offset, c.shift);
    *y = (int8_t)ert_clamp8(v, g->y_min, g->y_max);
}

/* 2 * pairs outputs, of which `channels` exist. q: their words, one each if uniform, with `multiplier` for all.
 * Returns the weights of the next. */
ERT_INLINE const uint32_t *ert_fully_connected_s8__dsp_pairs(
    const int8_t *x, int8_t *y, const uint32_t *w, const int32_t *q, int32_t uniform, int32_t multiplier,
    int32_t pairs, int32_t channels, const ert_fully_connected_s8_t *g)
{
    const int32_t step = uniform ? 1 : ERT_CHANNEL_WORDS, whole = g->in_c & ~3;
    ert_paired_t sums[4] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};
    for (int32_t n = 0; n < pairs; n++) {
        sums[n] = ert_paired_start(q[2 * n * step], q[(2 * n + 1) * step]);
    }
    if (pairs == 4) {
        w = ert_fully_connected_s8__dsp_block(x, w, sums, whole / 4);
    } else {
        for (int32_t k = 0; k < whole; k += 4) {
            w = ert_fully_connected_s8__dsp_four(ert_load32(x + k), w, sums, pairs);
        }
    }
    if (whole < g->in_c) {
        const uint32_t bytes = ert_fully_connected_s8__dsp_tail(x + whole, g->in_c - whole);
        w = ert_fully_connected_s8__dsp_four(bytes, w, sums, pairs);
    }
    /* Unrolled no more than this: with the loop above, it is to fit in a small instruction cache. */
#pragma GCC unroll 2
    for (int32_t n = 0; n < channels; n++, q += step) {
        const ert_paired_t s = sums[n / 2];
        const int32_t twice = n % 2 == 0 ? ert_paired_first(s) : ert_paired_second(s);
        const ert_channel_t c = ert_channel_of(q[0], uniform ? multiplier : q[1], g->y_zero);
        ert_fully_connected_s8__dsp_store(y + n, twice, c, g);
    }
    return w;
}

ERT_INLINE void ert_fully_connected_s8__dsp(
    const int8_t *x, int8_t *y, const uint32_t *weights, const int32_t *requant,
    const ert_fully_connected_s8_t *g, int32_t uniform)
{
    const int32_t multiplier = requant[0], step = uniform ? 1 : ERT_CHANNEL_WORDS;
    for (int32_t b = 0; b < g->batch; b++, x += g->in_c, y += g->out_c) {
        const uint32_t *w = weights;
        const int32_t *q = requant + (uniform ? 1 : 0);
        int32_t n = 0;
        for (; n + 8 <= g->out_c; n += 8, q += 8 * step) {
            w = ert_fully_connected_s8__dsp_pairs(x, y + n, w, q, uniform, multiplier, 4, 8, g);
        }
        for (; n < g->out_c; n += 2, q += 2 * step) {
            w = ert_fully_connected_s8__dsp_pairs(
                x, y + n, w, q, uniform, multiplier, 1, g->out_c - n < 2 ? g->out_c - n : 2, g);
        }
    }
}

#endif
