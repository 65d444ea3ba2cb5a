/* y[n] = saturate(round(x[n] / scale) + zero); a NaN becomes -128
 * Shapes    x [size] float32  y [size] int8
 * Rounding  the division to float32, then halves away from zero
 * Overlap   output at most 3 bytes past the input's start       Scratch: 0 bytes
 * Source    docs/numerics.md section 6 */
#ifndef ERT_QUANTIZE_F32_S8_H
#define ERT_QUANTIZE_F32_S8_H

#include "include/ert_common.h"

typedef struct {
    int32_t size;
    float scale;
    int32_t zero;
} ert_quantize_f32_s8_t;

ERT_INLINE int32_t ert_round_half_away(float x)
{
    const int32_t whole = (int32_t)x;
    const float fraction = x - (float)whole; /* exact */
    return whole + (fraction >= 0.5f) - (fraction <= -0.5f);
}

ERT_INLINE void ert_quantize_f32_s8__ref(const float *x, int8_t *y, const ert_quantize_f32_s8_t *g)
{
    for (int32_t n = 0; n < g->size; n++) {
        const float steps = x[n] / g->scale;
        /* beyond +-512 every zero point saturates; also the only branch that a NaN takes is the first */
        const float near = !(steps > -512.0f) ? -512.0f : steps > 512.0f ? 512.0f : steps;
        y[n] = (int8_t)ert_clamp(ert_round_half_away(near) + g->zero, INT8_MIN, INT8_MAX);
    }
}

#endif
