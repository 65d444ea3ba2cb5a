"""softmax_s8 against the reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from caller import Array, call, call_overlapping, step
from tflite_builder import Op, T, build, reference

from edgert.codegen import quantize_math as qm


def interpreter(x: Array, scale: float, zero: int, beta: float) -> Array:
    model = build(
        tensors=[T("x", x.shape, scale=scale, zero=zero), T("y", x.shape, scale=1 / 256, zero=-128)],
        ops=[Op("SOFTMAX", ["x"], ["y"], {"beta": beta})],
        inputs=["x"],
        outputs=["y"],
    )
    return reference(model, x)[0]


def check(x: Array, scale: float, zero: int = 0, beta: float = 1.0) -> None:
    expected = interpreter(x, scale, zero, beta)
    layer = step("softmax_s8", rows=x.shape[0], depth=x.shape[1])
    table = {"exp_table": qm.softmax_exp_table(scale, beta)}
    message = f"{scale=} {zero=} {beta=}"
    np.testing.assert_array_equal(call(layer, [x], x.shape, "int8", table), expected, message)
    np.testing.assert_array_equal(call_overlapping(layer, [x], x.shape, "int8", table), expected, message)


@pytest.mark.parametrize("depth", [1, 2, 3, 10, 12, 255, 1000])
def test_random_rows(depth: int) -> None:
    rng = np.random.default_rng(depth)
    for trial in range(30):
        # the reference aborts where the exps of a row sum to 512 or more: long rows must not be flat
        lowest, beta = (-1.5, 1.0) if depth >= 512 else (-4.0, float(rng.uniform(0.1, 4)))
        scale = float(np.float32(10 ** rng.uniform(lowest, 1)))
        x = rng.integers(-128, 128, (rng.integers(1, 9), depth)).astype(np.int8)
        check(x, scale, int(rng.integers(-128, 128)), 1.0 if trial % 3 else beta)


@pytest.mark.parametrize("scale", [1e-5, 0.0039, 0.1, 0.125, 1.0, 100.0])
def test_extreme_rows(scale: float) -> None:
    same, apart = np.full((1, 64), 5), np.where(np.arange(64) == 3, 127, -128)[None]
    ramp = np.arange(-128, 128).reshape(1, 256)
    for row in (same, -same * 25, apart, -1 - apart, ramp):
        check(row.astype(np.int8), float(np.float32(scale)))


@pytest.mark.parametrize("depth", [511, 512, 4095])
def test_flat_rows(depth: int) -> None:
    x = np.zeros((1, depth), np.int8)
    if depth < 512:
        check(x, 0.1)
    else:  # 1/512 and less rounds to 0; the reference aborts here
        layer = step("softmax_s8", rows=1, depth=depth)
        y = call(layer, [x], x.shape, "int8", {"exp_table": qm.softmax_exp_table(0.1)})
        assert (y == -128).all()
