"""add_s8 (also subtracting) and mul_s8 against the reference interpreter."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from caller import Array, call, call_overlapping, step, variants
from tflite_builder import Op, T, build, reference

from edgert.codegen import quantize_math as qm
from edgert.codegen.program import Step

Shape = tuple[int, ...]
Params = tuple[tuple[float, int], ...]

SHAPES = [  # below, at and above a vector; then each way to broadcast
    ((1, 1, 1, 1), (1, 1, 1, 1)),
    ((1, 1, 1, 3), (1, 1, 1, 3)),
    ((1, 1, 1, 4), (1, 1, 1, 4)),
    ((2, 5, 3, 7), (2, 5, 3, 7)),
    ((2, 5, 3, 7), (1, 1, 1, 7)),
    ((1, 1, 1, 7), (2, 5, 3, 7)),
    ((2, 5, 3, 7), (1, 1, 1, 1)),
    ((2, 1, 3, 7), (1, 5, 1, 7)),
    ((2, 5, 1, 7), (1, 1, 3, 1)),
]
RANDOM = np.random.default_rng(20)
PARAMS: list[Params] = [  # x0, x1, y: (scale, zero); zero points at their edges, then random
    ((0.05, -128), (0.02, 127), (0.06, -128)),
    ((0.05, 127), (0.05, -128), (0.05, 127)),
    ((1.0, 0), (1.0, 0), (1.0, 0)),
    ((0.003, 5), (0.9, -4), (0.004, 3)),
] + [
    tuple((float(np.float32(10 ** RANDOM.uniform(-3, 0))), int(RANDOM.integers(-128, 128))) for _ in range(3))
    for _ in range(20)
]


def broadcast_strides(shape: Shape, y_shape: Shape) -> Shape:
    strides, dense = [], 1
    for dim, wanted in zip(reversed(shape), reversed(y_shape), strict=True):
        strides.append(dense if dim == wanted else 0)
        dense *= dim
    return tuple(reversed(strides))


def geometry(shapes: tuple[Shape, Shape], y_shape: Shape) -> dict[str, int]:
    attrs = {f"d{axis}": dim for axis, dim in enumerate(y_shape)}
    for n, shape in enumerate(shapes):
        strides = broadcast_strides(shape, y_shape)
        attrs |= {f"x{n}_s{axis}": stride for axis, stride in enumerate(strides)}
    return attrs


def make_step(
    kind: str, shapes: tuple[Shape, Shape], y_shape: Shape, params: Params, activation: str
) -> Step:
    (x0_scale, x0_zero), (x1_scale, x1_zero), (y_scale, y_zero) = params
    y_range = qm.activation_range(activation.lower(), y_scale, y_zero)
    numbers = (x0_scale, x0_zero, x1_scale, x1_zero, y_scale, y_zero, y_range)
    if kind == "MUL":
        return step("mul_s8", **geometry(shapes, y_shape), **qm.mul_params(*numbers))
    attrs = qm.add_params(*numbers, subtract=kind == "SUB")
    return step("add_s8", **geometry(shapes, y_shape), **attrs)


def make_inputs(shapes: tuple[Shape, Shape], seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]


def interpreter(kind: str, inputs: list[Array], y_shape: Shape, params: Params, activation: str) -> Array:
    shapes = [*(x.shape for x in inputs), y_shape]
    names = ("x0", "x1", "y")
    tensors = [T(n, s, scale=p[0], zero=p[1]) for n, s, p in zip(names, shapes, params, strict=True)]
    options = {"fusedActivationFunction": activation}
    model = build(
        tensors=tensors, ops=[Op(kind, ["x0", "x1"], ["y"], options)], inputs=["x0", "x1"], outputs=["y"]
    )
    return reference(model, *inputs)[0]


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize(("case", "shapes"), list(enumerate(SHAPES)))
def test_shapes(kind: str, case: int, shapes: tuple[Shape, Shape]) -> None:
    y_shape = np.broadcast_shapes(*shapes)
    inputs = make_inputs(shapes, case)
    for params in PARAMS[:6]:
        layer = make_step(kind, shapes, y_shape, params, "NONE")
        expected = interpreter(kind, inputs, y_shape, params, "NONE")
        for variant in variants(layer):
            y = call(layer, inputs, y_shape, "int8", variant=variant)
            np.testing.assert_array_equal(y, expected, f"{variant} {params=}")
            for index in (0, 1):
                over = call_overlapping(layer, inputs, y_shape, "int8", index=index, variant=variant)
                if inputs[index].shape != y_shape:
                    assert over is None
                else:
                    np.testing.assert_array_equal(over, expected, variant)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_every_pair_of_bytes(kind: str, activation: str) -> None:
    every = np.array(list(itertools.product(range(-128, 128), repeat=2)), np.int8)
    inputs = [np.ascontiguousarray(every[:, n]).reshape(1, 256, 256, 1) for n in (0, 1)]
    shapes = (inputs[0].shape, inputs[1].shape)
    for params in PARAMS:
        layer = make_step(kind, shapes, shapes[0], params, activation)
        expected = interpreter(kind, inputs, shapes[0], params, activation)
        for variant in variants(layer):
            y = call(layer, inputs, shapes[0], "int8", variant=variant)
            np.testing.assert_array_equal(y, expected, f"{variant} {params=}")
