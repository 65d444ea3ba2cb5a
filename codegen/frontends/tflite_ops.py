"""The operators that we convert ourselves: f(dequantize(x), ...) -> activation -> quantize.

The same handler serves float models: `real` and `finish` leave out what a float tensor has not.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import tflite
from tvm import relax
from tvm.ir import Expr
from tvm.relax import op as R

from edgert.codegen.frontends.common import hard_swish

if TYPE_CHECKING:
    from tvm.relax.frontend.tflite.tflite_frontend import TensorWrapper

    from edgert.codegen.frontends.tflite import Converter

Handler = Callable[["Converter", Any], Expr]


def options(operator: Any, kind: type) -> Any:
    """The operator's options table, all defaults where the file has none."""
    table, raw = kind(), operator.BuiltinOptions()
    if raw is None:
        raise NotImplementedError("its options are missing")
    table.Init(raw.Bytes, raw.Pos)
    return table


def finite(value: float) -> float:
    if not np.isfinite(value):
        raise NotImplementedError(f"an option of {value}")
    return float(value)


def activated(expr: Expr, activation: int) -> Expr:
    kind = tflite.ActivationFunctionType
    if activation == kind.NONE:
        return expr
    if activation == kind.RELU:
        return R.nn.relu(expr)
    bounds = {kind.RELU6: (0, 6), kind.RELU_N1_TO_1: (-1, 1)}
    if activation not in bounds:
        raise NotImplementedError(f"fused activation number {activation}")
    return R.clip(expr, *bounds[activation])


def finish(c: Converter, operator: Any, expr: Expr, activation: int = 0) -> Expr:
    (output,) = c.get_output_tensors(operator)
    expr = activated(expr, activation)
    return c.quantized(expr, output) if output.qnn_params else expr


def shaped(c: Converter, expr: Expr, output: TensorWrapper) -> Expr:
    """In the shape that the model states; the layer, whose bytes another shape shares, keeps the name."""
    expr, shape = c.bb.normalize(expr), c.shape(output.tensor_idx)
    if [int(d) for d in expr.ty.shape] == shape:
        return expr
    return R.reshape(c.bb.emit(expr, name_hint=c.label(output.tensor_idx)), shape)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(before, after), as TensorFlow pads: the odd element goes behind."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def padding(c: Converter, x: TensorWrapper, opts: Any, kernel: tuple[int, int]) -> list[int]:
    """[top, left, bottom, right]; kernel is the dilated size."""
    if opts.Padding() == tflite.Padding.VALID:
        return [0, 0, 0, 0]
    _, height, width, _ = c.shape(x.tensor_idx)
    top, bottom = same_padding(height, kernel[0], opts.StrideH())
    left, right = same_padding(width, kernel[1], opts.StrideW())
    return [top, left, bottom, right]


def add_bias(c: Converter, expr: Expr, tensors: list[TensorWrapper]) -> Expr:
    """An integer bias has the scale input * weights, whatever its own table says."""
    if len(tensors) < 3 or tensors[2].tensor_idx < 0:
        return expr
    x, w, bias = tensors
    value = c.get_tensor_expr(bias)
    if x.qnn_params and w.qnn_params:
        scale = x.qnn_params["scale"].value.numpy() * w.qnn_params["scale"].value.numpy()
        value = R.dequantize(value, relax.const(scale, "float32"), relax.const(0, "int32"), axis=0)
    return R.add(expr, value)


def laid_out(c: Converter, w: TensorWrapper, shape: list[int], axes: tuple[int, ...], axis: int) -> Expr:
    """Weights reshaped and transposed (in numpy where constant), then dequantized over `axis`."""
    if c.has_expr(w.tensor_idx):
        expr = R.permute_dims(R.reshape(c.get_expr(w.tensor_idx), shape), axes)
    else:
        value = c.get_tensor_value(w).reshape(shape).transpose(axes)
        expr = relax.const(np.ascontiguousarray(value), str(value.dtype))
    if not w.qnn_params:
        return expr
    params = w.qnn_params
    return R.dequantize(expr, params["scale"], params["zero_point"], axis=axis)


def conv2d(c: Converter, operator: Any, opts: Any, weights: Expr, layout: str, groups: int) -> Expr:
    tensors = c.get_input_tensors(operator)
    kernel = [int(d) for d in c.bb.normalize(weights).ty.shape][:2]
    dilation = (opts.DilationHFactor(), opts.DilationWFactor())
    dilated = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    result = R.nn.conv2d(
        c.real(tensors[0]),
        weights,
        strides=(opts.StrideH(), opts.StrideW()),
        padding=padding(c, tensors[0], opts, (dilated[0], dilated[1])),
        dilation=dilation,
        groups=groups,
        data_layout="NHWC",
        kernel_layout=layout,
    )
    return finish(c, operator, add_bias(c, result, tensors), opts.FusedActivationFunction())


def convolution(c: Converter, operator: Any) -> Expr:
    x, w, *_ = c.get_input_tensors(operator)
    shape, channels = c.shape(w.tensor_idx), c.shape(x.tensor_idx)[3]
    weights = laid_out(c, w, shape, (1, 2, 3, 0), 3)
    opts = options(operator, tflite.Conv2DOptions)
    return conv2d(c, operator, opts, weights, "HWIO", channels // shape[3])


def depthwise(c: Converter, operator: Any) -> Expr:
    x, w, *_ = c.get_input_tensors(operator)
    _, height, width, out_channels = c.shape(w.tensor_idx)
    weights = laid_out(c, w, [height, width, out_channels, 1], (0, 1, 2, 3), 2)
    opts = options(operator, tflite.DepthwiseConv2DOptions)
    return conv2d(c, operator, opts, weights, "HWOI", c.shape(x.tensor_idx)[3])


def fully_connected(c: Converter, operator: Any) -> Expr:
    """x [..., in] of any rank is [batch, in] here; the output has the shape that the model states."""
    tensors = c.get_input_tensors(operator)
    (output,) = c.get_output_tensors(operator)
    opts = options(operator, tflite.FullyConnectedOptions)
    out_c, in_c = c.shape(tensors[1].tensor_idx)
    flat = [prod(c.shape(tensors[0].tensor_idx)) // in_c, in_c]
    x = c.get_tensor_expr(tensors[0])
    if c.shape(tensors[0].tensor_idx) != flat:
        x = R.reshape(x, flat)
    x = c.dequantized(x, tensors[0]) if tensors[0].qnn_params else x
    result = R.matmul(x, laid_out(c, tensors[1], [out_c, in_c], (1, 0), 1))
    result = finish(c, operator, add_bias(c, result, tensors), opts.FusedActivationFunction())
    return shaped(c, result, output) if c.shape(output.tensor_idx) else result


def batch_matmul(c: Converter, operator: Any) -> Expr:
    """[batch, rows, depth] by [batch or 1, depth, columns]; other broadcasts keep their shape.

    Always with a batch axis, also where the second is constant: FULLY_CONNECTED rounds otherwise.
    """
    opts, (left, right) = options(operator, tflite.BatchMatMulOptions), c.get_input_tensors(operator)
    (output,) = c.get_output_tensors(operator)
    shapes = [c.shape(t.tensor_idx) for t in (left, right)]
    batches = [shape[:-2] for shape in shapes]
    if batches[0] == batches[1] or prod(batches[1]) == 1:
        shapes = [[prod(shape[:-2]), *shape[-2:]] for shape in shapes]
    x0, x1 = (R.reshape(c.get_tensor_expr(t), s) for t, s in zip((left, right), shapes, strict=True))
    if opts.AdjX():
        x0 = R.permute_dims(x0, _exchanged(len(shapes[0])))
    x0, x1 = (c.dequantized(x, t) if t.qnn_params else x for x, t in ((x0, left), (x1, right)))
    if opts.AdjY():
        x1 = R.permute_dims(x1, _exchanged(len(shapes[1])))
    return shaped(c, finish(c, operator, R.matmul(x0, x1)), output)


def _exchanged(rank: int) -> list[int]:
    """The axes, the last two the other way round."""
    return [*range(rank - 2), rank - 1, rank - 2]


def binary(function: Callable[..., Expr], kind: type) -> Handler:
    def handler(c: Converter, operator: Any) -> Expr:
        a, b = c.get_input_tensors(operator)
        activation = options(operator, kind).FusedActivationFunction() if operator.BuiltinOptions() else 0
        return finish(c, operator, function(c.real(a), c.real(b)), activation)

    return handler


def unary(function: Callable[..., Expr]) -> Handler:
    def handler(c: Converter, operator: Any) -> Expr:
        (x,) = c.get_input_tensors(operator)
        return finish(c, operator, function(c.real(x)))

    return handler


def leaky_relu(c: Converter, operator: Any) -> Expr:
    (x,) = c.get_input_tensors(operator)
    alpha = finite(options(operator, tflite.LeakyReluOptions).Alpha())
    return finish(c, operator, R.nn.leakyrelu(c.real(x), alpha))


def prelu(c: Converter, operator: Any) -> Expr:
    """One slope per channel, as nn.prelu; any other shape as a selection."""
    x, alpha = c.get_input_tensors(operator)
    channels = c.shape(x.tensor_idx)[-1]
    if c.has_expr(alpha.tensor_idx) or prod(c.shape(alpha.tensor_idx)) != channels:
        real = c.real(x)
        zero = relax.const(0.0, "float32")
        selected = R.where(R.greater_equal(real, zero), real, R.multiply(real, c.real(alpha)))
        return finish(c, operator, selected)
    slope = laid_out(c, alpha, [channels], (0,), 0)
    return finish(c, operator, R.nn.prelu(c.real(x), slope, axis=len(c.shape(x.tensor_idx)) - 1))


def softmax(c: Converter, operator: Any) -> Expr:
    (x,) = c.get_input_tensors(operator)
    beta, real = finite(options(operator, tflite.SoftmaxOptions).Beta()), c.real(x)
    if beta != 1.0:
        real = R.multiply(real, relax.const(beta, "float32"))
    return finish(c, operator, R.nn.softmax(real, axis=-1))


def pool2d(function: Callable[..., Expr]) -> Handler:
    def handler(c: Converter, operator: Any) -> Expr:
        (x,) = c.get_input_tensors(operator)
        opts = options(operator, tflite.Pool2DOptions)
        size = (opts.FilterHeight(), opts.FilterWidth())
        pads = padding(c, x, opts, size)
        strides = (opts.StrideH(), opts.StrideW())
        result = function(c.real(x), pool_size=size, strides=strides, padding=pads, layout="NHWC")
        return finish(c, operator, result, opts.FusedActivationFunction())

    return handler


def mean(c: Converter, operator: Any) -> Expr:
    x, axes = c.get_input_tensors(operator)
    rank = len(c.shape(x.tensor_idx))
    axis = sorted({int(a) % rank for a in np.atleast_1d(c.get_tensor_value(axes))})
    keep = bool(options(operator, tflite.ReducerOptions).KeepDims())
    return finish(c, operator, R.mean(c.real(x), axis, keep))


def concatenation(c: Converter, operator: Any) -> Expr:
    opts = options(operator, tflite.ConcatenationOptions)
    parts = [c.real(t) for t in c.get_input_tensors(operator)]
    rank = len(c.bb.normalize(parts[0]).ty.shape)
    result = R.concat(parts, axis=opts.Axis() % rank)
    return finish(c, operator, result, opts.FusedActivationFunction())


def reshape(c: Converter, operator: Any) -> Expr:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the shape that the model states for the output."""
    x, *_ = c.get_input_tensors(operator)
    (output,) = c.get_output_tensors(operator)
    moved = R.reshape(c.get_tensor_expr(x), c.shape(output.tensor_idx))
    if c.same_quant(x, output):
        return moved
    return c.quantized(c.dequantized(moved, x), output)


def resize_bilinear(c: Converter, operator: Any) -> Expr:
    x, size = c.get_input_tensors(operator)
    opts = options(operator, tflite.ResizeBilinearOptions)
    mode = (
        "align_corners" if opts.AlignCorners() else "half_pixel" if opts.HalfPixelCenters() else "asymmetric"
    )
    target = tuple(int(d) for d in c.get_tensor_value(size))
    return finish(c, operator, R.image.resize2d(c.real(x), target, None, "NHWC", "linear", mode, ""))


def quantize(c: Converter, operator: Any) -> Expr:
    (x,) = c.get_input_tensors(operator)
    return finish(c, operator, c.real(x))


def dequantize(c: Converter, operator: Any) -> Expr:
    """Also the float16 weights of a half-size model."""
    (x,) = c.get_input_tensors(operator)
    if x.tensor.Type() == tflite.TensorType.FLOAT16:
        return relax.const(c.get_tensor_value(x).astype(np.float32), "float32")
    return c.real(x)


HANDLERS: dict[str, Handler] = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": fully_connected,
    "BATCH_MATMUL": batch_matmul,
    "ADD": binary(R.add, tflite.AddOptions),
    "SUB": binary(R.subtract, tflite.SubOptions),
    "MUL": binary(R.multiply, tflite.MulOptions),
    "RELU": unary(R.nn.relu),
    "RELU6": unary(lambda x: R.clip(x, 0, 6)),
    "RELU_N1_TO_1": unary(lambda x: R.clip(x, -1, 1)),
    "LOGISTIC": unary(R.sigmoid),
    "TANH": unary(R.tanh),
    "HARD_SWISH": unary(hard_swish),
    "LEAKY_RELU": leaky_relu,
    "PRELU": prelu,
    "SOFTMAX": softmax,
    "AVERAGE_POOL_2D": pool2d(R.nn.avg_pool2d),
    "MAX_POOL_2D": pool2d(R.nn.max_pool2d),
    "MEAN": mean,
    "CONCATENATION": concatenation,
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "EXPAND_DIMS": reshape,
    "RESIZE_BILINEAR": resize_bilinear,
    "QUANTIZE": quantize,
    "DEQUANTIZE": dequantize,
}

# TVM's converter moves their integers as they are.
INTEGER_MOVERS = frozenset({
    "TRANSPOSE", "PAD", "PADV2", "MIRROR_PAD", "RESIZE_NEAREST_NEIGHBOR", "SPLIT", "SPLIT_V", "SLICE",
    "STRIDED_SLICE", "PACK", "UNPACK", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "GATHER", "REVERSE_V2", "TILE",
    "SHAPE", "BROADCAST_TO", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "ARG_MAX", "ARG_MIN",
})  # fmt: skip
