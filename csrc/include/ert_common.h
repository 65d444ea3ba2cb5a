/* What every kernel needs: inlining, clamping, unaligned loads. Freestanding C11. */
#ifndef ERT_COMMON_H
#define ERT_COMMON_H

#include <stddef.h>
#include <stdint.h>

/* A kernel is a template: inlined into each layer's function, where its geometry is a literal. */
#define ERT_INLINE static inline __attribute__((always_inline))

/* A layer is a function of its own: a frame in a backtrace, a row in a profile. noipa, not only noinline: GCC
 * 12.2 takes some loops from int32 to int8 for functions without effect, and drops the call (found by
 * tests/unit/test_tir.py, "narrow"; its loop optimiser ivopts loses track of what the pointers point to). */
#if defined(__clang__)
#define ERT_STEP static __attribute__((noinline))
#else
#define ERT_STEP static __attribute__((noipa))
#endif

ERT_INLINE int32_t ert_clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* A 32-bit word from any address. The compiler knows which cores need bytes. */
ERT_INLINE uint32_t ert_load32(const void *from)
{
    uint32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}

#endif
