/* Requantization (docs/numerics.md section 2, rounding twice) with all that is known of a channel at compile time.
 * Two words a channel:
 *   bias * 32 + shift - 1    the input zero point folded into the bias; shift: the divide that rounds, in bits, 1 to 22
 *   multiplier
 * Limits: |acc| < 2^30, |bias| < 2^26. codegen/kernels/channel.py packs the words and proves the limits from the
 * weights. */
#ifndef ERT_CHANNEL_H
#define ERT_CHANNEL_H

#include "include/ert_common.h"

enum { ERT_CHANNEL_WORDS = 2 };

/* A channel's words taken apart. offset: the output zero point and the half of the last rounding, shifted. */
typedef struct {
    int32_t bias, multiplier, offset, shift;
} ert_channel_t;

ERT_INLINE ert_channel_t ert_channel_of(int32_t first_word, int32_t multiplier, int32_t y_zero)
{
    const int32_t less_one = first_word & 31;
    const int32_t offset = (int32_t)((uint32_t)(2 * y_zero + 1) << less_one);
    const ert_channel_t c = {first_word >> 5, multiplier, offset, less_one + 1};
    return c;
}

ERT_INLINE ert_channel_t ert_channel(const int32_t *words, int32_t y_zero)
{
    return ert_channel_of(words[0], words[1], y_zero);
}

/* round(a * b / 2^32), halves up, from 16-bit halves: for cores whose widest product is 32 bits. b >= 0 */
ERT_INLINE int32_t ert_rounded_high_by_halves(int32_t a, int32_t b)
{
    const int32_t a_high = a >> 16, b_high = b >> 16;
    const uint32_t a_low = (uint32_t)a & 0xFFFFu, b_low = (uint32_t)b & 0xFFFFu;
    const int32_t crossed = a_high * (int32_t)b_low;
    const uint32_t low = (a_low * b_low >> 16) + a_low * (uint32_t)b_high; /* < 2^31 + 2^16 */
    const uint32_t carry = (low + ((uint32_t)crossed & 0xFFFFu) + 0x8000u) >> 16;
    return a_high * b_high + (crossed >> 16) + (int32_t)carry;
}

/* The same. */
ERT_INLINE int32_t ert_rounded_high(int32_t a, int32_t b)
{
#if defined(__ARM_ARCH_6M__)
    return ert_rounded_high_by_halves(a, b);
#else
    const int64_t product = (int64_t)a * b;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
#endif
}

/* twice = 2 * acc. The doubling high multiply, then the divide that rounds halves away from zero: downwards by
 * one where acc < 0. (Where the high multiply gives 0 for acc < 0 nothing is to be taken off, and taking one off
 * changes nothing: the offset holds a half.) Not yet clamped. */
ERT_INLINE int32_t ert_channel_requantize(int32_t twice, int32_t multiplier, int32_t offset, int32_t shift)
{
    const int32_t start = offset + (twice >> 31);
#if defined(__ARM_FEATURE_DSP)
    int32_t high;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(twice), "r"(multiplier), "r"(start));
    return high >> shift;
#else
    return (start + ert_rounded_high(twice, multiplier)) >> shift;
#endif
}

/* The same with one rounding, of the exact product, halves away from zero (fully connected). */
ERT_INLINE int32_t ert_channel_requantize_once(int32_t twice, int32_t multiplier, int32_t offset, int32_t shift)
{
    const int64_t product = (int64_t)twice * multiplier + (twice >> 31);
    return ((int32_t)(product >> 32) + offset) >> shift;
}

#endif
