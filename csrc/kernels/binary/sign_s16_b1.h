/* y[o,c] = +1 if x[o,c] >= threshold[c], else -1; the other way round where flip[c] is set
 * Shapes    x [outer,channels] int16  y [outer,channels] b1 (include/ert_bits.h); threshold [channels] int32;
 *           flip: one pixel of bits
 * Overlap   a word of y is written after its channels were read: codegen/kernels/binary.py       Scratch: none */
#ifndef ERT_SIGN_S16_B1_H
#define ERT_SIGN_S16_B1_H

#include "include/ert_bits.h"

typedef struct {
    int32_t outer, channels;
} ert_sign_s16_b1_t;

ERT_INLINE void ert_sign_s16_b1__ref(
    const int16_t *x, uint32_t *y, const int32_t *threshold, const uint32_t *flip, const ert_sign_s16_b1_t *g)
{
    for (int32_t o = 0; o < g->outer; o++) {
        for (int32_t c = 0; c < g->channels; c += 32) {
            uint32_t bits = flip[c / 32];
            for (int32_t k = 0; k < 32 && c + k < g->channels; k++) {
                bits ^= (uint32_t)(*x++ >= threshold[c + k]) << k;
            }
            *y++ = bits;
        }
    }
}

#endif
