/* y[b,i,j,c] = max over the window of x, or min where minimum[c] is set: OR, or AND, of bits
 * Shapes    x [batch,in_h,in_w,channels]  y [batch,out_h,out_w,channels], both b1 (include/ert_bits.h); minimum: one
 *           pixel of bits
 * Borders   only what lies on the input counts
 * Overlap   a word of y is written after its window was read: codegen/kernels/binary.py          Scratch: none */
#ifndef ERT_MAX_POOL2D_B1_H
#define ERT_MAX_POOL2D_B1_H

#include "include/ert_bits.h"
#include "kernels/pool2d/pool2d.h"

typedef struct {
    int32_t batch, in_h, in_w, channels, out_h, out_w, kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
} ert_max_pool2d_b1_t;

ERT_INLINE void ert_max_pool2d_b1__ref(
    const uint32_t *x, uint32_t *y, const uint32_t *minimum, const ert_max_pool2d_b1_t *g)
{
    const int32_t words = ert_bit_words(g->channels);
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * words) {
        for (int32_t i = 0; i < g->out_h; i++) {
            const ert_pool_span_t rows =
                ert_pool_span(i, g->out_h, g->in_h, g->kernel_h, g->stride_h, g->pad_top);
            for (int32_t j = 0; j < g->out_w; j++) {
                const ert_pool_span_t columns =
                    ert_pool_span(j, g->out_w, g->in_w, g->kernel_w, g->stride_w, g->pad_left);
                for (int32_t word = 0; word < words; word++) {
                    uint32_t best = 0;
                    for (int32_t r = rows.start; r < rows.stop; r++) {
                        for (int32_t q = columns.start; q < columns.stop; q++) {
                            best |= x[(r * g->in_w + q) * words + word] ^ minimum[word];
                        }
                    }
                    *y++ = best ^ minimum[word];
                }
            }
        }
    }
}

#endif
