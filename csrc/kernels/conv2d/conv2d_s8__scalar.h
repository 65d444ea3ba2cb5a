/* conv2d_s8 without SIMD: `pixels` output pixels against `channels` output channels at a time, each sum in a
 * register, so that a loaded input serves `channels` multiply-accumulates and a loaded weight `pixels`.
 * The lines of input under neighbouring windows are first gathered, border and all; a pointwise layer reads its
 * input where it lies.
 * Weights   int8 [out_c/channels][window][channels]; the channels left over follow in halves: 4, 2, 1
 * Requant   int32 [out_c][ERT_CHANNEL_WORDS]
 * Overlap   the lines of a block are read before it is written, pointwise: while; codegen/kernels/conv2d.py
 * Scratch   kernel_h lines, as long as the windows of a block reach; 0 if pointwise
 * Limits    groups = 1; pixels and channels 1, 2, 4; see include/ert_channel.h */
#ifndef ERT_CONV2D_S8__SCALAR_H
#define ERT_CONV2D_S8__SCALAR_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_scalar.h"
#include "kernels/conv2d/conv2d_s8.h"

/* Neighbouring pixels, pixel_step inputs apart; x: the first tap of the first, lines line_step inputs apart. */
typedef struct {
    const int8_t *x;
    int32_t pixels, pixel_step, line_step;
} ert_conv2d_s8__scalar_block_t;

/* One tap of every pixel and channel of a tile. */
ERT_INLINE void ert_conv2d_s8__scalar_tap(
    int32_t (*sums)[4], const int8_t *x, const int8_t *w, int32_t pixels, int32_t pixel_step, int32_t channels)
{
    int32_t inputs[4];
#pragma GCC unroll 8
    for (int32_t p = 0; p < pixels; p++) {
        inputs[p] = x[p * pixel_step];
    }
#pragma GCC unroll 8
    for (int32_t c = 0; c < channels; c++) {
        const int32_t weight = w[c];
#pragma GCC unroll 8
        for (int32_t p = 0; p < pixels; p++) {
            sums[c][p] = ert_accumulate(sums[c][p], weight, inputs[p]);
        }
    }
}

#if defined(ERT_SCALAR_THUMB1)
/* Two taps of two pixels and two channels. Only eight registers take part in products and loads, and the compilers
 * spill most of them; the sums wait in the others. */
#define ERT_CONV2D_SCALAR_CHANNEL(at, a0, a1) \
    "ldrb %[w], [%[at_w], #" at "]\n\t" \
    "sxtb %[w], %[w]\n\t" \
    "movs %[t], %[w]\n\t" \
    "muls %[t], %[x0], %[t]\n\t" \
    "add %[" a0 "], %[t]\n\t" \
    "muls %[w], %[x1], %[w]\n\t" \
    "add %[" a1 "], %[w]\n\t"
#define ERT_CONV2D_SCALAR_TAP(first, second) \
    "ldrsb %[x0], [%[at0], %[k]]\n\t" \
    "ldrsb %[x1], [%[at1], %[k]]\n\t" \
    ERT_CONV2D_SCALAR_CHANNEL(first, "s00", "s01") \
    ERT_CONV2D_SCALAR_CHANNEL(second, "s10", "s11")
/* do { taps } while (k != 0), weights `step` bytes further each time */
#define ERT_CONV2D_SCALAR_LOOP(taps, step) \
    __asm__ volatile(".syntax unified\n" \
                     "1:\n\t" taps "adds %[at_w], #" step "\n\t" \
                     "adds %[k], #1\n\t" \
                     "bne 1b" \
                     : [s00] "+h"(s00), [s01] "+h"(s01), [s10] "+h"(s10), [s11] "+h"(s11), [at_w] "+l"(w), \
                       [k] "+l"(k), [x0] "=&l"(x0), [x1] "=&l"(x1), [w] "=&l"(weight), [t] "=&l"(product) \
                     : [at0] "l"(at0), [at1] "l"(at1) \
                     : "cc", "memory")

ERT_INLINE const int8_t *ert_conv2d_s8__scalar_two_by_two(
    int32_t (*sums)[4], const int8_t *x, const int8_t *w, int32_t taps, int32_t pixel_step)
{
    const int8_t *const at0 = x + taps, *const at1 = at0 + pixel_step;
    int32_t s00 = sums[0][0], s01 = sums[0][1], s10 = sums[1][0], s11 = sums[1][1];
    int32_t k = -taps, x0, x1, weight, product;
    if (taps % 2 == 0) {
        ERT_CONV2D_SCALAR_LOOP(
            ERT_CONV2D_SCALAR_TAP("0", "1") "adds %[k], #1\n\t" ERT_CONV2D_SCALAR_TAP("2", "3"), "4");
    } else {
        ERT_CONV2D_SCALAR_LOOP(ERT_CONV2D_SCALAR_TAP("0", "1"), "2");
    }
    sums[0][0] = ert_from_high_register(s00);
    sums[0][1] = ert_from_high_register(s01);
    sums[1][0] = ert_from_high_register(s10);
    sums[1][1] = ert_from_high_register(s11);
    return w;
}
#endif

/* Taps that lie side by side. Returns the weights of the next. */
ERT_INLINE const int8_t *ert_conv2d_s8__scalar_run(
    int32_t (*sums)[4], const int8_t *x, const int8_t *w, int32_t taps, const ert_conv2d_s8__scalar_block_t *b,
    int32_t channels)
{
#if defined(ERT_SCALAR_THUMB1)
    if (b->pixels == 2 && channels == 2) {
        return ert_conv2d_s8__scalar_two_by_two(sums, x, w, taps, b->pixel_step);
    }
#endif
#pragma GCC unroll 4
    for (int32_t k = 0; k < taps; k++, w += channels) {
        ert_conv2d_s8__scalar_tap(sums, x + k, w, b->pixels, b->pixel_step, channels);
    }
    return w;
}

/* The sums leave their registers first: the loops that follow may then stay loops, and the code small. */
ERT_INLINE void ert_conv2d_s8__scalar_finish(
    int32_t (*sums)[4], const int32_t *q, int8_t *y, int32_t pixels, int32_t channels, const ert_conv2d_s8_t *g)
{
    int32_t done[4][4];
#pragma GCC unroll 8
    for (int32_t c = 0; c < channels; c++) {
#pragma GCC unroll 8
        for (int32_t p = 0; p < pixels; p++) {
            done[c][p] = sums[c][p];
        }
    }
    for (int32_t c = 0; c < channels; c++, q += ERT_CHANNEL_WORDS) {
        const ert_channel_t of = ert_channel(q, g->y_zero);
        for (int32_t p = 0; p < pixels; p++) {
            const int32_t v = ert_channel_requantize(2 * done[c][p], of.multiplier, of.offset, of.shift);
            y[p * g->out_c + c] = (int8_t)ert_clamp(v, g->y_min, g->y_max);
        }
    }
}

/* All pixels of a block, `channels` channels. Returns the weights of the next. */
ERT_INLINE const int8_t *ert_conv2d_s8__scalar_tile(
    const ert_conv2d_s8__scalar_block_t *b, const int8_t *w, const int32_t *q, int8_t *y, int32_t channels,
    const ert_conv2d_s8_t *g)
{
    int32_t sums[4][4];
#pragma GCC unroll 8
    for (int32_t c = 0; c < channels; c++) {
#pragma GCC unroll 8
        for (int32_t p = 0; p < b->pixels; p++) {
            sums[c][p] = q[c * ERT_CHANNEL_WORDS] >> 5;
        }
    }
    const int8_t *line = b->x;
    for (int32_t u = 0; u < g->kernel_h; u++, line += b->line_step) {
        if (g->dilation_w == 1) {
            w = ert_conv2d_s8__scalar_run(sums, line, w, g->kernel_w * g->in_c, b, channels);
        } else {
            for (int32_t v = 0; v < g->kernel_w; v++) {
                w = ert_conv2d_s8__scalar_run(sums, line + v * g->dilation_w * g->in_c, w, g->in_c, b, channels);
            }
        }
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

/* `columns` columns of row r from column q on, x_zero where there is no input. Returns the end. */
ERT_INLINE int8_t *ert_conv2d_s8__scalar_line(
    int8_t *to, const int8_t *x, int32_t r, int32_t q, int32_t columns, const ert_conv2d_s8_t *g)
{
    const int32_t first = r >= 0 && r < g->in_h ? ert_clamp(-q, 0, columns) : columns;
    const int32_t last = ert_clamp(g->in_w - q, first, columns);
    const int32_t from = (r * g->in_w + q) * g->in_c;
    int32_t k = 0;
    for (; k < first * g->in_c; k++) {
        to[k] = (int8_t)g->x_zero;
    }
#pragma GCC unroll 4
    for (; k < last * g->in_c; k++) {
        to[k] = x[from + k];
    }
    for (; k < columns * g->in_c; k++) {
        to[k] = (int8_t)g->x_zero;
    }
    return to + columns * g->in_c;
}

/* `pixels` pixels of one row: their windows' lines, then all channels. r, q: the first window's corner. */
ERT_INLINE void ert_conv2d_s8__scalar_windows(
    const int8_t *x, int8_t *y, const int8_t *w, const int32_t *requant, int8_t *lines, int32_t r, int32_t q,
    int32_t pixels, int32_t channels, const ert_conv2d_s8_t *g)
{
    const int32_t columns = (pixels - 1) * g->stride_w + (g->kernel_w - 1) * g->dilation_w + 1;
    int8_t *to = lines;
    for (int32_t u = 0; u < g->kernel_h; u++) {
        to = ert_conv2d_s8__scalar_line(to, x, r + u * g->dilation_h, q, columns, g);
    }
    const ert_conv2d_s8__scalar_block_t block = {lines, pixels, g->stride_w * g->in_c, columns * g->in_c};
    ert_conv2d_s8__scalar_block(&block, w, requant, y, channels, g);
}

/* One row of output; r: the first row of its windows. */
ERT_INLINE void ert_conv2d_s8__scalar_row(
    const int8_t *x, int8_t *y, const int8_t *w, const int32_t *requant, int8_t *lines, int32_t r, int32_t pixels,
    int32_t channels, const ert_conv2d_s8_t *g)
{
    int32_t j = 0;
    for (; j + pixels <= g->out_w; j += pixels, y += pixels * g->out_c) {
        const int32_t q = j * g->stride_w - g->pad_left;
        ert_conv2d_s8__scalar_windows(x, y, w, requant, lines, r, q, pixels, channels, g);
    }
    for (; j < g->out_w; j++, y += g->out_c) {
        const int32_t q = j * g->stride_w - g->pad_left;
        ert_conv2d_s8__scalar_windows(x, y, w, requant, lines, r, q, 1, channels, g);
    }
}

/* A kernel of 1x1 that meets every input once. */
ERT_INLINE void ert_conv2d_s8__scalar_pointwise(
    const int8_t *x, int8_t *y, const int8_t *w, const int32_t *requant, int32_t pixels, int32_t channels,
    const ert_conv2d_s8_t *g)
{
    const int32_t all = g->batch * g->out_h * g->out_w, blocks = all / pixels * pixels;
    for (int32_t p = 0; p < blocks; p += pixels) {
        const ert_conv2d_s8__scalar_block_t block = {x + p * g->in_c, pixels, g->in_c, 0};
        ert_conv2d_s8__scalar_block(&block, w, requant, y + p * g->out_c, channels, g);
    }
    for (int32_t p = blocks; p < all; p++) {
        const ert_conv2d_s8__scalar_block_t block = {x + p * g->in_c, 1, g->in_c, 0};
        ert_conv2d_s8__scalar_block(&block, w, requant, y + p * g->out_c, channels, g);
    }
}

ERT_INLINE void ert_conv2d_s8__scalar(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_conv2d_s8_t *g, int32_t pixels, int32_t channels)
{
    if (g->kernel_h == 1 && g->kernel_w == 1 && g->pad_top == 0 && g->pad_left == 0 && g->in_h == g->out_h &&
        g->in_w == g->out_w) {
        ert_conv2d_s8__scalar_pointwise(x, y, weights, requant, pixels, channels, g);
        return;
    }
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->in_c) {
        for (int32_t i = 0; i < g->out_h; i++, y += g->out_w * g->out_c) {
            const int32_t r = i * g->stride_h - g->pad_top;
            ert_conv2d_s8__scalar_row(x, y, weights, requant, (int8_t *)scratch, r, pixels, channels, g);
        }
    }
}

#endif
