/* y[b,i,j,c] = round of x interpolated at (row(i), column(j)), positions in Q21.10
 * Shapes    x [batch,in_h,in_w,channels]  y [batch,out_h,out_w,channels]; row-major
 * Position  p = n * step, step = round(1024 * ins / outs), or of (ins - 1) / (outs - 1) with align_corners
 *           and outs > 1; half_pixel_centers adds step / 2 - 512; beyond an edge the edge repeats its slope
 * Zero      x and y share scale and zero point
 * Rounding  the Q20 sum of four products, halves away from zero
 * Overlap   exact, codegen/kernels/resize.py       Scratch: 0 bytes
 * Limits    1024 * ins * outs < 2^31               Source: docs/numerics.md section 7 */
#ifndef ERT_RESIZE_BILINEAR_S8_H
#define ERT_RESIZE_BILINEAR_S8_H

#include "include/ert_common.h"

typedef struct {
    int32_t batch, in_h, in_w, channels, out_h, out_w;
    int32_t align_corners, half_pixel_centers;
} ert_resize_bilinear_s8_t;

typedef struct {
    int32_t low, high;  /* the two neighbours */
    int32_t low_weight; /* 1024 - high_weight; may leave [0, 1024] at the edges */
    int32_t high_weight;
} ert_bilinear_tap_t;

ERT_INLINE ert_bilinear_tap_t ert_bilinear_tap(
    int32_t n, int32_t ins, int32_t outs, int32_t align_corners, int32_t half_pixel_centers)
{
    const int32_t corners = align_corners && outs > 1;
    const int32_t from = corners ? ins - 1 : ins, to = corners ? outs - 1 : outs;
    const int32_t step = (1024 * from + to / 2) / to;
    const int32_t position = n * step + (half_pixel_centers ? step / 2 - 512 : 0);
    ert_bilinear_tap_t tap;
    tap.low = ert_clamp(position / 1024, 0, ins - 1);
    tap.high = ert_clamp((position + 1023) / 1024, 0, ins - 1);
    tap.high_weight = position - 1024 * tap.low;
    tap.low_weight = 1024 - tap.high_weight;
    return tap;
}

ERT_INLINE int8_t ert_bilinear_round(int64_t sum)
{
    const int64_t half = (int64_t)1 << 19;
    return (int8_t)((sum + (sum > 0 ? half : -half)) / ((int64_t)1 << 20));
}

ERT_INLINE void ert_resize_bilinear_s8__ref(const int8_t *x, int8_t *y, const ert_resize_bilinear_s8_t *g)
{
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * g->channels) {
        for (int32_t i = 0; i < g->out_h; i++) {
            const ert_bilinear_tap_t row =
                ert_bilinear_tap(i, g->in_h, g->out_h, g->align_corners, g->half_pixel_centers);
            const int8_t *top = x + row.low * g->in_w * g->channels;
            const int8_t *bottom = x + row.high * g->in_w * g->channels;
            for (int32_t j = 0; j < g->out_w; j++) {
                const ert_bilinear_tap_t column =
                    ert_bilinear_tap(j, g->in_w, g->out_w, g->align_corners, g->half_pixel_centers);
                const int32_t left = column.low * g->channels, right = column.high * g->channels;
                for (int32_t c = 0; c < g->channels; c++) {
                    const int64_t upper =
                        top[left + c] * column.low_weight + top[right + c] * column.high_weight;
                    const int64_t lower =
                        bottom[left + c] * column.low_weight + bottom[right + c] * column.high_weight;
                    *y++ = ert_bilinear_round(upper * row.low_weight + lower * row.high_weight);
                }
            }
        }
    }
}

#endif
