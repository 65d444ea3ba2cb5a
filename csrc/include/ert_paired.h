/* Two output channels in one accumulator.
 * The halfword 256*a + b holds the weights a and b of two channels. A dot product with raw halfwords gives
 * 256*A + B modulo 2^32, one with their sign-extended low bytes gives B; A = (raw - B) / 256 is exact while
 * |A| < 2^23. One load and one SXTB16 thus serve four multiply-accumulates of each of two pixels.
 * Requantization rounds twice (docs/numerics.md section 2) with shift <= -1 and |acc| < 2^30; each channel has
 * three words: 2 * bias (the input zero point folded in), multiplier, -shift - 1.
 * codegen/kernels/paired.py packs both, and proves the two bounds from the weights. */
#ifndef ERT_PAIRED_H
#define ERT_PAIRED_H

#include "include/ert_common.h"
#include "include/ert_dsp.h"

/* twice = 2 * acc. SMMULR rounds as gemmlowp's doubling high multiply does; then the divide by 2^(less_one + 1)
 * rounds halves away from zero; offset = 2 * y_zero + 1. */
ERT_INLINE int32_t ert_paired_requantize(int32_t twice, const int32_t *channel, int32_t offset)
{
    const int64_t product = (int64_t)twice * channel[1];
    const int32_t high = (int32_t)((product + ((int64_t)1 << 31)) >> 32);
    return (((high + (high >> 31)) >> channel[2]) + offset) >> 1;
}

/* The first channel of a pair. */
ERT_INLINE int32_t ert_paired_first(int32_t raw, int32_t low, const int32_t *channel, int32_t offset)
{
    const int32_t twice = (int32_t)((uint32_t)raw - (uint32_t)low) >> 7;
    return ert_paired_requantize(channel[0] + twice, channel, offset);
}

/* The second channel of a pair. */
ERT_INLINE int32_t ert_paired_second(int32_t low, const int32_t *channel, int32_t offset)
{
    return ert_paired_requantize(channel[0] + 2 * low, channel, offset);
}

#endif
