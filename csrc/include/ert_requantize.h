/* int32 accumulator -> output scale. real factor = multiplier * 2^(shift - 31), multiplier in [2^30, 2^31) or 0.
 * twice  gemmlowp: the doubling high multiply rounds, then the divide by 2^-shift rounds (halves away from 0)
 * once   one rounding of the exact product, halves away from zero
 * Limits |acc| * 2^max(shift, 0) < 2^31, shift in [-31, 30]      Source: docs/numerics.md section 2 */
#ifndef ERT_REQUANTIZE_H
#define ERT_REQUANTIZE_H

#include "include/ert_common.h"

/* round(a * b / 2^31), halves up: equal to gemmlowp's for every int32 a and every b in [0, 2^31) */
ERT_INLINE int32_t ert_high_multiply(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* round(v / 2^n), halves away from zero, 0 <= n <= 31 */
ERT_INLINE int32_t ert_rounding_shift(int32_t v, int32_t n)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << n) - 1);
    const int32_t remainder = v & mask;
    const int32_t threshold = (mask >> 1) + (v < 0);
    return (v >> n) + (remainder > threshold);
}

ERT_INLINE int32_t ert_requantize_twice(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t raised = (int32_t)((uint32_t)acc << left);
    return ert_rounding_shift(ert_high_multiply(raised, multiplier), left - shift);
}

ERT_INLINE int32_t ert_requantize_once(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t total = 31 - shift;
    const int64_t half = (int64_t)1 << (total - 1);
    return (int32_t)(((int64_t)acc * multiplier + half - (acc < 0)) >> total);
}

#endif
