/* y = clamp(y_zero + requant(t0 + t1, y));  t_n = requant((x_n - xn_zero) * 2^left_shift, xn)
 * Shapes    y [d0,d1,d2,d3], contiguous; element (i,j,k,l) of x_n is at i*xn_s0 + j*xn_s1 + k*xn_s2 + l*xn_s3
 * Subtract  x1_multiplier < 0: t1 is rounded for the positive multiplier, then negated
 * Zero      real = scale * (q - zero)
 * Rounding  twice, as in docs/numerics.md section 2; 255 * 2^left_shift < 2^31
 * Overlap   0 bytes for an operand that is not broadcast; none for a broadcast one       Scratch: 0 bytes
 * Source    docs/numerics.md section 3 */
#ifndef ERT_ADD_S8_H
#define ERT_ADD_S8_H

#include "include/ert_broadcast.h"
#include "include/ert_common.h"
#include "include/ert_requantize.h"

typedef struct {
    int32_t d0, d1, d2, d3;
    int32_t x0_s0, x0_s1, x0_s2, x0_s3;
    int32_t x1_s0, x1_s1, x1_s2, x1_s3;
    int32_t left_shift;
    int32_t x0_zero, x0_multiplier, x0_shift;
    int32_t x1_zero, x1_multiplier, x1_shift;
    int32_t y_multiplier, y_shift;
    int32_t y_zero, y_min, y_max;
} ert_add_s8_t;

ERT_INLINE int32_t ert_add_s8_term(int32_t x, int32_t left_shift, int32_t multiplier, int32_t shift)
{
    const int32_t wide = x * ((int32_t)1 << left_shift);
    return multiplier < 0 ? -ert_requantize_twice(wide, -multiplier, shift)
                          : ert_requantize_twice(wide, multiplier, shift);
}

ERT_INLINE int8_t ert_add_s8_element(int32_t x0, int32_t x1, const ert_add_s8_t *g)
{
    const int32_t t0 = ert_add_s8_term(x0 - g->x0_zero, g->left_shift, g->x0_multiplier, g->x0_shift);
    const int32_t t1 = ert_add_s8_term(x1 - g->x1_zero, g->left_shift, g->x1_multiplier, g->x1_shift);
    const int32_t y = g->y_zero + ert_requantize_twice(t0 + t1, g->y_multiplier, g->y_shift);
    return (int8_t)ert_clamp(y, g->y_min, g->y_max);
}

ERT_INLINE void ert_add_s8__ref(const int8_t *x0, const int8_t *x1, int8_t *y, const ert_add_s8_t *g)
{
    ERT_BROADCAST_LOOP(g, x0, x1, y, ert_add_s8_element)
}

#endif
