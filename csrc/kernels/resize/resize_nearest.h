/* y[b,i,j,c] = x[b, row(i), column(j), c]
 * Shapes    x [batch,in_h,in_w,channels]  y [batch,out_h,out_w,channels] of element_bytes each; row-major
 * Position  min(floor((n + offset) * ratio), ins - 1) in float32; ratio = ins / outs, or (ins - 1) / (outs - 1)
 *           with align_corners, which also rounds half away from zero instead of down
 * Overlap   exact, codegen/kernels/resize.py       Scratch: 0 bytes       Source: docs/numerics.md section 7 */
#ifndef ERT_RESIZE_NEAREST_H
#define ERT_RESIZE_NEAREST_H

#include "include/ert_common.h"
#include "include/ert_copy.h"

typedef struct {
    int32_t batch, in_h, in_w, channels, out_h, out_w;
    int32_t align_corners, half_pixel_centers, element_bytes;
} ert_resize_nearest_t;

ERT_INLINE int32_t ert_nearest(
    int32_t n, int32_t ins, int32_t outs, int32_t align_corners, int32_t half_pixel_centers)
{
    const int corners = align_corners && outs > 1;
    const float ratio = corners ? (float)(ins - 1) / (float)(outs - 1) : (float)ins / (float)outs;
    const float position = ((float)n + (half_pixel_centers ? 0.5f : 0.0f)) * ratio;
    const int32_t whole = (int32_t)position;
    return ert_clamp(whole + (align_corners && position - (float)whole >= 0.5f), 0, ins - 1);
}

ERT_INLINE void ert_resize_nearest__ref(const uint8_t *x, uint8_t *y, const ert_resize_nearest_t *g)
{
    const int32_t pixel = g->channels * g->element_bytes;
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * pixel) {
        for (int32_t i = 0; i < g->out_h; i++) {
            const int32_t row = ert_nearest(i, g->in_h, g->out_h, g->align_corners, g->half_pixel_centers);
            for (int32_t j = 0; j < g->out_w; j++, y += pixel) {
                const int32_t column =
                    ert_nearest(j, g->in_w, g->out_w, g->align_corners, g->half_pixel_centers);
                ert_copy_bytes(y, x + (row * g->in_w + column) * pixel, pixel);
            }
        }
    }
}

#endif
