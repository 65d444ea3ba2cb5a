"""conv2d_s8, depthwise_conv2d_s8, fully_connected_s8: every variant against the reference interpreter.

Cases sit below, at and above every unroll (2 and 4 pixels, 4 channels, 8 outputs, 4 taps), with borders on
every side, dilation, groups, and weights and inputs at the ends of int8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from caller import Array, call, call_overlapping
from oracle import run_program
from tflite_builder import Op, T, build, reference

from edgert.codegen.kernels import VARIANTS, Variant
from edgert.codegen.pipeline import compile_to_program
from edgert.codegen.program import Program, Step
from edgert.codegen.select import bind


@dataclass(frozen=True)
class Case:
    """kind: "conv", "depthwise" or "dense". x: [batch, h, w, c] or [batch, c]."""

    kind: str
    x: tuple[int, ...]
    out_c: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "SAME"
    groups: int = 1
    activation: str = "NONE"
    zero: int = -5
    extreme: bool = False


CONV = [
    *(Case("conv", (1, 3, 3, c), n) for c in (1, 2, 3, 4, 5, 8, 9) for n in (1, 2, 3, 4, 5, 6, 8)),
    *(Case("conv", (1, 5, 6, 3), n, (3, 3), activation="RELU") for n in (1, 4, 7, 8)),
    Case("conv", (1, 1, 1, 7), 9),
    Case("conv", (2, 5, 5, 4), 6, (3, 3), (2, 2)),
    Case("conv", (2, 3, 3, 5), 4, (2, 2), (1, 1), padding="VALID"),
    Case("conv", (1, 12, 7, 1), 8, (10, 4), (2, 2), activation="RELU6"),
    Case("conv", (1, 9, 9, 2), 4, (3, 3), (1, 1), (2, 2)),
    Case("conv", (1, 9, 9, 3), 5, (3, 2), (1, 1), (1, 3), "VALID"),
    Case("conv", (1, 6, 6, 4), 8, (5, 5), activation="RELU"),
    Case("conv", (1, 8, 8, 3), 4, (7, 7), (3, 2)),
    Case("conv", (1, 4, 4, 6), 9, (3, 3), groups=3),
    Case("conv", (1, 2, 2, 3), 4, (5, 5)),
    Case("conv", (1, 6, 6, 64), 8, (3, 3)),
    Case("conv", (1, 4, 4, 8), 8, (3, 3), zero=127, extreme=True),
    Case("conv", (1, 4, 4, 8), 8, (1, 1), zero=-128, extreme=True),
    Case("conv", (1, 2, 2, 600), 2, (1, 1), extreme=True),
    *(Case("conv", (1, 3, w, 3), 7, (2, 3), (1, s)) for w in (4, 7, 8, 9) for s in (1, 2)),
    *(Case("conv", (2, 2, w, 4), 15, (1, 1)) for w in (1, 2, 3)),
]
DEPTHWISE = [
    *(Case("depthwise", (1, 5, 5, c), c, (3, 3), activation="RELU") for c in (1, 2, 3, 4, 5, 7, 8, 9, 17)),
    *(Case("depthwise", (1, 9, 8, 8), 8, (k, k), (s, s)) for k in (2, 3, 5, 7) for s in (1, 2, 3)),
    Case("depthwise", (2, 6, 4, 4), 4, (3, 3), (2, 1)),
    Case("depthwise", (1, 6, 6, 4), 4, (3, 3), padding="VALID"),
    Case("depthwise", (1, 9, 9, 4), 4, (3, 3), (1, 1), (2, 2)),
    Case("depthwise", (1, 9, 9, 4), 4, (3, 3), (1, 1), (2, 1)),
    Case("depthwise", (1, 5, 5, 3), 6, (3, 3)),
    Case("depthwise", (1, 5, 5, 1), 8, (3, 3), (2, 2)),
    Case("depthwise", (1, 1, 1, 6), 6, (3, 3)),
    *(Case("depthwise", (1, 4, w, 5), 5, (3, 3), (1, s)) for w in (1, 2, 3, 4, 6, 7) for s in (1, 2)),
    *(Case("depthwise", (1, 4, 11, 3), 3, (2, w)) for w in (8, 9)),
    Case("depthwise", (1, 5, 5, 8), 8, (3, 3), zero=-128, extreme=True),
    Case("depthwise", (1, 5, 5, 8), 8, (3, 3), zero=127, extreme=True),
]
DENSE = [
    *(Case("dense", (1, c), n) for c in (1, 2, 3, 4, 5, 7, 8, 9, 33) for n in (1, 2, 3, 4, 5, 6, 7, 8)),
    Case("dense", (3, 10), 5, activation="RELU"),
    Case("dense", (1, 640), 12),
    Case("dense", (2, 19), 15),
    Case("dense", (1, 40), 8, zero=-128, extreme=True),
    Case("dense", (2, 40), 8, zero=127, extreme=True),
]
OPERATOR = {"conv": "CONV_2D", "depthwise": "DEPTHWISE_CONV_2D", "dense": "FULLY_CONNECTED"}


def _weights_shape(case: Case) -> tuple[int, ...]:
    if case.kind == "dense":
        return (case.out_c, case.x[1])
    if case.kind == "depthwise":
        return (1, *case.kernel, case.out_c)
    return (case.out_c, *case.kernel, case.x[3] // case.groups)


def _output_shape(case: Case) -> tuple[int, ...]:
    if case.kind == "dense":
        return (case.x[0], case.out_c)
    same = case.padding == "SAME"
    reach = [(k - 1) * d for k, d in zip(case.kernel, case.dilation, strict=True)]
    sides = [
        -(-(i - (0 if same else r)) // s) for i, r, s in zip(case.x[1:3], reach, case.stride, strict=True)
    ]
    return (case.x[0], *sides, case.out_c)


def _options(case: Case) -> dict[str, Any]:
    options: dict[str, Any] = {"fusedActivationFunction": case.activation}
    if case.kind != "dense":
        options |= {"padding": case.padding, "strideH": case.stride[0], "strideW": case.stride[1]}
        options |= {"dilationHFactor": case.dilation[0], "dilationWFactor": case.dilation[1]}
    if case.kind == "depthwise":
        options["depthMultiplier"] = case.out_c // case.x[3]
    return options


def make(case: Case, seed: int = 0) -> tuple[bytes, Array]:
    """The one-layer model and an input for it."""
    rng = np.random.default_rng(seed)
    shape = _weights_shape(case)
    taps = int(np.prod(shape)) // case.out_c
    if case.extreme:
        weights, x = rng.choice([-127, 127], shape), rng.choice([-128, 127], case.x)
    else:
        weights, x = rng.integers(-127, 128, shape), rng.integers(-128, 128, case.x)
    x_scale, per_channel = 0.05, case.kind != "dense"
    w_scale = rng.uniform(0.5, 2.0, case.out_c if per_channel else 1) * 0.01
    y_scale = x_scale * 0.01 * 60 * np.sqrt(taps)
    axis = 3 if case.kind == "depthwise" else 0
    bias = rng.integers(-3000, 3000, case.out_c)
    tensors = [
        T("x", case.x, scale=x_scale, zero=case.zero),
        T("w", shape, data=weights.astype(np.int8), scale=w_scale, axis=axis),
        T("b", (case.out_c,), "int32", data=bias.astype(np.int32), scale=w_scale * x_scale),
        T("y", _output_shape(case), scale=y_scale, zero=case.zero // 2),
    ]
    op = Op(OPERATOR[case.kind], ["x", "w", "b"], ["y"], _options(case), version=3)
    return build(tensors=tensors, ops=[op], inputs=["x"], outputs=["y"]), x.astype(np.int8)


def lowered(model: bytes) -> tuple[Program, Step, dict[str, Array]]:
    program = compile_to_program(model, "case")
    (step,) = program.steps
    return program, step, {role: program.constants[name] for role, name in step.constants.items()}


def _variants(step: Step, constants: dict[str, Array]) -> list[Variant]:
    return [v for v in VARIANTS if v.contract == step.op and v.supports(step, constants)]


@pytest.mark.parametrize("case", [*CONV, *DEPTHWISE, *DENSE], ids=str)
def test_same_bytes_as_the_reference(case: Case) -> None:
    model, x = make(case)
    (expected,) = reference(model, x)
    _, step, constants = lowered(model)
    for variant in _variants(step, constants):
        y = call(step, [x], expected.shape, "int8", constants, variant=variant.label)
        np.testing.assert_array_equal(y, expected, err_msg=variant.label)
        overlapped = call_overlapping(step, [x], expected.shape, "int8", constants, variant=variant.label)
        if overlapped is not None:
            np.testing.assert_array_equal(overlapped, expected, err_msg=f"{variant.label} over its input")


def _random_case(rng: np.random.Generator) -> Case:
    kind = rng.choice(["conv", "depthwise"])
    channels = int(rng.integers(1, 13))
    return Case(
        str(kind),
        (int(rng.integers(1, 3)), int(rng.integers(1, 12)), int(rng.integers(1, 12)), channels),
        channels if kind == "depthwise" else int(rng.integers(1, 13)),
        (int(rng.integers(1, 6)), int(rng.integers(1, 6))),
        (int(rng.integers(1, 4)), int(rng.integers(1, 4))),
    )


@pytest.mark.parametrize("seed", range(400))
def test_in_place_at_exactly_the_stated_distance(seed: int) -> None:
    """The output starts lead_bytes before the input: a byte less apart and some layer would break."""
    model, x = make(_random_case(np.random.default_rng(seed)), seed)
    _, step, constants = lowered(model)
    shape = tuple(int(step.attrs[a]) for a in ("batch", "out_h", "out_w", "out_c"))
    for variant in _variants(step, constants):
        apart = call(step, [x], shape, "int8", constants, variant=variant.label)
        over = call_overlapping(step, [x], shape, "int8", constants, variant=variant.label)
        np.testing.assert_array_equal(over, apart, err_msg=variant.label)


def test_weights_that_a_pair_cannot_hold_fall_back() -> None:
    """-128 times 256 is no halfword: scalar runs. 600 weights of 127 overflow 24 bits: two parts do not."""
    model, _ = make(Case("conv", (1, 2, 2, 4), 4))
    program, step, constants = lowered(model)
    features = frozenset({"arm-dsp"})
    assert bind(program, features)[0].variant_name.startswith("dsp")
    name = step.constants["weights"]
    least, most = np.full_like(constants["weights"], -128), np.tile(constants["weights"] * 0 + 127, 150)
    for weights, expected in ((least, "scalar"), (most, "dsp(pixels=4, parts=2)")):
        bigger = replace(program, constants={**program.constants, name: weights})
        wider = replace(step, attrs={**step.attrs, "in_c": weights.shape[-1]})
        assert bind(replace(bigger, steps=(wider,)), features)[0].variant_name.startswith(expected)


@pytest.mark.parametrize("seed", range(6))
def test_ties_of_a_dense_layer_go_away_from_zero(seed: int) -> None:
    """Scales that are powers of two put many accumulators halfway between two outputs."""
    rng = np.random.default_rng(seed)
    rows, in_c, out_c = 100, 32, 64
    weights = rng.integers(-127, 128, (out_c, in_c)).astype(np.int8)
    tensors = [
        T("x", (rows, in_c), scale=0.5, zero=-3),
        T("w", weights.shape, data=weights, scale=0.25),
        T("b", (out_c,), "int32", data=rng.integers(-500, 500, out_c).astype(np.int32), scale=0.125),
        T("y", (rows, out_c), scale=2.0 ** (seed % 3 + 4), zero=seed - 2),
    ]
    op = Op("FULLY_CONNECTED", ["x", "w", "b"], ["y"], {}, version=3)
    model = build(tensors=tensors, ops=[op], inputs=["x"], outputs=["y"])
    x = rng.integers(-128, 128, (rows, in_c)).astype(np.int8)
    (expected,) = reference(model, x)
    program, step, constants = lowered(model)
    for variant in _variants(step, constants):
        y = call(step, [x], expected.shape, "int8", constants, variant=variant.label)
        np.testing.assert_array_equal(y, expected, err_msg=variant.label)
    np.testing.assert_array_equal(run_program(program, [x])[0], expected, err_msg="oracle")


def test_a_bias_near_the_end_of_int32_falls_back() -> None:
    """With the input zero point folded in it would not be an int32: ref runs, not dsp."""
    model, _ = make(Case("dense", (1, 40), 4, zero=127))
    program, step, constants = lowered(model)
    high = np.full_like(constants["bias"], 2**31 - 1)
    bigger = replace(program, constants={**program.constants, step.constants["bias"]: high})
    assert bind(program, frozenset({"arm-dsp"}))[0].variant_name.startswith("dsp")
    assert bind(bigger, frozenset({"arm-dsp"}))[0].variant_name == "ref"
