/* y = x with `value` before and after it in each dimension
 * Shapes    x [d0,d1,d2,d3]  y [before0+d0+after0, ...] of element_bytes each; row-major
 * Value     the element's bits, little-endian
 * Overlap   exact, codegen/kernels/pad.py       Scratch: 0 bytes       Source: docs/numerics.md section 7 */
#ifndef ERT_PAD_H
#define ERT_PAD_H

#include "include/ert_common.h"
#include "include/ert_copy.h"

typedef struct {
    int32_t d0, d1, d2, d3;
    int32_t before0, before1, before2, before3;
    int32_t after0, after1, after2, after3;
    int32_t value, element_bytes;
} ert_pad_t;

ERT_INLINE void ert_pad__ref(const uint8_t *x, uint8_t *y, const ert_pad_t *g)
{
    const int32_t row_bytes = g->d3 * g->element_bytes;
    const int32_t row = g->before3 + g->d3 + g->after3;
    const int32_t plane = (g->before2 + g->d2 + g->after2) * row;
    const int32_t volume = (g->before1 + g->d1 + g->after1) * plane;
    y = ert_fill(y, g->before0 * volume, g->value, g->element_bytes);
    for (int32_t i = 0; i < g->d0; i++) {
        y = ert_fill(y, g->before1 * plane, g->value, g->element_bytes);
        for (int32_t j = 0; j < g->d1; j++) {
            y = ert_fill(y, g->before2 * row, g->value, g->element_bytes);
            for (int32_t k = 0; k < g->d2; k++, x += row_bytes) {
                y = ert_fill(y, g->before3, g->value, g->element_bytes);
                ert_copy_bytes(y, x, row_bytes);
                y = ert_fill(y + row_bytes, g->after3, g->value, g->element_bytes);
            }
            y = ert_fill(y, g->after2 * row, g->value, g->element_bytes);
        }
        y = ert_fill(y, g->after1 * plane, g->value, g->element_bytes);
    }
    (void)ert_fill(y, g->after0 * volume, g->value, g->element_bytes);
}

#endif
