/* y = clamp(y_zero + requant((x0 - x0_zero) * (x1 - x1_zero), y))
 * Shapes    y [d0,d1,d2,d3], contiguous; element (i,j,k,l) of x_n is at i*xn_s0 + j*xn_s1 + k*xn_s2 + l*xn_s3
 * Zero      real = scale * (q - zero)
 * Rounding  twice, as in docs/numerics.md section 2
 * Overlap   0 bytes for an operand that is not broadcast; none for a broadcast one       Scratch: 0 bytes
 * Source    docs/numerics.md section 3 */
#ifndef ERT_MUL_S8_H
#define ERT_MUL_S8_H

#include "include/ert_broadcast.h"
#include "include/ert_common.h"
#include "include/ert_requantize.h"

typedef struct {
    int32_t d0, d1, d2, d3;
    int32_t x0_s0, x0_s1, x0_s2, x0_s3;
    int32_t x1_s0, x1_s1, x1_s2, x1_s3;
    int32_t x0_zero, x1_zero;
    int32_t y_multiplier, y_shift;
    int32_t y_zero, y_min, y_max;
} ert_mul_s8_t;

ERT_INLINE int8_t ert_mul_s8_element(int32_t x0, int32_t x1, const ert_mul_s8_t *g)
{
    const int32_t product = (x0 - g->x0_zero) * (x1 - g->x1_zero);
    const int32_t y = g->y_zero + ert_requantize_twice(product, g->y_multiplier, g->y_shift);
    return (int8_t)ert_clamp(y, g->y_min, g->y_max);
}

ERT_INLINE void ert_mul_s8__ref(const int8_t *x0, const int8_t *x1, int8_t *y, const ert_mul_s8_t *g)
{
    ERT_BROADCAST_LOOP(g, x0, x1, y, ert_mul_s8_element)
}

#endif
