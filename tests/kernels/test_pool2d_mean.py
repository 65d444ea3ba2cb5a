"""max_pool2d_s8, avg_pool2d_s8 and mean_s8 against the reference interpreter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from caller import Array, call, call_overlapping, step, variants
from tflite_builder import Op, T, build, reference

from edgert.codegen import quantize_math as qm


@dataclass(frozen=True)
class Pool:
    """One geometry: batch, in_h, in_w, channels; kernel, stride as (h, w)."""

    x: tuple[int, int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: str = "VALID"

    def axis(self, n: int) -> tuple[int, int]:
        """Output size and padding in front along axis n (0: rows), as TFLite computes them."""
        ins, kernel, stride = self.x[1 + n], self.kernel[n], self.stride[n]
        if self.padding == "VALID":
            return (ins - kernel) // stride + 1, 0
        outs = -(-ins // stride)
        return outs, max((outs - 1) * stride + kernel - ins, 0) // 2


CASES = [
    Pool((1, 1, 1, 1), (1, 1), (1, 1)),
    Pool((1, 8, 8, 3), (2, 2), (2, 2)),
    Pool((2, 8, 6, 4), (2, 3), (2, 1)),
    Pool((1, 7, 9, 5), (3, 3), (2, 2), "SAME"),
    Pool((1, 5, 5, 8), (3, 3), (1, 1), "SAME"),
    Pool((2, 25, 5, 7), (25, 5), (25, 5)),
    Pool((1, 9, 9, 2), (2, 2), (3, 3)),
    Pool((1, 3, 3, 1), (5, 5), (1, 1), "SAME"),
    Pool((1, 6, 1, 16), (4, 1), (2, 1), "SAME"),
]
OPERATORS = {"MAX_POOL_2D": "max_pool2d_s8", "AVERAGE_POOL_2D": "avg_pool2d_s8"}


def attrs(case: Pool, y_range: tuple[int, int]) -> dict[str, int]:
    (out_h, pad_top), (out_w, pad_left) = case.axis(0), case.axis(1)
    batch, in_h, in_w, channels = case.x
    return {
        "batch": batch, "in_h": in_h, "in_w": in_w, "channels": channels, "out_h": out_h, "out_w": out_w,
        "kernel_h": case.kernel[0], "kernel_w": case.kernel[1],
        "stride_h": case.stride[0], "stride_w": case.stride[1],
        "pad_top": pad_top, "pad_left": pad_left, "y_min": y_range[0], "y_max": y_range[1],
    }  # fmt: skip


def interpreter(kind: str, case: Pool, x: Array, y_shape: tuple[int, ...], zero: int, fused: str) -> Array:
    options = {
        "padding": case.padding, "strideH": case.stride[0], "strideW": case.stride[1],
        "filterHeight": case.kernel[0], "filterWidth": case.kernel[1], "fusedActivationFunction": fused,
    }  # fmt: skip
    model = build(
        tensors=[T("x", x.shape, scale=0.05, zero=zero), T("y", y_shape, scale=0.05, zero=zero)],
        ops=[Op(kind, ["x"], ["y"], options)],
        inputs=["x"],
        outputs=["y"],
    )
    return reference(model, x)[0]


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("fused", ["NONE", "RELU6"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_pool(kind: str, case: Pool, fused: str) -> None:
    for zero in (-128, 127, 3):
        x = np.random.default_rng(zero + 128).integers(-128, 128, case.x).astype(np.int8)
        y_range = qm.activation_range(fused.lower(), 0.05, zero)
        y_shape = (case.x[0], case.axis(0)[0], case.axis(1)[0], case.x[3])
        extra = {"count_include_pad": 0, "x_zero": zero} if kind == "AVERAGE_POOL_2D" else {}
        layer = step(OPERATORS[kind], **attrs(case, y_range), **extra)
        expected = interpreter(kind, case, x, y_shape, zero, fused)
        for v in variants(layer):
            np.testing.assert_array_equal(call(layer, [x], y_shape, "int8", variant=v), expected, v)
            over = call_overlapping(layer, [x], y_shape, "int8", variant=v)
            np.testing.assert_array_equal(over, expected, v)


def test_average_counts_padding_when_asked() -> None:
    # ONNX count_include_pad=1: padding is real 0, so it counts as x_zero
    case = Pool((1, 5, 5, 7), (3, 3), (1, 1), "SAME")
    x = np.random.default_rng(0).integers(-128, 128, case.x).astype(np.int8)
    layer = step("avg_pool2d_s8", **attrs(case, (-128, 127)), count_include_pad=1, x_zero=-7)
    padded = np.pad(x.astype(np.int64), ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-7)
    sums = sum(padded[:, i : i + 5, j : j + 5] for i in range(3) for j in range(3))
    expected = np.sign(sums) * ((np.abs(sums) + 4) // 9)
    for v in variants(layer):
        np.testing.assert_array_equal(call(layer, [x], case.x, "int8", variant=v), expected, v)


MEANS = [  # x shape, axes, as (outer, reduce, inner)
    ((1, 6, 5, 7), (1, 2), (1, 30, 7)),
    ((2, 6, 5, 7), (1, 2), (2, 30, 7)),
    ((3, 4, 1, 9), (3,), (12, 9, 1)),
    ((2, 3, 4, 5), (0,), (1, 2, 60)),
    ((1, 1, 1, 1), (1, 2), (1, 1, 1)),
    ((1, 37, 41, 2), (1, 2), (1, 1517, 2)),
    ((4, 9), (1,), (4, 9, 1)),
]


@pytest.mark.parametrize("keep_dims", [False, True])
@pytest.mark.parametrize(("shape", "axes", "view"), MEANS)
def test_mean(
    shape: tuple[int, ...], axes: tuple[int, ...], view: tuple[int, int, int], keep_dims: bool
) -> None:
    rng = np.random.default_rng(len(shape) + view[1])
    y_shape = np.empty(shape).mean(axes, keepdims=keep_dims).shape
    for x_zero, y_zero in [(-128, 127), (127, -128), (0, 0), (-5, 17)] * 5:
        x_scale, y_scale = (float(np.float32(s)) for s in 10 ** rng.uniform(-2, -1, 2))
        x = rng.integers(-128, 128, shape).astype(np.int8)
        model = build(
            tensors=[
                T("x", shape, scale=x_scale, zero=x_zero),
                T("axes", (len(axes),), "int32", np.array(axes)),
                T("y", y_shape, scale=y_scale, zero=y_zero),
            ],
            ops=[Op("MEAN", ["x", "axes"], ["y"], {"keepDims": keep_dims})],
            inputs=["x"],
            outputs=["y"],
        )
        (expected,) = reference(model, x)
        outer, reduce, inner = view
        numbers = qm.mean_params(reduce, x_scale, x_zero, y_scale, y_zero)
        layer = step("mean_s8", outer=outer, reduce=reduce, inner=inner, **numbers)
        np.testing.assert_array_equal(call(layer, [x], y_shape, "int8"), expected)
        np.testing.assert_array_equal(call_overlapping(layer, [x], y_shape, "int8"), expected)
