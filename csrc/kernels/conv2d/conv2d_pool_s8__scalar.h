/* conv2d_pool_s8 on conv2d_s8__scalar: its weights, requantization and limits.
 * Scratch   a band of z, to a multiple of 4 bytes; then what conv2d_s8__scalar wants for it */
#ifndef ERT_CONV2D_POOL_S8__SCALAR_H
#define ERT_CONV2D_POOL_S8__SCALAR_H

#include "kernels/conv2d/conv2d_pool_s8.h"
#include "kernels/conv2d/conv2d_s8__scalar.h"

ERT_INLINE void ert_conv2d_pool_s8__scalar(
    const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *requant, uint8_t *scratch,
    const ert_conv2d_pool_s8_t *g, int32_t pixels, int32_t channels)
{
    int8_t *const band = (int8_t *)scratch;
    uint8_t *const rest = scratch + ((g->pool_h * g->out_w * g->out_c + 3) & ~3);
    const ert_conv2d_s8_t one = ert_conv2d_pool_s8_band(g);
    ERT_CONV2D_POOL_S8_BANDS(
        x, y, band, g, ert_conv2d_s8__scalar(rows, band, weights, requant, rest, &one, pixels, channels))
}

#endif
