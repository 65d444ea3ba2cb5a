/* fully_connected_s8 with SMLAD: four outputs at a time (two pairs, include/ert_paired.h), straight from the int8
 * input, four at a time: SXTB16 leaves inputs 0, 2 in one word and 1, 3 in the other.
 * Weights   int16 [out_c/4][in_c/4][2 words][2 pairs][2], taps in the order 0, 2, 1, 3; then pair by pair;
 *           in_c rounded up to four with zero weights
 * Requant   int32 [out_c][3]: bias with the input zero point folded in, multiplier, 31 - shift
 * Overlap   none       Scratch: 0 bytes       Limits: |A| < 2^23 for the first channel of a pair */
#ifndef ERT_FULLY_CONNECTED_S8__DSP_H
#define ERT_FULLY_CONNECTED_S8__DSP_H

#include "include/ert_common.h"
#include "include/ert_dsp.h"
#include "kernels/fully_connected/fully_connected_s8.h"

/* The last 1 to 3 bytes of an input, the rest zero. */
ERT_INLINE uint32_t ert_fully_connected_s8__dsp_tail(const int8_t *x, int32_t count)
{
    uint32_t bytes = 0;
    for (int32_t n = 0; n < count; n++) {
        bytes |= (uint32_t)(uint8_t)x[n] << (8 * n);
    }
    return bytes;
}

ERT_INLINE void ert_fully_connected_s8__dsp_store(
    int8_t *y, int32_t acc, const int32_t *q, const ert_fully_connected_s8_t *g)
{
    const int32_t v = ert_requantize_once(acc + q[0], q[1], 31 - q[2]);
    *y = (int8_t)ert_clamp8(g->y_zero + v, g->y_min, g->y_max);
}

/* The first channel of a pair, from its raw and low sums. */
ERT_INLINE int32_t ert_fully_connected_s8__dsp_first(int32_t raw, int32_t low)
{
    return (int32_t)((uint32_t)raw - (uint32_t)low) >> 8;
}

/* sums: raw and low of `pairs` pairs, one word of four inputs further; w: their weights */
ERT_INLINE const int16_t *ert_fully_connected_s8__dsp_word(
    uint32_t bytes, const int16_t *w, int32_t *sums, int32_t pairs)
{
    const uint32_t lanes[2] = {ert_sxtb16(bytes), ert_sxtb16_odd(bytes)};
    for (int32_t half = 0; half < 2; half++) {
        for (int32_t pair = 0; pair < pairs; pair++, w += 2) {
            const uint32_t raw = ert_load32(w);
            sums[2 * pair] = ert_smlad(raw, lanes[half], sums[2 * pair]);
            sums[2 * pair + 1] = ert_smlad(ert_sxtb16(raw), lanes[half], sums[2 * pair + 1]);
        }
    }
    return w;
}

/* 2 * pairs outputs, of which `channels` exist. */
ERT_INLINE const int16_t *ert_fully_connected_s8__dsp_pairs(
    const int8_t *x, int8_t *y, const int16_t *w, const int32_t *q, int32_t pairs, int32_t channels,
    const ert_fully_connected_s8_t *g)
{
    int32_t sums[4] = {0, 0, 0, 0}, k = 0;
    for (; k + 4 <= g->in_c; k += 4) {
        w = ert_fully_connected_s8__dsp_word(ert_load32(x + k), w, sums, pairs);
    }
    if (k < g->in_c) {
        w = ert_fully_connected_s8__dsp_word(
            ert_fully_connected_s8__dsp_tail(x + k, g->in_c - k), w, sums, pairs);
    }
    for (int32_t pair = 0; pair < pairs; pair++) {
        const int32_t raw = sums[2 * pair], low = sums[2 * pair + 1];
        ert_fully_connected_s8__dsp_store(
            y + 2 * pair, ert_fully_connected_s8__dsp_first(raw, low), q + 6 * pair, g);
        if (2 * pair + 1 < channels) {
            ert_fully_connected_s8__dsp_store(y + 2 * pair + 1, low, q + 6 * pair + 3, g);
        }
    }
    return w;
}

ERT_INLINE void ert_fully_connected_s8__dsp(
    const int8_t *x, int8_t *y, const int16_t *weights, const int32_t *requant,
    const ert_fully_connected_s8_t *g)
{
    for (int32_t b = 0; b < g->batch; b++, x += g->in_c, y += g->out_c) {
        const int16_t *w = weights;
        int32_t n = 0;
        for (; n + 4 <= g->out_c; n += 4) {
            w = ert_fully_connected_s8__dsp_pairs(x, y + n, w, requant + 3 * n, 2, 4, g);
        }
        for (; n < g->out_c; n += 2) {
            w = ert_fully_connected_s8__dsp_pairs(x, y + n, w, requant + 3 * n, 1, g->out_c - n, g);
        }
    }
}

#endif
