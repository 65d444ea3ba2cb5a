"""Exact channel removal: a channel that interval analysis proves constant is folded into its readers' bias.

Program -> Program with the same output bytes for every input. A channel stays if some reader needs its
values: demand flows from the outputs backwards until nothing changes. A convolution can fold a constant
channel c into its bias where c meets no border, or where c is the zero point that a border adds; it does
not need a channel whose weights are all zero. Layers that work channel by channel (depthwise, pool, add,
lookup) keep the same set on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgert.codegen.intervals import Interval, Ints, analyse, padded, same_shape
from edgert.codegen.program import Array, Program, Step

Mask = npt.NDArray[np.bool_]
_POOLS = ("max_pool2d_s8", "avg_pool2d_s8")


@dataclass(frozen=True)
class Removal:
    """`removed` of `channels` channels of a tensor do not depend on the input, or on nothing that is read."""

    tensor: str
    channels: int
    removed: int


def prune(program: Program) -> tuple[Program, tuple[Removal, ...]]:
    """The smaller program, and what was removed from it."""
    intervals = analyse(program)
    keep = _demand(program, intervals)
    removals = tuple(
        Removal(name, mask.size, int((~mask).sum())) for name, mask in keep.items() if not mask.all()
    )
    return (_rewrite(program, intervals, keep), removals) if removals else (program, ())


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
    kind = _kind(program, step)
    if kind == "mixing":
        x = step.inputs[0]
        keep[x] |= _needed_inputs(program, step, intervals[x], keep[step.outputs[0]])
    elif kind == "tied":
        together = np.logical_or.reduce([keep[name] for name in (*step.inputs, *step.outputs)])
        for name in (*step.inputs, *step.outputs):
            keep[name] |= together
    else:
        for name in (*step.inputs, *step.outputs):
            if name in keep:
                keep[name][:] = True


def _kind(program: Program, step: Step) -> str:
    """mixing: every output channel reads every input channel. tied: channel by channel. opaque: unknown."""
    if any(name not in program.tensors for name in step.inputs):
        return "opaque"
    channels = {
        program.tensors[n].shape[-1] if program.tensors[n].shape else 1 for n in (*step.inputs, *step.outputs)
    }
    a, x = step.attrs, program.tensors[step.inputs[0]]
    if step.op == "conv2d_s8" and a["groups"] == 1 and x.shape[-1] == a["in_c"]:
        return "mixing"
    if step.op == "fully_connected_s8" and x.shape and int(a["in_c"]) % x.shape[-1] == 0:
        return "mixing" if program.tensors[step.outputs[0]].shape[-1] == a["out_c"] else "opaque"
    if len(channels) != 1:
        return "opaque"
    width = channels.pop()
    if step.op == "depthwise_conv2d_s8" and a["depth_multiplier"] == 1 and a["in_c"] == width:
        return "tied"
    if step.op == "add_s8" and same_shape(step):
        return "tied"
    if step.op == "lut_s8" or (step.op in _POOLS and a["channels"] == width):
        return "tied"
    return "opaque"


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
    kind = _kind(program, step)
    inside = keep[step.inputs[0]] if step.inputs[0] in keep else np.ones(1, np.bool_)
    outside = keep[step.outputs[0]]
    if kind == "opaque" or (inside.all() and outside.all()):
        return step
    if kind == "mixing":
        return _shrink_mixing(program, step, intervals[step.inputs[0]], inside, outside, constants)
    if step.op == "depthwise_conv2d_s8":
        return _shrink_depthwise(program, step, outside, constants)
    return _shrink_elementwise(step, outside)


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


def _shrink_depthwise(program: Program, step: Step, kept: Mask, constants: dict[str, Array]) -> Step:
    changed = {role: program.constants[name][..., kept] for role, name in step.constants.items()}
    count = int(kept.sum())
    return replace(
        step,
        attrs={**step.attrs, "in_c": count, "out_c": count},
        constants=_store(step, changed, constants),
        macs=step.macs // kept.size * count,
    )


def _shrink_elementwise(step: Step, kept: Mask) -> Step:
    attrs, count = dict(step.attrs), int(kept.sum())
    if step.op == "lut_s8":
        attrs["size"] = int(attrs["size"]) // kept.size * count
    elif step.op == "add_s8":
        attrs |= _dense_strides(step, kept.size, count)
    else:
        attrs["channels"] = count
    return replace(step, attrs=attrs)


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
