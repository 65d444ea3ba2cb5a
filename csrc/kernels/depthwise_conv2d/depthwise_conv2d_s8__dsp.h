/* depthwise_conv2d_s8 with dual 16-bit multiplies: four channels of a pixel at a time. A window that
 * reaches over the border is first copied, border and all, to a patch of its own; every window is then alike.
 * Weights   int16 [channels/4][taps][4] in the order channel 0, 2, 1, 3 (the order SXTB16 leaves the input in);
 *           channels rounded up to four with zeros
 * Requant   as include/ert_paired.h
 * Overlap   codegen/kernels/depthwise_conv2d.py       Scratch: kernel_h * kernel_w * in_c bytes
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
            ert_fill_bytes(patch, line, g->x_zero);
        } else {
            const uint8_t *from = (const uint8_t *)(x + row * pitch + (q + left) * g->in_c);
            uint8_t *to = ert_fill_bytes(patch, left * g->in_c, g->x_zero);
            ert_copy_bytes(to, from, (g->kernel_w - left - right) * g->in_c);
            ert_fill_bytes(to + (g->kernel_w - left - right) * g->in_c, right * g->in_c, g->x_zero);
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

/* Up to four channels of one window. */
ERT_INLINE void ert_depthwise_conv2d_s8__dsp_four(
    const int8_t *x, int32_t pitch, const int16_t *w, const int32_t *q, int8_t *y, int32_t channels,
    const ert_depthwise_conv2d_s8_t *g)
{
    int32_t sum[4] = {0, 0, 0, 0};
    for (int32_t u = 0; u < g->kernel_h; u++, x += pitch) {
        for (int32_t v = 0; v < g->kernel_w; v++, w += 4) {
            const uint32_t bytes = ert_depthwise_conv2d_s8__dsp_load(x + v * g->in_c, channels);
            const uint32_t even = ert_sxtb16(bytes), odd = ert_sxtb16_odd(bytes);
            const uint32_t w_even = ert_load32(w), w_odd = ert_load32(w + 2);
            sum[0] = ert_smlabb(even, w_even, sum[0]);
            sum[2] = ert_smlatt(even, w_even, sum[2]);
            sum[1] = ert_smlabb(odd, w_odd, sum[1]);
            sum[3] = ert_smlatt(odd, w_odd, sum[3]);
        }
    }
    for (int32_t c = 0; c < 4 && c < channels; c++) {
        const int32_t v = ert_paired_second(sum[c], q + 3 * c, 2 * g->y_zero + 1);
        y[c] = (int8_t)ert_clamp8(v, g->y_min, g->y_max);
    }
}

ERT_INLINE void ert_depthwise_conv2d_s8__dsp(
    const int8_t *x, int8_t *y, const int16_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_depthwise_conv2d_s8_t *g)
{
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->in_c) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++, y += g->out_c) {
                const ert_depthwise_conv2d_s8__dsp_window_t window = ert_depthwise_conv2d_s8__dsp_locate(
                    x, i * g->stride_h - g->pad_top, j * g->stride_w - g->pad_left, scratch, g);
                const int16_t *w = weights;
                int32_t c = 0;
                for (; c + 4 <= g->in_c; c += 4, w += 4 * g->kernel_h * g->kernel_w) {
                    ert_depthwise_conv2d_s8__dsp_four(
                        window.start + c, window.pitch, w, requant + 3 * c, y + c, 4, g);
                }
                if (c < g->in_c) {
                    ert_depthwise_conv2d_s8__dsp_four(
                        window.start + c, window.pitch, w, requant + 3 * c, y + c, g->in_c - c, g);
                }
            }
        }
    }
}

#endif
