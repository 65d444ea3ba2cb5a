"""Which arithmetic the reference computes its multipliers in: float32 or float64, operator by operator.

The two differ in the multiplier's last bits, which moves an output only where it lies next to a half;
these tests search for scales at which it does, then ask the reference interpreter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tflite_builder import Array, Op, T, build, reference

from edgert.codegen import quantize_math as qm
from edgert.codegen.fixedpoint import quantize_multiplier, requantize_twice

BYTES = np.arange(-128, 128, dtype=np.int8)
F = np.float32


def scaled(values: Array, real: float) -> Array:
    return np.clip(requantize_twice(values, *quantize_multiplier(real)), -128, 127)


def telling_scales(seed: int, count: int) -> list[tuple[float, float]]:
    """Pairs (x_scale, y_scale) whose ratio in float32 and in float64 requantize some byte differently."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        k = int(rng.integers(3, 120))
        x = F(10 ** rng.uniform(-3, 0))
        y = F(float(x) * int(rng.integers(k, 128)) / (k + 0.5))
        if (scaled(BYTES, float(x / y)) != scaled(BYTES, float(x) / float(y))).any():
            found.append((float(x), float(y)))
    return found


def unary(kind: str, x_scale: float, y_scale: float, options: dict[str, float]) -> Array:
    model = build(
        tensors=[T("x", (256,), scale=x_scale), T("y", (256,), scale=y_scale)],
        ops=[Op(kind, ["x"], ["y"], options)],
        inputs=["x"],
        outputs=["y"],
    )
    return reference(model, BYTES)[0]


TABLES: list[tuple[str, dict[str, float], Callable[[float, float], Array]]] = [
    ("QUANTIZE", {}, lambda x, y: qm.lut_requantize(x, 0, y, 0)),
    ("RELU", {}, lambda x, y: qm.lut_relu(x, 0, y, 0, (0, 127))),
    ("LEAKY_RELU", {"alpha": 1.0}, lambda x, y: qm.lut_leaky_relu(1.0, x, 0, y, 0)),
]


@pytest.mark.parametrize(("kind", "options", "table"), TABLES, ids=[kind for kind, _, _ in TABLES])
def test_tables(kind: str, options: dict[str, float], table: Callable[[float, float], Array]) -> None:
    for x_scale, y_scale in telling_scales(0, 40):
        expected = unary(kind, x_scale, y_scale, options)
        np.testing.assert_array_equal(table(x_scale, y_scale)[BYTES.view(np.uint8)], expected)


def test_mul() -> None:
    rng = np.random.default_rng(1)
    x0, x1 = (a.ravel().astype(np.int8) for a in np.meshgrid(BYTES, BYTES))
    product, telling = x0.astype(np.int64) * x1, 0
    while telling < 20:
        s0, s1 = (F(10 ** rng.uniform(-2, 0)) for _ in range(2))
        y = F(float(s0) * float(s1) * int(rng.integers(200, 12000)) / (int(rng.integers(3, 120)) + 0.5))
        numbers = qm.mul_params(float(s0), 0, float(s1), 0, float(y), 0)
        ours = np.clip(
            requantize_twice(product, int(numbers["y_multiplier"]), int(numbers["y_shift"])), -128, 127
        )
        if (ours == scaled(product, float(s0) * float(s1) / float(y))).all():
            continue
        telling += 1
        model = build(
            tensors=[T(n, (65536,), scale=float(s)) for n, s in (("a", s0), ("b", s1), ("y", y))],
            ops=[Op("MUL", ["a", "b"], ["y"])],
            inputs=["a", "b"],
            outputs=["y"],
        )
        np.testing.assert_array_equal(ours, reference(model, x0, x1)[0])


def one_by_one(kind: str, w_scale: float, x_scale: float, y_scale: float, weights: Array) -> bytes:
    """A layer whose output channel n is weights[n] * x, with one input channel."""
    count = weights.size
    if kind == "FULLY_CONNECTED":
        x_shape, w_shape, y_shape, options = (256, 1), (count, 1), (256, count), {}
    else:
        x_shape, w_shape, y_shape = (1, 256, 1, 1), (count, 1, 1, 1), (1, 256, 1, count)
        options = {"strideW": 1, "strideH": 1}
    bias = T("b", (count,), "int32", np.zeros(count), scale=x_scale * w_scale)
    return build(
        tensors=[
            T("x", x_shape, scale=x_scale),
            T("w", w_shape, data=weights.reshape(w_shape), scale=w_scale),
            bias,
            T("y", y_shape, scale=y_scale),
        ],
        ops=[Op(kind, ["x", "w", "b"], ["y"], options)],
        inputs=["x"],
        outputs=["y"],
    )


@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
def test_layers_with_weights(kind: str) -> None:
    rng, telling = np.random.default_rng(2), 0
    weights = np.arange(1, 128, dtype=np.int8)
    acc = BYTES.astype(np.int64)[:, None] * weights
    while telling < 20:
        x, w = (F(10 ** rng.uniform(-2, 0)) for _ in range(2))
        y = F(float(x) * float(w) * int(rng.integers(200, 12000)) / (int(rng.integers(3, 120)) + 0.5))
        (multiplier,), (shift,) = qm.conv_multipliers(float(x), [float(w)], float(y))
        ours = requantize(kind, acc, multiplier, shift)
        other = requantize(kind, acc, *quantize_multiplier(float(x * w) / float(y)))
        if (ours == other).all():
            continue
        telling += 1
        model = one_by_one(kind, float(w), float(x), float(y), weights)
        x_shape = (256, 1) if kind == "FULLY_CONNECTED" else (1, 256, 1, 1)
        (expected,) = reference(model, BYTES.reshape(x_shape))
        np.testing.assert_array_equal(ours, expected.reshape(ours.shape))


def requantize(kind: str, acc: Array, multiplier: int, shift: int) -> Array:
    if kind == "FULLY_CONNECTED":  # rounds once
        return np.clip((acc * multiplier + (1 << (30 - shift))) >> (31 - shift), -128, 127)
    return np.clip(requantize_twice(acc, multiplier, shift), -128, 127)
