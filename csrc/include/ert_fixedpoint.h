/* Fixed-point helpers beyond requantization: the reciprocal that softmax needs.
 * A Q<m>.<31-m> number is a 32-bit integer that stands for raw / 2^(31-m).
 * Source    gemmlowp fixedpoint.h (one_over_one_plus_x_for_x_in_0_1); docs/numerics.md section 2 */
#ifndef ERT_FIXEDPOINT_H
#define ERT_FIXEDPOINT_H

#include "include/ert_common.h"
#include "include/ert_requantize.h"

/* x * 2^exponent, saturated */
ERT_INLINE int32_t ert_saturating_shift(int32_t x, int32_t exponent)
{
    const int64_t wide = (int64_t)x * ((int64_t)1 << exponent);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

ERT_INLINE int32_t ert_leading_zeros(uint32_t x)
{
    int32_t count = 0;
    for (uint32_t bit = (uint32_t)1 << 31; bit != 0 && (x & bit) == 0; bit >>= 1) {
        count++;
    }
    return count;
}

/* 1 / (1 + x) in Q0.31 of x in [0, 1) in Q0.31: Newton's method on half the denominator, in Q2.29. */
ERT_INLINE int32_t ert_reciprocal_of_one_plus(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    const int32_t one = (int32_t)1 << 29;
    const int32_t a_48_over_17 = 1515870810, a_minus_32_over_17 = -1010580540;
    int32_t guess = a_48_over_17 + ert_high_multiply(half_denominator, a_minus_32_over_17);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t error = one - ert_high_multiply(half_denominator, guess);
        guess += ert_saturating_shift(ert_high_multiply(guess, error), 2);
    }
    return ert_saturating_shift(guess, 1);
}

#endif
