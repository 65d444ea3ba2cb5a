/* y[b,i,j,n] = saturate(round((scale[n] * (float)dot + bias[n]) / y_scale));  dot: as in conv2d_b1.h
 * Shapes    x b1, y int16 [batch,out_h,out_w,out_c]; scale, bias [out_c] float32
 * Rounding  the product, the sum and the quotient to float32; then halves away from zero. A NaN becomes -2^15
 * Overlap, Scratch: none
 * Weights, Limits: conv2d_b1.h                         Source: docs/binary.md */
#ifndef ERT_CONV2D_B1_S16_H
#define ERT_CONV2D_B1_S16_H

#include "kernels/binary/conv2d_b1.h"
#include "kernels/quantize/quantize_f32_s8.h"

typedef struct {
    int32_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t pad_value;
    float y_scale;
} ert_conv2d_b1_s16_t;

/* The same convolution as conv2d_b1 is told about it. */
ERT_INLINE ert_conv2d_b1_t ert_conv2d_b1_s16_geometry(const ert_conv2d_b1_s16_t *g)
{
    const ert_conv2d_b1_t geometry = {
        g->batch, g->in_h, g->in_w, g->in_c, g->out_h, g->out_w, g->out_c, g->kernel_h, g->kernel_w,
        g->stride_h, g->stride_w, g->dilation_h, g->dilation_w, g->pad_top, g->pad_left, g->pad_value};
    return geometry;
}

ERT_INLINE int16_t ert_conv2d_b1_s16_rounded(float v, float scale)
{
    const float steps = v / scale; /* beyond +-40000 every value saturates; a NaN takes the first branch */
    const float near = !(steps > -40000.0f) ? -40000.0f : steps > 40000.0f ? 40000.0f : steps;
    return (int16_t)ert_clamp(ert_round_half_away(near), INT16_MIN, INT16_MAX);
}

ERT_INLINE void ert_conv2d_b1_s16__ref(
    const uint32_t *x, int16_t *y, const uint32_t *weights, const float *scale, const float *bias,
    const ert_conv2d_b1_s16_t *geometry)
{
    const ert_conv2d_b1_t one = ert_conv2d_b1_s16_geometry(geometry), *const g = &one;
    const int32_t window = g->kernel_h * g->kernel_w * ert_bit_words(g->in_c);
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * ert_bit_words(g->in_c)) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                for (int32_t n = 0; n < g->out_c; n++) {
                    const int32_t dot = ert_conv2d_b1_dot(x, weights + n * window, r, q, g);
                    *y++ = ert_conv2d_b1_s16_rounded((float)dot * scale[n] + bias[n], geometry->y_scale);
                }
            }
        }
    }
}

#endif
