/* One multiply-accumulate of a block of sums in registers. */
#ifndef ERT_SCALAR_H
#define ERT_SCALAR_H

#include "include/ert_common.h"

/* sum + a * b. In assembler where the compiler, left to itself, was seen to gather the products of a whole block
 * before it adds any, and to spill them. Loads stay on their side of it, for the same reason. */
ERT_INLINE int32_t ert_accumulate(int32_t sum, int32_t a, int32_t b)
{
#if defined(__riscv_mul)
    int32_t product;
    __asm__ volatile("mul %1, %2, %3\n\tadd %0, %0, %1" : "+r"(sum), "=&r"(product) : "r"(a), "r"(b) : "memory");
    return sum;
#else
    return sum + a * b;
#endif
}

#endif
