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

from edgert.codegen.fixedpoint import requantize_once, requantize_twice
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


@dataclass(frozen=True, eq=False)
class Reach:
    """What a Step computes for each channel of its output, from the sums to just before its clamp.

    accumulator: the int32 sum, zero points taken off and bias added; None where the operator has none.
    unclamped: the output before y_min and y_max; the int32 range where the arithmetic may wrap.
    """

    accumulator: Interval | None
    unclamped: Interval


@dataclass(frozen=True, eq=False)
class Analysis:
    """intervals: every int8 tensor. reaches: what is known of the Step that writes a tensor, by its name."""

    intervals: Mapping[str, Interval]
    reaches: Mapping[str, Reach]


def anything(channels: int) -> Interval:
    return Interval(np.full(channels, -128, np.int64), np.full(channels, 127, np.int64))


def analyse(program: Program) -> Analysis:
    """What every tensor and every modelled Step can reach."""
    intervals: dict[str, Interval] = {}
    reaches: dict[str, Reach] = {}
    writers = _writers(program)
    for name in program.inputs:
        _put(program, intervals, name, None)
    for step in program.steps:
        for name in step.outputs:
            steps = writers[name]
            if step is not steps[-1]:
                continue  # a concat is known when its last part is written
            if len(steps) > 1:
                _put(program, intervals, name, _concat(program, steps, intervals))
                continue
            reach = _reach(program, step, intervals)
            if reach is not None:
                reaches[name] = reach
            _put(program, intervals, name, _clamped(step, reach))
    return Analysis(intervals, reaches)


def padded(step: Step) -> bool:
    """Whether any window of a convolution or pool reaches over the border."""
    a = step.attrs
    bottom = (a["out_h"] - 1) * a["stride_h"] + (a["kernel_h"] - 1) * a.get("dilation_h", 1) - a["pad_top"]
    right = (a["out_w"] - 1) * a["stride_w"] + (a["kernel_w"] - 1) * a.get("dilation_w", 1) - a["pad_left"]
    return bool(a["pad_top"] or a["pad_left"] or bottom >= a["in_h"] or right >= a["in_w"])


def same_shape(step: Step) -> bool:
    """Whether an add or mul has no broadcast operand."""
    a = step.attrs
    dims = [a[f"d{i}"] for i in range(4)]
    return all(dims[i] == 1 or a[f"{x}_s{i}"] != 0 for i in range(4) for x in ("x0", "x1"))


def concat_offset(program: Program, step: Step) -> int | None:
    """The first output channel that a copy_rows writes; None if it does not copy whole channels.

    Along the last axis each row is one pixel; along another axis a row is many pixels of all channels.
    """
    a, y = step.attrs, program.tensors[step.outputs[0]]
    x = program.tensors.get(step.inputs[0])
    if x is None or x.dtype != "int8" or y.dtype != "int8" or not x.shape or not y.shape:
        return None
    if a["y_row_bytes"] == y.shape[-1] and a["row_bytes"] == x.shape[-1]:
        return int(a["y_offset"])
    whole = (a["row_bytes"], a["y_row_bytes"], a["y_offset"])
    return 0 if x.shape[-1] == y.shape[-1] and not any(int(n) % y.shape[-1] for n in whole) else None


def _writers(program: Program) -> dict[str, list[Step]]:
    writers: dict[str, list[Step]] = {}
    for step in program.steps:
        for name in step.outputs:
            writers.setdefault(name, []).append(step)
    return writers


def _put(program: Program, known: dict[str, Interval], name: str, found: Interval | None) -> None:
    tensor = program.tensors[name]
    if tensor.dtype != "int8" or not tensor.shape:
        return
    channels = tensor.shape[-1]
    fits = found is not None and found.lo.size == channels
    known[name] = found if fits and found is not None else anything(channels)


def _reach(program: Program, step: Step, known: Mapping[str, Interval]) -> Reach | None:
    rule = _RULES.get(step.op)
    if rule is None or not all(name in known for name in step.inputs):
        return None
    return rule(program, step, [known[name] for name in step.inputs])


def _clamped(step: Step, reach: Reach | None) -> Interval | None:
    if reach is None:
        return None
    low, high = int(step.attrs.get("y_min", -128)), int(step.attrs.get("y_max", 127))
    return Interval(np.clip(reach.unclamped.lo, low, high), np.clip(reach.unclamped.hi, low, high))


def _concat(program: Program, parts: list[Step], known: Mapping[str, Interval]) -> Interval | None:
    """Each part's channels at their place; the hull of the parts where they share channels."""
    y_row_bytes = {part.attrs.get("y_row_bytes") for part in parts}
    covered = sum(int(part.attrs.get("row_bytes", 0)) for part in parts)
    if any(part.op != "copy_rows" for part in parts) or y_row_bytes != {covered}:
        return None
    channels = program.tensors[parts[0].outputs[0]].shape[-1]
    lo, hi = np.full(channels, 127, np.int64), np.full(channels, -128, np.int64)
    for part in parts:
        offset, x = concat_offset(program, part), known.get(part.inputs[0])
        if offset is None or x is None:
            return None
        where = slice(offset, offset + x.lo.size)
        lo[where], hi[where] = np.minimum(lo[where], x.lo), np.maximum(hi[where], x.hi)
    return Interval(lo, hi)


def _constants(program: Program, step: Step) -> dict[str, Ints]:
    return {role: program.constants[name].astype(np.int64) for role, name in step.constants.items()}


def _requantized(
    accumulator: Interval,
    step: Step,
    multiplier: Ints,
    shift: Ints,
    rounded: Callable[[Ints, Ints, Ints], Ints] = requantize_twice,
) -> Reach:
    """The output's range from the sum's. An end that leaves int32 proves nothing: there the kernels wrap."""
    limit = np.int64(2**31) >> np.maximum(shift, 0)
    safe = (-limit <= accumulator.lo) & (accumulator.hi < limit)
    zero = int(step.attrs["y_zero"])
    lo, hi = (
        rounded(np.where(safe, end, 0), multiplier, shift) + zero for end in (accumulator.lo, accumulator.hi)
    )
    return Reach(accumulator, Interval(np.where(safe, lo, -(2**31)), np.where(safe, hi, 2**31 - 1)))


def _taps(step: Step, x: Interval) -> tuple[Ints, Ints]:
    """x - x_zero as a window sees it: a border contributes 0."""
    lo, hi = x.lo - int(step.attrs["x_zero"]), x.hi - int(step.attrs["x_zero"])
    return (np.minimum(lo, 0), np.maximum(hi, 0)) if padded(step) else (lo, hi)


def _sums(weights: Ints, bias: Ints, lo: Ints, hi: Ints) -> Interval:
    """weights [out_c, taps], inputs in [lo, hi] per tap."""
    up, down = np.maximum(weights, 0), np.minimum(weights, 0)
    return Interval(bias + (up * lo + down * hi).sum(1), bias + (up * hi + down * lo).sum(1))


def _conv2d(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    a, c = step.attrs, _constants(program, step)
    if a["groups"] != 1 or inputs[0].lo.size != a["in_c"]:
        return None
    weights = c["weights"].reshape(int(a["out_c"]), -1)
    window = int(a["kernel_h"] * a["kernel_w"])
    lo, hi = (np.tile(end, window) for end in _taps(step, inputs[0]))
    return _requantized(_sums(weights, c["bias"], lo, hi), step, c["multiplier"], c["shift"])


def _depthwise(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    a, c = step.attrs, _constants(program, step)
    if inputs[0].lo.size != a["in_c"]:
        return None
    lo, hi = (np.repeat(end, int(a["depth_multiplier"]))[:, None] for end in _taps(step, inputs[0]))
    weights = c["weights"].reshape(-1, int(a["out_c"])).T
    return _requantized(_sums(weights, c["bias"], lo, hi), step, c["multiplier"], c["shift"])


def _fully_connected(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    """Reads its input flat: channels repeat, pixel after pixel."""
    a, c, x = step.attrs, _constants(program, step), inputs[0]
    pixels, rest = divmod(int(a["in_c"]), x.lo.size)
    if rest or program.tensors[step.outputs[0]].shape[-1] != a["out_c"]:
        return None
    lo, hi = (np.tile(end - int(a["x_zero"]), pixels) for end in (x.lo, x.hi))
    sums = _sums(c["weights"].reshape(int(a["out_c"]), -1), c["bias"], lo, hi)
    return _requantized(sums, step, c["multiplier"], c["shift"], requantize_once)


def _add(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    """Monotone in each operand, in the direction of its multiplier's sign."""
    if not same_shape(step) or inputs[0].lo.size != inputs[1].lo.size:
        return None
    a = {key: np.asarray(int(value), np.int64) for key, value in step.attrs.items()}

    def scaled(q: Ints, operand: str) -> Ints:
        raised = (q - a[f"{operand}_zero"]) << a["left_shift"]
        multiplier = a[f"{operand}_multiplier"]
        return np.sign(multiplier) * requantize_twice(raised, np.abs(multiplier), a[f"{operand}_shift"])

    sides = [[scaled(x.lo, key), scaled(x.hi, key)] for x, key in zip(inputs, ("x0", "x1"), strict=True)]
    least = np.asarray(sum(np.minimum(*side) for side in sides))
    most = np.asarray(sum(np.maximum(*side) for side in sides))
    return _requantized(Interval(least, most), step, a["y_multiplier"], a["y_shift"])


def _mul(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    """A product is extreme at one of the four corners."""
    if not same_shape(step) or inputs[0].lo.size != inputs[1].lo.size:
        return None
    a = {key: np.asarray(int(value), np.int64) for key, value in step.attrs.items()}
    left, right = (
        (x.lo - a[f"{k}_zero"], x.hi - a[f"{k}_zero"]) for x, k in zip(inputs, ("x0", "x1"), strict=True)
    )
    corners = np.stack([p * q for p in left for q in right])
    return _requantized(Interval(corners.min(0), corners.max(0)), step, a["y_multiplier"], a["y_shift"])


def _mean(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    a, x = step.attrs, inputs[0]
    if int(a["inner"]) % x.lo.size:
        return None
    total = Interval(*((end - int(a["x_zero"])) * int(a["reduce"]) for end in (x.lo, x.hi)))
    multiplier, shift = np.asarray(int(a["multiplier"])), np.asarray(int(a["shift"]))
    return _requantized(total, step, multiplier, shift)


def _between(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    """A maximum, an average or an interpolation lies between the ends of what it is taken over."""
    x = inputs[0]
    if step.attrs["channels"] != x.lo.size:
        return None
    if step.attrs.get("count_include_pad") and padded(step):
        return Reach(None, _with(x, int(step.attrs["x_zero"])))
    return Reach(None, x)


def _pad(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    """A border of `value` around, in front of and behind what the channels were."""
    a, x = step.attrs, inputs[0]
    if a["element_bytes"] != 1 or a["d3"] != x.lo.size:
        return None
    value = int(np.uint8(int(a["value"]) & 255).view(np.int8))
    inside = _with(x, value) if any(a[f"{end}{i}"] for end in ("before", "after") for i in range(3)) else x
    around = (int(a["before3"]), int(a["after3"]))
    lo, hi = (np.pad(end, around, constant_values=value) for end in (inside.lo, inside.hi))
    return Reach(None, Interval(lo, hi))


def _with(x: Interval, value: int) -> Interval:
    return Interval(np.minimum(x.lo, value), np.maximum(x.hi, value))


def _lut(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    table = np.roll(_constants(program, step)["table"], 128)  # index q + 128
    reached = [table[lo + 128 : hi + 129] for lo, hi in zip(inputs[0].lo, inputs[0].hi, strict=True)]
    return Reach(None, Interval(np.array([r.min() for r in reached]), np.array([r.max() for r in reached])))


def _copy(program: Program, step: Step, inputs: list[Interval]) -> Reach | None:
    """A copy_rows that is its output's only writer."""
    interval = _concat(program, [step], {step.inputs[0]: inputs[0]})
    return None if interval is None else Reach(None, interval)


_RULES: Mapping[str, Callable[[Program, Step, list[Interval]], Reach | None]] = {
    "conv2d_s8": _conv2d,
    "depthwise_conv2d_s8": _depthwise,
    "fully_connected_s8": _fully_connected,
    "add_s8": _add,
    "mul_s8": _mul,
    "max_pool2d_s8": _between,
    "avg_pool2d_s8": _between,
    "resize_bilinear_s8": _between,
    "resize_nearest": _between,
    "mean_s8": _mean,
    "pad": _pad,
    "lut_s8": _lut,
    "copy_rows": _copy,
}
