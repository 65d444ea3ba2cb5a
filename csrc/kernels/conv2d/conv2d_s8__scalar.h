/* conv2d_s8 without SIMD: `pixels` output pixels against `channels` output channels at a time, each sum in a
 * register, so that a loaded input serves `channels` multiply-accumulates and a loaded weight `pixels`.
 * Windows are first gathered side by side, border and all; a pointwise layer reads its input where it lies.
 * Weights   int8 [out_c/channels][window][channels]; the channels left over follow in halves: 4, 2, 1
 * Requant   int32 [out_c][ERT_CHANNEL_WORDS]
 * Overlap   the windows of a block are read before it is written, pointwise: while; codegen/kernels/conv2d.py
 * Scratch   `pixels` windows, 0 if pointwise
 * Limits    groups = 1; pixels and channels 1, 2, 4; see include/ert_channel.h */
#ifndef ERT_CONV2D_S8__SCALAR_H
#define ERT_CONV2D_S8__SCALAR_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_scalar.h"
#include "kernels/conv2d/conv2d_s8.h"

/* Where a block's inputs are: tap k of pixel p at x[k * tap_step + p * pixel_step]. */
typedef struct {
    const int8_t *x;
    int32_t pixels, pixel_step, tap_step;
} ert_conv2d_s8__scalar_block_t;

/* One tap of every pixel and channel of a tile. */
ERT_INLINE void ert_conv2d_s8__scalar_tap(
    int32_t (*sums)[4], const int8_t *x, const int8_t *w, int32_t pixels, int32_t pixel_step, int32_t channels)
{
    int32_t inputs[4];
    for (int32_t p = 0; p < pixels; p++) {
        inputs[p] = x[p * pixel_step];
    }
    for (int32_t c = 0; c < channels; c++) {
        const int32_t weight = w[c];
        for (int32_t p = 0; p < pixels; p++) {
            sums[c][p] = ert_accumulate(sums[c][p], weight, inputs[p]);
        }
    }
}

/* The sums leave their registers first: the loops that follow may then stay loops, and the code small. */
ERT_INLINE void ert_conv2d_s8__scalar_finish(
    int32_t (*sums)[4], const int32_t *q, int8_t *y, int32_t pixels, int32_t channels, const ert_conv2d_s8_t *g)
{
    int32_t done[4][4];
    for (int32_t c = 0; c < channels; c++) {
        for (int32_t p = 0; p < pixels; p++) {
            done[c][p] = sums[c][p];
        }
    }
    for (int32_t c = 0; c < channels; c++, q += ERT_CHANNEL_WORDS) {
        for (int32_t p = 0; p < pixels; p++) {
            const int32_t v = ert_channel_requantize(2 * done[c][p], q[1], q[2], q[3]);
            y[p * g->out_c + c] = (int8_t)ert_clamp(v, g->y_min, g->y_max);
        }
    }
}

/* All pixels of a block, `channels` channels. Returns the weights of the next. */
ERT_INLINE const int8_t *ert_conv2d_s8__scalar_tile(
    const ert_conv2d_s8__scalar_block_t *b, const int8_t *w, const int32_t *q, int8_t *y, int32_t channels,
    const ert_conv2d_s8_t *g)
{
    const int32_t taps = g->kernel_h * g->kernel_w * g->in_c;
    const int8_t *x = b->x;
    int32_t sums[4][4];
    for (int32_t c = 0; c < channels; c++) {
        for (int32_t p = 0; p < b->pixels; p++) {
            sums[c][p] = q[c * ERT_CHANNEL_WORDS] >> 1;
        }
    }
    int32_t k = 0;
    for (; k + 2 <= taps; k += 2, x += 2 * b->tap_step, w += 2 * channels) {
        ert_conv2d_s8__scalar_tap(sums, x, w, b->pixels, b->pixel_step, channels);
        ert_conv2d_s8__scalar_tap(sums, x + b->tap_step, w + channels, b->pixels, b->pixel_step, channels);
    }
    if (k < taps) {
        ert_conv2d_s8__scalar_tap(sums, x, w, b->pixels, b->pixel_step, channels);
        w += channels;
    }
    ert_conv2d_s8__scalar_finish(sums, q, y, b->pixels, channels, g);
    return w;
}

/* All channels of a block of pixels; y: its first pixel. */
ERT_INLINE void ert_conv2d_s8__scalar_block(
    const ert_conv2d_s8__scalar_block_t *b, const int8_t *w, const int32_t *q, int8_t *y, int32_t channels,
    const ert_conv2d_s8_t *g)
{
    int32_t n = 0;
    for (; channels >= 4 && n + 4 <= g->out_c; n += 4) {
        w = ert_conv2d_s8__scalar_tile(b, w, q + n * ERT_CHANNEL_WORDS, y + n, 4, g);
    }
    for (; channels >= 2 && n + 2 <= g->out_c; n += 2) {
        w = ert_conv2d_s8__scalar_tile(b, w, q + n * ERT_CHANNEL_WORDS, y + n, 2, g);
    }
    for (; n < g->out_c; n++) {
        w = ert_conv2d_s8__scalar_tile(b, w, q + n * ERT_CHANNEL_WORDS, y + n, 1, g);
    }
}

/* The window with corner (r, q), every step-th byte of `to`. */
ERT_INLINE void ert_conv2d_s8__scalar_gather(
    int8_t *to, int32_t step, const int8_t *x, int32_t r, int32_t q, const ert_conv2d_s8_t *g)
{
    for (int32_t u = 0; u < g->kernel_h; u++, r += g->dilation_h) {
        for (int32_t v = 0; v < g->kernel_w; v++, to += g->in_c * step) {
            const int32_t column = q + v * g->dilation_w;
            if (r < 0 || r >= g->in_h || column < 0 || column >= g->in_w) {
                for (int32_t c = 0; c < g->in_c; c++) {
                    to[c * step] = (int8_t)g->x_zero;
                }
            } else {
                const int8_t *pixel = x + (r * g->in_w + column) * g->in_c;
                for (int32_t c = 0; c < g->in_c; c++) {
                    to[c * step] = pixel[c];
                }
            }
        }
    }
}

/* Gathers `pixels` windows, from output pixel p on, and computes them. */
ERT_INLINE void ert_conv2d_s8__scalar_windows(
    const int8_t *x, int8_t *y, const int8_t *w, const int32_t *q, int8_t *columns, int32_t p, int32_t pixels,
    int32_t channels, const ert_conv2d_s8_t *g)
{
    for (int32_t n = 0; n < pixels; n++) {
        const int32_t i = (p + n) / g->out_w % g->out_h, j = (p + n) % g->out_w;
        const int8_t *image = x + (p + n) / (g->out_w * g->out_h) * (g->in_h * g->in_w * g->in_c);
        ert_conv2d_s8__scalar_gather(
            columns + n, pixels, image, i * g->stride_h - g->pad_top, j * g->stride_w - g->pad_left, g);
    }
    const ert_conv2d_s8__scalar_block_t block = {columns, pixels, 1, pixels};
    ert_conv2d_s8__scalar_block(&block, w, q, y + p * g->out_c, channels, g);
}

/* A kernel of 1x1 that meets every input once. */
ERT_INLINE void ert_conv2d_s8__scalar_pointwise(
    const int8_t *x, int8_t *y, const int8_t *w, const int32_t *q, int32_t p, int32_t pixels, int32_t channels,
    const ert_conv2d_s8_t *g)
{
    const ert_conv2d_s8__scalar_block_t block = {x + p * g->in_c, pixels, g->in_c, 1};
    ert_conv2d_s8__scalar_block(&block, w, q, y + p * g->out_c, channels, g);
}

ERT_INLINE void ert_conv2d_s8__scalar(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_conv2d_s8_t *g, int32_t pixels, int32_t channels)
{
    int8_t *const columns = (int8_t *)scratch;
    const int32_t all = g->batch * g->out_h * g->out_w;
    const int pointwise = g->kernel_h == 1 && g->kernel_w == 1 && g->pad_top == 0 && g->pad_left == 0 &&
                          g->in_h == g->out_h && g->in_w == g->out_w;
    int32_t p = 0;
    if (pointwise) {
        for (; p + pixels <= all; p += pixels) {
            ert_conv2d_s8__scalar_pointwise(x, y, weights, requant, p, pixels, channels, g);
        }
        for (; p < all; p++) {
            ert_conv2d_s8__scalar_pointwise(x, y, weights, requant, p, 1, channels, g);
        }
    } else {
        for (; p + pixels <= all; p += pixels) {
            ert_conv2d_s8__scalar_windows(x, y, weights, requant, columns, p, pixels, channels, g);
        }
        for (; p < all; p++) {
            ert_conv2d_s8__scalar_windows(x, y, weights, requant, columns, p, 1, channels, g);
        }
    }
}

#endif
