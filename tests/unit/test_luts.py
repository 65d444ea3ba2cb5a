"""Every table against the reference interpreter: all 256 inputs, many random scales and zero points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tflite_builder import Array, Op, T, build, reference

from edgert.codegen import quantize_math as qm

ALL_BYTES = np.arange(256).astype(np.uint8).view(np.int8)
TRIALS = 150


def through_interpreter(
    kind: str, x: tuple[float, int], y: tuple[float, int], options: dict[str, Any] | None = None
) -> Array:
    model = build(
        tensors=[T("x", (1, 256), scale=x[0], zero=x[1]), T("y", (1, 256), scale=y[0], zero=y[1])],
        ops=[Op(kind, ["x"], ["y"], options or {})],
        inputs=["x"],
        outputs=["y"],
    )
    return reference(model, ALL_BYTES.reshape(1, 256))[0].reshape(256)


def random_params(rng: np.random.Generator) -> tuple[float, int]:
    zero = int(rng.choice([-128, 127, 0, *rng.integers(-128, 128, 3)]))
    return float(np.float32(10 ** rng.uniform(-3.5, 0.5))), zero


def check(
    kind: str, table: Callable[..., Array], seed: int, y_fixed: tuple[float, int] | None = None
) -> None:
    rng = np.random.default_rng(seed)
    for trial in range(TRIALS):
        x, y = random_params(rng), y_fixed or random_params(rng)
        expected = through_interpreter(kind, x, y)
        np.testing.assert_array_equal(table(*x, *y), expected, f"{kind} {seed=} {trial=} {x=} {y=}")


def test_logistic() -> None:
    check("LOGISTIC", qm.lut_logistic, 1, (1 / 256, -128))


def test_tanh() -> None:
    check("TANH", qm.lut_tanh, 2, (1 / 128, 0))


def test_requantize() -> None:
    check("QUANTIZE", qm.lut_requantize, 3)


@pytest.mark.parametrize("kind", ["relu", "relu6", "relu_n1_to_1"])
def test_relu(kind: str) -> None:
    def table(x_scale: float, x_zero: int, y_scale: float, y_zero: int) -> Array:
        y_range = qm.activation_range(kind, y_scale, y_zero)
        return qm.lut_relu(x_scale, x_zero, y_scale, y_zero, y_range)

    check(kind.upper(), table, 4)


def test_hard_swish() -> None:
    rng = np.random.default_rng(5)
    for trial in range(TRIALS):
        x = random_params(rng)
        y = (float(np.float32(x[0] * rng.uniform(1 / 127, 4))), random_params(rng)[1])
        expected = through_interpreter("HARD_SWISH", x, y)
        np.testing.assert_array_equal(qm.lut_hard_swish(*x, *y), expected, f"{trial=} {x=} {y=}")


def test_hard_swish_beyond_the_reference_stays_close_to_the_real_function() -> None:
    # the reference refuses y_scale < x_scale / 128; ONNX models may still ask for it
    table = qm.lut_hard_swish(0.02, 0, 0.0001, 0)
    x = 0.02 * ALL_BYTES.astype(float)
    real = np.clip(np.round(x * np.clip(x + 3, 0, 6) / 6 / 0.0001), -128, 127)
    assert np.abs(table - real).max() <= 1


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.3, 1.5, -0.2])
def test_leaky_relu(alpha: float) -> None:
    rng = np.random.default_rng(6)
    for trial in range(TRIALS // 3):
        x, y = random_params(rng), random_params(rng)
        expected = through_interpreter("LEAKY_RELU", x, y, {"alpha": alpha})
        np.testing.assert_array_equal(qm.lut_leaky_relu(alpha, *x, *y), expected, f"{trial=} {x=} {y=}")


@pytest.mark.parametrize(("x_dtype", "y_dtype"), [("uint8", "int8"), ("int8", "uint8")])
def test_byte_conversions(x_dtype: str, y_dtype: str) -> None:
    zeros = {"uint8": 120, "int8": -8}
    model = build(
        tensors=[
            T("x", (256,), x_dtype, scale=0.1, zero=zeros[x_dtype]),
            T("y", (256,), y_dtype, scale=0.1, zero=zeros[y_dtype]),
        ],
        ops=[Op("QUANTIZE", ["x"], ["y"])],
        inputs=["x"],
        outputs=["y"],
    )
    table = qm.lut_uint8_to_int8() if y_dtype == "int8" else qm.lut_int8_to_uint8()
    expected = reference(model, ALL_BYTES.view(x_dtype))[0]
    np.testing.assert_array_equal(table.view(y_dtype), expected)


def test_clip() -> None:
    np.testing.assert_array_equal(qm.lut_clip(-7, 90), np.clip(ALL_BYTES, -7, 90))
