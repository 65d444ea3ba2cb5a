/* depthwise_conv2d_s8 with SMLAD along x: one channel at a time is gathered, border and all, into a plane of
 * int16; taps then meet inputs in pairs, two output pixels at a time where stride_w = 1.
 * A plane holds what `band` rows of output need; band = 0: the whole image at once.
 * Weights   int8 [channels][kernel_h][kernel_w]
 * Requant   int32 [channels][ERT_CHANNEL_WORDS]
 * Scratch   the taps of a channel, doubled, as int16; then one plane: rows of `pitch` int16, see below
 * Overlap   band = 0: exactly in place where input and output have the same shape; else a band is written while
 *           its own rows are still being read: codegen/kernels/depthwise_conv2d.py
 * Limits    depth_multiplier = 1, dilation_w = 1; see include/ert_channel.h */
#ifndef ERT_DEPTHWISE_CONV2D_S8__DSP_H
#define ERT_DEPTHWISE_CONV2D_S8__DSP_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_dsp.h"
#include "kernels/depthwise_conv2d/depthwise_3x3.h"
#include "kernels/depthwise_conv2d/depthwise_conv2d_s8.h"

/* int16 in a row of the plane: even, with room for a pair of windows and the word behind it */
ERT_INLINE int32_t ert_depthwise_conv2d_s8__dsp_pitch(const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t columns = (g->out_w - 1) * g->stride_w + g->kernel_w;
    const int32_t needed = columns > g->pad_left + g->in_w ? columns : g->pad_left + g->in_w;
    return (needed + 3) & ~1;
}

/* Rows r to r + rows of one channel into the plane, the border left as it is. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_gather(
    int16_t *plane, const int8_t *x, int32_t r, int32_t rows, int32_t pitch, const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t from = r < 0 ? 0 : r, to = r + rows < g->in_h ? r + rows : g->in_h;
    x += from * g->in_w * g->in_c;
    plane += (from - r) * pitch + g->pad_left;
    for (int32_t i = from; i < to; i++, plane += pitch) {
#pragma GCC unroll 8
        for (int32_t j = 0; j < g->in_w; j++, x += g->in_c) {
            plane[j] = *x;
        }
    }
}

/* What is known of a channel: its taps, doubled, and its requantization. */
typedef struct {
    const int16_t *taps;
    ert_channel_t requant;
} ert_depthwise_conv2d_s8__dsp_channel_t;

ERT_INLINE void ert_depthwise_conv2d_s8__dsp_store(
    int8_t *y, int32_t twice, const ert_channel_t *c, const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t v = ert_channel_requantize(twice, c->multiplier, c->offset, c->shift);
    *y = (int8_t)ert_clamp8(v, g->y_min, g->y_max);
}

/* sum + what two neighbouring inputs meet of a row of weights: taps t and t + 1, as far as there are such. */
ERT_INLINE int32_t ert_depthwise_conv2d_s8__dsp_meet(
    uint32_t inputs, const int16_t *w, int32_t t, int32_t taps, int32_t sum)
{
    if (t < -1 || t >= taps) {
        return sum;
    }
    if (t == -1) {
        return ert_smlatb(inputs, ert_load32(w), sum);
    }
    if (t + 1 < taps) {
        return ert_smlad(inputs, ert_load32(w + t), sum);
    }
    return taps > 1 ? ert_smlabt(inputs, ert_load32(w + t - 1), sum) : ert_smlabb(inputs, ert_load32(w), sum);
}

/* One window, its corner at x in the plane, or two that are neighbours and share words of input. x is 4-byte
 * aligned. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_windows(
    const int16_t *x, int32_t pitch, const ert_depthwise_conv2d_s8__dsp_channel_t *c, int8_t *y, int32_t count,
    const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t taps = g->kernel_w, apart = count == 2 ? g->stride_w : 0;
    const int16_t *w = c->taps;
    int32_t first = 2 * c->requant.bias, second = first;
    for (int32_t u = 0; u < g->kernel_h; u++, x += pitch, w += taps) {
        for (int32_t v = 0; v < taps + apart; v += 2) {
            const uint32_t inputs = ert_load32(__builtin_assume_aligned(x + v, 4));
            first = ert_depthwise_conv2d_s8__dsp_meet(inputs, w, v, taps, first);
            second = ert_depthwise_conv2d_s8__dsp_meet(inputs, w, v - apart, taps, second);
        }
    }
    ert_depthwise_conv2d_s8__dsp_store(y, first, &c->requant, g);
    if (count == 2) {
        ert_depthwise_conv2d_s8__dsp_store(y + g->out_c, second, &c->requant, g);
    }
}

/* Rows of output, x: the first window in the plane, which has `pitch` int16 to a row. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_rows(
    const int16_t *x, int32_t pitch, const ert_depthwise_conv2d_s8__dsp_channel_t *c, int8_t *y, int32_t rows,
    const ert_depthwise_conv2d_s8_t *g)
{
#if defined(ERT_DSP_ASM)
    if (g->kernel_h == 3 && g->kernel_w == 3 && g->stride_w <= 2 && g->y_min == INT8_MIN && g->y_max == INT8_MAX) {
        ert_depthwise_3x3_rows(
            x, pitch, g->dilation_h, g->stride_h, g->stride_w, c->taps, &c->requant, y, g->out_w, g->out_c, rows);
        return;
    }
#endif
#pragma GCC unroll 1
    for (int32_t i = 0; i < rows; i++, x += g->stride_h * pitch, y += g->out_w * g->out_c) {
        const int16_t *at = x;
        int8_t *to = y;
        int32_t j = 0;
#pragma GCC unroll 1
        for (; j + 2 <= g->out_w; j += 2, at += 2 * g->stride_w, to += 2 * g->out_c) {
            ERT_OPAQUE(at);
            ERT_OPAQUE(to);
            ert_depthwise_conv2d_s8__dsp_windows(at, g->dilation_h * pitch, c, to, 2, g);
        }
        if (j < g->out_w) {
            ert_depthwise_conv2d_s8__dsp_windows(at, g->dilation_h * pitch, c, to, 1, g);
        }
    }
}

/* Rows of output, from row `first` of one image. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_band(
    const int8_t *x, int8_t *y, const int8_t *w, const int32_t *q, int16_t *scratch, int32_t first, int32_t rows,
    const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t pitch = ert_depthwise_conv2d_s8__dsp_pitch(g), taps = g->kernel_h * g->kernel_w;
    const int32_t tall = (rows - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1;
    int16_t *const plane = scratch + ((taps + 2) & ~1); /* a word is read at the last tap */
    ert_fill16(plane, g->x_zero, tall * pitch);
    for (int32_t n = 0; n < g->in_c; n++, w += taps, q += ERT_CHANNEL_WORDS) {
        for (int32_t k = 0; k < taps; k++) {
            scratch[k] = (int16_t)(2 * w[k]);
        }
        const ert_depthwise_conv2d_s8__dsp_channel_t c = {scratch, ert_channel(q, g->y_zero)};
        ert_depthwise_conv2d_s8__dsp_gather(
            plane, x + n, first * g->stride_h - g->pad_top, tall, pitch, g);
        ert_depthwise_conv2d_s8__dsp_rows(plane, pitch, &c, y + first * g->out_w * g->out_c + n, rows, g);
    }
}

ERT_INLINE void ert_depthwise_conv2d_s8__dsp(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_depthwise_conv2d_s8_t *g, int32_t band)
{
    const int32_t step = band > 0 ? band : g->out_h;
    for (int32_t b = 0; b < g->batch; b++) {
        for (int32_t i = 0; i < g->out_h; i += step) {
            const int32_t rows = i + step < g->out_h ? step : g->out_h - i;
            ert_depthwise_conv2d_s8__dsp_band(x, y, weights, requant, (int16_t *)(void *)scratch, i, rows, g);
        }
        x += g->in_h * g->in_w * g->in_c;
        y += g->out_h * g->out_w * g->out_c;
    }
}

#endif
