/* y[n] = table[(uint8_t)x[n]]: every function of one 8-bit tensor
 * Shapes    x [size]  table [256]  y [size]
 * Rounding  none here: the table was computed at compile time (codegen/luts.py)
 * Overlap   0 bytes       Scratch: 0 bytes       Source: docs/numerics.md section 4 */
#ifndef ERT_LUT_S8_H
#define ERT_LUT_S8_H

#include "include/ert_common.h"

typedef struct {
    int32_t size;
} ert_lut_s8_t;

ERT_INLINE void ert_lut_s8__ref(const int8_t *x, int8_t *y, const int8_t *table, const ert_lut_s8_t *g)
{
    for (int32_t n = 0; n < g->size; n++) {
        y[n] = table[(uint8_t)x[n]];
    }
}

#endif
