"""Composites of bits (passes/binarize.py): thresholds from lines, signs from weights."""

from __future__ import annotations

from math import prod

import numpy as np
from tvm.ir import Call

from edgert.codegen.lower.context import Composite
from edgert.codegen.passes.binary_forms import out_first, two_valued
from edgert.codegen.passes.composite import array, dtype_of, op_name, shape_of
from edgert.codegen.program import Array, Attr

_LOWEST, _HIGHEST = -(2**31), 2**31 - 1


def conv2d(c: Composite) -> None:
    """A convolution or a product of bits, to bits, to int16 or to floats."""
    layer = c.body.find("relax.nn.conv2d", "relax.matmul")
    assert layer is not None
    found = two_valued(out_first(layer))
    assert found is not None
    signs, magnitude = found
    gain, shift = _line(c, signs.shape[0])
    gain, name = gain * magnitude, c.arguments[0]
    if op_name(layer) == "relax.matmul":
        attrs, signs = _product(c, signs)
    else:
        attrs = _convolution(c, layer, signs.shape)
    macs = prod(c.shape) * signs[0].size
    signs = np.where(gain < 0, -1, 1).astype(np.int8)[:, None, None, None] * signs
    if _is_sign(c):
        constants = {"weights": signs, "threshold": thresholds(np.abs(gain), shift, strict=_strict(c))}
        c.program.step(c.layer, "conv2d_b1", (name,), _bits(c), attrs, constants, macs)
        return
    scale, bias = np.abs(gain).astype(np.float32), shift.astype(np.float32)
    constants = {"weights": signs, "scale": scale, "bias": bias}
    if c.body.output is not None:
        attrs["y_scale"] = c.output[0]
        c.program.step(c.layer, "conv2d_b1_s16", (name,), c.result(), attrs, constants, macs)
        return
    c.program.step(c.layer, "conv2d_b1_f32", (name,), c.result(), attrs, constants, macs)


def thresholds(gain: Array, shift: Array, *, strict: bool) -> Array:
    """The lowest whole number n with n * gain + shift >= 0 (> 0 if strict), for gain >= 0: int32."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = -shift / gain
    lowest = np.floor(root) + 1 if strict else np.ceil(root)
    constant = shift > 0 if strict else shift >= 0
    limit = np.where(gain > 0, lowest, np.where(constant, _LOWEST, _HIGHEST))
    clipped: Array = np.clip(limit, _LOWEST, _HIGHEST).astype(np.int64).astype(np.int32)
    return clipped


def _line(c: Composite, channels: int) -> tuple[Array, Array]:
    """The factor and the term per channel of a body in binarize's form."""
    scaled, shifted = c.body.find("relax.multiply"), c.body.find("relax.add")
    gain = array(scaled.args[1]).astype(np.float64) if scaled is not None else np.ones(1)
    shift = array(shifted.args[1]).astype(np.float64) if shifted is not None else np.zeros(1)
    return np.broadcast_to(gain, (channels,)), np.broadcast_to(shift, (channels,))


def _is_sign(c: Composite) -> bool:
    return op_name(c.body.root) == "relax.where"


def _strict(c: Composite) -> bool:
    return c.body.find("relax.greater") is not None


def _bits(c: Composite) -> str:
    name = c.program.tensor(c.var.name, c.shape, "b1")
    c.program.names[c.var] = name
    return name


def _convolution(c: Composite, conv: Call, weights: tuple[int, ...]) -> dict[str, Attr]:
    top, left = int(conv.attrs.padding[0]), int(conv.attrs.padding[1])
    pad, value = c.body.find("relax.nn.pad"), 0
    if pad is not None:
        assert not any(int(p) for p in conv.attrs.padding), c.layer
        widths = [int(n) for n in pad.attrs.pad_width]
        top, left, value = widths[2], widths[4], int(pad.attrs.pad_value)
    return _window(c, conv, shape_of(c.body.params[0]), weights, (top, left)) | {"pad_value": value}


def _window(
    c: Composite, conv: Call, x: tuple[int, ...], weights: tuple[int, ...], pad: tuple[int, int]
) -> dict[str, Attr]:
    """x, weights: shapes, NHWC and OHWI."""
    return {
        "batch": x[0], "in_h": x[1], "in_w": x[2], "in_c": x[3],
        "out_h": c.shape[1], "out_w": c.shape[2], "out_c": weights[0],
        "kernel_h": weights[1], "kernel_w": weights[2],
        "stride_h": int(conv.attrs.strides[0]), "stride_w": int(conv.attrs.strides[1]),
        "dilation_h": int(conv.attrs.dilation[0]), "dilation_w": int(conv.attrs.dilation[1]),
        "pad_top": pad[0], "pad_left": pad[1],
    }  # fmt: skip


def _product(c: Composite, signs: Array) -> tuple[dict[str, Attr], Array]:
    """A product is the convolution whose one window is the whole map."""
    x = shape_of(c.body.params[0])
    batch, height, width, channels = x if len(x) == 4 else (x[0], 1, 1, x[1])
    moved = c.body.find("relax.permute_dims")
    weights = signs.reshape(-1, height, width, channels)
    if moved is not None:  # the rows are in the order of the moved map
        axes = [int(a) for a in moved.attrs.axes]
        weights = signs.reshape(-1, *(x[a] for a in axes[1:]))
        weights = weights.transpose(0, *(axes.index(a) for a in (1, 2, 3)))
    attrs: dict[str, Attr] = {
        "batch": batch, "in_h": height, "in_w": width, "in_c": channels,
        "out_h": 1, "out_w": 1, "out_c": signs.shape[0], "kernel_h": height, "kernel_w": width,
        "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0,
        "pad_value": 0,
    }  # fmt: skip
    return attrs, np.ascontiguousarray(weights)


def max_pool2d(c: Composite) -> None:
    pool = c.body.find("relax.nn.max_pool2d")
    assert pool is not None
    _, in_h, in_w, channels = shape_of(c.body.params[0])
    flips, _ = _line(c, channels)
    attrs: dict[str, Attr] = {
        "batch": c.shape[0], "in_h": in_h, "in_w": in_w, "channels": channels,
        "out_h": c.shape[1], "out_w": c.shape[2],
        "kernel_h": int(pool.attrs.pool_size[0]), "kernel_w": int(pool.attrs.pool_size[1]),
        "stride_h": int(pool.attrs.strides[0]), "stride_w": int(pool.attrs.strides[1]),
        "pad_top": int(pool.attrs.padding[0]), "pad_left": int(pool.attrs.padding[1]),
    }  # fmt: skip
    constants = {"minimum": np.asarray(flips < 0)}
    c.program.step(c.layer, "max_pool2d_b1", (c.arguments[0],), _bits(c), attrs, constants)


def sign(c: Composite) -> None:
    """Of floats, of int8 or of int16."""
    channels, dequantize = c.shape[-1], c.body.find("relax.dequantize")
    gain, shift = _line(c, channels)
    constants: dict[str, Array]
    attrs: dict[str, Attr] = {"outer": prod(c.shape[:-1]), "channels": channels}
    if dequantize is None:
        attrs["strict"] = int(_strict(c))
        constants = {"gain": gain.astype(np.float32), "shift": shift.astype(np.float32)}
        c.program.step(c.layer, "sign_f32_b1", (c.arguments[0],), _bits(c), attrs, constants)
        return
    x = c.input(next(var for var, value in c.body.bindings if value.same_as(dequantize)))
    falls = gain < 0
    direction = np.where(falls, -1.0, 1.0)
    factor = np.abs(gain) * x.scale
    limit = _of_inputs(factor, direction * shift, x.zero, falls, strict=_strict(c))
    constants = {"threshold": limit, "flip": np.asarray(falls)}
    contract = "sign_s16_b1" if dtype_of(dequantize.args[0]) == "int16" else "sign_s8_b1"
    c.program.step(c.layer, contract, (x.name,), _bits(c), attrs, constants)


def _of_inputs(factor: Array, shift: Array, zero: int, falls: Array, *, strict: bool) -> Array:
    """y = (q >= limit) ^ falls: where the line falls, +1 is below, and what is equal changes sides."""
    rising = thresholds(factor, shift, strict=strict).astype(np.int64)
    falling = thresholds(factor, shift, strict=not strict).astype(np.int64)
    limit = np.where(falls, falling, rising)
    clipped: Array = np.clip(limit + zero, _LOWEST, _HIGHEST).astype(np.int32)
    return clipped


def first_conv2d(c: Composite) -> None:
    """A convolution of int8 whose sign is all that is read."""
    conv = c.body.find("relax.nn.conv2d")
    assert conv is not None
    x, (weights, scale) = c.input(conv.args[0]), _integer_weights(c, conv)
    gain, shift = _line(c, weights.shape[0])
    gain = gain * scale * x.scale
    weights = np.where(gain < 0, -1, 1).astype(np.int8)[:, None, None, None] * weights
    pad = (int(conv.attrs.padding[0]), int(conv.attrs.padding[1]))
    attrs = _window(c, conv, x.shape, weights.shape, pad) | {"x_zero": x.zero}
    constants = {"weights": weights, "threshold": thresholds(np.abs(gain), shift, strict=_strict(c))}
    macs = prod(c.shape) * weights[0].size
    c.program.step(c.layer, "conv2d_s8_b1", (x.name,), _bits(c), attrs, constants, macs)


def _integer_weights(c: Composite, conv: Call) -> tuple[Array, Array]:
    """[out_c, kernel_h, kernel_w, in_c] int8, and what one of each channel is worth."""
    operand = c.body.operand(conv.args[1])
    if operand is None:
        found = two_valued(out_first(conv))
        assert found is not None
        return found
    assert operand.constant is not None
    order = [str(conv.attrs.kernel_layout).index(axis) for axis in "OHWI"]
    weights = np.ascontiguousarray(operand.constant.transpose(order))
    return weights, np.broadcast_to(operand.scale.astype(np.float64).reshape(-1), weights.shape[:1])
