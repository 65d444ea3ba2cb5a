/* y[b,m,n] = clamp(y_zero + requant(acc, y));  acc = sum_k (x0[b,m,k] - x0_zero) * (x1[b,k,n] - x1_zero)
 * Shapes    x0 [batch,rows,depth]  x1 [batch,depth,columns], with x1_transposed [batch,columns,depth]
 *           y [batch,rows,columns]; row-major
 * Zero      real = scale * (q - zero)
 * Rounding  twice, as in docs/numerics.md section 2       Overlap: none       Scratch: 0 bytes
 * Limits    depth <= 33025, so that |acc| < 2^31       Source: docs/numerics.md section 3 */
#ifndef ERT_MATMUL_S8_H
#define ERT_MATMUL_S8_H

#include "include/ert_common.h"
#include "include/ert_requantize.h"

typedef struct {
    int32_t batch, rows, depth, columns, x1_transposed;
    int32_t x0_zero, x1_zero;
    int32_t y_multiplier, y_shift;
    int32_t y_zero, y_min, y_max;
} ert_matmul_s8_t;

ERT_INLINE void ert_matmul_s8__ref(const int8_t *x0, const int8_t *x1, int8_t *y, const ert_matmul_s8_t *g)
{
    const int32_t next_k = g->x1_transposed ? 1 : g->columns;
    const int32_t next_n = g->x1_transposed ? g->depth : 1;
    for (int32_t b = 0; b < g->batch; b++, x1 += g->depth * g->columns) {
        for (int32_t m = 0; m < g->rows; m++, x0 += g->depth) {
            for (int32_t n = 0; n < g->columns; n++) {
                int32_t acc = 0;
                for (int32_t k = 0; k < g->depth; k++) {
                    acc += (x0[k] - g->x0_zero) * (x1[n * next_n + k * next_k] - g->x1_zero);
                }
                const int32_t v = g->y_zero + ert_requantize_twice(acc, g->y_multiplier, g->y_shift);
                *y++ = (int8_t)ert_clamp(v, g->y_min, g->y_max);
            }
        }
    }
}

#endif
