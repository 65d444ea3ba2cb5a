"""Each operator: TFLite file -> Program -> reference kernels, byte for byte what the interpreter says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from program_runner import run_program
from tflite_builder import Op, T, build, reference

from edgert.codegen.contracts import check_step
from edgert.codegen.pipeline import compile_to_program

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
SAME = {"padding": "SAME", "strideH": 1, "strideW": 1}
PLAIN = SAME | {"dilationHFactor": 1, "dilationWFactor": 1}
RNG = np.random.default_rng(20)


def x(shape: Shape, scale: float = 0.05, zero: int = 3, name: str = "x", dtype: str = "int8") -> T:
    return T(name, shape, dtype, scale=scale, zero=zero)


def y(shape: Shape, scale: float = 0.07, zero: int = -5, dtype: str = "int8") -> T:
    return T("y", shape, dtype, scale=scale, zero=zero)


def same(shape: Shape) -> T:
    """An output with the scale and zero point of x."""
    return y(shape, 0.05, 3)


def weights(*shape: int, axis: int | None = 0) -> T:
    data = RNG.integers(-127, 128, shape, np.int8)
    if axis is None:
        return T("w", shape, data=data, scale=0.01)
    scale = np.geomspace(0.004, 0.04, shape[axis])
    return T("w", shape, data=data, scale=scale, zero=[0] * shape[axis], axis=axis)


def bias(size: int) -> T:
    return T("b", (size,), "int32", RNG.integers(-2000, 2000, size, np.int32))


def constant(values: Any) -> T:
    data = np.array(values, np.int32)
    return T("c", data.shape, "int32", data)


def int8(shape: Shape, scale: float, zero: int) -> T:
    return T("k", shape, data=RNG.integers(-128, 128, shape, np.int8), scale=scale, zero=zero)


Case = tuple[str, list[T], list[T], T, dict[str, Any]]
CASES: dict[str, Case] = {
    "conv": (
        "CONV_2D", [x((1, 9, 8, 3))], [weights(4, 3, 3, 3), bias(4)], y((1, 5, 4, 4)),
        PLAIN | {"strideH": 2, "strideW": 2, "fusedActivationFunction": "RELU6"},
    ),
    "conv-dilated-one-scale": (
        "CONV_2D", [x((1, 9, 8, 3))], [weights(4, 3, 3, 3, axis=None), bias(4)], y((1, 5, 4, 4)),
        PLAIN | {"padding": "VALID", "dilationHFactor": 2, "dilationWFactor": 2},
    ),
    "conv-grouped": ("CONV_2D", [x((2, 6, 6, 4))], [weights(8, 3, 3, 2), bias(8)], y((2, 6, 6, 8)), PLAIN),
    "depthwise": (
        "DEPTHWISE_CONV_2D", [x((1, 7, 6, 3))], [weights(1, 3, 3, 6, axis=3), bias(6)], y((1, 7, 6, 6)),
        PLAIN | {"depthMultiplier": 2},
    ),
    "depthwise-one-channel": (
        "DEPTHWISE_CONV_2D", [x((1, 7, 6, 1))], [weights(1, 3, 3, 6, axis=None), bias(6)], y((1, 7, 6, 6)),
        PLAIN | {"depthMultiplier": 6},
    ),
    "fully-connected-4d": (
        "FULLY_CONNECTED", [x((2, 3, 2, 4))], [weights(5, 24, axis=None), bias(5)], y((2, 5)),
        {"fusedActivationFunction": "RELU"},
    ),
    # halves are where a product of scales rounded to float32 would show
    "fully-connected-halves": ("FULLY_CONNECTED", [x((200, 4))], [weights(5, 4, axis=None)], y((200, 5)), {}),
    "fully-connected-kept-dims": (
        "FULLY_CONNECTED", [x((2, 3, 4))], [weights(5, 4, axis=None)], y((2, 3, 5)), {"keepNumDims": True},
    ),
    "fully-connected-per-channel": (
        "FULLY_CONNECTED", [x((40, 4))], [weights(5, 4), bias(5)], y((40, 5)), {},
    ),
    "add": ("ADD", [x((2, 3, 4, 5)), x((1, 1, 4, 5), 0.03, -7, "z")], [], y((2, 3, 4, 5)), {}),
    "add-constant": (
        "ADD", [x((2, 3, 4, 5))], [int8((5,), 0.02, 4)], y((2, 3, 4, 5)), {"fusedActivationFunction": "RELU"},
    ),
    "sub": ("SUB", [x((2, 3, 4, 5)), x((2, 3, 4, 5), 0.03, -7, "z")], [], y((2, 3, 4, 5)), {}),
    "mul": ("MUL", [x((2, 3, 4, 5)), x((2, 1, 1, 5), 0.03, -7, "z")], [], y((2, 3, 4, 5)), {}),
    "mul-one-number": ("MUL", [x((2, 3, 4, 5))], [int8((1,), 0.02, 4)], y((2, 3, 4, 5)), {}),
    "avg-pool": (
        "AVERAGE_POOL_2D", [x((1, 7, 7, 3))], [], same((1, 4, 4, 3)),
        {"padding": "SAME", "strideH": 2, "strideW": 2, "filterHeight": 3, "filterWidth": 3},
    ),
    "max-pool": (
        "MAX_POOL_2D", [x((1, 7, 7, 3))], [], same((1, 7, 7, 3)),
        SAME | {"filterHeight": 3, "filterWidth": 3, "fusedActivationFunction": "RELU"},
    ),
    "mean": ("MEAN", [x((2, 5, 4, 3))], [constant([1, 2])], y((2, 3)), {"keepDims": False}),
    "mean-of-channels": ("MEAN", [x((2, 5, 4, 3))], [constant([-1])], y((2, 5, 4, 1)), {"keepDims": True}),
    "pad": ("PAD", [x((1, 3, 4, 2))], [constant([[0, 0], [1, 1], [1, 2], [0, 0]])], same((1, 5, 7, 2)), {}),
    "concat": (
        "CONCATENATION", [x((1, 3, 4, 2)), x((1, 3, 4, 3), name="z")], [], same((1, 3, 4, 5)), {"axis": 3},
    ),
    "concat-rows": (
        "CONCATENATION", [x((1, 3, 4, 2)), x((1, 2, 4, 2), name="z")], [], same((1, 5, 4, 2)), {"axis": -3},
    ),
    "reshape": ("RESHAPE", [x((1, 3, 4, 2))], [constant([6, 4])], same((6, 4)), {"newShape": [6, 4]}),
    "squeeze": ("SQUEEZE", [x((1, 3, 1, 2))], [], same((1, 3, 2)), {"squeezeDims": [2]}),
    "transpose": ("TRANSPOSE", [x((2, 3, 4, 5))], [constant([0, 3, 1, 2])], same((2, 5, 3, 4)), {}),
    "slice": (
        "STRIDED_SLICE", [x((1, 6, 7, 4))],
        [constant([0, 1, 6, 0]), T("e", (4,), "int32", np.array([1, 6, 0, 4], np.int32)),
         T("s", (4,), "int32", np.array([1, 2, -2, 1], np.int32))],
        same((1, 3, 3, 4)), {},
    ),
    "pack": (
        "PACK", [x((2, 9)), x((2, 9), name="z")], [], same((2, 2, 9)), {"axis": 1, "valuesCount": 2},
    ),
    "relu": ("RELU", [x((2, 99))], [], y((2, 99)), {}),
    "relu-same-scale": ("RELU", [x((2, 99))], [], same((2, 99)), {}),
    "relu6": ("RELU6", [x((2, 99))], [], y((2, 99)), {}),
    "relu-n1-to-1": ("RELU_N1_TO_1", [x((2, 99))], [], y((2, 99)), {}),
    "softmax": ("SOFTMAX", [x((2, 9))], [], y((2, 9), 1 / 256, -128), {"beta": 1.0}),
    "softmax-beta": ("SOFTMAX", [x((2, 9))], [], y((2, 9), 1 / 256, -128), {"beta": 0.5}),
    "logistic": ("LOGISTIC", [x((2, 99))], [], y((2, 99), 1 / 256, -128), {}),
    "tanh": ("TANH", [x((2, 99))], [], y((2, 99), 1 / 128, 0), {}),
    "hard-swish": ("HARD_SWISH", [x((2, 99))], [], y((2, 99), 0.05, -5), {}),
    "leaky-relu": ("LEAKY_RELU", [x((2, 99))], [], y((2, 99)), {"alpha": 0.1}),
    "prelu": ("PRELU", [x((1, 4, 4, 3))], [weights(1, 1, 3, axis=None)], y((1, 4, 4, 3)), {}),
    "nearest": ("RESIZE_NEAREST_NEIGHBOR", [x((1, 3, 4, 2))], [constant([6, 7])], same((1, 6, 7, 2)), {}),
    "nearest-corners": (
        "RESIZE_NEAREST_NEIGHBOR", [x((1, 3, 4, 2))], [constant([6, 7])], same((1, 6, 7, 2)),
        {"alignCorners": True},
    ),
    "bilinear": (
        "RESIZE_BILINEAR", [x((1, 3, 4, 2))], [constant([6, 7])], same((1, 6, 7, 2)),
        {"halfPixelCenters": True},
    ),
    "requantize": ("QUANTIZE", [x((2, 99))], [], y((2, 99)), {}),
    "quantize": ("QUANTIZE", [T("x", (2, 99), "float32")], [], y((2, 99)), {}),
    "dequantize": ("DEQUANTIZE", [x((2, 99))], [], T("y", (2, 99), "float32"), {}),
    "uint8-in": ("QUANTIZE", [x((2, 99), zero=131, dtype="uint8")], [], y((2, 99)), {}),
    "uint8-out": ("QUANTIZE", [x((2, 99))], [], y((2, 99), 0.05, 131, "uint8"), {}),
    "abs": ("ABS", [x((2, 99))], [], y((2, 99)), {}),
}  # fmt: skip


def model_of(case: Case) -> bytes:
    kind, inputs, constants, output, options = case
    tensors = [*inputs, *constants]
    op = Op(kind, [t.name for t in tensors], ["y"], options)
    return build(tensors=[*tensors, output], ops=[op], inputs=[t.name for t in inputs], outputs=["y"])


def values(spec: T) -> Array:
    if spec.dtype == "float32":
        return RNG.normal(0, 4, spec.shape).astype(np.float32)
    return RNG.integers(0, 256, spec.shape, np.uint8).view(spec.dtype)


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    case = CASES[name]
    model, inputs = model_of(case), [values(spec) for spec in case[1]]
    (expected,) = reference(model, *inputs)
    program = compile_to_program(model, name)
    for step in program.steps:
        check_step(step)
        assert step.op != "tir"
    memory = run_program(program, inputs)
    got = memory[program.outputs[0]]
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)
    assert program.tensors[program.outputs[0]].shape == expected.shape


@pytest.mark.shared_models
@pytest.mark.parametrize("name", ["kws_int8", "vww_int8", "ic_resnet8_int8", "ad01_int8"])
def test_whole_model(name: str, shared_models_dir: Any) -> None:
    model = (shared_models_dir / f"{name}.tflite").read_bytes()
    program = compile_to_program(model, name)
    shape = program.tensors[program.inputs[0]].shape
    for _ in range(2):
        image = RNG.integers(-128, 128, shape, np.int8)
        (expected,) = reference(model, image)
        np.testing.assert_array_equal(run_program(program, [image])[program.outputs[0]], expected)
