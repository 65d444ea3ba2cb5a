/* Tensors of one bit an element ("b1"): 1 is +1, 0 is -1. The channels of a pixel lie in whole 32-bit words, channel
 * c in bit c % 32 of word c / 32; what is left of the last word is zero. */
#ifndef ERT_BITS_H
#define ERT_BITS_H

#include "include/ert_common.h"

/* Words of a pixel. */
ERT_INLINE int32_t ert_bit_words(int32_t channels)
{
    return (channels + 31) / 32;
}

/* The bits in use of word `word` of a pixel. */
ERT_INLINE uint32_t ert_bits_used(int32_t channels, int32_t word)
{
    const int32_t left = channels - 32 * word;
    return left >= 32 ? 0xFFFFFFFFu : (1u << left) - 1u;
}

ERT_INLINE int32_t ert_popcount(uint32_t v)
{
#if defined(__POPCNT__) || defined(__riscv_zbb) || defined(__aarch64__)
    return __builtin_popcount(v);
#else
    v -= v >> 1 & 0x55555555u;
    v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
    v = (v + (v >> 4)) & 0x0F0F0F0Fu;
    return (int32_t)(v * 0x01010101u >> 24);
#endif
}

/* The lowest bit that is set; v is not 0. */
ERT_INLINE int32_t ert_lowest_bit(uint32_t v)
{
#if defined(__thumb__) && !defined(__thumb2__)
    return ert_popcount((v & (0u - v)) - 1u);
#elif defined(__riscv) && !defined(__riscv_zbb)
    return ert_popcount((v & (0u - v)) - 1u);
#else
    return __builtin_ctz(v);
#endif
}

#endif
