/* The loop of every operator with two operands: flat where neither is broadcast, four deep otherwise.
 * Geometry  y [d0,d1,d2,d3] contiguous; element (i,j,k,l) of x_n at i*xn_s0 + j*xn_s1 + k*xn_s2 + l*xn_s3
 * Order     y is written in ascending order, each element after its operands were read */
#ifndef ERT_BROADCAST_H
#define ERT_BROADCAST_H

#include "include/ert_common.h"

/* Whether strides describe a row-major array of these dimensions. */
ERT_INLINE int ert_is_dense(
    int32_t d0, int32_t d1, int32_t d2, int32_t d3, int32_t s0, int32_t s1, int32_t s2, int32_t s3)
{
    return (d3 == 1 || s3 == 1) && (d2 == 1 || s2 == d3) && (d1 == 1 || s1 == d2 * d3) &&
           (d0 == 1 || s0 == d1 * d2 * d3);
}

/* y = element(x0, x1, g) for every element. A macro, so that g's fields keep the operator's own type. */
#define ERT_BROADCAST_LOOP(g, x0, x1, y, element)                                                          \
    if (ert_is_dense((g)->d0, (g)->d1, (g)->d2, (g)->d3, (g)->x0_s0, (g)->x0_s1, (g)->x0_s2, (g)->x0_s3) && \
        ert_is_dense((g)->d0, (g)->d1, (g)->d2, (g)->d3, (g)->x1_s0, (g)->x1_s1, (g)->x1_s2, (g)->x1_s3)) { \
        const int32_t size = (g)->d0 * (g)->d1 * (g)->d2 * (g)->d3;                                        \
        for (int32_t n = 0; n < size; n++) {                                                               \
            (y)[n] = element((x0)[n], (x1)[n], (g));                                                       \
        }                                                                                                  \
        return;                                                                                            \
    }                                                                                                      \
    for (int32_t i = 0; i < (g)->d0; i++) {                                                                \
        for (int32_t j = 0; j < (g)->d1; j++) {                                                            \
            for (int32_t k = 0; k < (g)->d2; k++) {                                                        \
                const int8_t *row0 = (x0) + i * (g)->x0_s0 + j * (g)->x0_s1 + k * (g)->x0_s2;              \
                const int8_t *row1 = (x1) + i * (g)->x1_s0 + j * (g)->x1_s1 + k * (g)->x1_s2;              \
                for (int32_t l = 0; l < (g)->d3; l++) {                                                    \
                    *(y)++ = element(row0[l * (g)->x0_s3], row1[l * (g)->x1_s3], (g));                     \
                }                                                                                          \
            }                                                                                              \
        }                                                                                                  \
    }

#endif
