"""One handler per ONNX operator: (importer, node, inputs) -> results. See codegen/frontends/onnx.py.

NotImplementedError becomes UnsupportedOperatorError with the node's place in the model.
Source: the ONNX operator specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax
from tvm.ir import Expr
from tvm.relax import op as R

from edgert.codegen.frontends.onnx import (
    NHWC,
    Quantization,
    Value,
    dequantized,
    to_logical,
    to_physical,
)
from edgert.codegen.program import Array

if TYPE_CHECKING:
    from edgert.codegen.frontends.onnx import _Importer

Inputs = Sequence[Value | None]
Handler = Callable[["_Importer", Any, Inputs], list[Value]]


def _given(inputs: Inputs, position: int) -> Value | None:
    return inputs[position] if len(inputs) > position else None


def _first(inputs: Inputs) -> Value:
    value = _given(inputs, 0)
    if value is None:
        raise NotImplementedError("its input is missing")
    return value


def _array(inputs: Inputs, position: int, what: str) -> Array | None:
    value = _given(inputs, position)
    if value is None:
        return None
    if value.constant is None:
        raise NotImplementedError(f"{what} that is no constant")
    return value.constant


def _axis(axis: int, rank: int) -> int:
    """A logical axis as a physical one."""
    axis %= rank
    return NHWC.index(axis) if rank == 4 else axis


# Quantization


def quantize(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, quant = _first(inputs), c.quantization(node)
    zero_point = _given(inputs, 2)
    unsigned = zero_point is None or zero_point.constant is None or zero_point.constant.dtype == np.uint8
    if x.constant is not None:
        return [Value(x.shape, constant=_quantized_array(x, quant), unsigned=unsigned)]
    if x.quant is not None and x.quant.same(quant):
        return [Value(x.shape, x.expr, unsigned=unsigned)]
    if quant.scale.size != 1:
        raise NotImplementedError("activations with a scale per channel")
    scale, zero = float(quant.scale.ravel()[0]), int(quant.zero.ravel()[0])
    expr = R.quantize(
        c.real(x), relax.const(scale, "float32"), relax.const(zero, "int32"), axis=0, out_dtype="int8"
    )
    return [Value(x.shape, expr, unsigned=unsigned)]


def _quantized_array(x: Value, quant: Quantization) -> Array:
    assert x.constant is not None
    shape = [-1 if i == quant.axis else 1 for i in range(x.constant.ndim)] if quant.scale.size > 1 else []
    scaled = x.constant / quant.scale.reshape(shape) if shape else x.constant / quant.scale.ravel()[0]
    zero = quant.zero.reshape(shape) if shape else quant.zero.ravel()[0]
    rounded: Array = np.clip(np.rint(scaled) + zero, -128, 127).astype(np.int8)
    return rounded


def dequantize(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    stored = x.expr.ty.dtype if x.expr is not None else x.constant.dtype if x.constant is not None else ""
    quant = c.quantization(node, unsigned=x.unsigned or str(stored) == "uint8")
    if x.constant is not None and str(stored) == "uint8":
        x = replace(x, constant=(x.constant.astype(np.int16) - 128).astype(np.int8))
    if x.expr is not None and str(stored) == "uint8":  # the graph's own input
        x = replace(x, expr=c.builder.emit(_signed(x.expr, quant), f"{node.input[0]}/int8"))
    return [replace(x, quant=quant)]


def _signed(expr: Expr, quant: Quantization) -> Expr:
    scale = relax.const(float(quant.scale.ravel()[0]), "float32")
    zero = int(quant.zero.ravel()[0])
    real = R.dequantize(expr, scale, relax.const(zero + 128, "int32"), axis=0)
    return R.quantize(real, scale, relax.const(zero, "int32"), axis=0, out_dtype="int8")


# Convolutions and products


def conv(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, w = _first(inputs), _given(inputs, 1)
    if w is None or w.constant is None or len(x.shape) != 4:
        raise NotImplementedError("only 2-D convolutions with constant weights")
    out_c, depth, kernel_h, kernel_w = w.shape
    groups = int(c.attribute(node, "group", 1))
    strides = list(c.attribute(node, "strides", [1, 1]))
    dilations = list(c.attribute(node, "dilations", [1, 1]))
    reach = [(k - 1) * d + 1 for k, d in zip((kernel_h, kernel_w), dilations, strict=True)]
    pads = _pads(c, node, x.shape[2:], reach, strides)
    depthwise = depth == 1 and groups == x.shape[1]
    order, layout, axis = ((2, 3, 0, 1), "HWOI", 2) if depthwise else ((2, 3, 1, 0), "HWIO", 3)
    weights = _weights(w, w.constant.transpose(order), axis)
    expr = R.nn.conv2d(
        c.real(x), weights, strides=strides, padding=pads, dilation=dilations, groups=groups,
        data_layout="NHWC", kernel_layout=layout,
    )  # fmt: skip
    sides = [
        (side + pads[i] + pads[i + 2] - r) // s + 1
        for i, (side, r, s) in enumerate(zip(x.shape[2:], reach, strides, strict=True))
    ]
    return [_biased(c, expr, (x.shape[0], out_c, *sides), _accumulator(x, w), _given(inputs, 2))]


def _pads(
    c: _Importer, node: Any, sides: Sequence[int], reach: Sequence[int], strides: Sequence[int]
) -> list[int]:
    """[top, left, bottom, right]"""
    mode = c.attribute(node, "auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        return [int(p) for p in c.attribute(node, "pads", [0, 0, 0, 0])]
    if mode == "VALID":
        return [0, 0, 0, 0]
    totals = [
        max(0, (-(-side // s) - 1) * s + r - side) for side, r, s in zip(sides, reach, strides, strict=True)
    ]
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return [*small, *large] if mode == "SAME_UPPER" else [*large, *small]


def _weights(w: Value, array: Array, axis: int) -> Expr:
    expr = relax.const(np.ascontiguousarray(array), str(array.dtype))
    return expr if w.quant is None else dequantized(expr, w.quant, axis)


def _accumulator(x: Value, w: Value) -> Array | None:
    """The scale of the integer sums, one per output channel or one for all."""
    if x.quant is None or w.quant is None:
        return None
    scale: Array = x.quant.scale.ravel()[:1] * w.quant.scale.ravel()
    return scale


def _biased(
    c: _Importer, expr: Expr, shape: tuple[int, ...], accumulator: Array | None, bias: Value | None
) -> Value:
    if bias is None:
        return Value(shape, expr, accumulator=accumulator)
    if bias.constant is None:
        raise NotImplementedError("a bias that is no constant")
    return Value(shape, R.add(expr, _bias(bias, accumulator)))


def _bias(bias: Value, accumulator: Array | None) -> Expr:
    """In the scale of the accumulator, whatever scale the model gives it."""
    assert bias.constant is not None
    real = bias.constant.astype(np.float64).ravel()
    if bias.quant is not None:
        real = (real - bias.quant.zero.ravel()) * bias.quant.scale.astype(np.float64).ravel()
    if accumulator is None:
        return relax.const(real.astype(np.float32), "float32")
    q = np.clip(np.rint(real / accumulator), -(2**31), 2**31 - 1).astype(np.int32)
    return R.dequantize(
        relax.const(q, "int32"), relax.const(accumulator, "float32"), relax.const(0, "int32"), axis=0
    )


def gemm(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    plain = c.attribute(node, "alpha", 1.0) == 1.0 and c.attribute(node, "beta", 1.0) == 1.0
    if not plain or c.attribute(node, "transA", 0):
        raise NotImplementedError("alpha, beta and transA have to be 1, 1 and 0")
    return [_product(c, inputs, transposed=bool(c.attribute(node, "transB", 0)))]


def matmul(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    return [_product(c, inputs, transposed=False)]


def _product(c: _Importer, inputs: Inputs, *, transposed: bool) -> Value:
    x, w = _first(inputs), _given(inputs, 1)
    if w is None or w.constant is None or len(w.shape) != 2:
        raise NotImplementedError("only products with a constant matrix")
    array = w.constant.T if transposed else w.constant
    in_c, out_c = array.shape
    flat = Value(
        (prod(x.shape) // in_c, in_c), R.reshape(_logical(c, x), (prod(x.shape) // in_c, in_c)), quant=x.quant
    )
    expr = R.matmul(c.real(x if len(x.shape) == 2 else flat), _weights(w, array, 1))
    result = _biased(c, expr, (flat.shape[0], out_c), _accumulator(x, w), _given(inputs, 2))
    shape = (*x.shape[:-1], out_c)
    if len(shape) == 2:
        return result
    return Value(shape, to_physical(R.reshape(result.expr, shape), shape))


def _logical(c: _Importer, x: Value) -> Expr:
    return to_logical(c.expression(x), x.shape)


# Elementwise


def binary(function: Callable[[Expr, Expr], Expr]) -> Handler:
    def handler(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
        a, b = inputs
        assert a is not None and b is not None
        shape = tuple(np.broadcast_shapes(a.shape, b.shape))
        for product, bias in ((a, b), (b, a)) if node.op_type == "Add" else ():
            if _is_bias_of(product, bias):
                return [Value(shape, R.add(product.expr, _bias(bias, product.accumulator)))]
        return [Value(shape, function(*(c.real(_raised(x, len(shape))) for x in (a, b))))]

    return handler


def _is_bias_of(product: Value, bias: Value) -> bool:
    """MatMul or Conv, then Add of a constant per output channel: still one kernel."""
    if product.accumulator is None or product.expr is None or bias.constant is None:
        return False
    return bias.constant.size == product.shape[1 if len(product.shape) == 4 else -1]


def _raised(x: Value, rank: int) -> Value:
    """A constant with as many dimensions as the result, so that NHWC means the same for both."""
    if x.constant is None:
        if len(x.shape) != rank and rank == 4 and len(x.shape) > 0:
            raise NotImplementedError("broadcasting activations of different ranks")
        return x
    if x.constant.ndim == rank:
        return x
    shape = (1,) * (rank - x.constant.ndim) + x.constant.shape
    return replace(x, shape=shape, constant=x.constant.reshape(shape))


def unary(function: Callable[[Expr], Expr]) -> Handler:
    def handler(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
        x = _first(inputs)
        return [Value(x.shape, function(c.real(x)))]

    return handler


def clip(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    bounds = []
    for position, name, default in ((1, "min", -3.4e38), (2, "max", 3.4e38)):
        array = _array(inputs, position, "a bound")
        bounds.append(float(c.attribute(node, name, default) if array is None else array.ravel()[0]))
    return [Value(x.shape, R.clip(c.real(x), *bounds))]


def leaky_relu(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    return [Value(x.shape, R.nn.leakyrelu(c.real(x), float(c.attribute(node, "alpha", 0.01))))]


def hard_sigmoid(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    slope, offset = (float(c.attribute(node, n, d)) for n, d in (("alpha", 0.2), ("beta", 0.5)))
    line = R.add(R.multiply(c.real(x), relax.const(slope, "float32")), relax.const(offset, "float32"))
    return [Value(x.shape, R.clip(line, 0, 1))]


def hard_swish(x: Expr) -> Expr:
    gate = R.clip(R.add(x, relax.const(3.0, "float32")), 0, 6)
    return R.multiply(x, R.multiply(gate, relax.const(1 / 6, "float32")))


def prelu(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, slope = _first(inputs), _given(inputs, 1)
    channels = x.shape[1] if len(x.shape) == 4 else x.shape[-1]
    if slope is None or slope.constant is None or slope.constant.size not in (1, channels):
        raise NotImplementedError("a slope that is not one constant per channel")
    array = np.broadcast_to(slope.constant.ravel(), (channels,))
    return [Value(x.shape, R.nn.prelu(c.real(x), _weights(slope, array, 0), axis=len(x.shape) - 1))]


def softmax(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    axis = int(c.attribute(node, "axis", -1 if c.opset >= 13 else 1)) % len(x.shape)
    if c.opset < 13 and axis != len(x.shape) - 1:
        raise NotImplementedError("softmax over several axes (opset below 13)")
    return [Value(x.shape, R.nn.softmax(c.real(x), axis=_axis(axis, len(x.shape))))]


# Pools and means


def pool(function: Callable[..., Expr], *, average: bool) -> Handler:
    def handler(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
        x = _first(inputs)
        if len(x.shape) != 4 or any(d != 1 for d in c.attribute(node, "dilations", [1, 1])):
            raise NotImplementedError("only 2-D pools without dilation")
        kernel = list(c.attribute(node, "kernel_shape"))
        strides = list(c.attribute(node, "strides", [1, 1]))
        pads, up = _pads(c, node, x.shape[2:], kernel, strides), bool(c.attribute(node, "ceil_mode", 0))
        options: dict[str, Any] = {"pool_size": kernel, "strides": strides, "padding": pads, "layout": "NHWC"}
        if average:
            options["count_include_pad"] = bool(c.attribute(node, "count_include_pad", 0))
        room = [side + pads[i] + pads[i + 2] - kernel[i] for i, side in enumerate(x.shape[2:])]
        sides = [(-(-r // s) if up else r // s) + 1 for r, s in zip(room, strides, strict=True)]
        shape = (*x.shape[:2], *sides)
        if average:
            return [Value(shape, function(c.real(x), ceil_mode=up, **options))]
        return [Value(shape, function(c.expression(x), ceil_mode=up, **options), quant=x.quant)]

    return handler


def global_average(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    if len(x.shape) != 4:
        raise NotImplementedError("only of images")
    return [Value((*x.shape[:2], 1, 1), R.mean(c.real(x), [1, 2], True))]


def reduce_mean(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed = _first(inputs), _array(inputs, 1, "axes")
    rank = len(x.shape)
    axes = c.attribute(node, "axes") if listed is None else listed.tolist()
    axes = sorted({int(a) % rank for a in (axes or range(rank))})
    shape = tuple(1 if i in axes else d for i, d in enumerate(x.shape))
    left = tuple(d for i, d in enumerate(x.shape) if i not in axes)
    physical, keep = sorted(_axis(a, rank) for a in axes), bool(c.attribute(node, "keepdims", 1))
    if keep or rank != 4 or axes == [2, 3]:  # what is left is in the model's own order
        return [Value(shape if keep else left, R.mean(c.real(x), physical, keep))]
    expr = R.mean(c.real(x), physical, True)
    return [Value(left, to_physical(R.reshape(to_logical(expr, shape), left), left))]


# Data movement: on the integers, whatever they stand for


def _moved(x: Value, shape: Sequence[int], expr: Expr) -> Value:
    return Value(tuple(int(d) for d in shape), expr, quant=x.quant)


def _reshaped(c: _Importer, x: Value, shape: Sequence[int]) -> list[Value]:
    if x.constant is not None:
        return [replace(x, shape=tuple(shape), constant=x.constant.reshape(shape))]
    return [_moved(x, shape, to_physical(R.reshape(_logical(c, x), tuple(shape)), shape))]


def reshape(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, wanted = _first(inputs), _array(inputs, 1, "a shape")
    assert wanted is not None
    shape = [x.shape[i] if d == 0 else int(d) for i, d in enumerate(wanted.tolist())]
    if -1 in shape:
        shape[shape.index(-1)] = prod(x.shape) // -prod(shape)
    return _reshaped(c, x, shape)


def flatten(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    axis = int(c.attribute(node, "axis", 1)) % (len(x.shape) + 1)
    return _reshaped(c, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def squeeze(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed = _first(inputs), _array(inputs, 1, "axes")
    axes = c.attribute(node, "axes") if listed is None else listed.tolist()
    gone = {a % len(x.shape) for a in axes} if axes else {i for i, d in enumerate(x.shape) if d == 1}
    return _reshaped(c, x, [d for i, d in enumerate(x.shape) if i not in gone])


def unsqueeze(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed = _first(inputs), _array(inputs, 1, "axes")
    axes = c.attribute(node, "axes") if listed is None else listed.tolist()
    rank = len(x.shape) + len(axes)
    new, old = {a % rank for a in axes}, iter(x.shape)
    return _reshaped(c, x, [1 if i in new else next(old) for i in range(rank)])


def transpose(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    rank = len(x.shape)
    perm = [int(p) for p in c.attribute(node, "perm", list(range(rank))[::-1])]
    shape = [x.shape[p] for p in perm]
    if x.constant is not None:
        return [replace(x, shape=tuple(shape), constant=x.constant.transpose(perm))]
    physical = [NHWC.index(perm[axis]) for axis in NHWC] if rank == 4 else perm
    expr = c.expression(x)
    return [_moved(x, shape, expr if physical == list(range(rank)) else R.permute_dims(expr, physical))]


def concat(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    parts = [p for p in inputs if p is not None]
    rank = len(parts[0].shape)
    axis = int(c.attribute(node, "axis")) % rank
    shape = list(parts[0].shape)
    shape[axis] = sum(p.shape[axis] for p in parts)
    quant = parts[0].quant
    alike = quant is not None and all(p.quant is not None and p.quant.same(quant) for p in parts)
    exprs = [c.expression(p) if alike else c.real(p) for p in parts]
    return [Value(tuple(shape), R.concat(exprs, axis=_axis(axis, rank)), quant=quant if alike else None)]


def _sliced(c: _Importer, x: Value, cuts: dict[int, tuple[int, int, int]]) -> Value:
    """cuts: logical axis -> (begin, end, stride), all within the shape."""
    shape = list(x.shape)
    for axis, (begin, end, stride) in cuts.items():
        shape[axis] = len(range(begin, end, stride))
    axes = [_axis(a, len(shape)) for a in cuts]
    begins, ends, strides = (list(column) for column in zip(*cuts.values(), strict=True))
    return _moved(x, shape, R.strided_slice(c.expression(x), axes, begins, ends, strides))


def slice_(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = _first(inputs)
    starts, ends, axes, steps = (_array(inputs, i, "a bound") for i in (1, 2, 3, 4))
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


def split(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed = _first(inputs), _array(inputs, 1, "sizes")
    axis = int(c.attribute(node, "axis", 0)) % len(x.shape)
    count = len(node.output)
    even = -(-x.shape[axis] // count)
    sizes = c.attribute(node, "split") if listed is None else listed.tolist()
    sizes = sizes or [min(even, x.shape[axis] - i * even) for i in range(count)]
    begins = np.concatenate([[0], np.cumsum(sizes)])
    return [_sliced(c, x, {axis: (int(b), int(b + s), 1)}) for b, s in zip(begins, sizes, strict=False)]


def pad(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed, value = _first(inputs), _array(inputs, 1, "pads"), _array(inputs, 2, "a value")
    pads = [int(p) for p in (c.attribute(node, "pads") if listed is None else listed)]
    if c.attribute(node, "mode", "constant") != "constant" or min(pads) < 0 or _given(inputs, 3) is not None:
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


def resize(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, scales, sizes = _first(inputs), _array(inputs, 2, "scales"), _array(inputs, 3, "sizes")
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


def identity(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    return [_first(inputs)]


def shape_of(c: _Importer, node: Any, inputs: Inputs) -> list[Value]:
    array = np.array(_first(inputs).shape, np.int64)
    return [Value(array.shape, constant=array)]


HANDLERS: dict[str, Handler] = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "Conv": conv,
    "Gemm": gemm,
    "MatMul": matmul,
    "Add": binary(R.add),
    "Sub": binary(R.subtract),
    "Mul": binary(R.multiply),
    "Div": binary(R.divide),
    "Max": binary(R.maximum),
    "Min": binary(R.minimum),
    "Relu": unary(R.nn.relu),
    "Sigmoid": unary(R.sigmoid),
    "Tanh": unary(R.tanh),
    "HardSwish": unary(hard_swish),
    "Exp": unary(R.exp),
    "Log": unary(R.log),
    "Sqrt": unary(R.sqrt),
    "Abs": unary(R.abs),
    "Neg": unary(R.negative),
    "Erf": unary(R.erf),
    "Floor": unary(R.floor),
    "Ceil": unary(R.ceil),
    "Clip": clip,
    "LeakyRelu": leaky_relu,
    "HardSigmoid": hard_sigmoid,
    "PRelu": prelu,
    "Softmax": softmax,
    "MaxPool": pool(R.nn.max_pool2d, average=False),
    "AveragePool": pool(R.nn.avg_pool2d, average=True),
    "GlobalAveragePool": global_average,
    "ReduceMean": reduce_mean,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "Slice": slice_,
    "Split": split,
    "Pad": pad,
    "Resize": resize,
    "Identity": identity,
    "Dropout": identity,
    "Shape": shape_of,
}
