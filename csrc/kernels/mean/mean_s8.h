/* y[o,i] = saturate(y_zero + requant(sum over r of (x[o,r,i] - x_zero)));  1 / reduce is in the multiplier
 * Shapes    x [outer,reduce,inner]  y [outer,inner]; row-major
 * Zero      real = scale * (q - zero)
 * Rounding  twice, as in docs/numerics.md section 2; multiplier may be below 2^30 here
 * Overlap   exact, codegen/kernels/mean.py       Scratch: 0 bytes
 * Limits    reduce < 2^23, so that |sum| < 2^31   Source: docs/numerics.md section 3 */
#ifndef ERT_MEAN_S8_H
#define ERT_MEAN_S8_H

#include "include/ert_common.h"
#include "include/ert_requantize.h"

typedef struct {
    int32_t outer, reduce, inner;
    int32_t x_zero, multiplier, shift, y_zero;
} ert_mean_s8_t;

ERT_INLINE void ert_mean_s8__ref(const int8_t *x, int8_t *y, const ert_mean_s8_t *g)
{
    for (int32_t o = 0; o < g->outer; o++, x += g->reduce * g->inner) {
        for (int32_t i = 0; i < g->inner; i++) {
            int32_t sum = -g->reduce * g->x_zero;
            for (int32_t r = 0; r < g->reduce; r++) {
                sum += x[r * g->inner + i];
            }
            const int32_t mean = g->y_zero + ert_requantize_twice(sum, g->multiplier, g->shift);
            *y++ = (int8_t)ert_clamp(mean, INT8_MIN, INT8_MAX);
        }
    }
}

#endif
