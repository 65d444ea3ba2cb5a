/* y[i,j,k,l] = x[begin + i*s0 + j*s1 + k*s2 + l*s3]: transpose, slice, split, flip, broadcast
 * Shapes    y [d0,d1,d2,d3] of element_bytes each, row-major; begin and strides in elements, may be negative
 * Overlap   exact, codegen/kernels/copy.py       Scratch: 0 bytes       Source: docs/numerics.md section 7 */
#ifndef ERT_STRIDED_COPY_H
#define ERT_STRIDED_COPY_H

#include "include/ert_common.h"
#include "include/ert_copy.h"

typedef struct {
    int32_t d0, d1, d2, d3;
    int32_t begin, s0, s1, s2, s3;
    int32_t element_bytes;
} ert_strided_copy_t;

ERT_INLINE void ert_strided_copy__ref(const uint8_t *x, uint8_t *y, const ert_strided_copy_t *g)
{
    for (int32_t i = 0; i < g->d0; i++) {
        for (int32_t j = 0; j < g->d1; j++) {
            for (int32_t k = 0; k < g->d2; k++) {
                const int32_t row = g->begin + i * g->s0 + j * g->s1 + k * g->s2;
                for (int32_t l = 0; l < g->d3; l++, y += g->element_bytes) {
                    ert_copy_bytes(y, x + (row + l * g->s3) * g->element_bytes, g->element_bytes);
                }
            }
        }
    }
}

#endif
