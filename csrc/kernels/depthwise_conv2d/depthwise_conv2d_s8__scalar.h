/* depthwise_conv2d_s8 without SIMD: a ring of input rows, each sorted by channel, border and all; then channel by
 * channel along x, `pixels` outputs at a time, so that a loaded weight serves as many multiply-accumulates.
 * Weights   int8 [channels][kernel_h][kernel_w]
 * Requant   int32 [channels][ERT_CHANNEL_WORDS]
 * Overlap   a row of output is written after all its rows of input were read: the output may even start behind
 *           the input; codegen/kernels/depthwise_conv2d.py
 * Scratch   int8 [rows that a window spans][channels][columns that the windows of a row span]
 * Limits    depth_multiplier = 1; kernel_w at most ERT_DEPTHWISE_SCALAR_WIDEST; pixels 1, 2, 4; see include/ert_channel.h */
#ifndef ERT_DEPTHWISE_CONV2D_S8__SCALAR_H
#define ERT_DEPTHWISE_CONV2D_S8__SCALAR_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_scalar.h"
#include "kernels/depthwise_conv2d/depthwise_conv2d_s8.h"

enum { ERT_DEPTHWISE_SCALAR_WIDEST = 8 };

/* rows: from the first tap of a window to its last. pitch: bytes of a channel in a row, left border included. */
typedef struct {
    int8_t *ring;
    int32_t rows, pitch;
} ert_depthwise_conv2d_s8__scalar_t;

ERT_INLINE ert_depthwise_conv2d_s8__scalar_t ert_depthwise_conv2d_s8__scalar_start(
    uint8_t *scratch, const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t columns = (g->out_w - 1) * g->stride_w + (g->kernel_w - 1) * g->dilation_w + 1;
    const ert_depthwise_conv2d_s8__scalar_t s = {
        (int8_t *)scratch, (g->kernel_h - 1) * g->dilation_h + 1,
        columns > g->pad_left + g->in_w ? columns : g->pad_left + g->in_w};
    return s;
}

/* Four channels of a row, each to its own: one load serves them all. */
ERT_INLINE void ert_depthwise_conv2d_s8__scalar_sort_four(
    int8_t *to, int32_t pitch, const int8_t *x, const ert_depthwise_conv2d_s8_t *g)
{
#pragma GCC unroll 6
    for (int32_t j = 0; j < g->in_w; j++, x += g->in_c) {
        const uint32_t word = ert_load32(x);
        to[j] = (int8_t)(uint8_t)word;
        to[j + pitch] = (int8_t)(uint8_t)(word >> 8);
        to[j + 2 * pitch] = (int8_t)(uint8_t)(word >> 16);
        to[j + 3 * pitch] = (int8_t)(uint8_t)(word >> 24);
    }
}

/* Row t, counted from the first row of the border, into its slot, or all of the border; left and right of it, the
 * slot holds the border already. */
ERT_INLINE void ert_depthwise_conv2d_s8__scalar_load(
    const ert_depthwise_conv2d_s8__scalar_t *s, const int8_t *x, int32_t t, const ert_depthwise_conv2d_s8_t *g)
{
    int8_t *to = s->ring + t % s->rows * (g->in_c * s->pitch) + g->pad_left;
    const int32_t row = t - g->pad_top;
    if (row < 0 || row >= g->in_h) {
        for (int32_t c = 0; c < g->in_c; c++, to += s->pitch) {
            for (int32_t j = 0; j < g->in_w; j++) {
                to[j] = (int8_t)g->x_zero;
            }
        }
        return;
    }
    x += row * g->in_w * g->in_c;
    int32_t c = 0;
#if defined(__ARM_FEATURE_UNALIGNED)
#pragma GCC unroll 1
    for (; c + 4 <= g->in_c; c += 4, to += 4 * s->pitch) {
        ert_depthwise_conv2d_s8__scalar_sort_four(to, s->pitch, x + c, g);
    }
#endif
#pragma GCC unroll 2
    for (; c < g->in_c; c++, to += s->pitch) {
        const int8_t *from = x + c;
#pragma GCC unroll 12
        for (int32_t j = 0; j < g->in_w; j++, from += g->in_c) {
            to[j] = *from;
        }
    }
}

#if defined(ERT_SCALAR_THUMB1)
/* One row of `pixels` neighbouring windows. A product destroys an operand, and there are few registers for it:
 * each input is loaded anew for each window that it is in. */
ERT_INLINE void ert_depthwise_conv2d_s8__scalar_line(
    int32_t *sums, const int8_t *x, const int8_t *w, int32_t pixels, const ert_depthwise_conv2d_s8_t *g)
{
#pragma GCC unroll 8
    for (int32_t v = 0; v < g->kernel_w; v++) {
        const int32_t weight = w[v];
#pragma GCC unroll 8
        for (int32_t p = 0; p < pixels; p++) {
            sums[p] = ert_accumulate(sums[p], x[v * g->dilation_w + p * g->stride_w], weight);
        }
    }
}
#else
/* One row of `pixels` neighbouring windows: each input is loaded once and meets all the windows it is in. */
ERT_INLINE void ert_depthwise_conv2d_s8__scalar_line(
    int32_t *sums, const int8_t *x, const int8_t *w, int32_t pixels, const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t columns = (pixels - 1) * g->stride_w + (g->kernel_w - 1) * g->dilation_w + 1;
    int32_t weights[ERT_DEPTHWISE_SCALAR_WIDEST];
#pragma GCC unroll 8
    for (int32_t v = 0; v < g->kernel_w; v++) {
        weights[v] = w[v];
    }
#pragma GCC unroll 32
    for (int32_t column = 0; column < columns; column++) {
        const int32_t input = x[column];
#pragma GCC unroll 8
        for (int32_t p = 0; p < pixels; p++) {
            const int32_t offset = column - p * g->stride_w, v = offset / g->dilation_w;
            if (offset >= 0 && offset % g->dilation_w == 0 && v < g->kernel_w) {
                sums[p] = ert_accumulate(sums[p], weights[v], input);
            }
        }
    }
}
#endif

/* `pixels` outputs of one channel side by side; x: that channel and column in slot 0, slot: where their windows
 * start. */
ERT_INLINE void ert_depthwise_conv2d_s8__scalar_tile(
    const ert_depthwise_conv2d_s8__scalar_t *s, const int8_t *x, int32_t slot, const int8_t *w, const int32_t *q,
    int8_t *y, int32_t pixels, const ert_depthwise_conv2d_s8_t *g)
{
    int32_t sums[4];
#pragma GCC unroll 8
    for (int32_t p = 0; p < pixels; p++) {
        sums[p] = q[0] >> 5;
    }
    const int32_t row = g->in_c * s->pitch;
    int32_t offset = slot * row;
#pragma GCC unroll 4
    for (int32_t u = 0; u < g->kernel_h; u++, w += g->kernel_w) {
        ert_depthwise_conv2d_s8__scalar_line(sums, x + offset, w, pixels, g);
        offset += g->dilation_h * row;
        offset -= offset >= s->rows * row ? s->rows * row : 0;
    }
    const ert_channel_t of = ert_channel(q, g->y_zero);
#pragma GCC unroll 8
    for (int32_t p = 0; p < pixels; p++) {
        const int32_t v = ert_channel_requantize(2 * sums[p], of.multiplier, of.offset, of.shift);
        y[p * g->out_c] = (int8_t)ert_clamp(v, g->y_min, g->y_max);
    }
}

/* One row of output; slot: of the first row of its windows. */
ERT_INLINE void ert_depthwise_conv2d_s8__scalar_row(
    const ert_depthwise_conv2d_s8__scalar_t *s, int32_t slot, const int8_t *w, const int32_t *q, int8_t *y,
    int32_t pixels, const ert_depthwise_conv2d_s8_t *g)
{
    const int8_t *x = s->ring;
#pragma GCC unroll 1
    for (int32_t c = 0; c < g->in_c; c++, x += s->pitch, w += g->kernel_h * g->kernel_w, q += ERT_CHANNEL_WORDS) {
        int8_t *to = y + c;
        int32_t j = 0;
        for (; pixels >= 4 && j + 4 <= g->out_w; j += 4, to += 4 * g->out_c) {
            ert_depthwise_conv2d_s8__scalar_tile(s, x + j * g->stride_w, slot, w, q, to, 4, g);
        }
        for (; pixels >= 2 && j + 2 <= g->out_w; j += 2, to += 2 * g->out_c) {
            ert_depthwise_conv2d_s8__scalar_tile(s, x + j * g->stride_w, slot, w, q, to, 2, g);
        }
        for (; j < g->out_w; j++, to += g->out_c) {
            ert_depthwise_conv2d_s8__scalar_tile(s, x + j * g->stride_w, slot, w, q, to, 1, g);
        }
    }
}

ERT_INLINE void ert_depthwise_conv2d_s8__scalar(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_depthwise_conv2d_s8_t *g, int32_t pixels)
{
    const ert_depthwise_conv2d_s8__scalar_t s = ert_depthwise_conv2d_s8__scalar_start(scratch, g);
    for (int32_t n = 0; n < s.rows * g->in_c * s.pitch; n++) {
        s.ring[n] = (int8_t)g->x_zero;
    }
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->in_c) {
        for (int32_t i = 0, loaded = 0; i < g->out_h; i++, y += g->out_w * g->out_c) {
            const int32_t t = i * g->stride_h;
            for (loaded = loaded > t ? loaded : t; loaded < t + s.rows; loaded++) {
                ert_depthwise_conv2d_s8__scalar_load(&s, x, loaded, g);
            }
            ert_depthwise_conv2d_s8__scalar_row(&s, t % s.rows, weights, requant, y, pixels, g);
        }
    }
}

#endif
