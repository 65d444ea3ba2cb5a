"""edgert.models.kernels: each network in C, on the host, gives the bytes of the reference interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from oracle import run_program
from tflite_builder import reference

import edgert
from edgert.codegen.pipeline import compile_to_program
from edgert.codegen.program import Program
from edgert.models.kernels import KERNELS

Array = np.ndarray[Any, Any]
SIZES: dict[str, tuple[str, dict[str, Any]]] = {  # smaller than their defaults; then every option
    "mlp": ("mlp", {"widths": (32, 64, 96, 24), "rows": 3}),
    "autoencoder": ("autoencoder", {"widths": (64, 32, 8, 32, 64), "rows": 4}),
    "cnn": ("cnn", {"channels": (8, 16, 16, 24, 8), "side": 16}),
    "gating": ("gating", {"width": 40, "hidden": 72, "rows": 5}),
    "gating-relu": ("gating", {"width": 40, "hidden": 72, "rows": 5, "gate": "relu"}),
    "attention": ("attention", {"tokens": 24, "width": 32}),
    "attention-heads": ("attention", {"tokens": 12, "width": 32, "heads": 4}),
    "inverted_residual": ("inverted_residual", {"side": 16, "expansion": 3}),
    "inverted_residual-odd": ("inverted_residual", {"channels": (3, 8, 8, 12), "side": 15}),
    "residual": ("residual", {"channels": 8, "side": 14}),
    "separable": ("separable", {"channels": (8, 16, 16, 24), "side": 14}),
}
OPERATORS = {
    "mlp": {"fully_connected_s8"},
    "autoencoder": {"fully_connected_s8"},
    "cnn": {"conv2d_s8", "max_pool2d_s8"},
    "gating": {"fully_connected_s8", "lut_s8", "mul_s8"},
    "attention": {"fully_connected_s8", "matmul_s8", "softmax_s8", "add_s8"},
    "inverted_residual": {"conv2d_s8", "depthwise_conv2d_s8", "add_s8"},
    "residual": {"conv2d_s8", "add_s8"},
    "separable": {"conv2d_s8", "depthwise_conv2d_s8"},
}


def inputs_of(program: Program, count: int) -> list[Array]:
    shape = program.tensors[program.inputs[0]].shape
    return list(np.random.default_rng(11).integers(-128, 128, (count, *shape), np.int8))


@pytest.mark.parametrize("name", SIZES)
def test_same_bytes_as_the_reference(name: str) -> None:
    kind, sizes = SIZES[name]
    model = KERNELS[kind](**sizes)
    program = compile_to_program(model, kind)
    artifact = edgert.compile(model, board="host", name=kind, use_cache=False)
    with edgert.connect(artifact) as session:
        for x in inputs_of(program, 10):
            (expected,) = reference(model, x)
            np.testing.assert_array_equal(session.run(x)[0], expected)
            np.testing.assert_array_equal(run_program(program, [x])[0], expected, "oracle")


@pytest.mark.parametrize("kind", KERNELS)
def test_default_sizes(kind: str) -> None:
    """Operators, one name for each layer, and the same bytes from the same parameters."""
    model = KERNELS[kind]()
    assert model == KERNELS[kind]()
    program = compile_to_program(model, kind)
    assert {step.op for step in program.steps} == OPERATORS[kind]
    names = [step.name for step in program.steps]
    assert len(set(names)) == len(names) and not any(name.startswith("lv") for name in names)
    assert 10**6 < program.macs < 10**8


@pytest.mark.parametrize("name", SIZES)
def test_activations_use_their_range(name: str) -> None:
    """At most two values in a thousand saturate, a ReLU's and a max pool's zeros aside; no layer is flat."""
    kind, sizes = SIZES[name]
    model = KERNELS[kind](**sizes)
    program = compile_to_program(model, kind)
    written = {name: program.tensors[name].quant for step in program.steps for name in step.outputs}
    seen = _values(model, set(written), inputs_of(program, 10))
    assert set(seen) == set(written)
    for layer, values in seen.items():
        quant = written[layer]
        assert quant is not None, layer
        inside = values[values != -128] if quant.zero_point == -128 else values
        assert np.mean(inside == 127) < 2e-3 and np.mean(inside == -128) < 2e-3, layer
        assert np.ptp(values) > 100, layer


def _values(model: bytes, names: set[str], inputs: list[Array]) -> dict[str, Array]:
    """These tensors in the reference interpreter, over all inputs."""
    interpreter = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    indices = {d["name"]: d["index"] for d in interpreter.get_tensor_details() if d["name"] in names}
    seen: dict[str, list[Array]] = {name: [] for name in indices}
    for x in inputs:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        for name, index in indices.items():
            seen[name].append(interpreter.get_tensor(index).astype(np.int32))
    return {name: np.stack(values) for name, values in seen.items()}
