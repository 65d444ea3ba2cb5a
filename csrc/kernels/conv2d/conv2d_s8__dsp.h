/* conv2d_s8 with SMLAD: the windows of two or four output pixels are widened to int16, word by word side by side,
 * and meet two pairs of output channels at a time (include/ert_paired.h), or one pair if there are four pixels.
 * A window is kernel_h lines of kernel_w * in_c contiguous inputs. Within a line, each four taps are in the order
 * 0, 2, 1, 3, as SXTB16 takes them apart; a line of odd length ends with a zero weight.
 * Weights   pixels = 4: words [pairs][window]; pixels = 2: [out_c/4][window][2 pairs], a missing pair is zero
 * Requant   [pairs][ERT_PAIRED_WORDS]
 * Overlap   the windows of a block are read before its pixels are written: codegen/kernels/conv2d.py
 * Scratch   `pixels` windows of words, and one line of bytes
 * Limits    groups = 1; see include/ert_paired.h */
#ifndef ERT_CONV2D_S8__DSP_H
#define ERT_CONV2D_S8__DSP_H

#include "include/ert_common.h"
#include "include/ert_copy.h"
#include "include/ert_dsp.h"
#include "include/ert_paired.h"
#include "kernels/conv2d/conv2d_s8.h"

/* n inputs as words, of which every `pixels`-th is this pixel's. Returns where the next line goes. */
ERT_INLINE uint32_t *ert_conv2d_s8__dsp_widen(uint32_t *to, const int8_t *from, int32_t n, int32_t pixels)
{
    for (; n >= 4; n -= 4, from += 4, to += 2 * pixels) {
        const uint32_t bytes = ert_load32(from);
        to[0] = ert_sxtb16(bytes);
        to[pixels] = ert_sxtb16_odd(bytes);
    }
    for (; n >= 2; n -= 2, from += 2, to += pixels) {
        to[0] = ert_pack_low((uint32_t)from[0], (uint32_t)from[1]);
    }
    if (n > 0) {
        to[0] = (uint32_t)from[0];
        to += pixels;
    }
    return to;
}

/* The line that a window has of row `row`, columns from q, with x_zero where it hangs over the border: in place, or
 * put together in `line`; dilated, tap by tap. */
ERT_INLINE const int8_t *ert_conv2d_s8__dsp_line(
    uint8_t *line, const int8_t *x, int32_t row, int32_t q, const ert_conv2d_s8_t *g)
{
    const int32_t run = g->dilation_w == 1 ? g->kernel_w : 1, inside = row >= 0 && row < g->in_h;
    uint8_t *to = line;
    for (int32_t v = 0; v < g->kernel_w; v += run, q += g->dilation_w) {
        const int32_t first = inside ? ert_clamp(-q, 0, run) : run;
        const int32_t last = inside ? ert_clamp(g->in_w - q, first, run) : run;
        const int32_t at = (row * g->in_w + q) * g->in_c;
        if (last - first == g->kernel_w) {
            return x + at;
        }
        for (int32_t part = 0; part < 3; part++) { /* border, input, border */
            if (part == 1) {
                const int32_t from = last > first ? at + first * g->in_c : 0;
                to = ert_copy_bytes(to, (const uint8_t *)x + from, (last - first) * g->in_c);
            } else {
                to = ert_fill_bytes(to, (part == 0 ? first : run - last) * g->in_c, g->x_zero);
            }
        }
    }
    return (const int8_t *)line;
}

/* The window with corner (r, q), which hangs over the border or is dilated. One copy for all layers. */
static __attribute__((noinline, cold)) void ert_conv2d_s8__dsp_gather_border(
    uint32_t *to, uint8_t *line, const int8_t *x, int32_t r, int32_t q, int32_t pixels, const ert_conv2d_s8_t *g)
{
    for (int32_t u = 0; u < g->kernel_h; u++, r += g->dilation_h) {
        const int8_t *from = ert_conv2d_s8__dsp_line(line, x, r, q, g);
        to = ert_conv2d_s8__dsp_widen(to, from, g->kernel_w * g->in_c, pixels);
    }
}

/* The window with corner (r, q). */
ERT_INLINE void ert_conv2d_s8__dsp_gather(
    uint32_t *to, uint8_t *line, const int8_t *x, int32_t r, int32_t q, int32_t pixels, const ert_conv2d_s8_t *g)
{
    const int32_t bottom = r + (g->kernel_h - 1) * g->dilation_h;
    if (g->dilation_w == 1 && r >= 0 && bottom < g->in_h && q >= 0 && q + g->kernel_w <= g->in_w) {
        x += (r * g->in_w + q) * g->in_c;
        for (int32_t u = 0; u < g->kernel_h; u++, x += g->dilation_h * g->in_w * g->in_c) {
            to = ert_conv2d_s8__dsp_widen(to, x, g->kernel_w * g->in_c, pixels);
        }
    } else {
        const ert_conv2d_s8_t geometry = *g; /* so that the compiler may go on knowing g */
        ert_conv2d_s8__dsp_gather_border(to, line, x, r, q, pixels, &geometry);
    }
}

/* A block of pixels, all channels, to y, pixel after pixel. */
ERT_INLINE void ert_conv2d_s8__dsp_block(
    const uint32_t *columns, int32_t words, const uint32_t *w, const int32_t *q, int8_t *y, int32_t pixels,
    int32_t parts, const ert_conv2d_s8_t *g)
{
    const ert_paired_output_t output = {g->out_c, g->y_zero, g->y_min, g->y_max};
    const int32_t pairs = 4 / pixels;
    for (int32_t n = g->out_c; n > 0; n -= 2 * pairs, y += 2 * pairs, q += pairs * ERT_PAIRED_WORDS) {
        ert_paired_t s[4];
        int32_t first[4], second[4];
        for (int32_t k = 0; k < 4; k++) {
            const int32_t *of = q + k / pixels * ERT_PAIRED_WORDS;
            s[k] = ert_paired_start(of[0], of[ERT_CHANNEL_WORDS]);
        }
        w = ert_paired_sums(first, second, s, columns, w, words, pixels, parts);
        for (int32_t k = 0; k < pairs && 2 * k < n; k++) {
            const int32_t at = k * pixels;
            ert_paired_finish(
                first + at, second + at, q + k * ERT_PAIRED_WORDS, y + 2 * k, &output, pixels, n - 2 * k);
        }
    }
}

/* The `count` gathered windows of a block to y: straight, or the last and incomplete block by way of `spare`. */
ERT_INLINE void ert_conv2d_s8__dsp_write(
    const uint32_t *columns, int32_t words, const uint32_t *w, const int32_t *q, int8_t *y, int8_t *spare,
    int32_t count, int32_t pixels, int32_t parts, const ert_conv2d_s8_t *g)
{
    const int complete = g->batch * g->out_h * g->out_w % pixels == 0 || count == pixels;
    ert_conv2d_s8__dsp_block(columns, words, w, q, complete ? y : spare, pixels, parts, g);
    if (!complete) {
        ert_copy_bytes((uint8_t *)y, (const uint8_t *)spare, count * g->out_c);
    }
}

/* A kernel of 1x1 that meets every input once: pixels in one row. */
ERT_INLINE void ert_conv2d_s8__dsp_pointwise(
    const int8_t *x, int8_t *y, const uint32_t *weights, const int32_t *requant, uint32_t *columns,
    int32_t pixels, int32_t parts, const ert_conv2d_s8_t *g)
{
    const int32_t words = (g->in_c + 1) / 2;
    int8_t *const spare = (int8_t *)(columns + pixels * words) + g->in_c;
    int32_t left = g->batch * g->out_h * g->out_w;
    for (; left > 0; left -= pixels, x += pixels * g->in_c, y += pixels * g->out_c) {
        const int32_t count = left < pixels ? left : pixels;
        for (int32_t p = 0; p < count; p++) {
            ert_conv2d_s8__dsp_widen(columns + p, x + p * g->in_c, g->in_c, pixels);
        }
        ert_conv2d_s8__dsp_write(columns, words, weights, requant, y, spare, count, pixels, parts, g);
    }
}

ERT_INLINE void ert_conv2d_s8__dsp_windows(
    const int8_t *x, int8_t *y, const uint32_t *weights, const int32_t *requant, uint32_t *columns,
    int32_t pixels, int32_t parts, const ert_conv2d_s8_t *g)
{
    const int32_t words = g->kernel_h * ((g->kernel_w * g->in_c + 1) / 2);
    uint8_t *const line = (uint8_t *)(columns + pixels * words);
    int8_t *const spare = (int8_t *)line + g->kernel_w * g->in_c;
    int32_t left = g->batch * g->out_h * g->out_w, count = 0;
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->in_c) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                ert_conv2d_s8__dsp_gather(
                    columns + count++, line, x, i * g->stride_h - g->pad_top, j * g->stride_w - g->pad_left,
                    pixels, g);
                left--;
                if (count == pixels || left == 0) {
                    ert_conv2d_s8__dsp_write(columns, words, weights, requant, y, spare, count, pixels, parts, g);
                    y += pixels * g->out_c;
                    count = 0;
                }
            }
        }
    }
}

ERT_INLINE void ert_conv2d_s8__dsp(
    const int8_t *x, int8_t *y, const uint32_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_conv2d_s8_t *g, int32_t pixels, int32_t parts)
{
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    if (g->kernel_h == 1 && g->kernel_w == 1 && g->stride_h == 1 && g->stride_w == 1 && g->pad_top == 0 &&
        g->pad_left == 0) {
        ert_conv2d_s8__dsp_pointwise(x, y, weights, requant, columns, pixels, parts, g);
    } else {
        ert_conv2d_s8__dsp_windows(x, y, weights, requant, columns, pixels, parts, g);
    }
}

#endif
