/* add_s8 with each requantization in the few instructions of include/ert_channel.h.
 * Overlap   as add_s8.h       Scratch: none
 * Limits    left_shift = 20; operand shifts -22 to 0, the output's -22 to -1 (codegen/kernels/add.py) */
#ifndef ERT_ADD_S8__SCALAR_H
#define ERT_ADD_S8__SCALAR_H

#include "include/ert_channel.h"
#include "include/ert_dsp.h"
#include "kernels/add/add_s8.h"

/* requant(x * 2^20). The operand of the larger scale is mostly just halved. */
ERT_INLINE int32_t ert_add_s8__scalar_term(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t positive = multiplier < 0 ? -multiplier : multiplier;
    const int32_t twice = x * ((int32_t)1 << 21);
    const int32_t half = shift < 0 ? (int32_t)1 << (-shift - 1) : 0;
    const int32_t term = shift < 0               ? ert_channel_requantize(twice, positive, half, -shift)
        : positive == (int32_t)1 << 30 ? twice / 4
                                       : ert_high_multiply(twice / 2, positive);
    return multiplier < 0 ? -term : term;
}

ERT_INLINE int8_t ert_add_s8__scalar_element(int32_t x0, int32_t x1, const ert_add_s8_t *g)
{
    const int32_t t0 = ert_add_s8__scalar_term(x0 - g->x0_zero, g->x0_multiplier, g->x0_shift);
    const int32_t t1 = ert_add_s8__scalar_term(x1 - g->x1_zero, g->x1_multiplier, g->x1_shift);
    const int32_t offset = (2 * g->y_zero + 1) * ((int32_t)1 << (-g->y_shift - 1));
    const int32_t y = ert_channel_requantize(2 * (t0 + t1), g->y_multiplier, offset, -g->y_shift);
    return (int8_t)ert_clamp8(y, g->y_min, g->y_max);
}

ERT_INLINE void ert_add_s8__scalar(const int8_t *x0, const int8_t *x1, int8_t *y, const ert_add_s8_t *g)
{
    ERT_BROADCAST_LOOP(g, x0, x1, y, ert_add_s8__scalar_element)
}

#endif
