/* One multiply-accumulate of a block of sums in registers. */
#ifndef ERT_SCALAR_H
#define ERT_SCALAR_H

#include "include/ert_common.h"

#if defined(__thumb__) && !defined(__thumb2__) && defined(__OPTIMIZE__)
#define ERT_SCALAR_THUMB1
#endif

/* sum + a * b. In assembler where the compiler, left to itself, was seen to gather the products of a whole block
 * before it adds any, and to spill them. Loads stay on their side of it, for the same reason. */
ERT_INLINE int32_t ert_accumulate(int32_t sum, int32_t a, int32_t b)
{
#if defined(__riscv_mul)
    int32_t product;
    __asm__ volatile("mul %1, %2, %3\n\tadd %0, %0, %1"
                     : "+r"(sum), "=&r"(product)
                     : "r"(a), "r"(b)
                     : "memory");
    return sum;
#elif defined(__thumb2__)
    __asm__ volatile("mla %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b) : "memory");
    return sum;
#elif defined(ERT_SCALAR_THUMB1)
    __asm__ volatile(".syntax unified\n\tmuls %1, %2, %1\n\tadds %0, %0, %1"
                     : "+l"(sum), "+l"(a) : "l"(b) : "cc", "memory");
    return sum;
#else
    return sum + a * b;
#endif
}

#if defined(ERT_SCALAR_THUMB1)
/* A sum out of a high register, before anything else is done with it: clang 22 at -Oz was seen to store one
 * from there, with an instruction that does not exist. */
ERT_INLINE int32_t ert_from_high_register(int32_t sum)
{
    int32_t low;
    __asm__("mov %0, %1" : "=l"(low) : "h"(sum));
    return low;
}
#endif

#endif
