/* y[b,n] = clamp(y_zero + requant(acc, multiplier[n], shift[n]));  acc = bias[n] + sum_k (x[b,k] - x_zero) * w[n,k]
 * Shapes    x [batch,in_c]  weights [out_c,in_c]  y [batch,out_c]; row-major; bias is required (zeros if none)
 * Zero      real = scale * (q - zero); the weights' zero point is 0
 * Rounding  once, as in docs/numerics.md section 2       Overlap: none       Scratch: 0 bytes
 * Limits    |acc| < 2^31       Source: docs/numerics.md section 3 */
#ifndef ERT_FULLY_CONNECTED_S8_H
#define ERT_FULLY_CONNECTED_S8_H

#include "include/ert_common.h"
#include "include/ert_requantize.h"

typedef struct {
    int32_t batch, in_c, out_c, x_zero, y_zero, y_min, y_max;
} ert_fully_connected_s8_t;

ERT_INLINE void ert_fully_connected_s8__ref(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
    const int32_t *shift, const ert_fully_connected_s8_t *g)
{
    for (int32_t b = 0; b < g->batch; b++, x += g->in_c) {
        const int8_t *w = weights;
        for (int32_t n = 0; n < g->out_c; n++, w += g->in_c) {
            int32_t acc = bias[n];
            for (int32_t k = 0; k < g->in_c; k++) {
                acc += (x[k] - g->x_zero) * w[k];
            }
            const int32_t v = g->y_zero + ert_requantize_once(acc, multiplier[n], shift[n]);
            *y++ = (int8_t)ert_clamp(v, g->y_min, g->y_max);
        }
    }
}

#endif
