"""Per-channel interval analysis of the integer network over its whole input domain.

For every int8 activation: the smallest and largest value that each channel (last axis) can take, for
any input whatever. The kernels' own integer arithmetic is monotone in the accumulator, so the ends of
an accumulator's interval give the ends of the output's. Where a step is not modelled the answer is
[-128, 127]: always true, never tight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgert.codegen.fixedpoint import requantize_twice
from edgert.codegen.program import Program, Step

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Interval:
    """lo, hi: int64 [channels], both ends included."""

    lo: Ints
    hi: Ints

    @property
    def constant(self) -> npt.NDArray[np.bool_]:
        """[channels]: which channels have one value for every input."""
        return np.asarray(self.lo == self.hi)


def anything(channels: int) -> Interval:
    return Interval(np.full(channels, -128, np.int64), np.full(channels, 127, np.int64))


def analyse(program: Program) -> dict[str, Interval]:
    """Tensor name -> Interval, for every int8 tensor of the program."""
    known: dict[str, Interval] = {}
    writers = _writers(program)
    for name in program.inputs:
        _put(program, known, name, None)
    for step in program.steps:
        rule = _RULES.get(step.op)
        for name in step.outputs:
            found = None
            if rule and writers[name] == 1 and all(n in known for n in step.inputs):
                found = rule(program, step, [known[n] for n in step.inputs])
            _put(program, known, name, found)
    return known


def padded(step: Step) -> bool:
    """Whether any window of a convolution or pool reaches over the border."""
    a = step.attrs
    bottom = (a["out_h"] - 1) * a["stride_h"] + (a["kernel_h"] - 1) * a.get("dilation_h", 1) - a["pad_top"]
    right = (a["out_w"] - 1) * a["stride_w"] + (a["kernel_w"] - 1) * a.get("dilation_w", 1) - a["pad_left"]
    return bool(a["pad_top"] or a["pad_left"] or bottom >= a["in_h"] or right >= a["in_w"])


def _writers(program: Program) -> dict[str, int]:
    count: dict[str, int] = {}
    for step in program.steps:
        for name in step.outputs:
            count[name] = count.get(name, 0) + 1
    return count


def _put(program: Program, known: dict[str, Interval], name: str, found: Interval | None) -> None:
    tensor = program.tensors[name]
    if tensor.dtype != "int8" or not tensor.shape:
        return
    channels = tensor.shape[-1]
    fits = found is not None and found.lo.size == channels
    known[name] = found if fits and found is not None else anything(channels)


def _to_output(acc: Ints, step: Step, multiplier: Ints, shift: Ints) -> Ints:
    a = step.attrs
    return np.clip(requantize_twice(acc, multiplier, shift) + a["y_zero"], a["y_min"], a["y_max"])


def _constants(program: Program, step: Step) -> dict[str, Ints]:
    return {role: program.constants[name].astype(np.int64) for role, name in step.constants.items()}


def _taps(step: Step, x: Interval) -> tuple[Ints, Ints]:
    """x - x_zero as a window sees it: a border contributes 0."""
    lo, hi = x.lo - int(step.attrs["x_zero"]), x.hi - int(step.attrs["x_zero"])
    return (np.minimum(lo, 0), np.maximum(hi, 0)) if padded(step) else (lo, hi)


def _conv2d(program: Program, step: Step, inputs: list[Interval]) -> Interval | None:
    a, c = step.attrs, _constants(program, step)
    if a["groups"] != 1 or inputs[0].lo.size != a["in_c"]:
        return None
    lo, hi = _taps(step, inputs[0])
    weights = c["weights"].reshape(int(a["out_c"]), -1, int(a["in_c"]))
    up, down = np.maximum(weights, 0), np.minimum(weights, 0)
    least = c["bias"] + (up * lo + down * hi).sum((1, 2))
    most = c["bias"] + (up * hi + down * lo).sum((1, 2))
    ends = (_to_output(acc, step, c["multiplier"], c["shift"]) for acc in (least, most))
    return Interval(*ends)


def _depthwise(program: Program, step: Step, inputs: list[Interval]) -> Interval | None:
    a, c = step.attrs, _constants(program, step)
    if inputs[0].lo.size != a["in_c"]:
        return None
    lo, hi = (np.repeat(end, int(a["depth_multiplier"])) for end in _taps(step, inputs[0]))
    weights = c["weights"].reshape(-1, int(a["out_c"]))
    up, down = np.maximum(weights, 0), np.minimum(weights, 0)
    least = c["bias"] + (up * lo + down * hi).sum(0)
    most = c["bias"] + (up * hi + down * lo).sum(0)
    ends = (_to_output(acc, step, c["multiplier"], c["shift"]) for acc in (least, most))
    return Interval(*ends)


def _add(program: Program, step: Step, inputs: list[Interval]) -> Interval | None:
    """Monotone in each operand, in the direction of its multiplier's sign."""
    if not same_shape(step) or inputs[0].lo.size != inputs[1].lo.size:
        return None
    a = {key: np.asarray(int(value), np.int64) for key, value in step.attrs.items()}

    def scaled(q: Ints, operand: str) -> Ints:
        raised = (q - a[f"{operand}_zero"]) << a["left_shift"]
        return requantize_twice(raised, a[f"{operand}_multiplier"], a[f"{operand}_shift"])

    sides = [[scaled(x.lo, key), scaled(x.hi, key)] for x, key in zip(inputs, ("x0", "x1"), strict=True)]
    least = sum(np.minimum(*side) for side in sides)
    most = sum(np.maximum(*side) for side in sides)
    ends = (_to_output(acc, step, a["y_multiplier"], a["y_shift"]) for acc in (least, most))
    return Interval(*(np.asarray(end) for end in ends))


def same_shape(step: Step) -> bool:
    """Whether an add or mul has no broadcast operand."""
    a = step.attrs
    dims = [a[f"d{i}"] for i in range(4)]
    return all(dims[i] == 1 or a[f"{x}_s{i}"] != 0 for i in range(4) for x in ("x0", "x1"))


def _pool(program: Program, step: Step, inputs: list[Interval]) -> Interval | None:
    """A maximum or an average lies between the ends of what it is taken over."""
    a = step.attrs
    if a.get("count_include_pad") and padded(step):
        return None
    return Interval(
        np.clip(inputs[0].lo, a["y_min"], a["y_max"]), np.clip(inputs[0].hi, a["y_min"], a["y_max"])
    )


def _lut(program: Program, step: Step, inputs: list[Interval]) -> Interval | None:
    table = np.roll(_constants(program, step)["table"], 128)  # index q + 128
    reached = [table[lo + 128 : hi + 129] for lo, hi in zip(inputs[0].lo, inputs[0].hi, strict=True)]
    return Interval(np.array([r.min() for r in reached]), np.array([r.max() for r in reached]))


_RULES: Mapping[str, Callable[[Program, Step, list[Interval]], Interval | None]] = {
    "conv2d_s8": _conv2d,
    "depthwise_conv2d_s8": _depthwise,
    "add_s8": _add,
    "max_pool2d_s8": _pool,
    "avg_pool2d_s8": _pool,
    "lut_s8": _lut,
}
