/* y[b,i,j,n] = scale[n] * (float)dot + bias[n];  dot: as in conv2d_b1.h
 * Shapes    x b1, y float32 [batch,out_h,out_w,out_c]; scale, bias [out_c] float32
 * Rounding  the product, then the sum, to float32      Overlap, Scratch: none
 * Weights, Limits: conv2d_b1.h                         Source: docs/binary.md */
#ifndef ERT_CONV2D_B1_F32_H
#define ERT_CONV2D_B1_F32_H

#include "kernels/binary/conv2d_b1.h"

typedef struct {
    int32_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t pad_value;
} ert_conv2d_b1_f32_t;

/* The same convolution as conv2d_b1 is told about it. */
ERT_INLINE ert_conv2d_b1_t ert_conv2d_b1_f32_geometry(const ert_conv2d_b1_f32_t *g)
{
    const ert_conv2d_b1_t geometry = {
        g->batch, g->in_h, g->in_w, g->in_c, g->out_h, g->out_w, g->out_c, g->kernel_h, g->kernel_w,
        g->stride_h, g->stride_w, g->dilation_h, g->dilation_w, g->pad_top, g->pad_left, g->pad_value};
    return geometry;
}

ERT_INLINE void ert_conv2d_b1_f32__ref(
    const uint32_t *x, float *y, const uint32_t *weights, const float *scale, const float *bias,
    const ert_conv2d_b1_f32_t *geometry)
{
    const ert_conv2d_b1_t one = ert_conv2d_b1_f32_geometry(geometry), *const g = &one;
    const int32_t window = g->kernel_h * g->kernel_w * ert_bit_words(g->in_c);
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * ert_bit_words(g->in_c)) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                for (int32_t n = 0; n < g->out_c; n++) {
                    const int32_t dot = ert_conv2d_b1_dot(x, weights + n * window, r, q, g);
                    *y++ = (float)dot * scale[n] + bias[n];
                }
            }
        }
    }
}

#endif
