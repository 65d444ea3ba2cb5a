/* y[b,i,j,n] = +1 if dot >= threshold[n], else -1
 * dot = sum over u, v, c of x[b, i*stride_h - pad_top + u*dilation_h, j*stride_w - pad_left + v*dilation_w, c]
 *       * w[n,u,v,c],    x and w +1 or -1; outside of the map x is pad_value: -1, 0 or +1
 * Shapes    x [batch,in_h,in_w,in_c]  w [out_c,kernel_h,kernel_w,in_c]  y [batch,out_h,out_w,out_c], all b1
 *           (include/ert_bits.h); threshold [out_c] int32
 * Weights   of this variant: words as x has them
 * Exact: integers only          Overlap: a word of y is written after its window was read          Scratch: none
 * Limits    kernel_h * kernel_w * in_c < 2^16          Source: docs/binary.md */
#ifndef ERT_CONV2D_B1_H
#define ERT_CONV2D_B1_H

#include "include/ert_bits.h"

typedef struct {
    int32_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t pad_value;
} ert_conv2d_b1_t;

/* Word `word` of pixel (row, column) of an image; outside of the map all bits as pad_value has them. */
ERT_INLINE uint32_t ert_conv2d_b1_word(
    const uint32_t *x, int32_t row, int32_t column, int32_t word, const ert_conv2d_b1_t *g)
{
    if (row >= 0 && row < g->in_h && column >= 0 && column < g->in_w) {
        return x[(row * g->in_w + column) * ert_bit_words(g->in_c) + word];
    }
    return g->pad_value > 0 ? ert_bits_used(g->in_c, word) : 0;
}

/* Whether a tap counts: outside of the map zeros do not. */
ERT_INLINE int ert_conv2d_b1_counts(int32_t row, int32_t column, const ert_conv2d_b1_t *g)
{
    return g->pad_value != 0 || (row >= 0 && row < g->in_h && column >= 0 && column < g->in_w);
}

/* The dot product of the window with corner (r, q) and one channel's weights. */
ERT_INLINE int32_t ert_conv2d_b1_dot(
    const uint32_t *x, const uint32_t *weights, int32_t r, int32_t q, const ert_conv2d_b1_t *g)
{
    int32_t dot = 0;
    for (int32_t u = 0; u < g->kernel_h; u++) {
        for (int32_t v = 0; v < g->kernel_w; v++) {
            const int32_t row = r + u * g->dilation_h, column = q + v * g->dilation_w;
            for (int32_t word = 0; word < ert_bit_words(g->in_c); word++, weights++) {
                if (ert_conv2d_b1_counts(row, column, g)) {
                    const uint32_t differ = ert_conv2d_b1_word(x, row, column, word, g) ^ *weights;
                    dot += ert_popcount(ert_bits_used(g->in_c, word)) - 2 * ert_popcount(differ);
                }
            }
        }
    }
    return dot;
}

ERT_INLINE void ert_conv2d_b1__ref(
    const uint32_t *x, uint32_t *y, const uint32_t *weights, const int32_t *threshold, const ert_conv2d_b1_t *g)
{
    const int32_t window = g->kernel_h * g->kernel_w * ert_bit_words(g->in_c);
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * ert_bit_words(g->in_c)) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++) {
                const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                for (int32_t n = 0; n < g->out_c; n += 32) {
                    uint32_t bits = 0;
                    for (int32_t k = 0; k < 32 && n + k < g->out_c; k++) {
                        const int32_t dot = ert_conv2d_b1_dot(x, weights + (n + k) * window, r, q, g);
                        bits |= (uint32_t)(dot >= threshold[n + k]) << k;
                    }
                    *y++ = bits;
                }
            }
        }
    }
}

#endif
