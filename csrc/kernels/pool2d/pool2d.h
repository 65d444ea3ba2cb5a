/* The windows of a 2-D pool: which part of a window lies on the input. */
#ifndef ERT_POOL2D_H
#define ERT_POOL2D_H

#include "include/ert_common.h"

typedef struct {
    int32_t start, stop; /* in the input, half open */
} ert_pool_span_t;

/* Output position `out` along one axis. Windows that all lie inside fold to start + kernel. */
ERT_INLINE ert_pool_span_t ert_pool_span(
    int32_t out, int32_t outs, int32_t ins, int32_t kernel, int32_t stride, int32_t pad)
{
    const int all_inside = pad == 0 && (outs - 1) * stride + kernel <= ins;
    const int32_t origin = out * stride - pad;
    ert_pool_span_t span = {origin, origin + kernel};
    if (!all_inside) {
        span.start = ert_clamp(origin, 0, ins);
        span.stop = ert_clamp(origin + kernel, 0, ins);
    }
    return span;
}

#endif
