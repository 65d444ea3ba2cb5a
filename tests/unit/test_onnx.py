"""QDQ ONNX: the C equals our integer oracle byte for byte, and onnxruntime within one step.

One step, since onnxruntime dequantizes, computes in float32 and rounds halves to even, where we compute
in integers and round halves away from zero (docs/numerics.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from oracle import run_program

import edgert
from edgert.codegen.pipeline import compile_to_program
from edgert.codegen.program import Program
from edgert.errors import ModelError, UnsupportedOperatorError

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(3)


class Network:
    """Builds a QDQ graph: x (float) -> Q -> DQ -> ... -> Q -> DQ -> y (float)."""

    def __init__(self, shape: tuple[int, ...], dtype: type = np.int8, batch: int | str = 1) -> None:
        self.dtype, self.shape = dtype, shape
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self.port = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, *shape[1:]])
        self.input = self.qdq("x", 0.02, 3)

    def node(self, op: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> Any:
        names = [f"{op.lower()}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(
            onnx.helper.make_node(op, inputs, names, name=f"node{len(self.nodes)}", **attributes)
        )
        return names[0] if outputs == 1 else names

    def constant(self, array: Any) -> str:
        name = f"constant{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def qdq(self, x: str, scale: float, zero: int) -> str:
        offset = 128 if self.dtype is np.uint8 else 0
        params = [self.constant(np.float32(scale)), self.constant(self.dtype(zero + offset))]
        return str(self.node("DequantizeLinear", [self.node("QuantizeLinear", [x, *params]), *params]))

    def weights(self, shape: tuple[int, ...], axis: int = 0, *, per_channel: bool = True) -> str:
        real = RNG.normal(size=shape)
        others = tuple(i for i in range(real.ndim) if i != axis)
        scale = np.abs(real).max(others if per_channel else None) / 127
        spread = scale.reshape([-1 if i == axis else 1 for i in range(real.ndim)]) if per_channel else scale
        q = np.clip(np.rint(real / spread), -127, 127).astype(np.int8)
        inputs = [
            self.constant(q),
            self.constant(np.float32(scale)),
            self.constant(np.zeros(np.shape(scale), "int8")),
        ]
        return str(self.node("DequantizeLinear", inputs, **({"axis": axis} if per_channel else {})))

    def model(self, y: str, opset: int = 18) -> bytes:
        initializers = [onnx.numpy_helper.from_array(a, n) for n, a in self.constants.items()]
        output = onnx.helper.make_tensor_value_info(y, onnx.TensorProto.FLOAT, None)
        graph = onnx.helper.make_graph(self.nodes, "test", [self.port], [output], initializers)
        imports = [onnx.helper.make_opsetid("", opset)]
        inferred = onnx.shape_inference.infer_shapes(
            onnx.helper.make_model(graph, opset_imports=imports, ir_version=9)
        )
        return bytes(inferred.SerializeToString())


def onnxruntime_says(model: bytes, x: Array) -> Array:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x})
    return np.asarray(y)


def check(network: Network, y: str, scale: float, steps: float = 1) -> Program:
    """scale: of the output. Returns what was compared."""
    model = network.model(y)
    x = RNG.normal(size=network.shape).astype(np.float32)
    artifact = edgert.compile(model, board="host", name="onnx")
    (got,) = artifact.run_host(x)
    program = compile_to_program(model, "onnx")
    assert all(step.op != "tir" for step in program.steps), "no kernel took it"
    np.testing.assert_array_equal(got, run_program(program, [x])[0])
    expected = onnxruntime_says(model, x)
    assert got.shape == expected.shape
    distance = np.abs(got.astype(np.float64) - expected).max() / scale
    assert distance <= steps + 1e-3, f"{distance} steps from onnxruntime"
    return program


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((1, 3, 8, 8), (8, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    "pointwise": ((1, 5, 4, 4), (7, 5, 1, 1), {}),
    "strided": ((1, 4, 9, 7), (6, 4, 3, 3), {"strides": [2, 2], "pads": [0, 1, 1, 0]}),
    "same_upper": ((1, 3, 7, 7), (4, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "same_lower": ((1, 3, 8, 8), (4, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    "dilated": ((1, 2, 9, 9), (4, 2, 3, 3), {"dilations": [2, 2]}),
    "grouped": ((1, 6, 5, 5), (4, 3, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "depthwise": ((1, 8, 6, 6), (8, 1, 3, 3), {"group": 8, "pads": [1, 1, 1, 1]}),
    "depth_multiplier": ((1, 4, 6, 6), (8, 1, 3, 3), {"group": 4}),
}


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("relu", [False, True])
def test_convolution(case: str, dtype: type, relu: bool) -> None:
    x_shape, w_shape, attributes = CONVOLUTIONS[case]
    n = Network(x_shape, dtype)
    bias = n.constant(RNG.normal(size=w_shape[0]).astype(np.float32))
    y = n.node("Conv", [n.input, n.weights(w_shape), bias], **attributes)
    y = n.node("Relu", [y]) if relu else y
    check(n, n.qdq(y, 0.1, -128 if relu else 4), 0.1)


@pytest.mark.parametrize("per_channel", [False, True])
def test_convolution_without_bias_or_per_tensor(per_channel: bool) -> None:
    n = Network((1, 3, 5, 5))
    y = n.node("Conv", [n.input, n.weights((4, 3, 3, 3), per_channel=per_channel)])
    check(n, n.qdq(y, 0.1, 4), 0.1)


@pytest.mark.parametrize("kind", ["gemm", "gemm_transposed", "matmul", "matmul_add"])
def test_dense(kind: str) -> None:
    n = Network((1, 12))
    transposed = kind == "gemm_transposed"
    w = n.weights((5, 12), 0) if transposed else n.weights((12, 5), 1)
    bias = n.constant(RNG.normal(size=5).astype(np.float32))
    if kind.startswith("gemm"):
        y = n.node("Gemm", [n.input, w, bias], transB=int(transposed))
    else:
        y = n.node("MatMul", [n.input, w])
        y = n.node("Add", [y, bias]) if kind == "matmul_add" else y
    check(n, n.qdq(y, 0.1, -3), 0.1)


@pytest.mark.parametrize("shape", [(4, 6), (1, 5, 6), (2, 3, 5, 6)], ids=str)
def test_product_of_two_activations(shape: tuple[int, ...]) -> None:
    """x times its own transpose, times x: whatever the rank, products of integers."""
    n = Network(shape, batch=shape[0])
    axes = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    turned = n.qdq(n.node("Transpose", [n.input], perm=axes), 0.02, 3)
    scores = n.qdq(n.node("MatMul", [n.input, turned]), 0.15, -20)
    program = check(n, n.qdq(n.node("MatMul", [scores, n.input]), 0.8, 5), 0.8)
    assert [step.op for step in program.steps if "matmul" in step.op] == ["matmul_s8"] * 2


def test_a_dense_layer_of_tokens_is_dense() -> None:
    """[1, tokens, in] by [in, out]: the reshape behind the product is in nobody's way."""
    n = Network((1, 7, 12))
    program = check(n, n.qdq(n.node("MatMul", [n.input, n.weights((12, 5), 1)]), 0.1, -3), 0.1)
    assert "fully_connected_s8" in {step.op for step in program.steps}


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("other", ["activation", "channel", "scalar"])
def test_binary(op: str, other: str) -> None:
    n = Network((1, 4, 5, 3))
    relu = n.qdq(n.node("Relu", [n.input]), 0.015, -128)
    shapes = {"channel": (1, 4, 1, 1), "scalar": ()}
    if other == "activation":
        b = relu
    else:
        q = n.constant(RNG.integers(-128, 128, shapes[other]).astype(np.int8))
        b = n.node("DequantizeLinear", [q, n.constant(np.float32(0.01)), n.constant(np.int8(5))])
    check(n, n.qdq(n.node(op, [n.input, b]), 0.04, 2), 0.04)


UNARY: dict[str, dict[str, Any]] = {
    "Relu": {}, "Sigmoid": {}, "Tanh": {}, "HardSwish": {}, "LeakyRelu": {"alpha": 0.1},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5}, "Abs": {}, "Exp": {},
}  # fmt: skip


@pytest.mark.parametrize("op", UNARY)
def test_unary(op: str) -> None:
    n = Network((1, 4, 5, 3))
    check(n, n.qdq(n.node(op, [n.input], **UNARY[op]), 0.03, -20), 0.03)


def test_clip_and_prelu() -> None:
    n = Network((1, 4, 5, 3))
    y = n.node("Clip", [n.input, n.constant(np.float32(-0.5)), n.constant(np.float32(1.5))])
    y = n.qdq(y, 0.02, -60)
    slope = n.constant(RNG.integers(-100, 100, (4, 1, 1)).astype(np.int8))
    slope = n.node("DequantizeLinear", [slope, n.constant(np.float32(0.01)), n.constant(np.int8(0))])
    check(n, n.qdq(n.node("PRelu", [y, slope]), 0.02, -10), 0.02, steps=2)  # two operators, a step each


POOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "max": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "max_padded": ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "average": ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "average_padded": ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "average_counting": (
        "AveragePool",
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    "global": ("GlobalAveragePool", {}),
    "mean": ("ReduceMean", {"keepdims": 0}),
}


@pytest.mark.parametrize("case", POOLS)
def test_pool(case: str) -> None:
    op, attributes = POOLS[case]
    n = Network((1, 4, 8, 6))
    inputs = [n.input, n.constant(np.array([2, 3]))] if op == "ReduceMean" else [n.input]
    check(n, n.qdq(n.node(op, inputs, **attributes), 0.02, 3), 0.02)


def test_softmax() -> None:
    n = Network((1, 10))
    check(n, n.qdq(n.node("Softmax", [n.input], axis=-1), 1 / 256, -128), 1 / 256)


def _moved(n: Network, case: str) -> str:
    x, of = n.input, n.constant
    made = {
        "reshape": lambda: n.node("Reshape", [x, of(np.array([1, 4, 30]))]),
        "flatten": lambda: n.node("Flatten", [x]),
        "transpose": lambda: n.node("Transpose", [x], perm=[0, 2, 3, 1]),
        "transpose_cw": lambda: n.node("Transpose", [x], perm=[0, 3, 2, 1]),
        "concat": lambda: n.node("Concat", [x, n.qdq(n.node("Relu", [x]), 0.02, 3)], axis=1),
        "slice": lambda: n.node("Slice", [x, *(of(np.array(v)) for v in ([1, 0], [4, 6], [1, 2], [1, 2]))]),
        "pad": lambda: n.node("Pad", [x, of(np.array([0, 0, 1, 2, 0, 1, 0, 3])), of(np.float32(0))]),
        "nearest": lambda: n.node(
            "Resize", [x, "", of(np.array([1, 1, 2, 2], np.float32))],
            mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        ),
        "unsqueeze": lambda: n.node("Unsqueeze", [n.node("Flatten", [x]), of(np.array([1]))]),
        "squeeze": lambda: n.node("Squeeze", [x, of(np.array([0]))]),
    }  # fmt: skip
    return str(made[case]())


MOVERS = (
    "reshape", "flatten", "transpose", "transpose_cw", "concat", "slice", "pad", "nearest", "unsqueeze",
    "squeeze",
)  # fmt: skip


@pytest.mark.parametrize("case", MOVERS)
def test_data_movement(case: str) -> None:
    n = Network((1, 4, 6, 5))
    check(n, n.qdq(_moved(n, case), 0.02, 3), 0.02)


def test_linear_resize() -> None:
    n = Network((1, 2, 4, 5))
    scales = n.constant(np.array([1, 1, 2, 2], np.float32))
    y = n.node("Resize", [n.input, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")
    check(n, n.qdq(y, 0.02, 3), 0.02)


def test_split() -> None:
    n = Network((1, 6, 4, 3))
    first, second = n.node("Split", [n.input], 2, axis=1, num_outputs=2)
    check(n, n.qdq(n.node("Sub", [first, second]), 0.03, 0), 0.03)


@pytest.mark.parametrize("board", ["cortex-m4-emulated", "rv32imc-emulated"])
def test_same_bytes_on_a_board(board: str) -> None:
    n = Network((1, 3, 8, 8), np.uint8)
    bias = n.constant(RNG.normal(size=6).astype(np.float32))
    y = n.node("Conv", [n.input, n.weights((6, 3, 3, 3)), bias], pads=[1, 1, 1, 1])
    y = n.qdq(n.node("Relu", [y]), 0.1, -128)
    y = n.qdq(n.node("GlobalAveragePool", [y]), 0.05, -10)
    y = n.node("Gemm", [n.node("Flatten", [y]), n.weights((4, 6)), n.constant(np.zeros(4, "f"))], transB=1)
    model = n.model(n.qdq(y, 0.1, 0))
    x = RNG.normal(size=n.shape).astype(np.float32)
    artifact = edgert.compile(model, board=board, name="onnx")
    with edgert.connect(artifact) as session:
        np.testing.assert_array_equal(session.run(x)[0], artifact.run_host(x)[0])


def test_dynamic_batch_is_one() -> None:
    n = Network((1, 3, 5, 5), batch="N")
    check(n, n.qdq(n.node("Conv", [n.input, n.weights((4, 3, 3, 3))]), 0.1, 4), 0.1)


def test_float_network() -> None:
    """No quantization: TVM's importer and the TIR printer. Tolerance: 27 products, each off by 2^-23."""
    n = Network((1, 3, 6, 6))
    n.nodes.clear()
    w = n.constant(RNG.normal(size=(4, 3, 3, 3)).astype(np.float32))
    model = n.model(n.node("Relu", [n.node("Conv", ["x", w])]))
    x = RNG.normal(size=n.shape).astype(np.float32)
    (got,) = edgert.compile(model, board="host", name="onnx").run_host(x)
    np.testing.assert_allclose(got, onnxruntime_says(model, x), atol=27 * 2**-23 * 10)


def test_zero_points_may_be_left_out() -> None:
    """They are then 0, and the integers uint8."""
    n = Network((1, 3, 6, 6))
    n.nodes.clear()

    def qdq(x: str, scale: float) -> str:
        s = n.constant(np.float32(scale))
        return str(n.node("DequantizeLinear", [n.node("QuantizeLinear", [x, s]), s]))

    y = qdq(n.node("Conv", [qdq("x", 0.02), n.weights((4, 3, 3, 3))]), 0.1)
    check(n, y, 0.1)


def test_unsigned_interface() -> None:
    """uint8 in, uint8 out, int8 inside."""
    n = Network((1, 2, 4, 4), np.uint8)
    n.nodes.clear()
    helper, kind = onnx.helper, onnx.TensorProto.UINT8
    n.port = helper.make_tensor_value_info("x", kind, [1, 2, 4, 4])
    scale, zero = n.constant(np.float32(0.02)), n.constant(np.uint8(120))
    real = n.node("Relu", [n.node("DequantizeLinear", ["x", scale, zero])])
    y = n.node("QuantizeLinear", [real, scale, zero])
    model = onnx.load_from_string(n.model(y))
    model.graph.output[0].type.tensor_type.elem_type = kind
    data = model.SerializeToString()
    x = RNG.integers(0, 256, (1, 2, 4, 4)).astype(np.uint8)
    (got,) = edgert.compile(data, board="host", name="onnx").run_host(x)
    np.testing.assert_array_equal(got, onnxruntime_says(data, x))


@pytest.mark.parametrize("data", [b"\x08\x07", b"random bytes that are no model", bytes(100), b"\xff" * 40])
def test_damaged_files(data: bytes) -> None:
    with pytest.raises(ModelError):
        compile_to_program(data, "bad")


def test_truncated_files() -> None:
    n = Network((1, 3, 5, 5))
    model = n.model(n.qdq(n.node("Conv", [n.input, n.weights((4, 3, 3, 3))]), 0.1, 4))
    for length in range(0, len(model), 97):
        with pytest.raises((ModelError, UnsupportedOperatorError)):
            compile_to_program(model[:length], "bad")


def test_unsupported_operator_says_which_and_where() -> None:
    n = Network((1, 4, 6, 6))
    y = n.qdq(n.node("LRN", [n.input], size=3), 0.1, 0)
    with pytest.raises(UnsupportedOperatorError, match=r"operator 3 of 5, 'node2' \(LRN\)"):
        compile_to_program(n.model(y), "net")


def test_dynamic_side_is_refused() -> None:
    n = Network((1, 3, 5, 5))
    n.port.type.tensor_type.shape.dim[2].dim_param = "height"
    with pytest.raises(ModelError, match="height"):
        compile_to_program(n.model(n.qdq(n.node("Relu", [n.input]), 0.1, 0)), "net")
