"""Handlers of the ONNX operators that move data: on the integers, whatever they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm.ir import Expr
from tvm.relax import op as R

from edgert.codegen.frontends.onnx_values import (
    NHWC,
    Inputs,
    Value,
    constant_array,
    first,
    given,
    logical,
    physical_axis,
    to_physical,
)

if TYPE_CHECKING:
    from edgert.codegen.frontends.onnx import Importer


def _moved(x: Value, shape: Sequence[int], expr: Expr) -> Value:
    return Value(tuple(int(d) for d in shape), expr, quant=x.quant)


def _reshaped(c: Importer, x: Value, shape: Sequence[int]) -> list[Value]:
    if x.constant is not None:
        return [replace(x, shape=tuple(shape), constant=x.constant.reshape(shape))]
    return [_moved(x, shape, to_physical(R.reshape(logical(c, x), tuple(shape)), shape))]


def reshape(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, wanted = first(inputs), constant_array(inputs, 1, "a shape")
    assert wanted is not None
    shape = [x.shape[i] if d == 0 else int(d) for i, d in enumerate(wanted.tolist())]
    if -1 in shape:
        shape[shape.index(-1)] = prod(x.shape) // -prod(shape)
    return _reshaped(c, x, shape)


def flatten(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
    axis = int(c.attribute(node, "axis", 1)) % (len(x.shape) + 1)
    return _reshaped(c, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def squeeze(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed = first(inputs), constant_array(inputs, 1, "axes")
    axes = c.attribute(node, "axes") if listed is None else listed.tolist()
    gone = {a % len(x.shape) for a in axes} if axes else {i for i, d in enumerate(x.shape) if d == 1}
    return _reshaped(c, x, [d for i, d in enumerate(x.shape) if i not in gone])


def unsqueeze(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed = first(inputs), constant_array(inputs, 1, "axes")
    axes = c.attribute(node, "axes") if listed is None else listed.tolist()
    rank = len(x.shape) + len(axes)
    new, old = {a % rank for a in axes}, iter(x.shape)
    return _reshaped(c, x, [1 if i in new else next(old) for i in range(rank)])


def transpose(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
    rank = len(x.shape)
    perm = [int(p) for p in c.attribute(node, "perm", list(range(rank))[::-1])]
    shape = [x.shape[p] for p in perm]
    if x.constant is not None:
        return [replace(x, shape=tuple(shape), constant=x.constant.transpose(perm))]
    physical = [NHWC.index(perm[axis]) for axis in NHWC] if rank == 4 else perm
    expr = c.expression(x)
    return [_moved(x, shape, expr if physical == list(range(rank)) else R.permute_dims(expr, physical))]


def concat(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    parts = [p for p in inputs if p is not None]
    rank = len(parts[0].shape)
    axis = int(c.attribute(node, "axis")) % rank
    shape = list(parts[0].shape)
    shape[axis] = sum(p.shape[axis] for p in parts)
    quant = parts[0].quant
    alike = quant is not None and all(p.quant is not None and p.quant.same(quant) for p in parts)
    exprs = [c.expression(p) if alike else c.real(p) for p in parts]
    return [
        Value(tuple(shape), R.concat(exprs, axis=physical_axis(axis, rank)), quant=quant if alike else None)
    ]


def _sliced(c: Importer, x: Value, cuts: dict[int, tuple[int, int, int]]) -> Value:
    """cuts: logical axis -> (begin, end, stride), all within the shape."""
    shape = list(x.shape)
    for axis, (begin, end, stride) in cuts.items():
        shape[axis] = len(range(begin, end, stride))
    axes = [physical_axis(a, len(shape)) for a in cuts]
    begins, ends, strides = (list(column) for column in zip(*cuts.values(), strict=True))
    return _moved(x, shape, R.strided_slice(c.expression(x), axes, begins, ends, strides))


def slice_(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
    starts, ends, axes, steps = (constant_array(inputs, i, "a bound") for i in (1, 2, 3, 4))
    assert starts is not None and ends is not None
    listed = range(len(starts)) if axes is None else axes.tolist()
    cuts = {}
    for i, axis in enumerate(listed):
        step = 1 if steps is None else int(steps[i])
        if step < 1:
            raise NotImplementedError("a negative step")
        begin, end, _ = slice(int(starts[i]), int(ends[i]), step).indices(x.shape[axis])
        cuts[axis % len(x.shape)] = (begin, end, step)
    return [_sliced(c, x, cuts)]


def split(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed = first(inputs), constant_array(inputs, 1, "sizes")
    axis = int(c.attribute(node, "axis", 0)) % len(x.shape)
    count = len(node.output)
    even = -(-x.shape[axis] // count)
    sizes = c.attribute(node, "split") if listed is None else listed.tolist()
    sizes = sizes or [min(even, x.shape[axis] - i * even) for i in range(count)]
    begins = np.concatenate([[0], np.cumsum(sizes)])
    return [_sliced(c, x, {axis: (int(b), int(b + s), 1)}) for b, s in zip(begins, sizes, strict=False)]


def pad(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed, value = first(inputs), constant_array(inputs, 1, "pads"), constant_array(inputs, 2, "a value")
    pads = [int(p) for p in (c.attribute(node, "pads") if listed is None else listed)]
    if c.attribute(node, "mode", "constant") != "constant" or min(pads) < 0 or given(inputs, 3) is not None:
        raise NotImplementedError("only constant padding of every axis")
    rank = len(x.shape)
    logical = [(pads[i], pads[i + rank]) for i in range(rank)]
    physical = [logical[a] for a in NHWC] if rank == 4 else logical
    filled = 0.0 if value is None else float(value.ravel()[0])
    if x.quant is not None:
        q = np.rint(filled / x.quant.scale.ravel()[0]) + x.quant.zero.ravel()[0]
        filled = float(np.clip(q, -128, 127))
    expr = R.nn.pad(c.expression(x), [p for pair in physical for p in pair], "constant", filled)
    return [_moved(x, [d + sum(p) for d, p in zip(x.shape, logical, strict=True)], expr)]


_MODES = {"align_corners": "align_corners", "half_pixel": "half_pixel", "asymmetric": "asymmetric"}


def resize(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, scales, sizes = first(inputs), constant_array(inputs, 2, "scales"), constant_array(inputs, 3, "sizes")
    mode = _MODES.get(c.attribute(node, "coordinate_transformation_mode", "half_pixel"))
    method = {"nearest": "nearest_neighbor", "linear": "linear"}.get(c.attribute(node, "mode", "nearest"))
    if len(x.shape) != 4 or mode is None or method is None:
        raise NotImplementedError("only nearest and linear resizing of images")
    if sizes is not None and sizes.size:
        shape = tuple(int(d) for d in sizes)
    elif scales is not None and scales.size:
        shape = tuple(int(np.floor(d * s)) for d, s in zip(x.shape, scales.tolist(), strict=True))
    else:
        raise NotImplementedError("neither scales nor sizes")
    if shape[:2] != x.shape[:2]:
        raise NotImplementedError("resizing channels")
    nearest = method == "nearest_neighbor"
    rounding = c.attribute(node, "nearest_mode", "round_prefer_floor") if nearest else ""
    source = c.expression(x) if nearest else c.real(x)
    expr = R.image.resize2d(source, shape[2:], None, "NHWC", method, mode, rounding)
    return [Value(shape, expr, quant=x.quant if nearest else None)]


def identity(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    return [first(inputs)]


def shape_of(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    array = np.array(first(inputs).shape, np.int64)
    return [Value(array.shape, constant=array)]
