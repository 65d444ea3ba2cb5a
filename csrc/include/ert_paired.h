/* Two output channels in one accumulator.
 * The halfword 256*a + b holds the weights a and b of two channels. A dot product with raw halfwords gives
 * 256*A + B modulo 2^32, one with their sign-extended low bytes gives B; A = (raw - B) / 256 is exact while
 * |A| < 2^23, bias and all. One load and one SXTB16 thus serve four multiply-accumulates of each of two pixels.
 * codegen/kernels/paired.py packs weights and words, and proves the bound from the weights. */
#ifndef ERT_PAIRED_H
#define ERT_PAIRED_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_dsp.h"

/* Words of a pair of channels a, b: 256 * bias_a + bias_b, bias_b, then multiplier, offset, shift (as
 * include/ert_channel.h) of a and of b. */
enum { ERT_PAIRED_WORDS = 8 };

/* Sums of two pixels against one pair of channels. */
typedef struct {
    int32_t raw0, low0, raw1, low1;
} ert_paired_t;

ERT_INLINE ert_paired_t ert_paired_start(const int32_t *words)
{
    const ert_paired_t sums = {words[0], words[1], words[0], words[1]};
    return sums;
}

/* One word of weights, two taps, against the same taps of both pixels. */
ERT_INLINE void ert_paired_accumulate(ert_paired_t *s, uint32_t weights, uint32_t x0, uint32_t x1)
{
    const uint32_t low = ert_sxtb16(weights);
    s->raw0 = ert_smlad(weights, x0, s->raw0);
    s->raw1 = ert_smlad(weights, x1, s->raw1);
    s->low0 = ert_smlad(low, x0, s->low0);
    s->low1 = ert_smlad(low, x1, s->low1);
}

#if defined(ERT_DSP_ASM)
/* Two taps of two pixels and two pairs in twelve instructions. */
#define ERT_PAIRED_TWO_TAPS \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t" \
    "ldrd %[wa], %[wb], [%[w]], #8\n\t" \
    "smlad %[ra0], %[wa], %[x0], %[ra0]\n\t" \
    "smlad %[ra1], %[wa], %[x1], %[ra1]\n\t" \
    "sxtb16 %[wa], %[wa]\n\t" \
    "smlad %[la0], %[wa], %[x0], %[la0]\n\t" \
    "smlad %[la1], %[wa], %[x1], %[la1]\n\t" \
    "smlad %[rb0], %[wb], %[x0], %[rb0]\n\t" \
    "smlad %[rb1], %[wb], %[x1], %[rb1]\n\t" \
    "sxtb16 %[wb], %[wb]\n\t" \
    "smlad %[lb0], %[wb], %[x0], %[lb0]\n\t" \
    "smlad %[lb1], %[wb], %[x1], %[lb1]\n\t"
/* do { taps } while (x != end); end comes in x0 and waits on the stack, for want of a register */
#define ERT_PAIRED_LOOP(taps) \
    __asm__ volatile("push {%[x0]}\n" \
                     "1:\n\t" taps "ldr %[x0], [sp]\n\t" \
                     "cmp %[x], %[x0]\n\t" \
                     "bne 1b\n\t" \
                     "add sp, #4" \
                     : [x] "+r"(at), [w] "+r"(weights), [ra0] "+r"(ra0), [ra1] "+r"(ra1), [la0] "+r"(la0), \
                       [la1] "+r"(la1), [rb0] "+r"(rb0), [rb1] "+r"(rb1), [lb0] "+r"(lb0), [lb1] "+r"(lb1), \
                       [x0] "+r"(x0), [x1] "=&r"(x1), [wa] "=&r"(wa), [wb] "=&r"(wb) \
                     : \
                     : "cc", "memory")
#endif

/* Dot products of two pairs with two pixels. x: word k of pixel 0, word k of pixel 1; w: word k of pair a, word k
 * of pair b; `words` of each. Returns the end of w. */
ERT_INLINE const uint32_t *ert_paired_dot(
    ert_paired_t *a, ert_paired_t *b, const uint32_t *x, const uint32_t *w, int32_t words)
{
#if defined(ERT_DSP_ASM)
    register const uint32_t *at __asm__("r0") = x, *weights __asm__("r1") = w;
    register int32_t ra0 __asm__("r2") = a->raw0, la0 __asm__("r3") = a->low0;
    register int32_t ra1 __asm__("r4") = a->raw1, la1 __asm__("r5") = a->low1;
    register int32_t rb0 __asm__("r6") = b->raw0, lb0 __asm__("r7") = b->low0;
    register int32_t rb1 __asm__("r8") = b->raw1, lb1 __asm__("r9") = b->low1;
    register const uint32_t *x0 __asm__("r10") = x + 2 * (words & ~3);
    register uint32_t x1 __asm__("r11"), wa __asm__("r12"), wb __asm__("lr");
    if (words >= 4) {
        ERT_PAIRED_LOOP(ERT_PAIRED_TWO_TAPS ERT_PAIRED_TWO_TAPS ERT_PAIRED_TWO_TAPS ERT_PAIRED_TWO_TAPS);
    }
    if ((words & 3) != 0) {
        x0 = x + 2 * words;
        ERT_PAIRED_LOOP(ERT_PAIRED_TWO_TAPS);
    }
    const ert_paired_t sums_a = {ra0, la0, ra1, la1}, sums_b = {rb0, lb0, rb1, lb1};
    *a = sums_a;
    *b = sums_b;
    return weights;
#else
    for (; words > 0; words--, x += 2, w += 2) {
        ert_paired_accumulate(a, w[0], x[0], x[1]);
        ert_paired_accumulate(b, w[1], x[0], x[1]);
    }
    return w;
#endif
}

/* Twice the sums of the first channel, and of the second. */
ERT_INLINE int32_t ert_paired_first(int32_t raw, int32_t low)
{
    return (int32_t)((uint32_t)raw - (uint32_t)low) >> 7;
}

ERT_INLINE int32_t ert_paired_second(int32_t low)
{
    return 2 * low;
}

/* One channel of both pixels to y0 and y1; what: its multiplier, offset, shift. y0 == y1 keeps pixel 0. */
ERT_INLINE void ert_paired_store(
    int8_t *y0, int8_t *y1, int32_t twice0, int32_t twice1, const int32_t *what, int32_t low, int32_t high)
{
    const int32_t multiplier = what[0], offset = what[1], shift = what[2];
    const int32_t v0 = ert_clamp8(ert_channel_requantize(twice0, multiplier, offset, shift), low, high);
    *y1 = (int8_t)ert_clamp8(ert_channel_requantize(twice1, multiplier, offset, shift), low, high);
    *y0 = (int8_t)v0;
}

/* One or two channels of both pixels. */
ERT_INLINE void ert_paired_finish(
    const ert_paired_t *s, const int32_t *words, int8_t *y0, int8_t *y1, int32_t channels, int32_t low,
    int32_t high)
{
    ERT_OPAQUE(words);
    ert_paired_store(
        y0, y1, ert_paired_first(s->raw0, s->low0), ert_paired_first(s->raw1, s->low1), words + 2, low, high);
    if (channels > 1) {
        ert_paired_store(
            y0 + 1, y1 + 1, ert_paired_second(s->low0), ert_paired_second(s->low1), words + 5, low, high);
    }
}

#endif
