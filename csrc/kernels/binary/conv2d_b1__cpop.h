/* conv2d_b1, four channels side by side, for cores with an instruction that counts bits in one word.
 * Weights   word by word of four channels, [out_c / 4][words of a window][4]; channels that are not there are 0
 * Sums, Overlap, Scratch   conv2d_b1__xnor.h */
#ifndef ERT_CONV2D_B1__CPOP_H
#define ERT_CONV2D_B1__CPOP_H

#include "kernels/binary/conv2d_b1__xnor.h"

ERT_INLINE void ert_conv2d_b1__cpop(
    const uint32_t *x, uint32_t *y, const uint32_t *weights, const int16_t *sums, const int32_t *threshold,
    uint8_t *scratch, const ert_conv2d_b1_t *g)
{
    uint32_t *const window = (uint32_t *)(void *)scratch;
    const int32_t taps = g->kernel_h * g->kernel_w, words = taps * ert_bit_words(g->in_c);
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * ert_bit_words(g->in_c)) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                const uint32_t *w = weights;
                uint32_t bits = 0;
                ert_conv2d_b1__xnor_gather(window, x, r, q, g);
                for (int32_t n = 0; n < g->out_c; n += 4, w += 4 * words) {
                    int32_t differ[4] = {0, 0, 0, 0};
                    for (int32_t k = 0; k < words; k++) {
                        for (int32_t c = 0; c < 4; c++) {
                            differ[c] += ert_popcount(window[k] ^ w[4 * k + c]);
                        }
                    }
                    for (int32_t c = 0; c < 4 && n + c < g->out_c; c++) {
                        int32_t dot = taps * g->in_c - 2 * differ[c];
                        if (g->pad_value == 0) {
                            dot += ert_conv2d_b1__xnor_outside(sums + (n + c) * taps, r, q, g);
                        }
                        bits |= (uint32_t)(dot >= threshold[n + c]) << ((n + c) % 32);
                    }
                    if (n % 32 == 28 || n + 4 >= g->out_c) {
                        *y++ = bits;
                        bits = 0;
                    }
                }
            }
        }
    }
}

#endif
