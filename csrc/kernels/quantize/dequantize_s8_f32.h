/* y[n] = scale * (x[n] - zero)
 * Shapes    x [size] int8  y [size] float32
 * Rounding  the product to float32, once
 * Overlap   output at least 3 * (size - 1) bytes before the input's start       Scratch: 0 bytes
 * Source    docs/numerics.md section 6 */
#ifndef ERT_DEQUANTIZE_S8_F32_H
#define ERT_DEQUANTIZE_S8_F32_H

#include "include/ert_common.h"

typedef struct {
    int32_t size;
    float scale;
    int32_t zero;
} ert_dequantize_s8_f32_t;

ERT_INLINE void ert_dequantize_s8_f32__ref(const int8_t *x, float *y, const ert_dequantize_s8_f32_t *g)
{
    for (int32_t n = 0; n < g->size; n++) {
        y[n] = g->scale * (float)(x[n] - g->zero);
    }
}

#endif
