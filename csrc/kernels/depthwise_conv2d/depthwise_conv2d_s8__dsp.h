/* depthwise_conv2d_s8 with SMLAD along x: one channel at a time is gathered, border and all, into a plane of
 * int16; taps then meet inputs in pairs, two output pixels at a time where stride_w = 1.
 * A plane holds what `band` rows of output need; band = 0: the whole image at once.
 * Weights   int16 [channels][kernel_h][kernel_w], doubled; one zero behind the last
 * Requant   int32 [channels][ERT_CHANNEL_WORDS]
 * Scratch   one plane: rows of `pitch` int16, see below
 * Overlap   band = 0: exactly in place where input and output have the same shape; else a band is written while
 *           its own rows are still being read: codegen/kernels/depthwise_conv2d.py
 * Limits    depth_multiplier = 1, dilation_w = 1; see include/ert_channel.h */
#ifndef ERT_DEPTHWISE_CONV2D_S8__DSP_H
#define ERT_DEPTHWISE_CONV2D_S8__DSP_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_dsp.h"
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
        for (int32_t j = 0; j < g->in_w; j++, x += g->in_c) {
            plane[j] = *x;
        }
    }
}

ERT_INLINE void ert_depthwise_conv2d_s8__dsp_store(
    int8_t *y, int32_t twice, const int32_t *q, const ert_depthwise_conv2d_s8_t *g)
{
    *y = (int8_t)ert_clamp8(ert_channel_requantize(twice, q[1], q[2], q[3]), g->y_min, g->y_max);
}

/* One window; x: its corner in the plane. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_one(
    const int16_t *x, int32_t pitch, const int16_t *w, const int32_t *q, int8_t *y,
    const ert_depthwise_conv2d_s8_t *g)
{
    int32_t twice = q[0];
    for (int32_t u = 0; u < g->kernel_h; u++, x += pitch, w += g->kernel_w) {
        int32_t v = 0;
        for (; v + 2 <= g->kernel_w; v += 2) {
            twice = ert_smlad(ert_load32(x + v), ert_load32(w + v), twice);
        }
        if (v < g->kernel_w) {
            twice = ert_wrapping_add(twice, x[v] * w[v]);
        }
    }
    ert_depthwise_conv2d_s8__dsp_store(y, twice, q, g);
}

/* Two windows one column apart share their words of input: the second meets them with the taps one further. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_two(
    const int16_t *x, int32_t pitch, const int16_t *w, const int32_t *q, int8_t *y,
    const ert_depthwise_conv2d_s8_t *g)
{
    int32_t first = q[0], second = q[0];
    for (int32_t u = 0; u < g->kernel_h; u++, x += pitch, w += g->kernel_w) {
        for (int32_t v = 0; v <= g->kernel_w; v += 2) {
            const uint32_t inputs = ert_load32(__builtin_assume_aligned(x + v, 4));
            const uint32_t here = v < g->kernel_w ? ert_load32(w + v) : 0;
            const uint32_t before = v > 0 ? ert_load32(w + v - 1) : 0;
            if (v + 1 < g->kernel_w) {
                first = ert_smlad(inputs, here, first);
            } else if (v < g->kernel_w) {
                first = v > 0 ? ert_smlabt(inputs, before, first) : ert_smlabb(inputs, here, first);
            }
            if (v == 0) {
                second = ert_smlatb(inputs, here, second);
            } else {
                second = v < g->kernel_w ? ert_smlad(inputs, before, second)
                                         : ert_smlabb(inputs, before, second);
            }
        }
    }
    ert_depthwise_conv2d_s8__dsp_store(y, first, q, g);
    ert_depthwise_conv2d_s8__dsp_store(y + g->out_c, second, q, g);
}

/* One row of output, x: its first window in the plane. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_row(
    const int16_t *x, int32_t pitch, const int16_t *w, const int32_t *q, int8_t *y,
    const ert_depthwise_conv2d_s8_t *g)
{
    int32_t j = 0;
    if (g->stride_w == 1) {
        for (; j + 2 <= g->out_w; j += 2, x += 2, y += 2 * g->out_c) {
            ert_depthwise_conv2d_s8__dsp_two(x, pitch, w, q, y, g);
        }
    }
    for (; j < g->out_w; j++, x += g->stride_w, y += g->out_c) {
        ert_depthwise_conv2d_s8__dsp_one(x, pitch, w, q, y, g);
    }
}

/* Rows of output, from row `first` of one image. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_band(
    const int8_t *x, int8_t *y, const int16_t *w, const int32_t *q, int16_t *plane, int32_t first, int32_t rows,
    const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t pitch = ert_depthwise_conv2d_s8__dsp_pitch(g);
    const int32_t tall = (rows - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1;
    ert_fill16(plane, g->x_zero, tall * pitch);
    for (int32_t c = 0; c < g->in_c; c++, w += g->kernel_h * g->kernel_w, q += ERT_CHANNEL_WORDS) {
        ert_depthwise_conv2d_s8__dsp_gather(
            plane, x + c, first * g->stride_h - g->pad_top, tall, pitch, g);
        for (int32_t i = 0; i < rows; i++) {
            ert_depthwise_conv2d_s8__dsp_row(
                plane + i * g->stride_h * pitch, g->dilation_h * pitch, w, q,
                y + (first + i) * g->out_w * g->out_c + c, g);
        }
    }
}

ERT_INLINE void ert_depthwise_conv2d_s8__dsp(
    const int8_t *x, int8_t *y, const int16_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_depthwise_conv2d_s8_t *g, int32_t band)
{
    int16_t *const plane = (int16_t *)(void *)scratch;
    const int32_t step = band > 0 ? band : g->out_h;
    for (int32_t b = 0; b < g->batch; b++) {
        for (int32_t i = 0; i < g->out_h; i += step) {
            const int32_t rows = i + step < g->out_h ? step : g->out_h - i;
            ert_depthwise_conv2d_s8__dsp_band(x, y, weights, requant, plane, i, rows, g);
        }
        x += g->in_h * g->in_w * g->in_c;
        y += g->out_h * g->out_w * g->out_c;
    }
}

#endif
