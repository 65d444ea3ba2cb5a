/* conv2d_b1, channel by channel: the words of the window against those of the weights, equal bits counted.
 * Sixteen words at a time go through fifteen full adders, so that one population count serves sixteen words where the
 * core has no instruction for it (Harley and Seal; H. Warren: Hacker's Delight, 2nd edition, 5-1).
 * Weights   words [out_c][kernel_h * kernel_w * words of a pixel]
 * Sums      [out_c][kernel_h * kernel_w] int16: of a tap's weights, for the taps outside where zeros are there
 * Overlap   a pixel's window is read before the pixel is written          Scratch: the words of a window */
#ifndef ERT_CONV2D_B1__XNOR_H
#define ERT_CONV2D_B1__XNOR_H

#include "kernels/binary/conv2d_b1.h"

#if defined(__POPCNT__) || defined(__riscv_zbb) || defined(__aarch64__)
#define ERT_HAS_POPCOUNT 1
#else
#define ERT_HAS_POPCOUNT 0
#endif

/* sum + a + b = 2 * the result + sum */
ERT_INLINE uint32_t ert_word_add(uint32_t *sum, uint32_t a, uint32_t b)
{
    const uint32_t differ = *sum ^ a, carry = (differ & b) | (~differ & a);
    *sum = differ ^ b;
    return carry;
}

/* Four words that differ, onto the counts of ones and twos; what they carry. */
ERT_INLINE uint32_t ert_xnor_4(uint32_t *s, const uint32_t *x, const uint32_t *w)
{
    const uint32_t first = ert_word_add(s, x[0] ^ w[0], x[1] ^ w[1]);
    return ert_word_add(s + 1, first, ert_word_add(s, x[2] ^ w[2], x[3] ^ w[3]));
}

/* How many bits of n words differ. */
ERT_INLINE int32_t ert_xnor_differ(const uint32_t *x, const uint32_t *w, int32_t n)
{
    int32_t differ = 0, k = 0;
    if (!ERT_HAS_POPCOUNT && n >= 16) {
        uint32_t s[4] = {0, 0, 0, 0};
        for (; k + 16 <= n; k += 16) {
            const uint32_t a = ert_xnor_4(s, x + k, w + k);
            const uint32_t b = ert_word_add(s + 2, a, ert_xnor_4(s, x + k + 4, w + k + 4));
            const uint32_t c = ert_xnor_4(s, x + k + 8, w + k + 8);
            const uint32_t d = ert_word_add(s + 2, c, ert_xnor_4(s, x + k + 12, w + k + 12));
            differ += 16 * ert_popcount(ert_word_add(s + 3, b, d));
        }
        differ += ert_popcount(s[0]) + 2 * ert_popcount(s[1]) + 4 * ert_popcount(s[2]) + 8 * ert_popcount(s[3]);
    }
    for (; k < n; k++) {
        differ += ert_popcount(x[k] ^ w[k]);
    }
    return differ;
}

ERT_INLINE void ert_conv2d_b1__xnor_gather(
    uint32_t *to, const uint32_t *x, int32_t r, int32_t q, const ert_conv2d_b1_t *g)
{
    for (int32_t u = 0; u < g->kernel_h; u++) {
        for (int32_t v = 0; v < g->kernel_w; v++) {
            for (int32_t word = 0; word < ert_bit_words(g->in_c); word++) {
                *to++ = ert_conv2d_b1_word(x, r + u * g->dilation_h, q + v * g->dilation_w, word, g);
            }
        }
    }
}

/* What the taps outside, gathered as -1, took off the dot product. */
ERT_INLINE int32_t ert_conv2d_b1__xnor_outside(
    const int16_t *sums, int32_t r, int32_t q, const ert_conv2d_b1_t *g)
{
    int32_t outside = 0;
    for (int32_t u = 0; u < g->kernel_h; u++) {
        for (int32_t v = 0; v < g->kernel_w; v++, sums++) {
            outside += ert_conv2d_b1_counts(r + u * g->dilation_h, q + v * g->dilation_w, g) ? 0 : *sums;
        }
    }
    return outside;
}

ERT_INLINE void ert_conv2d_b1__xnor(
    const uint32_t *x, uint32_t *y, const uint32_t *weights, const int16_t *sums, const int32_t *threshold,
    uint8_t *scratch, const ert_conv2d_b1_t *g)
{
    uint32_t *const window = (uint32_t *)(void *)scratch;
    const int32_t taps = g->kernel_h * g->kernel_w, words = taps * ert_bit_words(g->in_c);
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * ert_bit_words(g->in_c)) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                ert_conv2d_b1__xnor_gather(window, x, r, q, g);
                for (int32_t n = 0; n < g->out_c; n += 32) {
                    uint32_t bits = 0;
                    for (int32_t k = 0; k < 32 && n + k < g->out_c; k++) {
                        int32_t dot = taps * g->in_c - 2 * ert_xnor_differ(window, weights + (n + k) * words, words);
                        if (g->pad_value == 0) {
                            dot += ert_conv2d_b1__xnor_outside(sums + (n + k) * taps, r, q, g);
                        }
                        bits |= (uint32_t)(dot >= threshold[n + k]) << k;
                    }
                    *y++ = bits;
                }
            }
        }
    }
}

#endif
