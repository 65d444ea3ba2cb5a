/* avg_pool2d_s8 and max_pool2d_s8, four channels of a window at a time; the last one to three run the reference.
 * Order, Overlap, Scratch   as the reference
 * Limits    average: kernel_h * kernel_w <= 255, so that a sum fits in 16 bits */
#ifndef ERT_POOL2D_S8__DSP_H
#define ERT_POOL2D_S8__DSP_H

#include "include/ert_common.h"
#include "include/ert_dsp.h"
#include "kernels/pool2d/avg_pool2d_s8.h"
#include "kernels/pool2d/max_pool2d_s8.h"

/* Four channels of one window to y. */
ERT_INLINE void ert_avg_pool2d_s8__dsp_four(
    const int8_t *x, int8_t *y, ert_pool_span_t rows, ert_pool_span_t columns, const ert_avg_pool2d_s8_t *g)
{
    const int32_t window = g->kernel_h * g->kernel_w;
    const int32_t met = (rows.stop - rows.start) * (columns.stop - columns.start);
    const int32_t count = g->count_include_pad ? window : met;
    const int32_t border = g->count_include_pad ? (window - met) * g->x_zero : 0;
    uint32_t even = ert_pack_low((uint32_t)border, (uint32_t)border), odd = even;
    for (int32_t r = rows.start; r < rows.stop; r++) {
        for (int32_t q = columns.start; q < columns.stop; q++) {
            const uint32_t bytes = ert_load32(x + (r * g->in_w + q) * g->channels);
            even = ert_sxtab16(even, bytes);
            odd = ert_sxtab16_odd(odd, bytes);
        }
    }
    const int32_t sums[4] = {ert_low(even), ert_low(odd), ert_high(even), ert_high(odd)};
    for (int32_t c = 0; c < 4; c++) {
        const int32_t half = sums[c] > 0 ? count / 2 : -(count / 2);
        y[c] = (int8_t)ert_clamp8((sums[c] + half) / count, g->y_min, g->y_max);
    }
}

ERT_INLINE void ert_max_pool2d_s8__dsp_four(
    const int8_t *x, int8_t *y, ert_pool_span_t rows, ert_pool_span_t columns, const ert_max_pool2d_s8_t *g)
{
    uint32_t best = 0x80808080u;
    for (int32_t r = rows.start; r < rows.stop; r++) {
        for (int32_t q = columns.start; q < columns.stop; q++) {
            best = ert_max8(best, ert_load32(x + (r * g->in_w + q) * g->channels));
        }
    }
    for (int32_t c = 0; c < 4; c++) {
        y[c] = (int8_t)ert_clamp8((int8_t)(best >> (8 * c) & 0xFFu), g->y_min, g->y_max);
    }
}

/* Every window, channels by four(), the rest by one(). A macro, so that g's fields keep the operator's own type. */
#define ERT_POOL2D_DSP_LOOP(four, one)                                                                     \
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->channels) {                         \
        for (int32_t i = 0; i < g->out_h; i++) {                                                           \
            const ert_pool_span_t rows =                                                                   \
                ert_pool_span(i, g->out_h, g->in_h, g->kernel_h, g->stride_h, g->pad_top);                 \
            for (int32_t j = 0; j < g->out_w; j++) {                                                       \
                const ert_pool_span_t columns =                                                            \
                    ert_pool_span(j, g->out_w, g->in_w, g->kernel_w, g->stride_w, g->pad_left);            \
                int32_t c = 0;                                                                             \
                for (; c + 4 <= g->channels; c += 4, y += 4) {                                             \
                    four(x + c, y, rows, columns, g);                                                      \
                }                                                                                          \
                for (; c < g->channels; c++) {                                                             \
                    *y++ = one(x + c, rows, columns, g);                                                   \
                }                                                                                          \
            }                                                                                              \
        }                                                                                                  \
    }

ERT_INLINE void ert_avg_pool2d_s8__dsp(const int8_t *x, int8_t *y, const ert_avg_pool2d_s8_t *g)
{
    ERT_POOL2D_DSP_LOOP(ert_avg_pool2d_s8__dsp_four, ert_avg_pool2d_s8_window)
}

ERT_INLINE void ert_max_pool2d_s8__dsp(const int8_t *x, int8_t *y, const ert_max_pool2d_s8_t *g)
{
    ERT_POOL2D_DSP_LOOP(ert_max_pool2d_s8__dsp_four, ert_max_pool2d_s8_window)
}

#endif
