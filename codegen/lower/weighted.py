"""conv2d and fully_connected: weights in the contract's layout, multipliers per output channel."""

from __future__ import annotations

from math import prod

import numpy as np

from edgert.codegen.lower.context import Composite
from edgert.codegen.passes.composite import op_name, shape_of
from edgert.codegen.program import Array
from edgert.codegen.quantize_math import conv_multipliers


def conv2d(c: Composite) -> None:
    conv = c.body.find("relax.nn.conv2d")
    assert conv is not None
    x, w = c.input(conv.args[0]), c.operand(conv.args[1])
    layout = str(conv.attrs.kernel_layout)
    assert w.constant is not None
    weights = np.transpose(w.constant, [layout.index(axis) for axis in "OHWI"])
    out_c, kernel_h, kernel_w, group_c = weights.shape
    batch, in_h, in_w, in_c = x.shape
    _, out_h, out_w, _ = c.shape
    groups = int(conv.attrs.groups)
    low, high = c.y_range
    attrs = {
        "batch": batch, "in_h": in_h, "in_w": in_w, "in_c": in_c,
        "out_h": out_h, "out_w": out_w, "out_c": out_c,
        "kernel_h": kernel_h, "kernel_w": kernel_w,
        "stride_h": int(conv.attrs.strides[0]), "stride_w": int(conv.attrs.strides[1]),
        "dilation_h": int(conv.attrs.dilation[0]), "dilation_w": int(conv.attrs.dilation[1]),
        "pad_top": int(conv.attrs.padding[0]), "pad_left": int(conv.attrs.padding[1]),
        "x_zero": x.zero, "y_zero": c.output[1], "y_min": low, "y_max": high,
    }  # fmt: skip
    scales = np.broadcast_to(w.scale.reshape(-1), (out_c,))
    constants = per_channel(c, out_c, *conv_multipliers(x.scale, scales.tolist(), c.output[0]))
    macs = prod(c.shape) * kernel_h * kernel_w * group_c
    if groups == in_c and group_c == 1 and groups > 1:
        attrs["depth_multiplier"] = out_c // in_c
        constants = {"weights": np.transpose(weights[..., 0], (1, 2, 0)), **constants}
        c.program.step(c.layer, "depthwise_conv2d_s8", (x.name,), c.result(), attrs, constants, macs)
        return
    attrs["groups"] = groups
    constants = {"weights": weights, **constants}
    c.program.step(c.layer, "conv2d_s8", (x.name,), c.result(), attrs, constants, macs)


def fully_connected(c: Composite) -> None:
    matmul = c.body.find("relax.matmul")
    assert matmul is not None
    x, w = c.input(matmul.args[0]), c.operand(matmul.args[1])
    assert w.constant is not None
    in_c, out_c = w.constant.shape
    batch = x.shape[0]
    low, high = c.y_range
    attrs = {
        "batch": batch, "in_c": in_c, "out_c": out_c, "x_zero": x.zero,
        "y_zero": c.output[1], "y_min": low, "y_max": high,
    }  # fmt: skip
    scales = np.broadcast_to(w.scale.reshape(-1), (out_c,))
    multipliers, shifts = conv_multipliers(x.scale, scales.tolist(), c.output[0])
    constants = {"weights": w.constant.T, **per_channel(c, out_c, multipliers, shifts)}
    macs = batch * in_c * out_c
    c.program.step(c.layer, "fully_connected_s8", (x.name,), c.result(), attrs, constants, macs)


def per_channel(c: Composite, out_c: int, multipliers: list[int], shifts: list[int]) -> dict[str, Array]:
    """bias (zeros if none), multiplier and shift."""
    add = c.body.find("relax.add")
    bias = np.zeros(out_c, np.int32)
    if add is not None and op_name(c.body.value(add.args[1])) == "relax.dequantize":
        value = c.operand(add.args[1]).constant
        assert value is not None and shape_of(add)[-1] == out_c
        bias = value.reshape(out_c).astype(np.int32)
    return {"bias": bias, "multiplier": np.array(multipliers, np.int32), "shift": np.array(shifts, np.int32)}
