/* y[b,i,j,n] = clamp(y_zero + requant(acc, multiplier[n], shift[n]))
 * acc = bias[n] + sum over u,v,c of (x[b, i*stride_h - pad_top + u*dilation_h, j*stride_w - pad_left + v*dilation_w,
 *       group(n)*depth + c] - x_zero) * weights[n,u,v,c];  outside the input x is x_zero
 * Shapes    x [batch,in_h,in_w,in_c]  weights [out_c,kernel_h,kernel_w,depth]  y [batch,out_h,out_w,out_c]
 *           depth = in_c / groups; row-major; bias is required (zeros if none)
 * Zero      real = scale * (q - zero); the weights' zero point is 0
 * Rounding  twice, as in docs/numerics.md section 2       Overlap: none       Scratch: 0 bytes
 * Limits    |acc| < 2^31       Source: docs/numerics.md section 3 */
#ifndef ERT_CONV2D_S8_H
#define ERT_CONV2D_S8_H

#include "include/ert_common.h"
#include "include/ert_requantize.h"

typedef struct {
    int32_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t groups, x_zero, y_zero, y_min, y_max;
} ert_conv2d_s8_t;

/* The sum of one output element; x: this batch and group, w: this output channel; r, q: the window's corner. */
ERT_INLINE int32_t ert_conv2d_s8_window(
    const int8_t *x, const int8_t *w, int32_t r, int32_t q, const ert_conv2d_s8_t *g)
{
    const int32_t depth = g->in_c / g->groups;
    int32_t acc = 0;
    for (int32_t u = 0; u < g->kernel_h; u++) {
        for (int32_t v = 0; v < g->kernel_w; v++, w += depth) {
            const int32_t row = r + u * g->dilation_h, column = q + v * g->dilation_w;
            if (row < 0 || row >= g->in_h || column < 0 || column >= g->in_w) {
                continue;
            }
            const int8_t *pixel = x + (row * g->in_w + column) * g->in_c;
            for (int32_t c = 0; c < depth; c++) {
                acc += (pixel[c] - g->x_zero) * w[c];
            }
        }
    }
    return acc;
}

ERT_INLINE void ert_conv2d_s8__ref(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
    const int32_t *shift, const ert_conv2d_s8_t *g)
{
    const int32_t depth = g->in_c / g->groups, per_group = g->out_c / g->groups;
    const int32_t taps = g->kernel_h * g->kernel_w * depth;
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->in_c) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                for (int32_t n = 0; n < g->out_c; n++) {
                    const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                    const int32_t acc =
                        bias[n] + ert_conv2d_s8_window(x + n / per_group * depth, weights + n * taps, r, q, g);
                    const int32_t v = g->y_zero + ert_requantize_twice(acc, multiplier[n], shift[n]);
                    *y++ = (int8_t)ert_clamp(v, g->y_min, g->y_max);
                }
            }
        }
    }
}

#endif
