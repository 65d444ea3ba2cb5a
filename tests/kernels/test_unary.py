"""lut_s8, prelu_s8, quantize_f32_s8 and dequantize_s8_f32 against the reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from caller import Array, call, call_overlapping, step
from tflite_builder import Op, T, build, reference

from edgert.codegen import quantize_math as qm


def one_operator(kind: str, x: T, y: T, values: Array) -> Array:
    model = build(tensors=[x, y], ops=[Op(kind, ["x"], ["y"])], inputs=["x"], outputs=["y"])
    return reference(model, values)[0]


@pytest.mark.parametrize("size", [1, 3, 4, 5, 256, 1001])
def test_lut(size: int) -> None:
    x = np.random.default_rng(size).integers(-128, 128, size).astype(np.int8)
    table = {"table": qm.lut_tanh(0.03, -4, 1 / 128, 0)}
    layer = step("lut_s8", size=size)
    expected = one_operator(
        "TANH", T("x", (size,), scale=0.03, zero=-4), T("y", (size,), scale=1 / 128, zero=0), x
    )
    np.testing.assert_array_equal(call(layer, [x], (size,), "int8", table), expected)
    np.testing.assert_array_equal(call_overlapping(layer, [x], (size,), "int8", table), expected)


@pytest.mark.parametrize("channels", [1, 3, 8])
def test_prelu(channels: int) -> None:
    rng = np.random.default_rng(channels)
    shape = (1, 16, 16, channels)
    for trial in range(40):
        x_scale, alpha_scale, y_scale = (float(np.float32(s)) for s in 10 ** rng.uniform(-2.5, -0.5, 3))
        x_zero, alpha_zero, y_zero = (int(z) for z in rng.choice([-128, 127, 0, -9, 33], 3))
        x = rng.permutation(np.resize(np.arange(-128, 128), shape).ravel()).reshape(shape).astype(np.int8)
        alpha = rng.integers(-128, 128, (1, 1, channels)).astype(np.int8)
        model = build(
            tensors=[
                T("x", shape, scale=x_scale, zero=x_zero),
                T("alpha", alpha.shape, data=alpha, scale=alpha_scale, zero=alpha_zero),
                T("y", shape, scale=y_scale, zero=y_zero),
            ],
            ops=[Op("PRELU", ["x", "alpha"], ["y"])],
            inputs=["x"],
            outputs=["y"],
        )
        (expected,) = reference(model, x)
        numbers = qm.prelu_params(x_scale, x_zero, alpha_scale, alpha_zero, y_scale, y_zero)
        layer = step("prelu_s8", outer=256, channels=channels, **numbers)
        constants = {"alpha": alpha.ravel()}
        y = call(layer, [x], shape, "int8", constants)
        np.testing.assert_array_equal(y, expected, f"{trial=}")
        np.testing.assert_array_equal(call_overlapping(layer, [x], shape, "int8", constants), expected)


def quantize_inputs(scale: float, rng: np.random.Generator) -> Array:
    """Random values, every half-way point and its neighbours, saturation."""
    halves = ((np.arange(-300, 300) + 0.5) * np.float32(scale)).astype(np.float32)
    near = [halves, np.nextafter(halves, np.float32(9e9)), np.nextafter(halves, np.float32(-9e9))]
    wide = rng.normal(0, 100 * scale, 500).astype(np.float32)
    return np.concatenate([*near, wide, np.array([0, -0.0, 1e6, -1e6], np.float32) * np.float32(scale)])


@pytest.mark.parametrize("zero", [-128, 127, 0, 7])
@pytest.mark.parametrize("scale", [1.0, 0.05, 0.0039, 17.3])
def test_quantize(scale: float, zero: int) -> None:
    scale = float(np.float32(scale))
    x = quantize_inputs(scale, np.random.default_rng(zero + 128))
    y_tensor = T("y", x.shape, scale=scale, zero=zero)
    expected = one_operator("QUANTIZE", T("x", x.shape, "float32"), y_tensor, x)
    layer = step("quantize_f32_s8", size=x.size, scale=scale, zero=zero)
    np.testing.assert_array_equal(call(layer, [x], x.shape, "int8"), expected)
    np.testing.assert_array_equal(call_overlapping(layer, [x], x.shape, "int8"), expected)


def test_quantize_of_what_is_no_number() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38], np.float32)
    layer = step("quantize_f32_s8", size=x.size, scale=0.1, zero=5)
    assert call(layer, [x], x.shape, "int8").tolist() == [127, -128, -128, 127, -128]


@pytest.mark.parametrize("size", [1, 2, 256])
@pytest.mark.parametrize("zero", [-128, 127, 0, 7])
def test_dequantize(size: int, zero: int) -> None:
    rng = np.random.default_rng(size)
    for scale in (float(np.float32(s)) for s in 10 ** rng.uniform(-5, 3, 10)):
        x = np.arange(-128, 128)[:size].astype(np.int8)
        expected = one_operator(
            "DEQUANTIZE", T("x", x.shape, scale=scale, zero=zero), T("y", x.shape, "float32"), x
        )
        layer = step("dequantize_s8_f32", size=size, scale=scale, zero=zero)
        np.testing.assert_array_equal(call(layer, [x], x.shape, "float32"), expected)
        np.testing.assert_array_equal(call_overlapping(layer, [x], x.shape, "float32"), expected)
