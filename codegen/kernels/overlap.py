"""How far an output may overlap an input, computed from what a kernel reads and writes, in order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert.codegen.program import Step

Int = npt.NDArray[np.int64]


def lead(first_reads: npt.ArrayLike, element_bytes: int = 1, *, read_bytes: int | None = None) -> int:
    """lead_bytes of a kernel that writes its output in ascending order, element after element.

    first_reads[o]: the lowest input element that output element o needs; each element is written
    after its inputs were read. Byte o of the output may land anywhere below every byte that is still
    to be read. element_bytes: of an output element; read_bytes: of an input element, if different.
    """
    reads = np.asarray(first_reads, np.int64).ravel() * (read_bytes or element_bytes)
    if reads.size < 2:
        return 0
    still_needed = np.minimum.accumulate(reads[::-1])[::-1][1:]
    written = np.arange(1, reads.size, dtype=np.int64) * element_bytes
    return int((written - still_needed).max())


def positions(dims: tuple[int, ...], strides: tuple[int, ...], begin: int = 0) -> Int:
    """begin + strides . index for every index of an array of these dims, in row-major order."""
    total = np.full((1,) * len(dims), begin, np.int64)
    for axis, (dim, stride) in enumerate(zip(dims, strides, strict=True)):
        shape = [1] * len(dims)
        shape[axis] = dim
        total = total + (np.arange(dim, dtype=np.int64) * stride).reshape(shape)
    return total


def image_positions(
    batch: int, in_h: int, in_w: int, channels: int, rows: npt.ArrayLike, columns: npt.ArrayLike
) -> Int:
    """NHWC element [b, rows[i], columns[j], c] for every output element (b, i, j, c)."""
    b = np.arange(batch, dtype=np.int64).reshape(-1, 1, 1, 1)
    i = np.asarray(rows, np.int64).reshape(1, -1, 1, 1)
    j = np.asarray(columns, np.int64).reshape(1, 1, -1, 1)
    c = np.arange(channels, dtype=np.int64)
    return np.asarray(((b * in_h + i) * in_w + j) * channels + c, np.int64)


def ints(step: Step, *names: str) -> tuple[int, ...]:
    """Several integer attrs of a Step at once."""
    return tuple(int(step.attrs[name]) for name in names)


def window_reads(step: Step) -> Int:
    """For each output pixel of a convolution, in order: the lowest input byte that its window touches."""
    batch, in_h, in_w, in_c, out_h, out_w = ints(step, "batch", "in_h", "in_w", "in_c", "out_h", "out_w")
    stride_h, stride_w, pad_top, pad_left = ints(step, "stride_h", "stride_w", "pad_top", "pad_left")
    rows = np.clip(np.arange(out_h) * stride_h - pad_top, 0, in_h - 1)
    columns = np.clip(np.arange(out_w) * stride_w - pad_left, 0, in_w - 1)
    return image_positions(batch, in_h, in_w, 1, rows, columns).ravel() * in_c
