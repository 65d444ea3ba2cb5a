/* y[o,c] = saturate(y_zero + (v >= 0 ? requant(v, positive) : requant(v * a[c], negative)))
 * v = x[o,c] - x_zero;  a[c] = alpha[c] - alpha_zero
 * Shapes    x [outer,channels]  alpha [channels]  y [outer,channels]; row-major
 * Zero      real = scale * (q - zero)
 * Rounding  twice, as in docs/numerics.md section 2
 * Overlap   0 bytes       Scratch: 0 bytes       Source: docs/numerics.md section 3 */
#ifndef ERT_PRELU_S8_H
#define ERT_PRELU_S8_H

#include "include/ert_common.h"
#include "include/ert_requantize.h"

typedef struct {
    int32_t outer, channels;
    int32_t x_zero, alpha_zero;
    int32_t positive_multiplier, positive_shift;
    int32_t negative_multiplier, negative_shift;
    int32_t y_zero;
} ert_prelu_s8_t;

ERT_INLINE int8_t ert_prelu_s8_element(int32_t v, int32_t slope, const ert_prelu_s8_t *g)
{
    const int32_t y =
        v >= 0 ? ert_requantize_twice(v, g->positive_multiplier, g->positive_shift)
               : ert_requantize_twice(v * slope, g->negative_multiplier, g->negative_shift);
    return (int8_t)ert_clamp(g->y_zero + y, INT8_MIN, INT8_MAX);
}

ERT_INLINE void ert_prelu_s8__ref(const int8_t *x, int8_t *y, const int8_t *alpha, const ert_prelu_s8_t *g)
{
    for (int32_t o = 0; o < g->outer; o++) {
        for (int32_t c = 0; c < g->channels; c++) {
            *y++ = ert_prelu_s8_element(*x++ - g->x_zero, alpha[c] - g->alpha_zero, g);
        }
    }
}

#endif
