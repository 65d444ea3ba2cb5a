/* y[b,i,j,n] = max over u < pool_h, v < pool_w of z[b, i*pool_h + u, j*pool_w + v, n],  z = conv2d_s8 of x
 * A 1x1 convolution and the max pool behind it, whose windows do not overlap: band by band of pool_h rows, so that
 * the convolution's map never exists.
 * Shapes    x [batch,in_h,in_w,in_c]  z [batch,out_h,out_w,out_c]  y [batch,out_h/pool_h,out_w/pool_w,out_c]
 *           in_h = out_h, in_w = out_w; rows and columns that fill no window are left out
 * Zero, rounding, clamp: conv2d_s8's       Scratch: a band of z, and what the convolution's kernel wants
 * Overlap   a band is read before its row of y is written: codegen/kernels/conv2d_pool.py
 * Limits    kernel 1x1, stride 1, no padding       Source: docs/numerics.md section 3 */
#ifndef ERT_CONV2D_POOL_S8_H
#define ERT_CONV2D_POOL_S8_H

#include "include/ert_common.h"
#include "kernels/conv2d/conv2d_s8.h"

typedef struct {
    int32_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t groups, x_zero, y_zero, y_min, y_max;
    int32_t pool_h, pool_w;
} ert_conv2d_pool_s8_t;

/* The convolution of one band. */
ERT_INLINE ert_conv2d_s8_t ert_conv2d_pool_s8_band(const ert_conv2d_pool_s8_t *g)
{
    const ert_conv2d_s8_t band = {
        1, g->pool_h, g->in_w, g->in_c, g->pool_h, g->out_w, g->out_c, g->kernel_h, g->kernel_w, g->stride_h,
        g->stride_w, g->dilation_h, g->dilation_w, g->pad_top, g->pad_left, g->groups, g->x_zero, g->y_zero,
        g->y_min, g->y_max};
    return band;
}

/* A band of z -> a row of y. */
ERT_INLINE void ert_conv2d_pool_s8_row(const int8_t *z, int8_t *y, const ert_conv2d_pool_s8_t *g)
{
    for (int32_t j = 0; j < g->out_w / g->pool_w; j++, z += g->pool_w * g->out_c) {
        for (int32_t n = 0; n < g->out_c; n++) {
            int32_t best = INT8_MIN;
            for (int32_t u = 0; u < g->pool_h; u++) {
                for (int32_t v = 0; v < g->pool_w; v++) {
                    const int32_t value = z[(u * g->out_w + v) * g->out_c + n];
                    best = value > best ? value : best;
                }
            }
            *y++ = (int8_t)best;
        }
    }
}

/* `convolve` gives a band of z, at `band`; declared so that every kernel of conv2d_s8 has the same loop around it. */
#define ERT_CONV2D_POOL_S8_BANDS(x, y, band, g, convolve)                                                  \
    for (int32_t b = 0; b < (g)->batch; b++, (x) += (g)->in_h * (g)->in_w * (g)->in_c) {                   \
        const int8_t *rows = (x);                                                                          \
        for (int32_t i = 0; i < (g)->out_h / (g)->pool_h; i++) {                                           \
            convolve;                                                                                      \
            ert_conv2d_pool_s8_row((band), (y), (g));                                                      \
            rows += (g)->pool_h * (g)->in_w * (g)->in_c;                                                   \
            (y) += (g)->out_w / (g)->pool_w * (g)->out_c;                                                  \
        }                                                                                                  \
    }

ERT_INLINE void ert_conv2d_pool_s8__ref(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
    const int32_t *shift, uint8_t *scratch, const ert_conv2d_pool_s8_t *g)
{
    int8_t *const band = (int8_t *)scratch;
    const ert_conv2d_s8_t one = ert_conv2d_pool_s8_band(g);
    ERT_CONV2D_POOL_S8_BANDS(
        x, y, band, g, ert_conv2d_s8__ref(rows, band, weights, bias, multiplier, shift, &one))
}

#endif
