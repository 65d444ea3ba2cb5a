"""conv2d_pool_s8: every variant against the reference interpreter's convolution and max pool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from caller import Array, call, call_overlapping
from oracle import run_program
from tflite_builder import Op, T, build, reference

from edgert import api
from edgert.codegen.fuse_pool import fuse_pool
from edgert.codegen.kernels import VARIANTS
from edgert.codegen.pipeline import compile_to_program
from edgert.codegen.program import Program, Step
from edgert.codegen.select import choices
from edgert.target import load_target


@dataclass(frozen=True)
class Case:
    """x: [batch, h, w, c]; pool: its window and stride; kernel: of the convolution, 1 if it is fused."""

    x: tuple[int, int, int, int]
    out_c: int
    pool: tuple[int, int] = (2, 2)
    kernel: int = 1
    stride: tuple[int, int] | None = None
    activation: str = "NONE"
    also_out: bool = False


CASES = [
    *(Case((1, 4, 4, c), n) for c in (1, 3, 4, 9) for n in (1, 2, 5, 8)),
    Case((2, 6, 8, 5), 7, activation="RELU"),
    Case((1, 7, 9, 4), 8),  # a row and a column that fill no window
    Case((1, 9, 6, 3), 16, (3, 2)),
    Case((1, 2, 2, 600), 2),  # a sum in two parts
    Case((1, 8, 4, 24), 3, (4, 4)),
]
BOARDS = {
    "cortex-m4-emulated": "cortex-m4",
    "cortex-m0plus-emulated": "cortex-m0plus",
    "rv32imc-emulated": "rv32imc",
}


def make(case: Case, seed: int = 0) -> tuple[bytes, Array]:
    rng = np.random.default_rng(seed)
    batch, height, width, channels = case.x
    shape = (case.out_c, case.kernel, case.kernel, channels)
    scales = rng.uniform(0.5, 2.0, case.out_c) * 0.01
    stride = case.stride or case.pool
    pooled = [
        (side - window) // step + 1
        for side, window, step in zip((height, width), case.pool, stride, strict=True)
    ]
    y_scale = 0.05 * 0.01 * 60 * np.sqrt(np.prod(shape[1:]))
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    tensors = [
        T("x", case.x, scale=0.05, zero=-5), T("w", shape, data=weights, scale=scales),
        T("b", (case.out_c,), "int32", data=rng.integers(-3000, 3000, case.out_c), scale=scales * 0.05),
        T("z", (batch, height, width, case.out_c), scale=y_scale, zero=3),
        T("y", (batch, *pooled, case.out_c), scale=y_scale, zero=3),
    ]  # fmt: skip
    conv = {"padding": "SAME", "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    pool = {"padding": "VALID", "filterHeight": case.pool[0], "filterWidth": case.pool[1],
            "strideH": stride[0], "strideW": stride[1]}  # fmt: skip
    ops = [
        Op(
            "CONV_2D", ["x", "w", "b"], ["z"], {**conv, "fusedActivationFunction": case.activation}, version=3
        ),
        Op("MAX_POOL_2D", ["z"], ["y"], pool, version=2),
    ]
    outputs = ["y", "z"] if case.also_out else ["y"]
    model = build(tensors=tensors, ops=ops, inputs=["x"], outputs=outputs)
    return model, rng.integers(-128, 128, case.x).astype(np.int8)


def fused(model: bytes) -> Program:
    return fuse_pool(compile_to_program(model, "case"))


def one_step(program: Program) -> tuple[Step, dict[str, Any]]:
    (step,) = program.steps
    assert step.op == "conv2d_pool_s8"
    return step, {role: program.constants[name] for role, name in step.constants.items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_bytes_as_the_reference(case: Case) -> None:
    model, x = make(case)
    (expected,) = reference(model, x)
    program = fused(model)
    step, constants = one_step(program)
    fitting = [v for v in VARIANTS if v.contract == step.op and v.supports(step, constants)]
    assert {v.name for v in fitting} == {"dsp", "scalar", "ref"}
    for variant in fitting:
        y = call(step, [x], expected.shape, "int8", constants, variant=variant.label)
        np.testing.assert_array_equal(y, expected, err_msg=variant.label)
        over = call_overlapping(step, [x], expected.shape, "int8", constants, variant=variant.label)
        np.testing.assert_array_equal(over, expected, err_msg=f"{variant.label} over its input")
    np.testing.assert_array_equal(run_program(program, [x])[0], expected)


@pytest.mark.parametrize("seed", range(60))
def test_in_place_at_exactly_the_stated_distance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in (rng.integers(1, 3), *rng.integers(2, 12, 2), rng.integers(1, 13)))
    model, x = make(Case(shape, int(rng.integers(1, 13)), (2, int(rng.integers(1, 3)))), seed)
    (expected,) = reference(model, x)
    step, constants = one_step(fused(model))
    for variant in (v for v in VARIANTS if v.contract == step.op and v.supports(step, constants)):
        over = call_overlapping(step, [x], expected.shape, "int8", constants, variant=variant.label)
        np.testing.assert_array_equal(over, expected, err_msg=variant.label)


@pytest.mark.parametrize("board", BOARDS)
def test_same_bytes_on_the_board(board: str, tmp_path: Path) -> None:
    model, x = make(Case((1, 7, 8, 12), 10, activation="RELU"))
    (expected,) = reference(model, x)
    program = fused(model)
    step, _ = one_step(program)
    for n, label in enumerate(choices(program, step, load_target(BOARDS[board]).features)):
        artifact = api.compile_program(program, tmp_path / str(n), board=board, labels={step.name: label})
        with api.connect(artifact) as session:
            np.testing.assert_array_equal(session.run(x)[0], expected, err_msg=label)


@pytest.mark.parametrize(
    "other",
    [{"kernel": 3}, {"stride": (1, 1)}, {"also_out": True}],
    ids=["3x3", "overlapping", "read twice"],
)
def test_what_cannot_be_fused_is_left(other: dict[str, Any]) -> None:
    case = replace(Case((1, 6, 6, 4), 8), **other)
    model, x = make(case)
    program = fused(model)
    assert [step.op for step in program.steps] == ["conv2d_s8", "max_pool2d_s8"]
    for got, wanted in zip(run_program(program, [x]), reference(model, x), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_the_larger_map_is_never_held() -> None:
    model, _ = make(Case((1, 16, 16, 8), 32))
    report = api.compile(model, board="cortex-m4-emulated").report
    assert [layer["op"] for layer in report["layers"]] == ["conv2d_pool_s8"]
    assert report["arena_bytes"] < 16 * 16 * 32
