"""pad, strided_copy and copy_rows: numpy says where each element belongs."""

from __future__ import annotations

import numpy as np
import pytest
from caller import Array, call, call_overlapping, step

DTYPES = ["int8", "int16", "float32"]
Four = tuple[int, int, int, int]


def numbered(shape: tuple[int, ...], dtype: str) -> Array:
    return np.random.default_rng(int(np.prod(shape))).integers(-128, 128, shape).astype(dtype)


def bits(value: float, dtype: str) -> int:
    return int.from_bytes(np.array(value, dtype).tobytes(), "little", signed=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "before", "after"),
    [
        ((1, 1, 1, 1), (0, 0, 0, 0), (0, 0, 0, 0)),
        ((1, 4, 5, 3), (0, 1, 1, 0), (0, 1, 1, 0)),
        ((1, 4, 5, 3), (0, 0, 0, 0), (0, 1, 1, 0)),
        ((2, 3, 2, 3), (1, 2, 3, 4), (4, 3, 2, 1)),
        ((2, 3, 2, 3), (0, 0, 0, 2), (0, 0, 0, 0)),
    ],
)
def test_pad(dtype: str, shape: Four, before: Four, after: Four) -> None:
    x = numbered(shape, dtype)
    expected = np.pad(x, list(zip(before, after, strict=True)), constant_values=-7)
    attrs = {f"d{axis}": dim for axis, dim in enumerate(shape)}
    attrs |= {f"before{axis}": n for axis, n in enumerate(before)}
    attrs |= {f"after{axis}": n for axis, n in enumerate(after)}
    layer = step("pad", **attrs, value=bits(-7, dtype), element_bytes=x.itemsize)
    np.testing.assert_array_equal(call(layer, [x], expected.shape, dtype), expected)
    np.testing.assert_array_equal(call_overlapping(layer, [x], expected.shape, dtype), expected)


def check_view(x: Array, view: Array) -> None:
    """view: a 4-D numpy view of x, which is contiguous; the kernel has to make it contiguous."""
    begin = (view.__array_interface__["data"][0] - x.__array_interface__["data"][0]) // x.itemsize
    attrs = {f"d{axis}": dim for axis, dim in enumerate(view.shape)}
    attrs |= {f"s{axis}": stride // x.itemsize for axis, stride in enumerate(view.strides)}
    layer = step("strided_copy", **attrs, begin=begin, element_bytes=x.itemsize)
    np.testing.assert_array_equal(call(layer, [x], view.shape, str(x.dtype)), view)
    np.testing.assert_array_equal(call_overlapping(layer, [x], view.shape, str(x.dtype)), view)


@pytest.mark.parametrize("dtype", DTYPES)
def test_strided_copy(dtype: str) -> None:
    x = numbered((2, 6, 5, 4), dtype)
    check_view(x, x)
    check_view(x, x.transpose(0, 3, 1, 2))  # NHWC to NCHW
    check_view(x, x.transpose(3, 2, 1, 0))
    check_view(x, x[:, 1:5:2, ::3, 1:3])  # strided slice
    check_view(x, x[1:, :, :, 2:])  # the second part of a split
    check_view(x, x[:, ::-1, :, ::-1])  # flip
    check_view(x, np.broadcast_to(x[:1, :1, :1], (3, 2, 5, 4)))


@pytest.mark.parametrize("seed", range(40))
def test_strided_copy_of_random_views(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = numbered(tuple(rng.integers(1, 7, 4)), DTYPES[seed % 3])
    view = x.transpose(rng.permutation(4))
    for axis in range(4):
        step_size = int(rng.choice([1, 1, 2, -1]))
        view = np.moveaxis(np.moveaxis(view, axis, 0)[::step_size], 0, axis)
    check_view(x, view)


@pytest.mark.parametrize("dtype", DTYPES)
def test_concat_from_rows(dtype: str) -> None:
    parts = [numbered((2, 3, width), dtype) for width in (4, 1, 2)]
    expected = np.concatenate(parts, axis=2)
    row = expected.shape[2] * expected.itemsize
    made, offset = np.zeros_like(expected).view(np.uint8), 0
    for part in parts:
        width = part.shape[2] * part.itemsize
        layer = step("copy_rows", rows=6, row_bytes=width, y_row_bytes=row, y_offset=offset)
        written = call(layer, [part], (6, row), "uint8")[:, offset : offset + width]
        made.reshape(6, row)[:, offset : offset + width] = written
        assert call_overlapping(layer, [part], (6, row), "uint8") is None
        offset += width
    np.testing.assert_array_equal(made.view(dtype), expected)


def test_copy_in_place() -> None:
    x = numbered((5, 7), "int8")
    layer = step("copy_rows", rows=5, row_bytes=7, y_row_bytes=7, y_offset=0)
    np.testing.assert_array_equal(call_overlapping(layer, [x], (5, 7), "int8"), x)
