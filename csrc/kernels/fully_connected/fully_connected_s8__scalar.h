/* fully_connected_s8 without SIMD: `outputs` sums at a time, each in a register, so that a loaded input serves
 * as many multiply-accumulates.
 * Weights   int8 [out_c/outputs][in_c][outputs]; the outputs left over follow in halves: 4, 2, 1
 * Requant   int32 [out_c][ERT_CHANNEL_WORDS]
 * Overlap   none       Scratch: none       Limits: outputs 1, 2, 4, 8; see include/ert_channel.h */
#ifndef ERT_FULLY_CONNECTED_S8__SCALAR_H
#define ERT_FULLY_CONNECTED_S8__SCALAR_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_scalar.h"
#include "kernels/fully_connected/fully_connected_s8.h"

/* `outputs` outputs of one row. Returns the weights of the next. */
ERT_INLINE const int8_t *ert_fully_connected_s8__scalar_tile(
    const int8_t *x, int8_t *y, const int8_t *w, const int32_t *q, int32_t outputs,
    const ert_fully_connected_s8_t *g)
{
    int32_t sums[8];
    for (int32_t n = 0; n < outputs; n++) {
        sums[n] = q[n * ERT_CHANNEL_WORDS] >> 1;
    }
#pragma GCC unroll 8
    for (int32_t k = 0; k < g->in_c; k++, w += outputs) {
        const int32_t input = x[k];
        for (int32_t n = 0; n < outputs; n++) {
            sums[n] = ert_accumulate(sums[n], input, w[n]);
        }
    }
    int32_t done[8]; /* out of their registers, so that the loop that follows may stay one */
    for (int32_t n = 0; n < outputs; n++) {
        done[n] = sums[n];
    }
    for (int32_t n = 0; n < outputs; n++, q += ERT_CHANNEL_WORDS) {
        const int32_t v = ert_channel_requantize_once(2 * done[n], q[1], q[2], q[3]);
        y[n] = (int8_t)ert_clamp(v, g->y_min, g->y_max);
    }
    return w;
}

ERT_INLINE void ert_fully_connected_s8__scalar(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *requant, const ert_fully_connected_s8_t *g,
    int32_t outputs)
{
    for (int32_t b = 0; b < g->batch; b++, x += g->in_c, y += g->out_c) {
        const int8_t *w = weights;
        int32_t n = 0;
        for (; outputs >= 8 && n + 8 <= g->out_c; n += 8) {
            w = ert_fully_connected_s8__scalar_tile(x, y + n, w, requant + n * ERT_CHANNEL_WORDS, 8, g);
        }
        for (; outputs >= 4 && n + 4 <= g->out_c; n += 4) {
            w = ert_fully_connected_s8__scalar_tile(x, y + n, w, requant + n * ERT_CHANNEL_WORDS, 4, g);
        }
        for (; outputs >= 2 && n + 2 <= g->out_c; n += 2) {
            w = ert_fully_connected_s8__scalar_tile(x, y + n, w, requant + n * ERT_CHANNEL_WORDS, 2, g);
        }
        for (; n < g->out_c; n++) {
            w = ert_fully_connected_s8__scalar_tile(x, y + n, w, requant + n * ERT_CHANNEL_WORDS, 1, g);
        }
    }
}

#endif
