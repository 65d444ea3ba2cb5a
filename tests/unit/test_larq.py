"""Larq Compute Engine's custom operators, against their definition in NumPy and PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from tflite_builder import Op, T, build

import edgert
from edgert.codegen.kernels.bits import pack_bits
from edgert.codegen.pipeline import compile_to_program
from edgert.errors import UnsupportedOperatorError

F = torch.nn.functional
Array = np.ndarray[Any, Any]
SAME, VALID = 0, 1
CONV = {
    "stride_height": 1, "stride_width": 1, "dilation_height_factor": 1, "dilation_width_factor": 1,
    "fused_activation_function": 0, "pad_values": 1, "padding": SAME,
}  # fmt: skip
POOL = {"filter_height": 2, "filter_width": 2, "stride_height": 2, "stride_width": 2, "padding": VALID}
CHANNELS = (40, 33)


def network(options: Mapping[str, Any], seed: int = 0) -> tuple[bytes, dict[str, Array]]:
    """float -> LceQuantize -> LceBconv2d with thresholds -> LceBMaxPool2d -> LceBconv2d with floats."""
    rng = np.random.default_rng(seed)
    a, b = CHANNELS
    made = {
        "w0": rng.random((a, 3, 3, 20)) < 0.5, "w1": rng.random((b, 3, 3, a)) < 0.5,  # True: negative
        "threshold": rng.integers(70, 110, a).astype(np.int32),
        "gain": rng.normal(size=b).astype(np.float32), "shift": rng.normal(size=b).astype(np.float32),
    }  # fmt: skip
    out = 4 if options.get("padding", SAME) == SAME else 2
    packed = {name: pack_bits(made[name]).view(np.int32) for name in ("w0", "w1")}
    tensors = [
        T("x", (1, 8, 8, 20), "float32"), T("q", (1, 8, 8, 1), "int32"),
        T("w0", packed["w0"].shape, "int32", packed["w0"]), T("t", (a,), "int32", made["threshold"]),
        T("c0", (1, 8, 8, 2), "int32"), T("p0", (1, 4, 4, 2), "int32"),
        T("w1", packed["w1"].shape, "int32", packed["w1"]),
        T("g", (b,), "float32", made["gain"]), T("s", (b,), "float32", made["shift"]),
        T("y", (1, out, out, b), "float32"),
    ]  # fmt: skip
    ops = [
        Op("CUSTOM LceQuantize", ["x"], ["q"], {"unused": 0}),
        Op("CUSTOM LceBconv2d", ["q", "w0", "", "", "t"], ["c0"], CONV | {"channels_in": 20}),
        Op("CUSTOM LceBMaxPool2d", ["c0"], ["p0"], POOL),
        Op("CUSTOM LceBconv2d", ["p0", "w1", "g", "s", ""], ["y"], CONV | {"channels_in": a} | dict(options)),
    ]
    return build(tensors=tensors, ops=ops, inputs=["x"], outputs=["y"]), made


def convolved(x: Array, negative: Array, outside: float, pad: int = 1) -> Array:
    image = F.pad(torch.from_numpy(x).permute(0, 3, 1, 2), (pad,) * 4, value=outside)
    weights = torch.from_numpy(np.where(negative, -1.0, 1.0)).permute(0, 3, 1, 2)
    return F.conv2d(image, weights).permute(0, 2, 3, 1).numpy()


def expected(x: Array, made: Mapping[str, Array], options: Mapping[str, Any]) -> Array:
    signs = np.where(x >= 0, 1.0, -1.0)
    n = made["w0"][0].size
    differ = (n - convolved(signs, made["w0"], 1.0)) / 2
    bits = np.where(differ > made["threshold"], -1.0, 1.0)
    pooled = bits.reshape(1, 4, 2, 4, 2, -1).max((2, 4))
    pad = 1 if options.get("padding", SAME) == SAME else 0
    dot = convolved(pooled, made["w1"], float(options.get("pad_values", 1)), pad)
    dot = np.maximum(dot, 0) if options.get("fused_activation_function") == 1 else dot
    return dot.astype(np.float32) * made["gain"] + made["shift"]


@pytest.mark.parametrize(
    "options",
    [{}, {"pad_values": 0}, {"padding": VALID}, {"fused_activation_function": 1}],
    ids=["ones", "zeros", "valid", "relu"],
)
def test_a_network(options: dict[str, Any]) -> None:
    model, made = network(options)
    program = compile_to_program(model, "larq.tflite")
    ops = [step.op for step in program.steps if step.op != "tir"]
    assert ops == ["sign_f32_b1", "conv2d_b1", "max_pool2d_b1", "conv2d_b1_f32"]
    x = np.random.default_rng(1).normal(size=(1, 8, 8, 20)).astype(np.float32)
    x[0, 0, 0, :3] = 0.0
    with edgert.connect(edgert.compile(model, board="host", name="larq")) as session:
        np.testing.assert_array_equal(session.run(x)[0], expected(x, made, options))


def test_dequantized() -> None:
    tensors = [T("x", (1, 2, 2, 5)), T("q", (1, 2, 2, 1), "int32"), T("y", (1, 2, 2, 5), "float32")]
    tensors[0] = T("x", (1, 2, 2, 5), scale=0.5, zero=3)
    ops = [
        Op("CUSTOM LceQuantize", ["x"], ["q"], {"unused": 0}),
        Op("CUSTOM LceDequantize", ["q"], ["y"], {"unused": 0}),
    ]
    model = build(tensors=tensors, ops=ops, inputs=["x"], outputs=["y"])
    x = np.arange(-7, 13, dtype=np.int8).reshape(1, 2, 2, 5)
    with edgert.connect(edgert.compile(model, board="host", name="larq")) as session:
        np.testing.assert_array_equal(session.run(x)[0], np.where(x >= 3, 1.0, -1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"padding": 7}, "padding number 7"), ({"channels_in": 12}, "all input channels")],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedOperatorError, match=message):
        compile_to_program(network(options)[0], "larq.tflite")
