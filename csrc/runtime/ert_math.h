/* float32 mathematics without a libm, for C printed from TIR (codegen/tir.py).
 * Largest errors against the exact value, measured by tests/unit/test_math.py: exp, log, sqrt, tanh, sigmoid 3 ulp;
 * erf 6e-7 absolute; pow, relative: |y| * 2^-24 for whole exponents up to 64, else 2^-22 * (1 + |y * log x|).
 * Source  W. Cody, W. Waite: Software Manual for the Elementary Functions, 1980 (reduction of exp, log);
 *         Abramowitz, Stegun: Handbook of Mathematical Functions, 7.1.26 (erf), 4.1.27 (log), 4.5.64 (tanh) */
#ifndef ERT_MATH_H
#define ERT_MATH_H

#include "include/ert_common.h"

ERT_INLINE uint32_t ert_float_bits(float x)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

ERT_INLINE float ert_bits_float(uint32_t bits)
{
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

ERT_INLINE float ert_fabsf(float x)
{
    return ert_bits_float(ert_float_bits(x) & 0x7FFFFFFFu);
}

/* NaN and everything that has no fraction */
ERT_INLINE int ert_is_whole(float x)
{
    return !(ert_fabsf(x) < 8388608.0f);
}

ERT_INLINE float ert_truncf(float x)
{
    return ert_is_whole(x) ? x : (float)(int32_t)x;
}

ERT_INLINE float ert_floorf(float x)
{
    const float t = ert_truncf(x);
    return t > x ? t - 1.0f : t;
}

ERT_INLINE float ert_ceilf(float x)
{
    const float t = ert_truncf(x);
    return t < x ? t + 1.0f : t;
}

/* halves away from zero */
ERT_INLINE float ert_roundf(float x)
{
    const float t = ert_truncf(x), rest = x - t;
    return ert_is_whole(x) ? x : rest >= 0.5f ? t + 1.0f : rest <= -0.5f ? t - 1.0f : t;
}

/* halves to even */
ERT_INLINE float ert_nearbyintf(float x)
{
    const float r = ert_roundf(x);
    const int half = !ert_is_whole(x) && ert_fabsf(x - ert_truncf(x)) == 0.5f;
    return half ? 2.0f * ert_roundf(x * 0.5f) : r;
}

/* 2^n, -126 <= n <= 127 */
ERT_INLINE float ert_power_of_two(int32_t n)
{
    return ert_bits_float((uint32_t)(n + 127) << 23);
}

ERT_INLINE float ert_expf(float x)
{
    if (x != x) {
        return x;
    }
    if (x > 88.7228f) {
        return ert_bits_float(0x7F800000u);
    }
    if (x < -103.9721f) {
        return 0.0f;
    }
    const float n = ert_roundf(x * 1.44269504f);
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* ln 2 in two parts */
    const float p = 1.0f / 720.0f + r * (1.0f / 5040.0f);
    const float tail = r * r * (0.5f + r * (1.0f / 6.0f + r * (1.0f / 24.0f + r * (1.0f / 120.0f + r * p))));
    const int32_t exponent = (int32_t)n, half = exponent / 2; /* two steps reach the subnormals */
    return (1.0f + (r + tail)) * ert_power_of_two(half) * ert_power_of_two(exponent - half);
}

ERT_INLINE float ert_logf(float x)
{
    if (x != x || x < 0.0f) {
        return ert_bits_float(0x7FC00000u);
    }
    if (x == 0.0f) {
        return ert_bits_float(0xFF800000u);
    }
    if (ert_float_bits(x) == 0x7F800000u) {
        return x;
    }
    const int subnormal = x < 1.17549435e-38f;
    const uint32_t bits = ert_float_bits(subnormal ? x * 8388608.0f : x);
    int32_t exponent = (int32_t)(bits >> 23) - 127 - (subnormal ? 23 : 0);
    float m = ert_bits_float((bits & 0x007FFFFFu) | 0x3F800000u);
    if (m > 1.41421356f) {
        m *= 0.5f;
        exponent++;
    }
    /* log m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172 */
    const float f = m - 1.0f, s = f / (2.0f + f), z = s * s;
    const float series = z * (2.0f / 3.0f + z * (0.4f + z * (2.0f / 7.0f + z * (2.0f / 9.0f + z * (2.0f / 11.0f)))));
    const float e = (float)exponent;
    return e * 0.693359375f + (f - (s * (f - series) - e * -2.12194440e-4f));
}

ERT_INLINE float ert_sqrtf(float x)
{
    if (!(x > 0.0f) || ert_float_bits(x) == 0x7F800000u) {
        return x < 0.0f ? ert_bits_float(0x7FC00000u) : x;
    }
    const int small = x < 1.17549435e-38f;
    const float a = small ? x * 16777216.0f : x;
    float s = ert_bits_float((ert_float_bits(a) >> 1) + 0x1FBD1DF5u); /* within 4 % */
    for (int32_t i = 0; i < 3; i++) {
        s = 0.5f * (s + a / s);
    }
    return small ? s * (1.0f / 4096.0f) : s;
}

ERT_INLINE float ert_rsqrtf(float x)
{
    return 1.0f / ert_sqrtf(x);
}

ERT_INLINE float ert_tanhf(float x)
{
    const float a = ert_fabsf(x), z = x * x;
    if (a < 0.35f) {
        return x + x * z *
                       (-1.0f / 3.0f +
                        z * (2.0f / 15.0f + z * (-17.0f / 315.0f + z * (62.0f / 2835.0f + z * (-1382.0f / 155925.0f)))));
    }
    const float t = a > 10.0f ? 1.0f : 1.0f - 2.0f / (ert_expf(2.0f * a) + 1.0f);
    return x != x ? x : x < 0.0f ? -t : t;
}

ERT_INLINE float ert_sigmoidf(float x)
{
    return 1.0f / (1.0f + ert_expf(-x));
}

ERT_INLINE float ert_erff(float x)
{
    const float a = ert_fabsf(x), t = 1.0f / (1.0f + 0.3275911f * a);
    const float p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    const float y = 1.0f - p * ert_expf(-a * a);
    return x < 0.0f ? -y : y;
}

ERT_INLINE float ert_powf(float x, float y)
{
    const float n = ert_fabsf(y);
    if (n <= 64.0f && ert_truncf(n) == n) {
        float product = 1.0f, square = x;
        for (int32_t left = (int32_t)n; left > 0; left >>= 1, square *= square) {
            product = (left & 1) != 0 ? product * square : product;
        }
        return y < 0.0f ? 1.0f / product : product;
    }
    return x == 0.0f ? (y < 0.0f ? ert_bits_float(0x7F800000u) : 0.0f) : ert_expf(y * ert_logf(x));
}

ERT_INLINE float ert_minf(float a, float b)
{
    return a < b ? a : b;
}

ERT_INLINE float ert_maxf(float a, float b)
{
    return a > b ? a : b;
}

ERT_INLINE int64_t ert_mini(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

ERT_INLINE int64_t ert_maxi(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* quotient rounded towards minus infinity */
ERT_INLINE int64_t ert_floordivi(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

ERT_INLINE int64_t ert_floormodi(int64_t a, int64_t b)
{
    return a - ert_floordivi(a, b) * b;
}

/* out-of-range values saturate, NaN gives 0: the same on every machine */
ERT_INLINE int64_t ert_float_to_int(float x, int64_t low, int64_t high)
{
    return x != x ? 0 : x <= (float)low ? low : x >= (float)high ? high : (int64_t)x;
}

#endif
