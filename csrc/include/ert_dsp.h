/* The Arm DSP extension's dual 16-bit operations: one instruction each where the core has them, the same
 * result in plain C elsewhere, so that kernels written with them run and are tested on any machine.
 * A word holds two int16 lanes, the low half first. Sums wrap modulo 2^32.
 * Source: Armv7-M Architecture Reference Manual, A7.7 */
#ifndef ERT_DSP_H
#define ERT_DSP_H

#include "include/ert_common.h"

/* Inner loops that fill all fourteen registers are written in assembler: no compiler was seen to find their
 * allocation by itself. They need one that does not keep a frame pointer (define ERT_NO_ASM where yours does);
 * elsewhere the same loop in C runs. */
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(ERT_NO_ASM)
#define ERT_DSP_ASM 1
#endif

ERT_INLINE int32_t ert_low(uint32_t lanes)
{
    return (int16_t)(uint16_t)(lanes & 0xFFFFu);
}

ERT_INLINE int32_t ert_high(uint32_t lanes)
{
    return (int16_t)(uint16_t)(lanes >> 16);
}

ERT_INLINE int32_t ert_wrapping_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* The compiler forgets what it knows of p: no load through it moves before this point, and no second pointer is
 * derived from it beyond. For inner loops, where each such pointer and each such value would be spilled. */
#define ERT_OPAQUE(p) __asm__("" : "+r"(p))

/* sum + a.low * b.low + a.high * b.high */
ERT_INLINE int32_t ert_smlad(uint32_t a, uint32_t b, int32_t sum)
{
#if defined(__ARM_FEATURE_DSP)
    return __builtin_arm_smlad((int32_t)a, (int32_t)b, sum);
#else
    const int64_t exact = (int64_t)ert_low(a) * ert_low(b) + (int64_t)ert_high(a) * ert_high(b);
    return (int32_t)((uint32_t)sum + (uint32_t)exact);
#endif
}

/* sum + a.low * b.low */
ERT_INLINE int32_t ert_smlabb(uint32_t a, uint32_t b, int32_t sum)
{
#if defined(__ARM_FEATURE_DSP)
    __asm__("smlabb %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
#else
    return ert_wrapping_add(sum, ert_low(a) * ert_low(b));
#endif
}

/* sum + a.low * b.high */
ERT_INLINE int32_t ert_smlabt(uint32_t a, uint32_t b, int32_t sum)
{
#if defined(__ARM_FEATURE_DSP)
    __asm__("smlabt %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
#else
    return ert_wrapping_add(sum, ert_low(a) * ert_high(b));
#endif
}

/* sum + a.high * b.low */
ERT_INLINE int32_t ert_smlatb(uint32_t a, uint32_t b, int32_t sum)
{
#if defined(__ARM_FEATURE_DSP)
    __asm__("smlatb %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
#else
    return ert_wrapping_add(sum, ert_high(a) * ert_low(b));
#endif
}

/* bytes 0 and 2, sign-extended into the lanes */
ERT_INLINE uint32_t ert_sxtb16(uint32_t bytes)
{
#if defined(__ARM_FEATURE_DSP)
    return (uint32_t)__builtin_arm_sxtb16((int32_t)bytes);
#else
    const uint32_t low = (uint32_t)(int8_t)(bytes & 0xFFu), high = (uint32_t)(int8_t)(bytes >> 16 & 0xFFu);
    return (low & 0xFFFFu) | high << 16;
#endif
}

/* bytes 1 and 3, sign-extended into the lanes */
ERT_INLINE uint32_t ert_sxtb16_odd(uint32_t bytes)
{
    return ert_sxtb16(bytes >> 8 | bytes << 24);
}

/* the lanes of a + bytes 0 and 2, sign-extended; each lane modulo 2^16 */
ERT_INLINE uint32_t ert_sxtab16(uint32_t a, uint32_t bytes)
{
#if defined(__ARM_FEATURE_DSP)
    return (uint32_t)__builtin_arm_sxtab16((int32_t)a, (int32_t)bytes);
#else
    const uint32_t b = ert_sxtb16(bytes);
    return ((a + b) & 0xFFFFu) | ((a & 0xFFFF0000u) + (b & 0xFFFF0000u));
#endif
}

/* the lanes of a + bytes 1 and 3, sign-extended */
ERT_INLINE uint32_t ert_sxtab16_odd(uint32_t a, uint32_t bytes)
{
    return ert_sxtab16(a, bytes >> 8 | bytes << 24);
}

/* the larger of each two signed bytes */
ERT_INLINE uint32_t ert_max8(uint32_t a, uint32_t b)
{
#if defined(__ARM_FEATURE_DSP)
    uint32_t larger;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(larger) : "r"(a), "r"(b) : "cc");
    return larger;
#else
    uint32_t larger = 0;
    for (int32_t shift = 0; shift < 32; shift += 8) {
        const uint32_t from = (int8_t)(a >> shift & 0xFFu) > (int8_t)(b >> shift & 0xFFu) ? a : b;
        larger |= from & (uint32_t)0xFFu << shift;
    }
    return larger;
#endif
}

/* the low lane of a, then the low lane of b */
ERT_INLINE uint32_t ert_pack_low(uint32_t a, uint32_t b)
{
    return (a & 0xFFFFu) | b << 16;
}

/* v saturated to int8 */
ERT_INLINE int32_t ert_saturate8(int32_t v)
{
#if defined(__ARM_FEATURE_SAT)
    return (int32_t)__builtin_arm_ssat(v, 8);
#else
    return ert_clamp(v, INT8_MIN, INT8_MAX);
#endif
}

/* An open end (INT32_MIN, INT32_MAX) is never passed, nor is int8's on that side: nothing to do if both are
 * open, and one saturation does for either end of int8. */
ERT_INLINE int32_t ert_clamp8(int32_t v, int32_t low, int32_t high)
{
    const int32_t open_low = low == INT32_MIN, open_high = high == INT32_MAX;
    if (open_low && open_high) {
        return v;
    }
    return (open_low || low == INT8_MIN) && (open_high || high == INT8_MAX) ? ert_saturate8(v)
                                                                            : ert_clamp(v, low, high);
}

ERT_INLINE int16_t *ert_fill16(int16_t *to, int32_t value, int32_t n)
{
    for (; n > 0; n--) {
        *to++ = (int16_t)value;
    }
    return to;
}

#endif
