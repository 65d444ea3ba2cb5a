"""Open clamps and known reaches change no byte, in any kernel variant; and what may not be opened stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from caller import Array, call
from dying_channels import Builder, inputs_of
from oracle import run_program, run_step

from edgert.codegen.bounds import OPEN_HIGH, OPEN_LOW, tell_bounds
from edgert.codegen.kernels import VARIANTS
from edgert.codegen.program import Program, Step

_SIDES = ("y_min", "y_max")


def _tame(seed: int) -> Program:
    """Every operator that has a clamp, none of which ever acts."""
    b = Builder(seed, 3, tame=True).conv(8, 3, y_zero=0)
    skip = b.x
    b = b.conv(8, 1, y_zero=3).add(skip).depthwise(0).mul(skip).pool("max_pool2d_s8", 3)
    return b.pool("avg_pool2d_s8", 2).dense(6).program()


def _open_wide(program: Program) -> Program:
    """The same with every clamp at int8's ends: RELU would act."""
    steps = (
        replace(s, attrs={**s.attrs, "y_min": -128, "y_max": 127}) if "y_min" in s.attrs else s
        for s in program.steps
    )
    return replace(program, steps=tuple(steps))


def _plain(program: Program, step: Step) -> Mapping[str, Array]:
    return {role: program.constants[name] for role, name in step.constants.items()}


@pytest.mark.parametrize("seed", range(2))
def test_every_variant_with_open_clamps(seed: int) -> None:
    program = _open_wide(_tame(seed))
    told, idle = tell_bounds(program)
    assert {clamp.layer for clamp in idle if clamp.low and clamp.high} == {step.name for step in told.steps}
    for x in inputs_of(program, seed)[:5]:
        memory = {t.name: np.zeros(t.shape, t.dtype) for t in program.tensors.values()}
        memory["input"][...] = x
        for before, after in zip(program.steps, told.steps, strict=True):
            run_step(program, before, memory)
            _variants_agree(program, after, memory)


def _variants_agree(program: Program, step: Step, memory: Mapping[str, Array]) -> None:
    constants, expected = _plain(program, step), memory[step.outputs[0]]
    assert (step.attrs["y_min"], step.attrs["y_max"]) == (OPEN_LOW, OPEN_HIGH)
    for variant in VARIANTS:
        if variant.contract == step.op and variant.supports(step, constants):
            inputs = [memory[name] for name in step.inputs]
            got = call(step, inputs, expected.shape, "int8", constants, variant=variant.label)
            np.testing.assert_array_equal(got, expected, variant.label)


def test_the_oracle_takes_open_clamps() -> None:
    program = _open_wide(_tame(5))
    told = tell_bounds(program)[0]
    for x in inputs_of(program, 5):
        np.testing.assert_array_equal(run_program(program, [x])[0], run_program(told, [x])[0])


def test_a_clamp_that_acts_stays_closed() -> None:
    """A RELU at the zero point cuts half; int8 cuts what is outside, whatever the clamp says."""
    relu = _tame(0)
    first = tell_bounds(relu)[0].steps[0]
    assert (first.attrs["y_min"], first.attrs["y_max"]) == (0, OPEN_HIGH)
    wild = Builder(0, 3).conv(8, 3, y_zero=0).program()
    told, idle = tell_bounds(wild)
    assert not idle and told.steps[0].attrs == wild.steps[0].attrs


def test_one_end_only() -> None:
    """A bias that lifts every sum: nothing comes below, much is cut above."""
    lifted = Builder(0, 2, tame=True).conv(4, 1, y_zero=0).program()
    constants = dict(lifted.constants) | {"conv0/bias": np.full(4, 10**7, np.int32)}
    told, (clamp,) = tell_bounds(replace(lifted, constants=constants))
    assert (clamp.low, clamp.high) == (True, False) and clamp.lowest >= 0 and clamp.highest > 127
    assert [told.steps[0].attrs[side] for side in _SIDES] == [OPEN_LOW, 127]


def test_reach_is_the_largest_sum() -> None:
    """Against the extreme inputs of each channel: the bound is attained."""
    program = _open_wide(Builder(1, 5, tame=True).conv(6).program())
    step = tell_bounds(program)[0].steps[0]
    weights = _plain(program, step)["weights"].astype(np.int64).reshape(6, 5)
    bias, x_zero = _plain(program, step)["bias"].astype(np.int64), int(step.attrs["x_zero"])
    lowest = bias + (weights * (np.where(weights > 0, -128, 127) - x_zero)).sum(1)
    highest = bias + (weights * (np.where(weights > 0, 127, -128) - x_zero)).sum(1)
    assert step.reach is not None
    np.testing.assert_array_equal(step.reach, np.maximum(-lowest, highest))


def test_sums_that_may_wrap_prove_nothing() -> None:
    program = Builder(2, 3, tame=True).conv(4, y_zero=0).program()
    constants = dict(program.constants) | {"conv0/bias": np.full(4, 2**31 - 1, np.int32)}
    assert not tell_bounds(replace(program, constants=constants))[1]


def test_a_known_reach_admits_a_kernel() -> None:
    """Any int8 input could overflow the paired sums; inputs that a table keeps in [0, 10] cannot."""
    program = Builder(7, 3, tame=True).conv(40).lut().dense(4).program()
    table = np.arange(256, dtype=np.int64) % 11
    program = replace(program, constants={**program.constants, "lut1/table": table.astype(np.int8)})
    before, after = program.steps[-1], tell_bounds(program)[0].steps[-1]
    constants = _plain(program, before)
    dsp = next(v for v in VARIANTS if v.contract == before.op and v.label == "dsp(uniform=0)")
    assert not dsp.supports(before, constants) and dsp.supports(after, constants)
    for x in inputs_of(program, 7):
        memory = {t.name: np.zeros(t.shape, t.dtype) for t in program.tensors.values()}
        memory["input"][...] = x
        for step in program.steps:
            run_step(program, step, memory)
        expected = memory[before.outputs[0]]
        got = call(after, [memory[before.inputs[0]]], expected.shape, "int8", constants, variant=dsp.label)
        np.testing.assert_array_equal(got, expected)
