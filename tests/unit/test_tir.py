"""What TVM legalises and we print to C computes what numpy says: one Relax operator at a time, on the host.

Tolerance of float results: 1e-5 relative to the largest term, for sums of at most 75 products in float32
(75 * 2^-23 = 9e-6); everything else is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax, tirx
from tvm.ir import Expr
from tvm.relax import op as R

from edgert import api
from edgert.codegen import pipeline
from edgert.codegen.lower import lower
from edgert.codegen.program import Program
from edgert.codegen.tir import print_primfunc
from edgert.drivers.session import Session
from edgert.errors import UnsupportedOperatorError

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)
X = RNG.normal(size=(1, 6, 5, 4)).astype(np.float32)
W = RNG.normal(size=(3, 3, 4, 8)).astype(np.float32)
ROW = RNG.normal(size=(4,)).astype(np.float32)
M = RNG.normal(size=(4, 7)).astype(np.float32)


def const(array: Any) -> Expr:
    return relax.const(array, str(np.asarray(array).dtype))


def module(function: Callable[[Expr], Expr], x: Array) -> tvm.IRModule:
    """main(x) = function(x), as a front end would leave it."""
    builder = relax.BlockBuilder()
    param = relax.Var("x", relax.TensorType(x.shape, str(x.dtype)))
    with builder.function("main"):
        with builder.dataflow():
            result = builder.emit_output(builder.normalize(function(param)), "y")
        builder.emit_func_output(result, [param])
    made = builder.get()
    made["main"] = made["main"].with_attr("quant", [0.0, 0.0, 0.0, 0.0])
    return made


def program(function: Callable[[Expr], Expr], x: Array) -> Program:
    return lower(pipeline.run_phases(module(function, x)), "net", print_primfunc)


def run(function: Callable[[Expr], Expr], x: Array, name: str, monkeypatch: pytest.MonkeyPatch) -> Array:
    lowered = program(function, x)
    assert any(step.op == "tir" for step in lowered.steps)
    monkeypatch.setattr(pipeline, "compile_to_program", lambda data, name: lowered)
    data = f"a model made in memory: {name} {x.dtype}".encode()
    artifact = api.compile(data, board="host", use_cache=False)
    session: Session
    with api.connect(artifact) as session:
        return session.run(x)[0]


def _pool(x: Array, reduce: Callable[..., Array]) -> Array:
    return np.asarray(reduce(x[:, :6, :4].reshape(1, 3, 2, 2, 2, 4), axis=(2, 4)))


def _conv(x: Array) -> Array:
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((1, 6, 5, 8), np.float64)
    for u, v in np.ndindex(3, 3):
        out += padded[:, u : u + 6, v : v + 5].astype(np.float64) @ W[u, v]
    return out


def _relax_conv(x: Expr) -> Expr:
    return R.nn.conv2d(x, const(W), padding=1, data_layout="NHWC", kernel_layout="HWIO")


def _softmax(x: Array) -> Array:
    e = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


CASES: dict[str, tuple[Callable[[Expr], Expr], Callable[[Array], Array]]] = {
    "conv2d": (lambda x: _relax_conv(x), _conv),
    "conv2d_relu": (lambda x: R.nn.relu(_relax_conv(x)), lambda x: np.maximum(_conv(x), 0)),
    "matmul": (lambda x: R.matmul(R.reshape(x, (30, 4)), const(M)), lambda x: x.reshape(30, 4) @ M),
    "add": (lambda x: R.add(x, const(ROW)), lambda x: x + ROW),
    "subtract": (lambda x: R.subtract(x, const(ROW)), lambda x: x - ROW),
    "multiply": (lambda x: R.multiply(x, x), lambda x: x * x),
    "divide": (lambda x: R.divide(x, const(ROW)), lambda x: x / ROW),
    "maximum": (lambda x: R.maximum(x, const(ROW)), lambda x: np.maximum(x, ROW)),
    "max_pool": (
        lambda x: R.nn.max_pool2d(x, (2, 2), (2, 2), layout="NHWC"), lambda x: _pool(x, np.max),
    ),
    "avg_pool": (
        lambda x: R.nn.avg_pool2d(x, (2, 2), (2, 2), layout="NHWC"), lambda x: _pool(x, np.mean),
    ),
    "mean": (lambda x: R.mean(x, [1, 2]), lambda x: x.mean((1, 2))),
    "sum": (lambda x: R.sum(x, [3]), lambda x: x.sum(3)),
    "max": (lambda x: R.max(x, [1]), lambda x: x.max(1)),
    "softmax": (lambda x: R.nn.softmax(x), _softmax),
    "sigmoid": (R.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (R.tanh, np.tanh),
    "exp": (R.exp, np.exp),
    "log": (lambda x: R.log(R.abs(x)), lambda x: np.log(np.abs(x))),
    "sqrt": (lambda x: R.sqrt(R.abs(x)), lambda x: np.sqrt(np.abs(x))),
    "clip": (lambda x: R.clip(x, -0.5, 0.5), lambda x: np.clip(x, -0.5, 0.5)),
    "floor": (R.floor, np.floor),
    "leaky_relu": (lambda x: R.nn.leakyrelu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    "silu": (R.nn.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": (R.nn.gelu_tanh, lambda x: x / 2 * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))),
    "layer_norm": (
        lambda x: R.nn.layer_norm(x, const(np.ones(4, "f")), const(ROW), [3]),
        lambda x: (x - x.mean(3, keepdims=True)) / np.sqrt(x.var(3, keepdims=True) + 1e-5) + ROW,
    ),
    "where": (lambda x: R.where(R.greater(x, const(np.float32(0))), x, R.negative(x)), np.abs),
    "cast": (
        lambda x: R.astype(R.multiply(x, const(np.float32(20))), "int32"), lambda x: (x * 20).astype("i4"),
    ),
    "argmax": (lambda x: R.argmax(x, 3), lambda x: x.argmax(3)),
    "take": (lambda x: R.take(x, const(np.array([2, 0])), 3), lambda x: x[..., [2, 0]]),
    "tile": (lambda x: R.tile(x, (1, 2, 1, 1)), lambda x: np.tile(x, (1, 2, 1, 1))),
    "variance": (lambda x: R.variance(x, [1, 2]), lambda x: x.var((1, 2))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_float(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, expected = CASES[name]
    y, exact = run(function, X, name, monkeypatch), np.asarray(expected(X))
    assert y.shape == exact.shape
    if np.issubdtype(y.dtype, np.integer):
        np.testing.assert_array_equal(y, exact)
    else:
        np.testing.assert_allclose(y, exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())


INTEGERS = RNG.integers(-100, 100, (2, 3, 4)).astype(np.int32)
INTEGER_CASES: dict[str, tuple[Callable[[Expr], Expr], Callable[[Array], Array]]] = {
    "add": (lambda x: R.add(x, const(np.int32(7))), lambda x: x + 7),
    "floor_divide": (lambda x: R.floor_divide(x, const(np.int32(7))), lambda x: x // 7),
    "minimum": (lambda x: R.minimum(x, const(np.int32(3))), lambda x: np.minimum(x, 3)),
    "sum": (lambda x: R.sum(x, [1]), lambda x: x.sum(1)),
    "narrow": (lambda x: R.astype(x, "int8"), lambda x: x.astype(np.int8)),
}


@pytest.mark.parametrize("name", INTEGER_CASES)
def test_integers_are_exact(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, expected = INTEGER_CASES[name]
    np.testing.assert_array_equal(run(function, INTEGERS, name, monkeypatch), expected(INTEGERS))


def test_the_text_is_stable() -> None:
    texts = [[s.tir.source for s in program(CASES["softmax"][0], X).steps if s.tir] for _ in range(2)]
    assert texts[0] == texts[1]


def test_what_cannot_be_printed_is_refused_by_name() -> None:
    x = tirx.decl_buffer((4,), "float16", name="x")
    body = tirx.BufferStore(x, tirx.FloatImm("float16", 1.0), [0])
    with pytest.raises(UnsupportedOperatorError, match="float16"):
        print_primfunc(tirx.PrimFunc([x], body), "half")


@pytest.mark.shared_models
def test_a_float_network(shared_models_dir: Path) -> None:
    """1e-5: probabilities; sums of up to 576 products, then a softmax."""
    from tflite_builder import reference

    import edgert

    path = shared_models_dir / "ic_resnet8_fp32.tflite"
    x = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    (y,) = edgert.compile(path, board="host").run_host(x)
    np.testing.assert_allclose(y, reference(path.read_bytes(), x)[0], atol=1e-5)
