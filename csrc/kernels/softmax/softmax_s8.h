/* y[r,c] = exp(x[r,c]) / sum over k of exp(x[r,k]), as int8 with scale 1/256 and zero point -128
 * Shapes    x [rows,depth]  exp_table [256]  y [rows,depth]; row-major
 * Table     exp_table[d] = exp(-d * scale * beta) in Q0.31, d = the row's maximum - x (codegen/luts.py)
 * Rounding  each exp to Q12.19 before the sum; the reciprocal by Newton's method (ert_fixedpoint.h);
 *           the product to Q0.31, then to 8 bits: docs/numerics.md section 5
 * Overlap   0 bytes       Scratch: 0 bytes
 * Limits    depth <= 4095, so that the sum stays below 2^31       Source: docs/numerics.md section 5 */
#ifndef ERT_SOFTMAX_S8_H
#define ERT_SOFTMAX_S8_H

#include "include/ert_common.h"
#include "include/ert_fixedpoint.h"

typedef struct {
    int32_t rows, depth;
} ert_softmax_s8_t;

ERT_INLINE void ert_softmax_s8_row(const int8_t *x, int8_t *y, const int32_t *exp_table, int32_t depth)
{
    int32_t highest = INT8_MIN;
    for (int32_t c = 0; c < depth; c++) {
        highest = x[c] > highest ? x[c] : highest;
    }
    uint32_t sum = 0; /* Q12.19 */
    for (int32_t c = 0; c < depth; c++) {
        sum += (uint32_t)ert_rounding_shift(exp_table[highest - x[c]], 12);
    }
    const int32_t headroom = ert_leading_zeros(sum);
    const int32_t mantissa = (int32_t)((sum << headroom) - ((uint32_t)1 << 31));
    const int32_t exponent = 12 - headroom + 31 - 8;
    /* a sum of 512 or more: every probability is below 1/512 and rounds to 0 */
    const int32_t reciprocal = exponent > 31 ? 0 : ert_reciprocal_of_one_plus(mantissa);
    const int32_t shift = exponent > 31 ? 31 : exponent;
    for (int32_t c = 0; c < depth; c++) {
        const int32_t product = ert_high_multiply(reciprocal, exp_table[highest - x[c]]);
        const int32_t probability = ert_rounding_shift(product, shift) + INT8_MIN;
        y[c] = (int8_t)(probability > INT8_MAX ? INT8_MAX : probability);
    }
}

ERT_INLINE void ert_softmax_s8__ref(
    const int8_t *x, int8_t *y, const int32_t *exp_table, const ert_softmax_s8_t *g)
{
    for (int32_t r = 0; r < g->rows; r++) {
        ert_softmax_s8_row(x + r * g->depth, y + r * g->depth, exp_table, g->depth);
    }
}

#endif
