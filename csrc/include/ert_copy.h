/* Moving elements of any type: byte by byte, in ascending order, so that overlap is well defined. */
#ifndef ERT_COPY_H
#define ERT_COPY_H

#include "include/ert_common.h"

ERT_INLINE void ert_copy_bytes(uint8_t *y, const uint8_t *x, int32_t count)
{
    for (int32_t n = 0; n < count; n++) {
        y[n] = x[n];
    }
}

/* count elements whose little-endian bits are `value` */
ERT_INLINE uint8_t *ert_fill(uint8_t *y, int32_t count, int32_t value, int32_t element_bytes)
{
    for (int32_t n = 0; n < count; n++) {
        for (int32_t e = 0; e < element_bytes; e++) {
            *y++ = (uint8_t)((uint32_t)value >> (8 * e));
        }
    }
    return y;
}

#endif
