/* fully_connected_s8 without SIMD: `outputs` sums at a time, each in a register, so that a loaded input serves
 * as many multiply-accumulates.
 * Weights   int8 [out_c/outputs][in_c][outputs]; the outputs left over follow in halves: 4, 2, 1
 * Requant   int32 [out_c][ERT_CHANNEL_WORDS]; uniform = 1, where all channels have one multiplier and shift: the
 *           multiplier, then the first words
 * Overlap   none       Scratch: none       Limits: outputs 1, 2, 4, 8; see include/ert_channel.h */
#ifndef ERT_FULLY_CONNECTED_S8__SCALAR_H
#define ERT_FULLY_CONNECTED_S8__SCALAR_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_scalar.h"
#include "kernels/fully_connected/fully_connected_s8.h"

#if defined(ERT_SCALAR_THUMB1)
#define ERT_FULLY_CONNECTED_SCALAR_OUTPUT(at, sum) \
    "ldrb %[w], [%[at_w], #" at "]\n\t" \
    "sxtb %[w], %[w]\n\t" \
    "muls %[w], %[x], %[w]\n\t" \
    "add %[" sum "], %[w]\n\t"

/* All inputs into four sums, which wait in the registers that cannot multiply. Returns the weights of the next. */
ERT_INLINE const int8_t *ert_fully_connected_s8__scalar_four(
    int32_t *sums, const int8_t *x, const int8_t *w, int32_t inputs)
{
    const int8_t *const end = x + inputs;
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], k = -inputs, input, weight;
    __asm__ volatile(".syntax unified\n"
                     "1:\n\t"
                     "ldrsb %[x], [%[end], %[k]]\n\t"
                     ERT_FULLY_CONNECTED_SCALAR_OUTPUT("0", "s0")
                     ERT_FULLY_CONNECTED_SCALAR_OUTPUT("1", "s1")
                     ERT_FULLY_CONNECTED_SCALAR_OUTPUT("2", "s2")
                     ERT_FULLY_CONNECTED_SCALAR_OUTPUT("3", "s3")
                     "adds %[at_w], #4\n\t"
                     "adds %[k], #1\n\t"
                     "bne 1b"
                     : [s0] "+h"(s0), [s1] "+h"(s1), [s2] "+h"(s2), [s3] "+h"(s3), [at_w] "+l"(w), [k] "+l"(k),
                       [x] "=&l"(input), [w] "=&l"(weight)
                     : [end] "l"(end)
                     : "cc", "memory");
    sums[0] = ert_from_high_register(s0);
    sums[1] = ert_from_high_register(s1);
    sums[2] = ert_from_high_register(s2);
    sums[3] = ert_from_high_register(s3);
    return w;
}
#endif

/* All inputs into `outputs` sums. Returns the weights of the next. */
ERT_INLINE const int8_t *ert_fully_connected_s8__scalar_sum(
    int32_t *sums, const int8_t *x, const int8_t *w, int32_t inputs, int32_t outputs)
{
#if defined(ERT_SCALAR_THUMB1)
    if (outputs == 4) {
        return ert_fully_connected_s8__scalar_four(sums, x, w, inputs);
    }
#endif
#pragma GCC unroll 8
    for (int32_t k = 0; k < inputs; k++, w += outputs) {
        const int32_t input = x[k];
#pragma GCC unroll 8
        for (int32_t n = 0; n < outputs; n++) {
            sums[n] = ert_accumulate(sums[n], input, w[n]);
        }
    }
    return w;
}

/* `outputs` outputs of one row. q: their words, or if uniform their first words only: the rest is `common`. Returns
 * the weights of the next. */
ERT_INLINE const int8_t *ert_fully_connected_s8__scalar_tile(
    const int8_t *x, int8_t *y, const int8_t *w, const int32_t *q, int32_t outputs, int32_t uniform,
    ert_channel_t common, const ert_fully_connected_s8_t *g)
{
    const int32_t step = uniform ? 1 : ERT_CHANNEL_WORDS;
    int32_t sums[8];
#pragma GCC unroll 8
    for (int32_t n = 0; n < outputs; n++) {
        sums[n] = q[n * step] >> 5;
    }
    w = ert_fully_connected_s8__scalar_sum(sums, x, w, g->in_c, outputs);
    int32_t done[8]; /* out of their registers, so that the loop that follows may stay one */
#pragma GCC unroll 8
    for (int32_t n = 0; n < outputs; n++) {
        done[n] = sums[n];
    }
    for (int32_t n = 0; n < outputs; n++, q += step) {
        const ert_channel_t of = uniform ? common : ert_channel(q, g->y_zero);
        const int32_t v = ert_channel_requantize_once(2 * done[n], of.multiplier, of.offset, of.shift);
        y[n] = (int8_t)ert_clamp(v, g->y_min, g->y_max);
    }
    return w;
}

ERT_INLINE void ert_fully_connected_s8__scalar(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *requant, const ert_fully_connected_s8_t *g,
    int32_t outputs, int32_t uniform)
{
    const ert_channel_t common = ert_channel_of(requant[1], requant[0], g->y_zero);
    const int32_t *const words = requant + (uniform ? 1 : 0);
    const int32_t step = uniform ? 1 : ERT_CHANNEL_WORDS;
    for (int32_t b = 0; b < g->batch; b++, x += g->in_c, y += g->out_c) {
        const int8_t *w = weights;
        int32_t n = 0;
        for (; outputs >= 8 && n + 8 <= g->out_c; n += 8) {
            w = ert_fully_connected_s8__scalar_tile(x, y + n, w, words + n * step, 8, uniform, common, g);
        }
        for (; outputs >= 4 && n + 4 <= g->out_c; n += 4) {
            w = ert_fully_connected_s8__scalar_tile(x, y + n, w, words + n * step, 4, uniform, common, g);
        }
        for (; outputs >= 2 && n + 2 <= g->out_c; n += 2) {
            w = ert_fully_connected_s8__scalar_tile(x, y + n, w, words + n * step, 2, uniform, common, g);
        }
        for (; n < g->out_c; n++) {
            w = ert_fully_connected_s8__scalar_tile(x, y + n, w, words + n * step, 1, uniform, common, g);
        }
    }
}

#endif
