/* y[b,i,j,n] = +1 if acc >= threshold[n], else -1;  acc = sum over u, v, c of (x - x_zero) * w[n,u,v,c], 0 outside
 * Shapes    x [batch,in_h,in_w,in_c] int8  w [out_c,kernel_h,kernel_w,in_c] int8  y [batch,out_h,out_w,out_c] b1
 *           (include/ert_bits.h); threshold [out_c] int32
 * Exact: integers only          Overlap: a word of y is written after its window was read          Scratch: none
 * Limits    |acc| < 2^31        Source: docs/binary.md */
#ifndef ERT_CONV2D_S8_B1_H
#define ERT_CONV2D_S8_B1_H

#include "include/ert_bits.h"

typedef struct {
    int32_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t x_zero;
} ert_conv2d_s8_b1_t;

ERT_INLINE int32_t ert_conv2d_s8_b1_sum(
    const int8_t *x, const int8_t *weights, int32_t r, int32_t q, const ert_conv2d_s8_b1_t *g)
{
    int32_t sum = 0;
    for (int32_t u = 0; u < g->kernel_h; u++) {
        for (int32_t v = 0; v < g->kernel_w; v++, weights += g->in_c) {
            const int32_t row = r + u * g->dilation_h, column = q + v * g->dilation_w;
            if (row >= 0 && row < g->in_h && column >= 0 && column < g->in_w) {
                const int8_t *pixel = x + (row * g->in_w + column) * g->in_c;
                for (int32_t c = 0; c < g->in_c; c++) {
                    sum += (pixel[c] - g->x_zero) * weights[c];
                }
            }
        }
    }
    return sum;
}

ERT_INLINE void ert_conv2d_s8_b1__ref(
    const int8_t *x, uint32_t *y, const int8_t *weights, const int32_t *threshold, const ert_conv2d_s8_b1_t *g)
{
    const int32_t taps = g->kernel_h * g->kernel_w * g->in_c;
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->in_c) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                for (int32_t n = 0; n < g->out_c; n += 32) {
                    uint32_t bits = 0;
                    for (int32_t k = 0; k < 32 && n + k < g->out_c; k++) {
                        const int32_t sum = ert_conv2d_s8_b1_sum(x, weights + (n + k) * taps, r, q, g);
                        bits |= (uint32_t)(sum >= threshold[n + k]) << k;
                    }
                    *y++ = bits;
                }
            }
        }
    }
}

#endif
