"""Larq Compute Engine's custom TFLite operators, as the signs and convolutions that they stand for.

A packed tensor is int32 [n, h, w, words], bit c % 32 of word c // 32 set where channel c is negative. Here it
is the float expression of +1 and -1 with its channels; passes/binarize.py finds out what can stay bits.
LceBconv2d: y = post_multiplier * activation(dot) + post_bias, or, where its output is packed, +1 where at
most output_threshold bits differ. Options are a FlexBuffers map.
Source: github.com/larq/compute-engine, larq_compute_engine/tflite/kernels and core/bconv2d.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tflite
from tvm import relax
from tvm.ir import Expr
from tvm.relax import op as R

from edgert.codegen.frontends.tflite_ops import Handler, activated, finish, same_padding
from edgert.codegen.passes.binary_forms import plus_minus
from edgert.codegen.passes.composite import shape_of
from edgert.codegen.program import Array, bit_words

if TYPE_CHECKING:
    from edgert.codegen.frontends.tflite import Converter

_SAME, _VALID = tflite.Padding.SAME, tflite.Padding.VALID


def quantize(c: Converter, operator: Any) -> Expr:
    """+1 where the input is not negative."""
    (x,) = c.get_input_tensors(operator)
    return plus_minus(R.greater_equal(c.real(x), relax.const(0.0, "float32")))


def dequantize(c: Converter, operator: Any) -> Expr:
    (x,) = c.get_input_tensors(operator)
    return finish(c, operator, _signs(c, x))


def convolution(c: Converter, operator: Any) -> Expr:
    tensors, options = c.get_input_tensors(operator), _options(operator)
    x, filters = _signs(c, tensors[0]), c.get_tensor_value(tensors[1])
    channels = shape_of(x)[3]
    if int(options.get("channels_in", channels)) != channels or filters.dtype != np.int32:
        raise NotImplementedError("packed filters over all input channels are what is known")
    weights = _unpacked(filters, channels)
    value: Expr = c.bb.emit(_convolved(c, x, weights, options))
    (output,) = c.get_output_tensors(operator)
    if output.tensor.Type() == tflite.TensorType.INT32:
        threshold = c.get_tensor_value(tensors[4]).astype(np.int64)
        least = np.clip(weights[0].size - 2 * threshold, -(2**24), 2**24)
        return plus_minus(R.greater_equal(value, relax.const(least.astype(np.float32), "float32")))
    value = activated(value, int(options.get("fused_activation_function", 0)))
    gain, shift = (c.get_tensor_value(t).astype(np.float32) for t in tensors[2:4])
    value = R.add(R.multiply(value, relax.const(gain, "float32")), relax.const(shift, "float32"))
    return finish(c, operator, value)


def max_pool(c: Converter, operator: Any) -> Expr:
    (x,), options = c.get_input_tensors(operator), _options(operator)
    signs, size = _signs(c, x), (int(options["filter_height"]), int(options["filter_width"]))
    strides = (int(options["stride_height"]), int(options["stride_width"]))
    pads = _padding(options, shape_of(signs), size, strides)
    return R.nn.max_pool2d(signs, size, strides, pads, layout="NHWC")


def _convolved(c: Converter, x: Expr, weights: Array, options: dict[str, Any]) -> Expr:
    """Outside of the map: zeros, or ones where pad_values says so."""
    strides = (int(options["stride_height"]), int(options["stride_width"]))
    dilation = (int(options["dilation_height_factor"]), int(options["dilation_width_factor"]))
    reach = [(k - 1) * d + 1 for k, d in zip(weights.shape[1:3], dilation, strict=True)]
    pads = _padding(options, shape_of(x), (reach[0], reach[1]), strides)
    if any(pads) and int(options.get("pad_values", 0)) == 1:
        top, left, bottom, right = pads
        x = c.bb.emit(R.nn.pad(x, (0, 0, top, bottom, left, right, 0, 0), pad_value=1.0))
        pads = [0, 0, 0, 0]
    return R.nn.conv2d(
        x, relax.const(weights, "float32"), strides=strides, padding=pads, dilation=dilation,
        data_layout="NHWC", kernel_layout="OHWI",
    )  # fmt: skip


def _padding(
    options: dict[str, Any], shape: tuple[int, ...], kernel: tuple[int, int], strides: tuple[int, int]
) -> list[int]:
    """[top, left, bottom, right]"""
    kind = int(options["padding"])
    if kind == _VALID:
        return [0, 0, 0, 0]
    if kind != _SAME:
        raise NotImplementedError(f"padding number {kind}")
    (top, bottom), (left, right) = (same_padding(shape[1 + k], kernel[k], strides[k]) for k in range(2))
    return [top, left, bottom, right]


def _signs(c: Converter, x: Any) -> Expr:
    """The expression of +1 and -1 that a packed tensor stands for."""
    if not c.has_expr(x.tensor_idx):
        raise NotImplementedError("packed constants as activations")
    expr = c.get_expr(x.tensor_idx)
    if str(expr.ty.dtype) != "float32" or len(shape_of(expr)) != 4:
        raise NotImplementedError("its input does not come from LceQuantize or another LCE operator")
    return expr


def _unpacked(filters: Array, channels: int) -> Array:
    """int32 [out, h, w, words] -> float32 [out, h, w, channels] of +1 and -1."""
    if filters.ndim != 4 or filters.shape[3] != bit_words(channels):
        raise NotImplementedError(f"filters of shape {filters.shape} for {channels} channels")
    packed = np.ascontiguousarray(filters.astype("<i4")).view(np.uint8)
    negative = np.unpackbits(packed, axis=-1, bitorder="little")[..., :channels]
    return np.where(negative > 0, np.float32(-1), np.float32(1))


def _options(operator: Any) -> dict[str, Any]:
    from flatbuffers import flexbuffers

    if not operator.CustomOptionsLength():
        raise NotImplementedError("its options are missing")
    found = flexbuffers.Loads(bytearray(operator.CustomOptionsAsNumpy().tobytes()))
    if not isinstance(found, dict):
        raise NotImplementedError("its options are no map")
    return found


HANDLERS: dict[str, Handler] = {
    "CUSTOM LceQuantize": quantize,
    "CUSTOM LceDequantize": dequantize,
    "CUSTOM LceBconv2d": convolution,
    "CUSTOM LceBMaxPool2d": max_pool,
}
