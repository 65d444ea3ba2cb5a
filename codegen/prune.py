"""Exact channel removal: a channel that interval analysis proves constant is folded into its readers' bias.

Program -> Program with the same output bytes for every input. A channel stays if some reader needs its
values: demand flows from the outputs backwards until nothing changes. A convolution can fold a constant
channel c into its bias where c meets no border, or where c is the zero point that a border adds; it does
not need a channel whose weights are all zero. Layers that work channel by channel (depthwise, pool, add,
lookup, pad, each part of a concat) keep the same set on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgert.codegen.intervals import (
    Analysis,
    Interval,
    Ints,
    analyse,
    concat_offset,
    padded,
    same_shape,
)
from edgert.codegen.program import Array, Attr, Program, Step

Mask = npt.NDArray[np.bool_]
_MIXING = ("conv2d_s8", "fully_connected_s8")
_BY_CHANNELS = ("max_pool2d_s8", "avg_pool2d_s8", "resize_bilinear_s8", "resize_nearest", "prelu_s8")


@dataclass(frozen=True)
class Removal:
    """What a layer lost. The numbers are the layer's own, before and after, over all its channels.

    removed: of the `channels` output channels; 0 where only inputs went. why: one reason a line, in words.
    weights_bytes: weights, biases and multipliers in the contract's plain layout.
    """

    layer: str
    channels: int
    removed: int
    why: tuple[str, ...]
    macs_before: int
    macs_after: int
    weights_bytes_before: int
    weights_bytes_after: int


def prune(program: Program) -> tuple[Program, tuple[Removal, ...]]:
    """The smaller program, and what was removed from it, layer by layer."""
    known = analyse(program)
    keep = _demand(program, known.intervals)
    if all(mask.all() for mask in keep.values()):
        return program, ()
    smaller = _rewrite(program, known.intervals, keep)
    return smaller, tuple(_removals(program, smaller, known, keep))


def _removals(
    program: Program, smaller: Program, known: Analysis, keep: Mapping[str, Mask]
) -> Iterator[Removal]:
    for before, after in zip(program.steps, smaller.steps, strict=True):
        if before is after:
            continue
        mask = keep[before.outputs[0]]
        why = tuple(_reasons(before, known, keep))
        sizes = (before.macs, after.macs, _weights_bytes(program, before), _weights_bytes(smaller, after))
        yield Removal(before.name, mask.size, int((~mask).sum()), why, *sizes)


def _weights_bytes(program: Program, step: Step) -> int:
    return sum(program.constants[name].nbytes for name in step.constants.values())


def _reasons(step: Step, known: Analysis, keep: Mapping[str, Mask]) -> Iterator[str]:
    """The channels of one known value, the commonest first; those that nobody reads; the inputs."""
    name = step.outputs[0]
    gone = ~keep[name]
    y, reach = known.intervals.get(name), known.reaches.get(name)
    fixed = gone & y.constant if y is not None else np.zeros_like(gone)
    if y is not None and fixed.any():
        values, counts = np.unique(y.lo[fixed], return_counts=True)
        common = int(values[counts.argmax()])
        sums = reach.accumulator if reach else None
        yield _constant(f"the output is {common} for every input", fixed & (y.lo == common), sums)
        others = fixed & (y.lo != common)
        if others.any():
            span = f"{y.lo[others].min()} to {y.lo[others].max()}"
            yield _constant(f"each output is a constant of its own ({span})", others, sums)
    unread = gone & ~fixed
    if unread.any():
        yield f"{int(unread.sum())}: nothing depends on them (weights of zero, or readers removed)"
    if step.op in _MIXING:
        inputs = int((~keep[step.inputs[0]]).sum())
        if inputs:
            yield f"{inputs} input channels are gone; what they always added is in the bias"


def _constant(words: str, channels: Mask, sums: Interval | None) -> str:
    counted = f"{int(channels.sum())}: {words}"
    if sums is None:
        return counted
    return f"{counted}, accumulator in [{sums.lo[channels].min()}, {sums.hi[channels].max()}]"


def _demand(program: Program, intervals: Mapping[str, Interval]) -> dict[str, Mask]:
    """Tensor -> which channels somebody needs; the least fixed point, growing from the outputs."""
    keep = {
        name: np.zeros(tensor.shape[-1] if tensor.shape else 1, np.bool_)
        for name, tensor in program.tensors.items()
    }
    for name in (*program.inputs, *program.outputs):
        keep[name][:] = True
    _grow(program, intervals, keep)
    for mask in keep.values():
        mask[0] |= not mask.any()  # a tensor keeps at least one channel
    _grow(program, intervals, keep)
    return keep


def _grow(program: Program, intervals: Mapping[str, Interval], keep: dict[str, Mask]) -> None:
    before = -1
    while before != (before := sum(int(mask.sum()) for mask in keep.values())):
        for step in reversed(program.steps):
            _demand_of(program, step, intervals, keep)


def _demand_of(
    program: Program, step: Step, intervals: Mapping[str, Interval], keep: dict[str, Mask]
) -> None:
    offset = _tied(program, step)
    if _mixes(program, step):
        x = step.inputs[0]
        keep[x] |= _needed_inputs(program, step, intervals[x], keep[step.outputs[0]])
    elif offset is not None:
        width = keep[step.inputs[0]].size
        views = [keep[step.outputs[0]][offset : offset + width], *(keep[name] for name in step.inputs)]
        together = np.logical_or.reduce(views)
        for view in views:
            view |= together
    else:
        for name in (*step.inputs, *step.outputs):
            if name in keep:
                keep[name][:] = True


def _channels(program: Program, name: str) -> int | None:
    """Channels of an int8 activation; None for anything else."""
    tensor = program.tensors.get(name)
    return tensor.shape[-1] if tensor and tensor.shape and tensor.dtype == "int8" else None


def _mixes(program: Program, step: Step) -> bool:
    """Whether every output channel of this layer reads every input channel."""
    a, x = step.attrs, _channels(program, step.inputs[0])
    if step.op == "conv2d_s8":
        return a["groups"] == 1 and x == a["in_c"]
    if step.op == "fully_connected_s8" and x:
        return int(a["in_c"]) % x == 0 and _channels(program, step.outputs[0]) == a["out_c"]
    return False


def _tied(program: Program, step: Step) -> int | None:
    """Channel c of every input is channel c + this of the output, for all c; None: not channel by channel."""
    a, y = step.attrs, _channels(program, step.outputs[0])
    widths = {_channels(program, name) for name in step.inputs}
    x = widths.pop()
    if widths or x is None or y is None:
        return None
    if step.op == "copy_rows":
        return concat_offset(program, step)
    if step.op == "pad":
        fits = a["element_bytes"] == 1 and a["d3"] == x and a["before3"] + x + a["after3"] == y
        return int(a["before3"]) if fits else None
    return 0 if x == y and _channelwise(step, x) else None


def _channelwise(step: Step, channels: int) -> bool:
    a = step.attrs
    if step.op == "depthwise_conv2d_s8":
        return a["depth_multiplier"] == 1 and a["in_c"] == channels
    if step.op in ("add_s8", "mul_s8"):
        return same_shape(step)
    if step.op == "mean_s8":
        return int(a["inner"]) % channels == 0
    return step.op == "lut_s8" or (step.op in _BY_CHANNELS and a["channels"] == channels)


def _weights_by_channel(program: Program, step: Step, channels: int) -> npt.NDArray[np.int64]:
    """[out_c, taps, channels]"""
    weights = program.constants[step.constants["weights"]].astype(np.int64)
    return np.asarray(weights.reshape(weights.shape[0], -1, channels))


def _needed_inputs(program: Program, step: Step, x: Interval, wanted: Mask) -> Mask:
    weights = _weights_by_channel(program, step, x.lo.size)[wanted]
    matters = weights.any(axis=(0, 1)) if weights.size else np.zeros(x.lo.size, np.bool_)
    borders = step.op == "conv2d_s8" and padded(step)
    foldable = x.constant & (x.lo == step.attrs["x_zero"]) if borders else x.constant
    return np.asarray(matters & ~foldable)


def _rewrite(program: Program, intervals: Mapping[str, Interval], keep: Mapping[str, Mask]) -> Program:
    constants: dict[str, Array] = dict(program.constants)
    steps = tuple(_shrink(program, step, intervals, keep, constants) for step in program.steps)
    tensors = {
        name: replace(t, shape=(*t.shape[:-1], int(keep[name].sum()))) if t.shape else t
        for name, t in program.tensors.items()
    }
    used = {name for step in steps for name in (*step.constants.values(), *step.inputs)}
    return replace(
        program, tensors=tensors, steps=steps, constants={k: v for k, v in constants.items() if k in used}
    )


def _shrink(
    program: Program,
    step: Step,
    intervals: Mapping[str, Interval],
    keep: Mapping[str, Mask],
    constants: dict[str, Array],
) -> Step:
    outside = keep[step.outputs[0]]
    if outside.all() and all(keep[name].all() for name in step.inputs if name in keep):
        return step
    inside = keep[step.inputs[0]]
    if _mixes(program, step):
        return _shrink_mixing(program, step, intervals[step.inputs[0]], inside, outside, constants)
    offset = _tied(program, step)
    assert offset is not None, step.name
    attrs = _smaller(step, inside, outside, offset)
    changed = {} if step.op == "lut_s8" else _slices(program, step, outside)
    macs = step.macs // outside.size * int(outside.sum())
    return replace(step, attrs=attrs, constants=_store(step, changed, constants), macs=macs)


def _shrink_mixing(
    program: Program, step: Step, x: Interval, inside: Mask, outside: Mask, constants: dict[str, Array]
) -> Step:
    """Drop rows and columns of the weights; what the dropped inputs always added goes into the bias."""
    weights = _weights_by_channel(program, step, x.lo.size)[outside]
    always: Ints = np.where(inside, 0, x.lo - int(step.attrs["x_zero"]))
    fold = np.where(x.constant, always, 0)
    bias = program.constants[step.constants["bias"]].astype(np.int64)[outside] + (weights * fold).sum((1, 2))
    assert np.abs(bias).max(initial=0) < 2**31, step.name
    plain = program.constants[step.constants["weights"]]
    kept = weights[:, :, inside].astype(np.int8)
    shape = (*kept.shape[:1], *plain.shape[1:-1], -1) if plain.ndim == 4 else (kept.shape[0], -1)
    changed = {"weights": kept.reshape(shape), "bias": bias.astype(np.int32)}
    per_output = {role: program.constants[step.constants[role]][outside] for role in ("multiplier", "shift")}
    in_c = int(step.attrs["in_c"]) // x.lo.size * int(inside.sum())
    out_c = int(outside.sum())
    ratio = (in_c * out_c) / (int(step.attrs["in_c"]) * int(step.attrs["out_c"]))
    return replace(
        step,
        attrs={**step.attrs, "in_c": in_c, "out_c": out_c},
        constants=_store(step, {**changed, **per_output}, constants),
        macs=round(step.macs * ratio),
    )


def _slices(program: Program, step: Step, kept: Mask) -> dict[str, Array]:
    """Every constant of a channel by channel layer has its channels last."""
    return {role: program.constants[name][..., kept] for role, name in step.constants.items()}


def _smaller(step: Step, inside: Mask, outside: Mask, offset: int) -> dict[str, Attr]:
    """The attrs of a channel by channel layer, for the channels that stay."""
    a, count, of = dict(step.attrs), int(inside.sum()), inside.size
    if step.op == "depthwise_conv2d_s8":
        return a | {"in_c": count, "out_c": count}
    if step.op in ("add_s8", "mul_s8"):
        return a | _dense_strides(step, of, count)
    if step.op == "copy_rows":
        return a | _smaller_rows(step, inside, outside, offset)
    if step.op == "pad":
        front, behind = outside[:offset], outside[offset + of :]
        return a | {"d3": count, "before3": int(front.sum()), "after3": int(behind.sum())}
    if step.op in _BY_CHANNELS:
        return a | {"channels": count}
    flat = "inner" if step.op == "mean_s8" else "size"
    return a | {flat: int(a[flat]) // of * count}


def _smaller_rows(step: Step, inside: Mask, outside: Mask, offset: int) -> dict[str, Attr]:
    """Pixels per row stay as many; along another axis than channels, so do the pixels before this part."""
    a, count, total = step.attrs, int(inside.sum()), int(outside.sum())
    pixels = (int(a["y_offset"]) - offset) // outside.size
    return {
        "row_bytes": int(a["row_bytes"]) // inside.size * count,
        "y_row_bytes": int(a["y_row_bytes"]) // outside.size * total,
        "y_offset": pixels * total + int(outside[:offset].sum()),
    }


def _dense_strides(step: Step, channels: int, count: int) -> dict[str, int]:
    """A same-shape add is one flat run whatever its dims: keep it one."""
    size = int(np.prod([step.attrs[f"d{i}"] for i in range(4)])) // channels * count
    flat = {"d0": 1, "d1": 1, "d2": 1, "d3": size}
    strides = {f"{x}_s{i}": size if i < 3 else 1 for x in ("x0", "x1") for i in range(4)}
    return {**flat, **strides}


def _store(step: Step, changed: Mapping[str, Array], constants: dict[str, Array]) -> dict[str, str]:
    names = {}
    for role, data in changed.items():
        names[role] = f"{step.outputs[0]}/{role} (pruned)"
        constants[names[role]] = data
    return {**step.constants, **names}
