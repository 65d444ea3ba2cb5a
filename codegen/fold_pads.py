"""Padding that only convolutions read becomes their own border: no copy of the map, the same bytes.

A converter writes a border that its padding modes do not know (PyTorch's at stride 2, Keras's ZeroPadding2D)
as a layer of its own, which fills it with the zero point: what a convolution's own border is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgert.codegen.program import Program, Step

_WINDOWS = ("conv2d_s8", "depthwise_conv2d_s8")


def fold_pads(program: Program) -> Program:
    """The Program without the pads that its int8 convolutions can do."""
    readers: dict[str, list[Step]] = {}
    for step in program.steps:
        for name in step.inputs:
            readers.setdefault(name, []).append(step)
    pads = {
        step.outputs[0]: step
        for step in program.steps
        if step.op == "pad"
        and step.outputs[0] not in program.outputs
        and all(_folds(program, step, reader) for reader in readers.get(step.outputs[0], [step]))
    }
    steps = (_folded(step, pads) for step in program.steps if step.outputs[0] not in pads)
    tensors = {name: tensor for name, tensor in program.tensors.items() if name not in pads}
    return replace(program, steps=tuple(steps), tensors=tensors) if pads else program


def _folds(program: Program, pad: Step, reader: Step) -> bool:
    """Whether the border is one of rows and columns, of the zero point, and every window meets the map."""
    if reader.op not in _WINDOWS or program.tensors[pad.outputs[0]].dtype != "int8":
        return False
    p, a = _numbers(pad), _numbers(reader)
    images = p["d0"] == 1 and all(not p[f"{side}{axis}"] for side in ("before", "after") for axis in (0, 3))
    shape = tuple(p[f"before{axis}"] + p[f"d{axis}"] + p[f"after{axis}"] for axis in (1, 2, 3))
    reach = (a["dilation_h"] * (a["kernel_h"] - 1), a["dilation_w"] * (a["kernel_w"] - 1))
    own = (a["pad_top"], a["pad_left"])
    return (
        images
        and a["batch"] == 1
        and shape == (a["in_h"], a["in_w"], a["in_c"])
        and p["value"] % 256 == a["x_zero"] % 256
        and all(
            own[axis - 1] + p[f"before{axis}"] <= reach[axis - 1] and p[f"after{axis}"] <= reach[axis - 1]
            for axis in (1, 2)
        )
    )


def _numbers(step: Step) -> dict[str, int]:
    return {name: int(value) for name, value in step.attrs.items() if isinstance(value, int)}


def _folded(step: Step, pads: Mapping[str, Step]) -> Step:
    pad = pads.get(step.inputs[0]) if step.inputs else None
    if pad is None:
        return step
    p, a = _numbers(pad), _numbers(step)
    border = {"in_h": p["d1"], "in_w": p["d2"]}
    border |= {"pad_top": a["pad_top"] + p["before1"], "pad_left": a["pad_left"] + p["before2"]}
    return replace(step, inputs=(pad.inputs[0], *step.inputs[1:]), attrs={**step.attrs, **border})
