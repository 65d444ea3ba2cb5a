"""Handlers of the ONNX operators that compute. Source: the ONNX operator specification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax
from tvm.ir import Expr
from tvm.relax import op as R

from edgert.codegen.frontends.onnx_values import (
    Handler,
    Inputs,
    Quantization,
    Value,
    constant_array,
    dequantized,
    first,
    given,
    logical,
    physical_axis,
    to_logical,
    to_physical,
)
from edgert.codegen.program import Array

if TYPE_CHECKING:
    from edgert.codegen.frontends.onnx import Importer


# Quantization


def quantize(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, quant = first(inputs), c.quantization(node)
    zero_point = given(inputs, 2)
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


def dequantize(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
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


def conv(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, w = first(inputs), given(inputs, 1)
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
    return [_biased(c, expr, (x.shape[0], out_c, *sides), _accumulator(x, w), given(inputs, 2))]


def _pads(
    c: Importer, node: Any, sides: Sequence[int], reach: Sequence[int], strides: Sequence[int]
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
    c: Importer, expr: Expr, shape: tuple[int, ...], accumulator: Array | None, bias: Value | None
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


def gemm(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    plain = c.attribute(node, "alpha", 1.0) == 1.0 and c.attribute(node, "beta", 1.0) == 1.0
    if not plain or c.attribute(node, "transA", 0):
        raise NotImplementedError("alpha, beta and transA have to be 1, 1 and 0")
    return [_product(c, inputs, transposed=bool(c.attribute(node, "transB", 0)))]


def matmul(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, y = first(inputs), given(inputs, 1)
    if y is not None and (y.constant is None or len(y.shape) != 2):
        return [_product_of_two(c, x, y)]
    return [_product(c, inputs, transposed=False)]


def _product_of_two(c: Importer, x: Value, y: Value) -> Value:
    """[batch, rows, depth] by [batch or 1, depth, columns]; other broadcasts keep their shape."""
    shapes = [x.shape, y.shape]
    if min(len(s) for s in shapes) < 2:
        raise NotImplementedError("a product with a vector")
    shape = (*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])
    one_scale = all(v.quant is None or v.quant.scale.size == 1 for v in (x, y))
    if one_scale and (x.shape[:-2] == y.shape[:-2] or prod(y.shape[:-2]) == 1):
        shapes = [(prod(s[:-2]), *s[-2:]) for s in shapes]
    left, right = (
        c.real(Value(s, _shaped(logical(c, v), v.shape, s), quant=v.quant))
        for v, s in zip((x, y), shapes, strict=True)
    )
    flat = (*np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2]), *shape[-2:])
    return Value(shape, to_physical(_shaped(R.matmul(left, right), flat, shape), shape))


def _shaped(expr: Expr, shape: tuple[int, ...], wanted: tuple[int, ...]) -> Expr:
    return expr if shape == wanted else R.reshape(expr, wanted)


def _product(c: Importer, inputs: Inputs, *, transposed: bool) -> Value:
    x, w = first(inputs), given(inputs, 1)
    if w is None or w.constant is None or len(w.shape) != 2:
        raise NotImplementedError("only products with a constant matrix")
    array = w.constant.T if transposed else w.constant
    in_c, out_c = array.shape
    flat = Value(
        (prod(x.shape) // in_c, in_c), R.reshape(logical(c, x), (prod(x.shape) // in_c, in_c)), quant=x.quant
    )
    expr = R.matmul(c.real(x if len(x.shape) == 2 else flat), _weights(w, array, 1))
    result = _biased(c, expr, (flat.shape[0], out_c), _accumulator(x, w), given(inputs, 2))
    shape = (*x.shape[:-1], out_c)
    if len(shape) == 2:
        return result
    return Value(shape, to_physical(R.reshape(result.expr, shape), shape))


def batch_norm(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    """A factor and a term per channel; passes/fold_linear.py puts both into a convolution before it."""
    x = first(inputs)
    arrays = [constant_array(inputs, i, "a statistic") for i in (1, 2, 3, 4)]
    if any(a is None for a in arrays) or len(x.shape) < 2:
        raise NotImplementedError("only with constant statistics")
    gain, shift, mean, variance = (np.asarray(a, np.float64) for a in arrays)
    factor = gain / np.sqrt(variance + float(c.attribute(node, "epsilon", 1e-5)))
    shape = (-1,) if len(x.shape) in (2, 4) else (-1, *[1] * (len(x.shape) - 2))
    scaled = R.multiply(c.real(x), _float32(factor.reshape(shape)))
    return [Value(x.shape, R.add(scaled, _float32((shift - mean * factor).reshape(shape))))]


def _float32(array: Array) -> Expr:
    return relax.const(array.astype(np.float32), "float32")


# Elementwise


def binary(function: Callable[[Expr, Expr], Expr]) -> Handler:
    def handler(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
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
    def handler(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
        x = first(inputs)
        return [Value(x.shape, function(c.real(x)))]

    return handler


def where(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    condition, a, b = inputs
    assert condition is not None and a is not None and b is not None
    shape = tuple(np.broadcast_shapes(condition.shape, a.shape, b.shape))
    parts = [c.real(_raised(x, len(shape)) if x.shape else x) for x in (a, b)]
    return [Value(shape, R.where(c.expression(condition), *parts))]


def clip(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
    bounds = []
    for position, name, default in ((1, "min", -3.4e38), (2, "max", 3.4e38)):
        array = constant_array(inputs, position, "a bound")
        bounds.append(float(c.attribute(node, name, default) if array is None else array.ravel()[0]))
    return [Value(x.shape, R.clip(c.real(x), *bounds))]


def leaky_relu(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
    return [Value(x.shape, R.nn.leakyrelu(c.real(x), float(c.attribute(node, "alpha", 0.01))))]


def hard_sigmoid(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
    slope, offset = (float(c.attribute(node, n, d)) for n, d in (("alpha", 0.2), ("beta", 0.5)))
    line = R.add(R.multiply(c.real(x), relax.const(slope, "float32")), relax.const(offset, "float32"))
    return [Value(x.shape, R.clip(line, 0, 1))]


def prelu(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, slope = first(inputs), given(inputs, 1)
    channels = x.shape[1] if len(x.shape) == 4 else x.shape[-1]
    if slope is None or slope.constant is None or slope.constant.size not in (1, channels):
        raise NotImplementedError("a slope that is not one constant per channel")
    array = np.broadcast_to(slope.constant.ravel(), (channels,))
    return [Value(x.shape, R.nn.prelu(c.real(x), _weights(slope, array, 0), axis=len(x.shape) - 1))]


def softmax(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
    axis = int(c.attribute(node, "axis", -1 if c.opset >= 13 else 1)) % len(x.shape)
    if c.opset < 13 and axis != len(x.shape) - 1:
        raise NotImplementedError("softmax over several axes (opset below 13)")
    return [Value(x.shape, R.nn.softmax(c.real(x), axis=physical_axis(axis, len(x.shape))))]


# Pools and means


def pool(function: Callable[..., Expr], *, average: bool) -> Handler:
    def handler(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
        x = first(inputs)
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


def global_average(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x = first(inputs)
    if len(x.shape) != 4:
        raise NotImplementedError("only of images")
    return [Value((*x.shape[:2], 1, 1), R.mean(c.real(x), [1, 2], True))]


def reduce_mean(c: Importer, node: Any, inputs: Inputs) -> list[Value]:
    x, listed = first(inputs), constant_array(inputs, 1, "axes")
    rank = len(x.shape)
    axes = c.attribute(node, "axes") if listed is None else listed.tolist()
    axes = sorted({int(a) % rank for a in (axes or range(rank))})
    shape = tuple(1 if i in axes else d for i, d in enumerate(x.shape))
    left = tuple(d for i, d in enumerate(x.shape) if i not in axes)
    physical, keep = sorted(physical_axis(a, rank) for a in axes), bool(c.attribute(node, "keepdims", 1))
    if keep or rank != 4 or axes == [2, 3]:  # what is left is in the model's own order
        return [Value(shape if keep else left, R.mean(c.real(x), physical, keep))]
    expr = R.mean(c.real(x), physical, True)
    return [Value(left, to_physical(R.reshape(to_logical(expr, shape), left), left))]
