/* conv2d_s8 with SMLAD: two output pixels at a time, their windows widened to int16 side by side, against four
 * output channels at a time (two pairs, include/ert_paired.h).
 * Weights   int16 [out_c/4][taps/2][2 pairs][2 taps], then one pair [taps/2][2] if 1 or 2 channels remain;
 *           taps = kernel_h * kernel_w * in_c, rounded up to even with zero weights
 * Overlap   a pixel's window is read before the two pixels are written: codegen/kernels/conv2d.py
 * Scratch   2 * taps int16
 * Limits    groups = 1; see include/ert_paired.h */
#ifndef ERT_CONV2D_S8__DSP_H
#define ERT_CONV2D_S8__DSP_H

#include "include/ert_common.h"
#include "include/ert_dsp.h"
#include "include/ert_paired.h"
#include "kernels/conv2d/conv2d_s8.h"

/* The window with corner (r, q) as one column of int16; the border is x_zero. */
ERT_INLINE void ert_conv2d_s8__dsp_gather(
    int16_t *to, const int8_t *x, int32_t r, int32_t q, const ert_conv2d_s8_t *g)
{
    const int32_t line = g->kernel_w * g->in_c;
    for (int32_t u = 0; u < g->kernel_h; u++, to += line) {
        const int32_t row = r + u * g->dilation_h;
        if (row < 0 || row >= g->in_h) {
            ert_fill16(to, g->x_zero, line);
        } else if (g->dilation_w == 1 && q >= 0 && q + g->kernel_w <= g->in_w) {
            ert_widen(to, x + (row * g->in_w + q) * g->in_c, line);
        } else {
            for (int32_t v = 0; v < g->kernel_w; v++) {
                const int32_t column = q + v * g->dilation_w;
                if (column < 0 || column >= g->in_w) {
                    ert_fill16(to + v * g->in_c, g->x_zero, g->in_c);
                } else {
                    ert_widen(to + v * g->in_c, x + (row * g->in_w + column) * g->in_c, g->in_c);
                }
            }
        }
    }
}

/* Four channels of two pixels. Returns the weights of the next four. */
ERT_INLINE const int16_t *ert_conv2d_s8__dsp_four(
    const int16_t *columns, int32_t taps, const int16_t *w, const int32_t *q, int8_t *y0, int8_t *y1,
    const ert_conv2d_s8_t *g)
{
    const int32_t offset = 2 * g->y_zero + 1;
    int32_t raw00 = 0, low00 = 0, raw01 = 0, low01 = 0, raw10 = 0, low10 = 0, raw11 = 0, low11 = 0;
    for (int32_t k = 0; k < taps; k += 2, w += 4) {
        const uint32_t x0 = ert_load32(columns + k), x1 = ert_load32(columns + taps + k);
        const uint32_t a = ert_load32(w), b = ert_load32(w + 2);
        const uint32_t a_low = ert_sxtb16(a), b_low = ert_sxtb16(b);
        raw00 = ert_smlad(a, x0, raw00);
        low00 = ert_smlad(a_low, x0, low00);
        raw10 = ert_smlad(a, x1, raw10);
        low10 = ert_smlad(a_low, x1, low10);
        raw01 = ert_smlad(b, x0, raw01);
        low01 = ert_smlad(b_low, x0, low01);
        raw11 = ert_smlad(b, x1, raw11);
        low11 = ert_smlad(b_low, x1, low11);
    }
    y1[0] = (int8_t)ert_clamp8(ert_paired_first(raw10, low10, q, offset), g->y_min, g->y_max);
    y0[0] = (int8_t)ert_clamp8(ert_paired_first(raw00, low00, q, offset), g->y_min, g->y_max);
    y1[1] = (int8_t)ert_clamp8(ert_paired_second(low10, q + 3, offset), g->y_min, g->y_max);
    y0[1] = (int8_t)ert_clamp8(ert_paired_second(low00, q + 3, offset), g->y_min, g->y_max);
    y1[2] = (int8_t)ert_clamp8(ert_paired_first(raw11, low11, q + 6, offset), g->y_min, g->y_max);
    y0[2] = (int8_t)ert_clamp8(ert_paired_first(raw01, low01, q + 6, offset), g->y_min, g->y_max);
    y1[3] = (int8_t)ert_clamp8(ert_paired_second(low11, q + 9, offset), g->y_min, g->y_max);
    y0[3] = (int8_t)ert_clamp8(ert_paired_second(low01, q + 9, offset), g->y_min, g->y_max);
    return w;
}

/* One or two channels of two pixels. Returns the weights of the next two. */
ERT_INLINE const int16_t *ert_conv2d_s8__dsp_two(
    const int16_t *columns, int32_t taps, const int16_t *w, const int32_t *q, int8_t *y0, int8_t *y1,
    int32_t channels, const ert_conv2d_s8_t *g)
{
    const int32_t offset = 2 * g->y_zero + 1;
    int32_t raw0 = 0, low0 = 0, raw1 = 0, low1 = 0;
    for (int32_t k = 0; k < taps; k += 2, w += 2) {
        const uint32_t x0 = ert_load32(columns + k), x1 = ert_load32(columns + taps + k), a = ert_load32(w);
        const uint32_t a_low = ert_sxtb16(a);
        raw0 = ert_smlad(a, x0, raw0);
        low0 = ert_smlad(a_low, x0, low0);
        raw1 = ert_smlad(a, x1, raw1);
        low1 = ert_smlad(a_low, x1, low1);
    }
    y1[0] = (int8_t)ert_clamp8(ert_paired_first(raw1, low1, q, offset), g->y_min, g->y_max);
    y0[0] = (int8_t)ert_clamp8(ert_paired_first(raw0, low0, q, offset), g->y_min, g->y_max);
    if (channels > 1) {
        y1[1] = (int8_t)ert_clamp8(ert_paired_second(low1, q + 3, offset), g->y_min, g->y_max);
        y0[1] = (int8_t)ert_clamp8(ert_paired_second(low0, q + 3, offset), g->y_min, g->y_max);
    }
    return w;
}

/* Two pixels, all channels. y0 == y1 for a single pixel: y0 is written last, so that it stays. */
ERT_INLINE void ert_conv2d_s8__dsp_pixels(
    const int16_t *columns, int32_t taps, const int16_t *w, const int32_t *q, int8_t *y0, int8_t *y1,
    const ert_conv2d_s8_t *g)
{
    int32_t n = 0;
    for (; n + 4 <= g->out_c; n += 4, q += 12) {
        w = ert_conv2d_s8__dsp_four(columns, taps, w, q, y0 + n, y1 + n, g);
    }
    for (; n < g->out_c; n += 2, q += 6) {
        w = ert_conv2d_s8__dsp_two(columns, taps, w, q, y0 + n, y1 + n, g->out_c - n, g);
    }
}

ERT_INLINE void ert_conv2d_s8__dsp(
    const int8_t *x, int8_t *y, const int16_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_conv2d_s8_t *g)
{
    const int32_t window = g->kernel_h * g->kernel_w * g->in_c, taps = (window + 1) & ~1;
    const int32_t pixels = g->batch * g->out_h * g->out_w;
    int16_t *const columns = (int16_t *)(void *)scratch;
    columns[taps - 1] = 0; /* met by a zero weight where the window is odd */
    columns[2 * taps - 1] = 0;
    for (int32_t p = 0, i = 0, j = 0, half = 0; p < pixels; p++) {
        ert_conv2d_s8__dsp_gather(
            columns + half * taps, x, i * g->stride_h - g->pad_top, j * g->stride_w - g->pad_left, g);
        if (half == 1 || p + 1 == pixels) {
            ert_conv2d_s8__dsp_pixels(columns, taps, weights, requant, y, y + half * g->out_c, g);
            y += 2 * g->out_c;
        }
        half ^= 1;
        if (++j == g->out_w) {
            j = 0;
            if (++i == g->out_h) {
                i = 0;
                x += g->in_h * g->in_w * g->in_c;
            }
        }
    }
}

#endif
