/* y[b,i,j,c] = clamp(round(sum of x over the window / count))
 * Shapes    x [batch,in_h,in_w,channels]  y [batch,out_h,out_w,channels]; row-major
 *           window rows i*stride_h - pad_top .. + kernel_h, columns likewise; each window meets the input
 * Count     elements on the input; with count_include_pad kernel_h * kernel_w, and padding is x_zero
 * Zero      x and y share scale and zero point x_zero
 * Rounding  halves away from zero, of the quantized values (not of q - zero)
 * Overlap   exact, codegen/kernels/pool2d.py       Scratch: 0 bytes
 * Limits    kernel_h * kernel_w < 2^23             Source: docs/numerics.md section 3 */
#ifndef ERT_AVG_POOL2D_S8_H
#define ERT_AVG_POOL2D_S8_H

#include "include/ert_common.h"
#include "kernels/pool2d/pool2d.h"

typedef struct {
    int32_t batch, in_h, in_w, channels, out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    int32_t count_include_pad, x_zero, y_min, y_max;
} ert_avg_pool2d_s8_t;

/* One output element; x: its channel of this batch's first pixel. */
ERT_INLINE int8_t ert_avg_pool2d_s8_window(
    const int8_t *x, ert_pool_span_t rows, ert_pool_span_t columns, const ert_avg_pool2d_s8_t *g)
{
    const int32_t window = g->kernel_h * g->kernel_w;
    int32_t sum = 0, count = (rows.stop - rows.start) * (columns.stop - columns.start);
    for (int32_t r = rows.start; r < rows.stop; r++) {
        for (int32_t q = columns.start; q < columns.stop; q++) {
            sum += x[(r * g->in_w + q) * g->channels];
        }
    }
    if (g->count_include_pad) {
        sum += (window - count) * g->x_zero;
        count = window;
    }
    return (int8_t)ert_clamp((sum + (sum > 0 ? count / 2 : -(count / 2))) / count, g->y_min, g->y_max);
}

ERT_INLINE void ert_avg_pool2d_s8__ref(const int8_t *x, int8_t *y, const ert_avg_pool2d_s8_t *g)
{
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->channels) {
        for (int32_t i = 0; i < g->out_h; i++) {
            const ert_pool_span_t rows =
                ert_pool_span(i, g->out_h, g->in_h, g->kernel_h, g->stride_h, g->pad_top);
            for (int32_t j = 0; j < g->out_w; j++) {
                const ert_pool_span_t columns =
                    ert_pool_span(j, g->out_w, g->in_w, g->kernel_w, g->stride_w, g->pad_left);
                for (int32_t c = 0; c < g->channels; c++) {
                    *y++ = ert_avg_pool2d_s8_window(x + c, rows, columns, g);
                }
            }
        }
    }
}

#endif
