/* conv2d_s8_b1 with SMLAD: windows and sums as in conv2d_s8__dsp.h; the sum less the threshold has the output in its
 * sign.
 * Weights   as conv2d_s8__dsp.h
 * Starts    [out_c rounded up]: -threshold, the input zero point folded in
 * Overlap   the windows of a block are read before its pixels are written: codegen/kernels/binary.py
 * Scratch   `pixels` windows of words, one line of bytes
 * Limits    see include/ert_paired.h */
#ifndef ERT_CONV2D_S8_B1__DSP_H
#define ERT_CONV2D_S8_B1__DSP_H

#include "include/ert_paired.h"
#include "kernels/binary/conv2d_s8_b1.h"
#include "kernels/conv2d/conv2d_s8__dsp.h"

/* The same windows as conv2d_s8's kernels are told about them. */
ERT_INLINE ert_conv2d_s8_t ert_conv2d_s8_b1__dsp_windows(const ert_conv2d_s8_b1_t *g)
{
    const ert_conv2d_s8_t windows = {
        g->batch, g->in_h, g->in_w, g->in_c, g->out_h, g->out_w, g->out_c, g->kernel_h, g->kernel_w,
        g->stride_h, g->stride_w, g->dilation_h, g->dilation_w, g->pad_top, g->pad_left, 1, g->x_zero, 0, 0, 0};
    return windows;
}

/* The sign of each sum into the highest bit of its pixel's word, the others one down. */
ERT_INLINE void ert_conv2d_s8_b1__dsp_push(uint32_t *bits, const int32_t *sums, int32_t pixels)
{
    for (int32_t p = 0; p < pixels; p++) {
        bits[p] = bits[p] >> 1 | (~(uint32_t)sums[p] & 0x80000000u);
    }
}

/* All channels of a block of `pixels` pixels, of which `count` are written. */
ERT_INLINE void ert_conv2d_s8_b1__dsp_block(
    const uint32_t *columns, int32_t words, const uint32_t *w, const int32_t *starts, uint32_t *y, int32_t count,
    int32_t pixels, const ert_conv2d_s8_b1_t *g)
{
    const int32_t pairs = 4 / pixels, out_words = ert_bit_words(g->out_c);
    for (int32_t n = 0; n < g->out_c; n += 32) {
        uint32_t bits[4] = {0, 0, 0, 0};
        int32_t done = 0;
        for (; done < 32 && n + done < g->out_c; done += 2 * pairs, starts += 2 * pairs) {
            ert_paired_t s[4];
            int32_t first[4], second[4];
            for (int32_t k = 0; k < 4; k++) {
                const int32_t *of = starts + k / pixels * 2;
                s[k].low = of[1];
                s[k].raw = (int32_t)((uint32_t)of[0] << 8) + of[1];
            }
            w = ert_paired_sums(first, second, s, columns, w, words, pixels, 1);
            for (int32_t k = 0; k < pairs; k++) {
                ert_conv2d_s8_b1__dsp_push(bits, first + k * pixels, pixels);
                ert_conv2d_s8_b1__dsp_push(bits, second + k * pixels, pixels);
            }
        }
        for (int32_t p = 0; p < count; p++) {
            y[p * out_words + n / 32] = (done < 32 ? bits[p] >> (32 - done) : bits[p]) & ert_bits_used(g->out_c, n / 32);
        }
    }
}

ERT_INLINE void ert_conv2d_s8_b1__dsp(
    const int8_t *x, uint32_t *y, const uint32_t *weights, const int32_t *starts, uint8_t *scratch,
    const ert_conv2d_s8_b1_t *g, int32_t pixels)
{
    const ert_conv2d_s8_t windows = ert_conv2d_s8_b1__dsp_windows(g);
    const int32_t words = g->kernel_h * ((g->kernel_w * g->in_c + 1) / 2);
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    uint8_t *const line = (uint8_t *)(columns + pixels * words);
    int32_t left = g->batch * g->out_h * g->out_w, count = 0;
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->in_c) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                ert_conv2d_s8__dsp_gather(columns + count++, line, x, r, q, pixels, &windows);
                left--;
                if (count == pixels || left == 0) {
                    ert_conv2d_s8_b1__dsp_block(columns, words, weights, starts, y, count, pixels, g);
                    y += count * ert_bit_words(g->out_c);
                    count = 0;
                }
            }
        }
    }
}

#endif
