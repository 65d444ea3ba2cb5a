/* y[o,c] = +1 if x[o,c] * gain[c] + shift[c] >= 0 (> 0 if strict), else -1
 * Shapes    x [outer,channels] float32  y [outer,channels] b1 (include/ert_bits.h); gain, shift [channels] float32
 * Rounding  the product, then the sum, to float32; NaN gives -1
 * Overlap   a word of y is written after its channels were read: codegen/kernels/binary.py       Scratch: none */
#ifndef ERT_SIGN_F32_B1_H
#define ERT_SIGN_F32_B1_H

#include "include/ert_bits.h"

typedef struct {
    int32_t outer, channels, strict;
} ert_sign_f32_b1_t;

ERT_INLINE void ert_sign_f32_b1__ref(
    const float *x, uint32_t *y, const float *gain, const float *shift, const ert_sign_f32_b1_t *g)
{
    for (int32_t o = 0; o < g->outer; o++) {
        for (int32_t c = 0; c < g->channels; c += 32) {
            uint32_t bits = 0;
            for (int32_t k = 0; k < 32 && c + k < g->channels; k++) {
                const float v = *x++ * gain[c + k] + shift[c + k];
                bits |= (uint32_t)(g->strict ? v > 0.0f : v >= 0.0f) << k;
            }
            *y++ = bits;
        }
    }
}

#endif
