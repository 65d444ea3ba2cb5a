/* Two output channels in one accumulator.
 * The halfword 256*a + b holds the weights a and b of two channels. A dot product with raw halfwords gives
 * 256*A + B modulo 2^32, one with their sign-extended low bytes gives B; A = (raw - B) / 256 is exact while
 * |A| < 2^23, bias and all; a longer sum is made in parts for which that holds. One load and one SXTB16 thus serve
 * four multiply-accumulates of every pixel.
 * codegen/kernels/paired.py packs weights and words, and proves the bound from the weights. */
#ifndef ERT_PAIRED_H
#define ERT_PAIRED_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_dsp.h"

/* The words of both channels. */
enum { ERT_PAIRED_WORDS = 2 * ERT_CHANNEL_WORDS };

/* Sums of one pixel against one pair of channels. */
typedef struct {
    int32_t raw, low;
} ert_paired_t;

/* Nothing but the biases, from the first words of both channels. */
ERT_INLINE ert_paired_t ert_paired_start(int32_t first_a, int32_t first_b)
{
    const int32_t low = first_b >> 5;
    const ert_paired_t sums = {(int32_t)((uint32_t)(first_a >> 5) << 8) + low, low};
    return sums;
}

/* One word of weights, two taps, against those taps of `pixels` pixels. */
ERT_INLINE void ert_paired_accumulate(ert_paired_t *s, uint32_t weights, const uint32_t *x, int32_t pixels)
{
    const uint32_t low = ert_sxtb16(weights);
    for (int32_t p = 0; p < pixels; p++) {
        s[p].raw = ert_smlad(weights, x[p], s[p].raw);
        s[p].low = ert_smlad(low, x[p], s[p].low);
    }
}

#if defined(ERT_DSP_ASM)
/* Two taps of two pixels and two pairs; a is the first pair. */
#define ERT_PAIRED_2X2 \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t" \
    "ldrd %[wa], %[wb], [%[w]], #8\n\t" \
    "smlad %[r0], %[wa], %[x0], %[r0]\n\t" \
    "smlad %[r1], %[wa], %[x1], %[r1]\n\t" \
    "sxtb16 %[wa], %[wa]\n\t" \
    "smlad %[l0], %[wa], %[x0], %[l0]\n\t" \
    "smlad %[l1], %[wa], %[x1], %[l1]\n\t" \
    "smlad %[r2], %[wb], %[x0], %[r2]\n\t" \
    "smlad %[r3], %[wb], %[x1], %[r3]\n\t" \
    "sxtb16 %[wb], %[wb]\n\t" \
    "smlad %[l2], %[wb], %[x0], %[l2]\n\t" \
    "smlad %[l3], %[wb], %[x1], %[l3]\n\t"
/* Two taps of four pixels and one pair: half the weights to fetch for as much work. x is 8 bytes behind. Three loads
 * in a row take four cycles, where a double one among them would take one more. */
#define ERT_PAIRED_4X1 \
    "ldr %[wa], [%[w]], #4\n\t" \
    "ldr %[x0], [%[x], #8]\n\t" \
    "ldr %[x1], [%[x], #12]\n\t" \
    "sxtb16 %[wb], %[wa]\n\t" \
    "smlad %[r0], %[wa], %[x0], %[r0]\n\t" \
    "smlad %[r1], %[wa], %[x1], %[r1]\n\t" \
    "smlad %[l0], %[wb], %[x0], %[l0]\n\t" \
    "smlad %[l1], %[wb], %[x1], %[l1]\n\t" \
    "ldrd %[x0], %[x1], [%[x], #16]!\n\t" \
    "smlad %[r2], %[wa], %[x0], %[r2]\n\t" \
    "smlad %[r3], %[wa], %[x1], %[r3]\n\t" \
    "smlad %[l2], %[wb], %[x0], %[l2]\n\t" \
    "smlad %[l3], %[wb], %[x1], %[l3]\n\t"
#define ERT_PAIRED_TIMES_4(text) text text text text
/* What both loops below work on. */
#define ERT_PAIRED_OPERANDS \
    [x] "+r"(at), [w] "+r"(weights), [r0] "+r"(r0), [l0] "+r"(l0), [r1] "+r"(r1), [l1] "+r"(l1), [r2] "+r"(r2), \
        [l2] "+r"(l2), [r3] "+r"(r3), [l3] "+r"(l3), [x0] "+r"(x0), [x1] "+r"(x1), [wa] "=&r"(wa), [wb] "=&r"(wb)
/* do { taps } while (x != end), then `tail`. The end comes in x0 and waits on the stack, for want of registers. */
#define ERT_PAIRED_LOOP(taps, tail) \
    __asm__ volatile("push {%[x0]}\n" \
                     "1:\n\t" taps "ldr %[x0], [sp]\n\t" \
                     "cmp %[x], %[x0]\n\t" \
                     "bne 1b\n\t" \
                     "add sp, #4\n\t" tail \
                     : ERT_PAIRED_OPERANDS \
                     : \
                     : "cc", "memory")
#if defined(__OPTIMIZE_SIZE__)
#define ERT_PAIRED_STEPS(taps) \
    x0 = x + words * pixels; \
    ERT_PAIRED_LOOP(taps, "");
#else
/* Eight at a time until x is the first end, which comes in x0, then one at a time until it is the second, in x1. */
#define ERT_PAIRED_LOOPS(taps) \
    __asm__ volatile("push {%[x0], %[x1]}\n\t" \
                     "cmp %[x], %[x0]\n\t" \
                     "beq 2f\n" \
                     "1:\n\t" ERT_PAIRED_TIMES_4(taps) ERT_PAIRED_TIMES_4(taps) "ldr %[x0], [sp]\n\t" \
                     "cmp %[x], %[x0]\n\t" \
                     "bne 1b\n" \
                     "2:\n\t" \
                     "ldr %[x0], [sp, #4]\n\t" \
                     "cmp %[x], %[x0]\n\t" \
                     "beq 4f\n" \
                     "3:\n\t" taps "ldr %[x0], [sp, #4]\n\t" \
                     "cmp %[x], %[x0]\n\t" \
                     "bne 3b\n" \
                     "4:\n\t" \
                     "add sp, #8" \
                     : ERT_PAIRED_OPERANDS \
                     : \
                     : "cc", "memory")
/* Where the number of words is a literal, what remains after the loop needs none of its own. */
#define ERT_PAIRED_STEPS(taps) \
    if (__builtin_constant_p(words) && words % 8 == 0) { \
        ERT_PAIRED_LOOP(ERT_PAIRED_TIMES_4(taps) ERT_PAIRED_TIMES_4(taps), ""); \
    } else if (__builtin_constant_p(words) && words >= 4) { \
        x0 = x + (words & ~3) * pixels; \
        if (words % 4 == 0) { \
            ERT_PAIRED_LOOP(ERT_PAIRED_TIMES_4(taps), ""); \
        } else if (words % 4 == 1) { \
            ERT_PAIRED_LOOP(ERT_PAIRED_TIMES_4(taps), taps); \
        } else if (words % 4 == 2) { \
            ERT_PAIRED_LOOP(ERT_PAIRED_TIMES_4(taps), taps taps); \
        } else { \
            ERT_PAIRED_LOOP(ERT_PAIRED_TIMES_4(taps), taps taps taps); \
        } \
    } else { \
        x0 = x + (words & ~7) * pixels; \
        x1 = x + words * pixels; \
        ERT_PAIRED_LOOPS(taps); \
    }
#endif
#endif

/* Dot products of four sums, s: two pairs with two pixels (pixels = 2; pair by pair), or one pair with four.
 * x: word k of each pixel in turn; w: word k of each pair in turn; `words` of each, at least one.
 * Returns the end of w. */
ERT_INLINE const uint32_t *ert_paired_dot(
    ert_paired_t *s, const uint32_t *x, const uint32_t *w, int32_t words, int32_t pixels)
{
#if defined(ERT_DSP_ASM)
    x = (const uint32_t *)((uintptr_t)x - (pixels == 4 ? 8u : 0u));
    register const uint32_t *at __asm__("r0") = x, *weights __asm__("r1") = w;
    register int32_t r0 __asm__("r2") = s[0].raw, l0 __asm__("r3") = s[0].low;
    register int32_t r1 __asm__("r4") = s[1].raw, l1 __asm__("r5") = s[1].low;
    register int32_t r2 __asm__("r6") = s[2].raw, l2 __asm__("r7") = s[2].low;
    register int32_t r3 __asm__("r8") = s[3].raw, l3 __asm__("r9") = s[3].low;
    register const uint32_t *x0 __asm__("r10") = x + words * pixels;
    register const uint32_t *x1 __asm__("r11") = x0;
    register uint32_t wa __asm__("r12"), wb __asm__("lr");
    if (pixels == 4) {
        ERT_PAIRED_STEPS(ERT_PAIRED_4X1)
    } else {
        ERT_PAIRED_STEPS(ERT_PAIRED_2X2)
    }
    const ert_paired_t sums[4] = {{r0, l0}, {r1, l1}, {r2, l2}, {r3, l3}};
    for (int32_t n = 0; n < 4; n++) {
        s[n] = sums[n];
    }
    return weights;
#else
    for (; words > 0; words--, x += pixels) {
        for (int32_t n = 0; n < 4; n += pixels) {
            ert_paired_accumulate(s + n, *w++, x, pixels);
        }
    }
    return w;
#endif
}

/* Twice the sums of the first channel, and of the second. */
ERT_INLINE int32_t ert_paired_first(ert_paired_t s)
{
    return (int32_t)((uint32_t)s.raw - (uint32_t)s.low) >> 7;
}

ERT_INLINE int32_t ert_paired_second(ert_paired_t s)
{
    return 2 * s.low;
}

/* Twice the sums of four starts, first and second channels, as ert_paired_dot takes them: in `parts` parts of as many
 * words (codegen/kernels/paired.py, part_words). Returns the end of w. */
ERT_INLINE const uint32_t *ert_paired_sums(
    int32_t *first, int32_t *second, ert_paired_t *s, const uint32_t *x, const uint32_t *w, int32_t words,
    int32_t pixels, int32_t parts)
{
    const int32_t part = parts == 1 ? words : ((words + parts - 1) / parts + 7) & ~7;
    const int32_t whole = part < words ? part : words;
    w = ert_paired_dot(s, x, w, whole, pixels);
    for (int32_t k = 0; k < 4; k++) {
        first[k] = ert_paired_first(s[k]);
        second[k] = ert_paired_second(s[k]);
    }
    for (int32_t done = whole; parts > 1 && done < words; done += part) {
        ert_paired_t more[4] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};
        w = ert_paired_dot(more, x + done * pixels, w, words - done < part ? words - done : part, pixels);
        for (int32_t k = 0; k < 4; k++) {
            first[k] += ert_paired_first(more[k]);
            second[k] += ert_paired_second(more[k]);
        }
    }
    return w;
}

/* One channel of `pixels` pixels, `apart` bytes from each other; twice: its sums. */
ERT_INLINE void ert_paired_store(
    int8_t *y, int32_t apart, const int32_t *twice, ert_channel_t c, int32_t pixels, int32_t low, int32_t high)
{
    int32_t v[4];
    for (int32_t p = 0; p < pixels; p++) {
        v[p] = ert_clamp8(ert_channel_requantize(twice[p], c.multiplier, c.offset, c.shift), low, high);
    }
    for (int32_t p = 0; p < pixels; p++) {
        y[p * apart] = (int8_t)v[p];
    }
}

/* Where the outputs of a pair go: pixel p to y + p * apart; clamped to low .. high. */
typedef struct {
    int32_t apart, zero, low, high;
} ert_paired_output_t;

/* One or two channels of `pixels` pixels, from twice their sums. */
ERT_INLINE void ert_paired_finish(
    const int32_t *first, const int32_t *second, const int32_t *words, int8_t *y, const ert_paired_output_t *o,
    int32_t pixels, int32_t channels)
{
    ERT_OPAQUE(words);
    ert_paired_store(y, o->apart, first, ert_channel(words, o->zero), pixels, o->low, o->high);
    if (channels > 1) {
        words += ERT_CHANNEL_WORDS;
        ert_paired_store(y + 1, o->apart, second, ert_channel(words, o->zero), pixels, o->low, o->high);
    }
}

#endif
