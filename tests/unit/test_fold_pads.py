"""A pad before convolutions is their border: same bytes, no copy; any other stays a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tflite_builder import Op, T, build, reference

import edgert
from edgert.codegen.pipeline import compile_to_program

SIDE, CHANNELS = 9, 8
Pads = tuple[tuple[int, int], tuple[int, int]]


def padded(
    kernel: int,
    pads: Pads,
    stride: int = 1,
    dilation: int = 1,
    *,
    value: int | None = None,
    deep: bool = False,
) -> bytes:
    """A convolution, a pad, and a convolution without a border of its own (deep: a depthwise one)."""
    draw = np.random.default_rng(kernel)
    rows, cols = (SIDE + sum(pad) for pad in pads)
    reach = dilation * (kernel - 1) + 1
    out = [(side - reach) // stride + 1 for side in (rows, cols)]
    options: dict[str, Any] = {"dilationHFactor": 1, "dilationWFactor": 1, "strideH": 1, "strideW": 1}
    second = {
        "dilationHFactor": dilation, "dilationWFactor": dilation, "strideH": stride, "strideW": stride,
        "padding": "VALID",
    }  # fmt: skip
    shape = (1, kernel, kernel, CHANNELS) if deep else (CHANNELS, kernel, kernel, CHANNELS)
    kind = "DEPTHWISE_CONV_2D" if deep else "CONV_2D"
    weights = {"u": (CHANNELS, 3, 3, CHANNELS), "v": shape}
    tensors = [
        T("x", (1, SIDE, SIDE, CHANNELS), scale=0.05, zero=3),
        T("a", (1, SIDE, SIDE, CHANNELS), scale=0.1, zero=-5),
        T("pads", (4, 2), dtype="int32", data=np.array([[0, 0], *pads, [0, 0]], np.int32)),
        T("p", (1, rows, cols, CHANNELS), scale=0.1, zero=-5),
        T("y", (1, *out, CHANNELS), scale=0.3, zero=7),
        T("b", (CHANNELS,), dtype="int32", data=np.arange(CHANNELS, dtype=np.int32), scale=0.001),
        *(T(n, s, data=draw.integers(-127, 128, s).astype(np.int8), scale=0.01) for n, s in weights.items()),
    ]
    pad = Op("PAD", ["a", "pads"], ["p"])
    if value is not None:
        tensors.append(T("value", (1,), data=np.array([value], np.int8), scale=0.1, zero=-5))
        pad = Op("PADV2", ["a", "pads", "value"], ["p"])
    extra = {"depthMultiplier": 1} if deep else {}
    ops = [
        Op("CONV_2D", ["x", "u", "b"], ["a"], options | {"padding": "SAME"}), pad,
        Op(kind, ["p", "v", "b"], ["y"], second | extra),
    ]  # fmt: skip
    return build(tensors=tensors, ops=ops, inputs=["x"], outputs=["y"])


FOLDED: list[tuple[int, Pads, int, int, bool]] = [
    (3, ((1, 1), (1, 1)), 2, 1, False),
    (3, ((1, 1), (1, 1)), 2, 1, True),
    (3, ((1, 0), (0, 2)), 1, 1, False),
    (3, ((0, 2), (2, 1)), 1, 1, True),
    (5, ((2, 3), (4, 1)), 2, 1, False),
    (3, ((2, 2), (1, 2)), 1, 2, False),
]


@pytest.mark.parametrize(
    "board", ["host", "cortex-m4-emulated", "cortex-m0plus-emulated", "rv32imc-emulated"]
)
def test_a_border_of_the_zero_point_is_the_convolutions(board: str) -> None:
    for kernel, pads, stride, dilation, deep in FOLDED:
        model = padded(kernel, pads, stride, dilation, deep=deep)
        assert [step.op for step in compile_to_program(model, "pads").steps].count("pad") == 0
        with edgert.connect(edgert.compile(model, board=board, use_cache=False)) as session:
            for seed in range(2):
                x = np.random.default_rng(seed).integers(-128, 128, (1, SIDE, SIDE, CHANNELS)).astype(np.int8)
                np.testing.assert_array_equal(session.run(x)[0], reference(model, x)[0], err_msg=f"{pads}")


@pytest.mark.parametrize(
    ("kernel", "pads", "value"),
    [(1, ((1, 1), (1, 1)), None), (3, ((3, 0), (1, 1)), None), (3, ((1, 1), (1, 1)), 0)],
)
def test_any_other_pad_stays(kernel: int, pads: Pads, value: int | None) -> None:
    model = padded(kernel, pads, value=value)
    assert [step.op for step in compile_to_program(model, "pads").steps].count("pad") == 1
    x = np.random.default_rng(1).integers(-128, 128, (1, SIDE, SIDE, CHANNELS)).astype(np.int8)
    with edgert.connect(edgert.compile(model, board="host", use_cache=False)) as session:
        np.testing.assert_array_equal(session.run(x)[0], reference(model, x)[0])
