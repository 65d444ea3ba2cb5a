/* Moving elements of any type, in ascending order: y may overlap x where it starts before it. */
#ifndef ERT_COPY_H
#define ERT_COPY_H

#include "include/ert_common.h"

/* count bytes; returns the address behind them */
ERT_INLINE uint8_t *ert_copy_bytes(uint8_t *y, const uint8_t *x, int32_t count)
{
    int32_t n = 0;
    for (; n + 4 <= count; n += 4) { /* the word is read before any of it is written */
        const uint32_t word = ert_load32(x + n);
        __builtin_memcpy(y + n, &word, sizeof word);
    }
    for (; n < count; n++) {
        y[n] = x[n];
    }
    return y + count;
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

/* count bytes of `value`; returns the address behind them */
ERT_INLINE uint8_t *ert_fill_bytes(uint8_t *y, int32_t count, int32_t value)
{
    const uint32_t word = (uint32_t)(uint8_t)value * 0x01010101u;
    for (; count >= 4; count -= 4, y += 4) {
        __builtin_memcpy(y, &word, sizeof word);
    }
    for (; count > 0; count--) {
        *y++ = (uint8_t)value;
    }
    return y;
}

#endif
