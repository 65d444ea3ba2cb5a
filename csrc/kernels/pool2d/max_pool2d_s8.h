/* y[b,i,j,c] = clamp(max of x over the window); padding never wins
 * Shapes    x [batch,in_h,in_w,channels]  y [batch,out_h,out_w,channels]; row-major
 *           window rows i*stride_h - pad_top .. + kernel_h, columns likewise; each window meets the input
 * Zero      x and y share scale and zero point
 * Rounding  none       Overlap: exact, codegen/kernels/pool2d.py       Scratch: 0 bytes
 * Source    docs/numerics.md section 3 */
#ifndef ERT_MAX_POOL2D_S8_H
#define ERT_MAX_POOL2D_S8_H

#include "include/ert_common.h"
#include "kernels/pool2d/pool2d.h"

typedef struct {
    int32_t batch, in_h, in_w, channels, out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    int32_t y_min, y_max;
} ert_max_pool2d_s8_t;

/* One output element; x: its channel of this batch's first pixel. */
ERT_INLINE int8_t ert_max_pool2d_s8_window(
    const int8_t *x, ert_pool_span_t rows, ert_pool_span_t columns, const ert_max_pool2d_s8_t *g)
{
    int32_t best = INT8_MIN;
    for (int32_t r = rows.start; r < rows.stop; r++) {
        for (int32_t q = columns.start; q < columns.stop; q++) {
            const int32_t value = x[(r * g->in_w + q) * g->channels];
            best = value > best ? value : best;
        }
    }
    return (int8_t)ert_clamp(best, g->y_min, g->y_max);
}

ERT_INLINE void ert_max_pool2d_s8__ref(const int8_t *x, int8_t *y, const ert_max_pool2d_s8_t *g)
{
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->channels) {
        for (int32_t i = 0; i < g->out_h; i++) {
            const ert_pool_span_t rows =
                ert_pool_span(i, g->out_h, g->in_h, g->kernel_h, g->stride_h, g->pad_top);
            for (int32_t j = 0; j < g->out_w; j++) {
                const ert_pool_span_t columns =
                    ert_pool_span(j, g->out_w, g->in_w, g->kernel_w, g->stride_w, g->pad_left);
                for (int32_t c = 0; c < g->channels; c++) {
                    *y++ = ert_max_pool2d_s8_window(x + c, rows, columns, g);
                }
            }
        }
    }
}

#endif
