/* y[r, y_offset + n] = x[r, n]: one part of a concatenation
 * Shapes    x [rows,row_bytes]  y [rows,y_row_bytes], bytes; row-major
 * Overlap   0 bytes where the rows have the same length, none otherwise       Scratch: 0 bytes
 * Source    docs/numerics.md section 7 */
#ifndef ERT_COPY_ROWS_H
#define ERT_COPY_ROWS_H

#include "include/ert_common.h"
#include "include/ert_copy.h"

typedef struct {
    int32_t rows, row_bytes, y_row_bytes, y_offset;
} ert_copy_rows_t;

ERT_INLINE void ert_copy_rows__ref(const uint8_t *x, uint8_t *y, const ert_copy_rows_t *g)
{
    for (int32_t r = 0; r < g->rows; r++) {
        ert_copy_bytes(y + r * g->y_row_bytes + g->y_offset, x + r * g->row_bytes, g->row_bytes);
    }
}

#endif
