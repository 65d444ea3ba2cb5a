/* depthwise_conv2d_s8 with dual 16-bit multiplies: four channels of two output pixels at a time. A window that
 * reaches over the border is first copied, border and all, to a patch of its own; every window is then alike.
 * Weights   int16 [channels/4][taps][4] in the order channel 0, 2, 1, 3 (the order SXTB16 leaves the input in);
 *           channels rounded up to four with zeros
 * Requant   as include/ert_paired.h
 * Overlap   codegen/kernels/depthwise_conv2d.py       Scratch: 2 * kernel_h * kernel_w * in_c bytes
 * Limits    depth_multiplier = 1, dilation_w = 1, shift <= -1, |acc| < 2^30 */
#ifndef ERT_DEPTHWISE_CONV2D_S8__DSP_H
#define ERT_DEPTHWISE_CONV2D_S8__DSP_H

#include "include/ert_common.h"
#include "include/ert_copy.h"
#include "include/ert_dsp.h"
#include "include/ert_paired.h"
#include "kernels/depthwise_conv2d/depthwise_conv2d_s8.h"

/* Where a window's taps are: rows `pitch` bytes apart, columns in_c. */
typedef struct {
    const int8_t *start;
    int32_t pitch;
} ert_depthwise_conv2d_s8__dsp_window_t;

/* The window with corner (r, q): on the input itself, or in `patch` if it meets the border. */
ERT_INLINE ert_depthwise_conv2d_s8__dsp_window_t ert_depthwise_conv2d_s8__dsp_locate(
    const int8_t *x, int32_t r, int32_t q, uint8_t *patch, const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t pitch = g->in_w * g->in_c, line = g->kernel_w * g->in_c;
    const int32_t bottom = r + (g->kernel_h - 1) * g->dilation_h;
    if (r >= 0 && bottom < g->in_h && q >= 0 && q + g->kernel_w <= g->in_w) {
        const ert_depthwise_conv2d_s8__dsp_window_t inside = {
            x + r * pitch + q * g->in_c, pitch * g->dilation_h};
        return inside;
    }
    const int32_t left = q < 0 ? -q : 0, right = q + g->kernel_w > g->in_w ? q + g->kernel_w - g->in_w : 0;
    const ert_depthwise_conv2d_s8__dsp_window_t copy = {(const int8_t *)patch, line};
    for (int32_t u = 0; u < g->kernel_h; u++, patch += line) {
        const int32_t row = r + u * g->dilation_h;
        if (row < 0 || row >= g->in_h) {
            ert_fill(patch, line, g->x_zero, 1);
        } else {
            const uint8_t *from = (const uint8_t *)(x + row * pitch + (q + left) * g->in_c);
            uint8_t *to = ert_fill(patch, left * g->in_c, g->x_zero, 1);
            ert_copy_bytes(to, from, (g->kernel_w - left - right) * g->in_c);
            ert_fill(to + (g->kernel_w - left - right) * g->in_c, right * g->in_c, g->x_zero, 1);
        }
    }
    return copy;
}

ERT_INLINE uint32_t ert_depthwise_conv2d_s8__dsp_load(const int8_t *from, int32_t channels)
{
    uint32_t bytes = 0;
    if (channels >= 4) {
        return ert_load32(from);
    }
    for (int32_t c = 0; c < channels; c++) {
        bytes |= (uint32_t)(uint8_t)from[c] << (8 * c);
    }
    return bytes;
}

ERT_INLINE void ert_depthwise_conv2d_s8__dsp_store(
    int8_t *y, const int32_t *sum, const int32_t *q, int32_t channels, const ert_depthwise_conv2d_s8_t *g)
{
    for (int32_t c = 0; c < 4 && c < channels; c++) {
        const int32_t v = ert_paired_second(sum[c], q + 3 * c, 2 * g->y_zero + 1);
        y[c] = (int8_t)ert_clamp8(v, g->y_min, g->y_max);
    }
}

/* Up to four channels of two windows. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_four(
    const int8_t *x0, int32_t pitch0, const int8_t *x1, int32_t pitch1, const int16_t *w, const int32_t *q,
    int8_t *y0, int8_t *y1, int32_t channels, const ert_depthwise_conv2d_s8_t *g)
{
    int32_t sum0[4] = {0, 0, 0, 0}, sum1[4] = {0, 0, 0, 0};
    for (int32_t u = 0; u < g->kernel_h; u++, x0 += pitch0, x1 += pitch1) {
        for (int32_t v = 0; v < g->kernel_w; v++, w += 4) {
            const uint32_t b0 = ert_depthwise_conv2d_s8__dsp_load(x0 + v * g->in_c, channels);
            const uint32_t b1 = ert_depthwise_conv2d_s8__dsp_load(x1 + v * g->in_c, channels);
            const uint32_t even0 = ert_sxtb16(b0), odd0 = ert_sxtb16_odd(b0);
            const uint32_t even1 = ert_sxtb16(b1), odd1 = ert_sxtb16_odd(b1);
            const uint32_t even = ert_load32(w), odd = ert_load32(w + 2);
            sum0[0] = ert_smlabb(even0, even, sum0[0]);
            sum0[2] = ert_smlatt(even0, even, sum0[2]);
            sum0[1] = ert_smlabb(odd0, odd, sum0[1]);
            sum0[3] = ert_smlatt(odd0, odd, sum0[3]);
            sum1[0] = ert_smlabb(even1, even, sum1[0]);
            sum1[2] = ert_smlatt(even1, even, sum1[2]);
            sum1[1] = ert_smlabb(odd1, odd, sum1[1]);
            sum1[3] = ert_smlatt(odd1, odd, sum1[3]);
        }
    }
    ert_depthwise_conv2d_s8__dsp_store(y1, sum1, q, channels, g);
    ert_depthwise_conv2d_s8__dsp_store(y0, sum0, q, channels, g);
}

ERT_INLINE void ert_depthwise_conv2d_s8__dsp(
    const int8_t *x, int8_t *y, const int16_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_depthwise_conv2d_s8_t *g)
{
    const int32_t taps = g->kernel_h * g->kernel_w, pixels = g->batch * g->out_h * g->out_w;
    ert_depthwise_conv2d_s8__dsp_window_t windows[2] = {{x, 0}, {x, 0}};
    for (int32_t p = 0, i = 0, j = 0, half = 0; p < pixels; p++) {
        windows[half] = ert_depthwise_conv2d_s8__dsp_locate(
            x, i * g->stride_h - g->pad_top, j * g->stride_w - g->pad_left, scratch + half * taps * g->in_c, g);
        if (half == 1 || p + 1 == pixels) {
            const int16_t *w = weights;
            int8_t *y1 = y + half * g->out_c; /* a single last pixel is computed twice */
            for (int32_t c = 0; c < g->in_c; c += 4, w += 4 * taps) {
                ert_depthwise_conv2d_s8__dsp_four(
                    windows[0].start + c, windows[0].pitch, windows[half].start + c, windows[half].pitch, w,
                    requant + 3 * c, y + c, y1 + c, g->in_c - c, g);
            }
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
