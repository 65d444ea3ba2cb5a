"""Channel removal changes no byte: the smaller program against the untouched one, noise and extremes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from dying_channels import Builder, inputs_of
from oracle import run_program

from edgert.codegen.contracts import check_step
from edgert.codegen.intervals import analyse
from edgert.codegen.program import Program
from edgert.codegen.prune import prune


def _mobile(seed: int) -> Program:
    b = Builder(seed, 3).conv(8, 3).depthwise().conv(16).depthwise().conv(12)
    return b.depthwise().conv(10).pool().dense(5).program()


def _residual(seed: int) -> Program:
    b = Builder(seed, 3).conv(8, 3, y_zero=-20)
    skip = b.x
    return b.conv(8, 3).conv(8, 1, y_zero=7).add(skip).conv(6, 3).depthwise(4).conv(4).program()


def _branches(b: Builder) -> list[str]:
    """Three readers of one tensor, all with zero point -128."""
    stem, parts = b.conv(8, 3).x, []
    for channels, kernel in ((6, 1), (9, 3), (5, 1)):
        b.x = stem
        parts.append(b.conv(channels, kernel).x)
    return parts


def _concat(seed: int) -> Program:
    b = Builder(seed, 3)
    return b.concat(_branches(b)).conv(8).depthwise().conv(6).program()


def _concat_into_border(seed: int) -> Program:
    b = Builder(seed, 3)
    return b.concat(_branches(b)).conv(8, 3).dense(4).program()


def _concat_of_concat(seed: int) -> Program:
    b = Builder(seed, 3)
    first, second, third = _branches(b)
    inner = b.concat([first, second]).x
    return b.concat([third, inner, third]).pool("max_pool2d_s8", 3, 1).conv(7).program()


def _concat_of_rows(seed: int) -> Program:
    """Along another axis a channel is constant only if it is the same constant in every part."""
    b = Builder(seed, 3).conv(8)
    top = b.x
    return b.conv(8).lut().concat([top, b.x, top], axis=1).mean().dense(4).program()


def _explicit_pad(seed: int) -> Program:
    """-128 is the zero point, and what dead channels hold; -100 is neither."""
    b = Builder(seed, 3).conv(12).pad(1, -128).conv(9, 3, valid=True)
    return b.pad(2, -100).conv(6, 3, valid=True).program()


def _channel_pad(seed: int) -> Program:
    b = Builder(seed, 3).conv(8).pad(0, -128, (3, 5)).depthwise()
    return b.pad(1, 17, (1, 2)).conv(6).program()


def _pools(seed: int) -> Program:
    b = Builder(seed, 3).conv(12, 3).pool("max_pool2d_s8", 3, 1).pool("avg_pool2d_s8", 3, 1)
    return b.pool("avg_pool2d_s8", 3, 1, counts=True).conv(9).pool("max_pool2d_s8", 2).dense(4).program()


def _means(seed: int) -> Program:
    return Builder(seed, 3).conv(12, 3).depthwise().mean().dense(4).program()


def _attention(seed: int) -> Program:
    """A product reads both of its operands whole; its channels may be pixels of an operand."""
    b = Builder(seed, 3).conv(6)
    tokens = b.x
    queries = b.conv(8).x
    b.x = tokens
    keys = b.conv(8, y_zero=9).x
    return b.matmul(queries, transposed=True).matmul(keys).conv(5).depthwise().conv(4).program()


def _flattened(seed: int) -> Program:
    return Builder(seed, 3).conv(12, 3).depthwise().dense(7).dense(4).program()


def _pointwise_functions(seed: int) -> Program:
    b = Builder(seed, 3).conv(12).prelu()
    side = b.x
    return b.lut().mul(side).resize("resize_nearest", 9).resize("resize_bilinear_s8", 4).conv(5).program()


NETS = {
    make.__name__.strip("_"): make
    for make in (
        _mobile, _residual, _concat, _concat_into_border, _concat_of_concat, _concat_of_rows, _explicit_pad,
        _channel_pad, _pools, _means, _attention, _flattened, _pointwise_functions,
    )
}  # fmt: skip
Make = Callable[[int], Program]


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_same_bytes(make: Make) -> None:
    removed = 0
    for seed in range(12):
        program = make(seed)
        smaller, removals = prune(program)
        removed += sum(removal.removed for removal in removals)
        assert smaller.macs <= program.macs
        _same_bytes(program, smaller, seed)
    assert removed, "a third of the channels are dead by construction"


def _same_bytes(program: Program, smaller: Program, seed: int) -> None:
    for step in smaller.steps:
        check_step(step)
    for x in inputs_of(program, seed):
        expected, got = run_program(program, [x]), run_program(smaller, [x])
        for one, other in zip(expected, got, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_intervals_contain_what_happens(make: Make) -> None:
    for seed in range(3):
        program = make(seed)
        intervals = analyse(program).intervals
        for x in inputs_of(program, seed):
            _inside(program, x, {name: (i.lo, i.hi) for name, i in intervals.items()})


def _inside(program: Program, x: np.ndarray, ends: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    names = tuple(dict.fromkeys(step.outputs[0] for step in program.steps))
    every = Program("all", program.tensors, program.constants, program.steps, ("input",), names)
    for name, value in zip(names, run_program(every, [x]), strict=True):
        lo, hi = ends[name]
        pixels = value.reshape(-1, lo.size)
        assert (pixels >= lo).all() and (pixels <= hi).all(), name


def test_dead_channels_leave_every_branch_of_a_concat() -> None:
    program = _concat(0)
    smaller, _ = prune(program)
    for before, after in zip(program.steps, smaller.steps, strict=True):
        if before.op == "copy_rows":
            assert after.attrs["row_bytes"] < before.attrs["row_bytes"]


def test_a_constant_that_differs_from_the_border_stays() -> None:
    """Padding with another value than the channel's makes it vary over the map."""
    program = Builder(3, 3).conv(12).pad(1, 5).conv(4, 3, valid=True).program()
    dead = int(analyse(program).intervals["conv0"].constant.sum())
    assert dead and not prune(program)[1]
    zero = Builder(3, 3).conv(12).pad(1, -128).conv(4, 3, valid=True).program()
    assert any(removal.removed for removal in prune(zero)[1])


def test_the_reason_is_told() -> None:
    program = _mobile(1)
    removals = prune(program)[1]
    assert sum(r.macs_before for r in removals) > sum(r.macs_after for r in removals)
    first = next(r for r in removals if r.removed)
    assert any("for every input, accumulator in [" in why for why in first.why), first.why
    assert first.weights_bytes_after < first.weights_bytes_before


def test_nothing_to_remove_is_the_same_object() -> None:
    program = Builder(0, 1).pool().program()
    assert prune(program)[0] is program
