"""Data movement, exact for any element: copies, pads, concatenations, nearest neighbours."""

from __future__ import annotations

from math import prod

import numpy as np
from tvm.ir import Call, Expr

from edgert.codegen import quantize_math as qm
from edgert.codegen.lower.context import Composite
from edgert.codegen.lower.geometry import Loops, row_major, transposed
from edgert.codegen.lower.quantized import resize_attrs
from edgert.codegen.passes.composite import array, op_name, shape_of
from edgert.codegen.program import Attr


def strided_copy(c: Composite, loops: Loops, begin: int) -> None:
    """y row-major; loops.strides[0] walks x."""
    four = loops.merged().padded()
    attrs: dict[str, Attr] = {f"d{i}": d for i, d in enumerate(four.dims)}
    attrs |= {"begin": begin} | {f"s{i}": s for i, s in enumerate(four.strides[0])}
    attrs["element_bytes"] = c.element_bytes
    c.program.step(c.layer, "strided_copy", (c.name(c.body.root.args[0]),), c.result(), attrs)


def transpose(c: Composite) -> None:
    x = shape_of(c.body.root.args[0])
    axes = c.body.root.attrs.axes
    order = tuple(reversed(range(len(x)))) if axes is None else tuple(int(a) % len(x) for a in axes)
    strided_copy(c, transposed(x, order), 0)


def slice_loops(call: Call) -> tuple[Loops, int]:
    """The loops and the first element of a strided slice with constant bounds."""
    x, y = shape_of(call.args[0]), shape_of(call)
    axes, begins = ([int(v) for v in field.fields] for field in call.args[1:3])
    steps = [int(v) for v in call.args[4].fields] if len(call.args) > 4 else [1] * len(axes)
    strides, first = list(row_major(x)), 0
    for axis, begin, step in zip(axes, begins, steps, strict=True):
        low, high = (0, x[axis]) if step > 0 else (-1, x[axis] - 1)
        start = min(max(begin + x[axis] if begin < 0 else begin, low), high)
        first += start * strides[axis]
        strides[axis] *= step
    return Loops(y, (tuple(strides), row_major(y))), first


def strided_slice(c: Composite) -> None:
    strided_copy(c, *slice_loops(c.body.root))


def pad(c: Composite) -> None:
    call = c.body.root
    x, widths = shape_of(call.args[0]), [int(w) for w in call.attrs.pad_width]
    missing = 4 - len(x)
    before, after = [0] * missing + widths[0::2], [0] * missing + widths[1::2]
    attrs: dict[str, Attr] = {f"d{i}": d for i, d in enumerate((1,) * missing + x)}
    attrs |= {f"before{i}": b for i, b in enumerate(before)} | {f"after{i}": a for i, a in enumerate(after)}
    value = np.array([float(call.attrs.pad_value)]).astype(str(c.var.ty.dtype))
    bits = int.from_bytes(value.tobytes(), "little")
    attrs |= {"value": bits - (1 << 32) if bits >= 1 << 31 else bits, "element_bytes": c.element_bytes}
    c.program.step(c.layer, "pad", (c.name(call.args[0]),), c.result(), attrs)


def resize_nearest(c: Composite) -> None:
    call = c.body.root
    attrs = resize_attrs(c, call, shape_of(call.args[0])) | {"element_bytes": c.element_bytes}
    c.program.step(c.layer, "resize_nearest", (c.name(call.args[0]),), c.result(), attrs)


def concat(c: Composite) -> None:
    """One copy per part; a part of another scale is requantized first."""
    call = c.body.find("relax.concat")
    assert call is not None
    fields = call.args[0].fields
    axis = int(call.attrs.axis) % len(c.shape)
    output = c.result()
    rows = prod(c.shape[:axis])
    y_row_bytes = prod(c.shape[axis:]) * c.element_bytes
    offset = 0
    for number, field in enumerate(fields):
        name = _part(c, number, field)
        row_bytes = prod(shape_of(field)[axis:]) * c.element_bytes
        attrs = {"rows": rows, "row_bytes": row_bytes, "y_row_bytes": y_row_bytes, "y_offset": offset}
        c.program.step(c.layer, "copy_rows", (name,), output, attrs)
        offset += row_bytes


def _part(c: Composite, number: int, field: Expr) -> str:
    if op_name(c.body.value(field)) != "relax.dequantize":
        return c.name(field)
    x = c.input(field)
    if (x.scale, x.zero) == c.output:
        return x.name
    table = qm.lut_requantize(x.scale, x.zero, *c.output)
    name = c.program.tensor(f"{c.layer}/part{number}", x.shape, "int8")
    c.program.note_quant(name, *c.output)
    attrs = {"size": prod(x.shape)}
    c.program.step(f"{c.layer}/part{number}", "lut_s8", (x.name,), name, attrs, {"table": table})
    return name


def quantize(c: Composite) -> None:
    """float32 -> int8."""
    scale, zero = c.output
    attrs = {"size": prod(c.shape), "scale": scale, "zero": zero}
    c.program.step(c.layer, "quantize_f32_s8", (c.name(c.body.root.args[0]),), c.result(), attrs)


def dequantize(c: Composite) -> None:
    """int8 -> float32."""
    x, scale, zero = c.body.root.args[:3]
    name = c.name(x)
    real, integer = float(array(scale).reshape(-1)[0]), int(array(zero).reshape(-1)[0])
    c.program.note_quant(name, real, integer)
    attrs = {"size": prod(c.shape), "scale": real, "zero": integer}
    c.program.step(c.layer, "dequantize_s8_f32", (name,), c.result(), attrs)
