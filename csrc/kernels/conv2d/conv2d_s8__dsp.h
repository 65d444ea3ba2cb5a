/* conv2d_s8 with SMLAD: two output pixels at a time, their windows widened to int16 word by word side by side,
 * against four output channels at a time (two pairs, include/ert_paired.h).
 * A window is kernel_h lines of kernel_w * in_c contiguous inputs. Within a line, each four taps are in the order
 * 0, 2, 1, 3, as SXTB16 takes them apart; a line of odd length ends with a zero weight.
 * Weights   words [out_c/4][window][2 pairs], then one pair [window] if 1 or 2 channels remain
 * Requant   [pairs][ERT_PAIRED_WORDS]
 * Overlap   a pixel's window is read before the two pixels are written: codegen/kernels/conv2d.py
 * Scratch   2 windows of words, and one line of bytes
 * Limits    groups = 1; see include/ert_paired.h */
#ifndef ERT_CONV2D_S8__DSP_H
#define ERT_CONV2D_S8__DSP_H

#include "include/ert_common.h"
#include "include/ert_copy.h"
#include "include/ert_dsp.h"
#include "include/ert_paired.h"
#include "kernels/conv2d/conv2d_s8.h"

/* n inputs as words, every other word of `to`. Returns where the next line goes. */
ERT_INLINE uint32_t *ert_conv2d_s8__dsp_widen(uint32_t *to, const int8_t *from, int32_t n)
{
    for (; n >= 4; n -= 4, from += 4, to += 4) {
        const uint32_t bytes = ert_load32(from);
        to[0] = ert_sxtb16(bytes);
        to[2] = ert_sxtb16_odd(bytes);
    }
    for (; n >= 2; n -= 2, from += 2, to += 2) {
        to[0] = ert_pack_low((uint32_t)from[0], (uint32_t)from[1]);
    }
    if (n > 0) {
        to[0] = (uint32_t)from[0];
        to += 2;
    }
    return to;
}

/* Row `row`, columns from q: the line that a window has of it, with x_zero where it hangs over the border. */
ERT_INLINE void ert_conv2d_s8__dsp_border(
    uint8_t *line, const int8_t *x, int32_t row, int32_t q, const ert_conv2d_s8_t *g)
{
    for (int32_t v = 0; v < g->kernel_w; v++, q += g->dilation_w) {
        if (row < 0 || row >= g->in_h || q < 0 || q >= g->in_w) {
            line = ert_fill_bytes(line, g->in_c, g->x_zero);
        } else {
            line = ert_copy_bytes(line, (const uint8_t *)x + (row * g->in_w + q) * g->in_c, g->in_c);
        }
    }
}

/* The window with corner (r, q). */
ERT_INLINE void ert_conv2d_s8__dsp_gather(
    uint32_t *to, uint8_t *line, const int8_t *x, int32_t r, int32_t q, const ert_conv2d_s8_t *g)
{
    const int inside = g->dilation_w == 1 && q >= 0 && q + g->kernel_w <= g->in_w;
    for (int32_t u = 0; u < g->kernel_h; u++, r += g->dilation_h) {
        if (inside && r >= 0 && r < g->in_h) {
            to = ert_conv2d_s8__dsp_widen(to, x + (r * g->in_w + q) * g->in_c, g->kernel_w * g->in_c);
        } else {
            ert_conv2d_s8__dsp_border(line, x, r, q, g);
            to = ert_conv2d_s8__dsp_widen(to, (const int8_t *)line, g->kernel_w * g->in_c);
        }
    }
}

/* Two pixels, all channels. y0 == y1 for a single pixel. */
ERT_INLINE void ert_conv2d_s8__dsp_pixels(
    const uint32_t *columns, int32_t words, const uint32_t *w, const int32_t *q, int8_t *y0, int8_t *y1,
    const ert_conv2d_s8_t *g)
{
    int32_t n = g->out_c;
    for (; n >= 4; n -= 4, q += 2 * ERT_PAIRED_WORDS, y0 += 4, y1 += 4) {
        ert_paired_t a = ert_paired_start(q), b = ert_paired_start(q + ERT_PAIRED_WORDS);
        w = ert_paired_dot(&a, &b, columns, w, words);
        ert_paired_finish(&a, q, y0, y1, 2, g->y_min, g->y_max);
        ert_paired_finish(&b, q + ERT_PAIRED_WORDS, y0 + 2, y1 + 2, 2, g->y_min, g->y_max);
    }
    for (; n > 0; n -= 2, q += ERT_PAIRED_WORDS, y0 += 2, y1 += 2) {
        ert_paired_t s = ert_paired_start(q);
        for (int32_t k = 0; k < words; k++) {
            ert_paired_accumulate(&s, *w++, columns[2 * k], columns[2 * k + 1]);
        }
        ert_paired_finish(&s, q, y0, y1, n, g->y_min, g->y_max);
    }
}

/* A kernel of 1x1 that meets every input once: pixels in one row. */
ERT_INLINE void ert_conv2d_s8__dsp_pointwise(
    const int8_t *x, int8_t *y, const uint32_t *weights, const int32_t *requant, uint32_t *columns,
    const ert_conv2d_s8_t *g)
{
    const int32_t words = (g->in_c + 1) / 2;
    int32_t pixels = g->batch * g->out_h * g->out_w;
    for (; pixels > 0; pixels -= 2, x += 2 * g->in_c, y += 2 * g->out_c) {
        ert_conv2d_s8__dsp_widen(columns, x, g->in_c);
        if (pixels > 1) {
            ert_conv2d_s8__dsp_widen(columns + 1, x + g->in_c, g->in_c);
        }
        ert_conv2d_s8__dsp_pixels(columns, words, weights, requant, y, y + (pixels > 1 ? g->out_c : 0), g);
    }
}

ERT_INLINE void ert_conv2d_s8__dsp_windows(
    const int8_t *x, int8_t *y, const uint32_t *weights, const int32_t *requant, uint32_t *columns,
    const ert_conv2d_s8_t *g)
{
    const int32_t words = g->kernel_h * ((g->kernel_w * g->in_c + 1) / 2);
    const int32_t pixels = g->batch * g->out_h * g->out_w;
    uint8_t *const line = (uint8_t *)(columns + 2 * words);
    for (int32_t p = 0, i = 0, j = 0, half = 0; p < pixels; p++) {
        ert_conv2d_s8__dsp_gather(
            columns + half, line, x, i * g->stride_h - g->pad_top, j * g->stride_w - g->pad_left, g);
        if (half == 1 || p + 1 == pixels) {
            ert_conv2d_s8__dsp_pixels(columns, words, weights, requant, y, y + half * g->out_c, g);
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

ERT_INLINE void ert_conv2d_s8__dsp(
    const int8_t *x, int8_t *y, const uint32_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_conv2d_s8_t *g)
{
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    if (g->kernel_h == 1 && g->kernel_w == 1 && g->in_h == g->out_h && g->in_w == g->out_w) {
        ert_conv2d_s8__dsp_pointwise(x, y, weights, requant, columns, g);
    } else {
        ert_conv2d_s8__dsp_windows(x, y, weights, requant, columns, g);
    }
}

#endif
