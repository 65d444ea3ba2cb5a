"""Arithmetic on 8-bit tensors other than by weights: sums, products, pools, tables, softmax."""

from __future__ import annotations

from math import prod

import numpy as np
from tvm.ir import Call

from edgert.codegen import quantize_math as qm
from edgert.codegen.lower.context import Composite
from edgert.codegen.lower.evaluate import evaluate_table
from edgert.codegen.lower.geometry import elementwise
from edgert.codegen.passes.composite import array, op_name, shape_of, untransposed
from edgert.codegen.program import Array, Attr


def binary(c: Composite) -> None:
    """add, subtract, multiply with broadcasting."""
    call = c.body.find("relax.add", "relax.subtract", "relax.multiply")
    assert call is not None
    x0, x1 = (c.input(a) for a in call.args)
    loops = elementwise(c.shape, x0.shape, x1.shape).padded()
    attrs: dict[str, Attr] = {f"d{i}": d for i, d in enumerate(loops.dims)}
    for k in (0, 1):
        attrs |= {f"x{k}_s{i}": s for i, s in enumerate(loops.strides[k])}
    scales = (x0.scale, x0.zero, x1.scale, x1.zero, *c.output, c.y_range)
    if op_name(call) == "relax.multiply":
        c.program.step(c.layer, "mul_s8", (x0.name, x1.name), c.result(), attrs | qm.mul_params(*scales))
        return
    params = qm.add_params(*scales, subtract=op_name(call) == "relax.subtract")
    c.program.step(c.layer, "add_s8", (x0.name, x1.name), c.result(), attrs | params)


def matmul(c: Composite) -> None:
    """One matrix for the whole batch on the right: the batch is as many rows."""
    call = c.body.find("relax.matmul")
    assert call is not None
    source, transposed = untransposed(c.body, call.args[1])
    x0, x1 = c.input(call.args[0]), c.input(source)
    *many, rows, depth = x0.shape
    batch, shared = prod(many), prod(x1.shape[:-2]) == 1
    attrs: dict[str, Attr] = {
        "batch": 1 if shared else batch, "rows": batch * rows if shared else rows,
        "depth": depth, "columns": c.shape[-1], "x1_transposed": int(transposed),
    }  # fmt: skip
    attrs |= qm.matmul_params(x0.scale, x0.zero, x1.scale, x1.zero, *c.output, c.y_range)
    c.program.step(c.layer, "matmul_s8", (x0.name, x1.name), c.result(), attrs, macs=prod(c.shape) * depth)


def _window(c: Composite, pool: Call, x_shape: tuple[int, ...]) -> dict[str, Attr]:
    batch, in_h, in_w, channels = x_shape
    attrs, (low, high) = pool.attrs, c.y_range
    return {
        "batch": batch, "in_h": in_h, "in_w": in_w, "channels": channels,
        "out_h": c.shape[1], "out_w": c.shape[2],
        "kernel_h": int(attrs.pool_size[0]), "kernel_w": int(attrs.pool_size[1]),
        "stride_h": int(attrs.strides[0]), "stride_w": int(attrs.strides[1]),
        "pad_top": int(attrs.padding[0]), "pad_left": int(attrs.padding[1]),
        "y_min": low, "y_max": high,
    }  # fmt: skip


def avg_pool2d(c: Composite) -> None:
    pool = c.body.find("relax.nn.avg_pool2d")
    assert pool is not None
    x = c.input(pool.args[0])
    attrs = _window(c, pool, x.shape)
    attrs |= {"count_include_pad": int(pool.attrs.count_include_pad), "x_zero": x.zero}
    c.program.step(c.layer, "avg_pool2d_s8", (x.name,), c.result(), attrs)


def max_pool2d(c: Composite) -> None:
    """On dequantized values or directly on integers: the same kernel."""
    pool = c.body.find("relax.nn.max_pool2d")
    assert pool is not None
    direct = pool is c.body.root
    name = c.name(pool.args[0]) if direct else c.input(pool.args[0]).name
    source = pool.args[0] if direct else c.operand(pool.args[0]).source
    c.program.step(c.layer, "max_pool2d_s8", (name,), c.result(), _window(c, pool, shape_of(source)))


def mean(c: Composite) -> None:
    call = c.body.find("relax.mean")
    assert call is not None
    x = c.input(call.args[0])
    rank = len(x.shape)
    axes = range(rank) if call.attrs.axis is None else sorted(int(a) % rank for a in call.attrs.axis)
    outer, reduce = prod(x.shape[: axes[0]]), prod(x.shape[a] for a in axes)
    attrs: dict[str, Attr] = {"outer": outer, "reduce": reduce, "inner": prod(x.shape[axes[-1] + 1 :])}
    attrs |= qm.mean_params(reduce, x.scale, x.zero, *c.output)
    c.program.step(c.layer, "mean_s8", (x.name,), c.result(), attrs)


def softmax(c: Composite) -> None:
    call = c.body.find("relax.nn.softmax")
    assert call is not None
    scaled, beta = call.args[0], 1.0
    product = c.body.value(scaled)
    if op_name(product) == "relax.multiply":
        scaled, beta = product.args[0], float(array(product.args[1]).reshape(-1)[0])
    x = c.input(scaled)
    attrs = {"rows": prod(c.shape[:-1]), "depth": c.shape[-1]}
    table = qm.softmax_exp_table(x.scale, beta)
    c.program.step(c.layer, "softmax_s8", (x.name,), c.result(), attrs, {"exp_table": table})


def prelu(c: Composite) -> None:
    call = c.body.find("relax.nn.prelu")
    assert call is not None
    x, alpha = c.input(call.args[0]), c.operand(call.args[1])
    assert alpha.constant is not None
    channels = c.shape[-1]
    attrs: dict[str, Attr] = {"outer": prod(c.shape[:-1]), "channels": channels}
    attrs |= qm.prelu_params(x.scale, x.zero, float(alpha.scale.reshape(-1)[0]), alpha.zero, *c.output)
    values = np.broadcast_to(alpha.constant.reshape(-1), (channels,))
    c.program.step(c.layer, "prelu_s8", (x.name,), c.result(), attrs, {"alpha": values})


def resize_bilinear(c: Composite) -> None:
    call = c.body.find("relax.image.resize2d")
    assert call is not None
    x = c.input(call.args[0])
    c.program.step(c.layer, "resize_bilinear_s8", (x.name,), c.result(), resize_attrs(c, call, x.shape))


def resize_attrs(c: Composite, call: Call, x_shape: tuple[int, ...]) -> dict[str, Attr]:
    batch, in_h, in_w, channels = x_shape
    mode = call.attrs.coordinate_transformation_mode
    return {
        "batch": batch, "in_h": in_h, "in_w": in_w, "channels": channels,
        "out_h": c.shape[1], "out_w": c.shape[2],
        "align_corners": int(mode == "align_corners"), "half_pixel_centers": int(mode == "half_pixel"),
    }  # fmt: skip


def table(c: Composite) -> None:
    """Any function of one 8-bit tensor: 256 bytes, computed here."""
    dequantize = next(var for var, value in c.body.bindings if op_name(value) == "relax.dequantize")
    x = c.input(dequantize)
    values = _table(c, x.scale, x.zero)
    c.program.step(c.layer, "lut_s8", (x.name,), c.result(), {"size": prod(c.shape)}, {"table": values})


def _table(c: Composite, scale: float, zero: int) -> Array:
    ops, scales = c.body.ops, (scale, zero, *c.output)
    byte = "uint8" in {str(c.var.ty.dtype), str(c.body.params[0].ty.dtype)}
    if byte and not ops:
        return _requantized_bytes(c, scale, zero)
    if byte:
        return evaluate_table(c.body)
    if not ops:
        return qm.lut_requantize(*scales)
    if ops in (("relax.nn.relu",), ("relax.clip",)):
        same = (scale, zero) == c.output
        return qm.lut_clip(*c.y_range) if same else qm.lut_relu(*scales, c.y_range)
    if ops == ("relax.sigmoid",):
        return qm.lut_logistic(*scales)
    if ops == ("relax.tanh",):
        return qm.lut_tanh(*scales)
    if ops == ("relax.nn.leakyrelu",):
        leaky = c.body.find("relax.nn.leakyrelu")
        assert leaky is not None
        return qm.lut_leaky_relu(float(leaky.attrs.alpha), *scales)
    return qm.lut_hard_swish(*scales) if c.body.is_hard_swish else evaluate_table(c.body)


def _requantized_bytes(c: Composite, scale: float, zero: int) -> Array:
    """Between uint8 and int8: through int8 at a zero point lower by 128."""
    into = str(c.body.params[0].ty.dtype) == "uint8"
    out = str(c.var.ty.dtype) == "uint8"
    x_zero, y_zero = zero - 128 * into, c.output[1] - 128 * out
    inner = qm.lut_requantize(scale, x_zero, c.output[0], y_zero)
    if (scale, x_zero) == (c.output[0], y_zero):
        inner = qm.lut_clip(-128, 127)
    result = inner[qm.lut_uint8_to_int8().view(np.uint8)] if into else inner
    return np.asarray(qm.lut_int8_to_uint8()[result.view(np.uint8)] if out else result)
