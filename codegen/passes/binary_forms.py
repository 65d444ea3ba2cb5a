"""What a binary network looks like in Relax: signs, what is linear before them, weights of two values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax
from tvm.ir import Call, Expr, GenericConst
from tvm.relax import op as R

from edgert.codegen.passes.composite import array, op_name, prim, shape_of
from edgert.codegen.passes.fold_linear import affine
from edgert.codegen.program import Array

# op -> (whether the first value is where x is above, whether x equal to the constant is above)
COMPARISONS = {
    "relax.greater_equal": (True, True), "relax.greater": (True, False),
    "relax.less": (False, True), "relax.less_equal": (False, False),
}  # fmt: skip
Values = Mapping[relax.Var, Expr]


@dataclass(frozen=True, eq=False)
class Line:
    """x * gain + shift, each [channels]; interior: the variables between x and the result."""

    x: Expr
    gain: Array
    shift: Array
    interior: tuple[relax.Var, ...] = ()


@dataclass(frozen=True, eq=False)
class Sign:
    """+1 where x * gain + shift >= 0 (> 0 if strict), -1 elsewhere."""

    line: Line
    strict: bool


def sign_of(value: Expr, values: Values) -> Sign | None:
    """`value` as a sign: R.sign, which is +1 at 0 here, or R.where of a comparison with a constant."""
    if op_name(value) == "relax.sign":
        return _signed(value.args[0], values, (), np.zeros(1), above=True, equal_above=True)
    if op_name(value) != "relax.where" or not all(isinstance(a, GenericConst) for a in value.args[1:]):
        return None
    condition = made_of(value.args[0], values)
    first, second = (array(a) for a in value.args[1:])
    if op_name(condition) not in COMPARISONS or first.size != 1 or second.size != 1:
        return None
    x, limit = condition.args
    if (
        not isinstance(limit, GenericConst)
        or not shape_of(x)
        or array(limit).size not in (1, shape_of(x)[-1])
    ):
        return None
    if array(limit).size > 1 and array(limit).shape[-1] != array(limit).size:
        return None
    if {first.item(), second.item()} != {1.0, -1.0}:
        return None
    above, equal_above = COMPARISONS[op_name(condition)]
    above = above if first.item() == 1.0 else not above
    limits = array(limit).astype(np.float64).ravel()
    return _signed(x, values, (value.args[0],), limits, above=above, equal_above=equal_above)


def made_of(expr: Expr, values: Values) -> Any:
    """What a variable is bound to; None for anything else."""
    return values.get(expr) if isinstance(expr, relax.Var) else None


def _signed(
    x: Expr, values: Values, interior: tuple[relax.Var, ...], limit: Array, *, above: bool, equal_above: bool
) -> Sign | None:
    """Turned so that +1 is above: where the two change sides, so does what is equal."""
    if not shape_of(x):
        return None
    line = line_of(_unclipped(x, values, limit), values)
    direction = 1.0 if above else -1.0
    strict = (not equal_above) if above else equal_above
    return Sign(
        Line(line.x, direction * line.gain, direction * (line.shift - limit), (*line.interior, *interior)),
        strict,
    )


def _unclipped(x: Expr, values: Values, limit: Array) -> Expr:
    """Before a clip that keeps both sides of 0 apart: a hard tanh."""
    value = made_of(x, values)
    if op_name(value) != "relax.clip" or limit.any():
        return x
    low, high = (prim(a) for a in value.args[1:3])
    return value.args[0] if low < 0.0 < high else x


def line_of(x: Expr, values: Values) -> Line:
    """Factors and terms per channel behind each other, back to what is none."""
    channels = shape_of(x)[-1]
    gain, shift, interior = np.ones(channels), np.zeros(channels), []
    while isinstance(made_of(x, values), Call):
        step = affine(_with_constants(made_of(x, values), values))
        if step is None or shape_of(step.x) != shape_of(x):
            break
        shift, gain = shift + gain * step.shift, gain * step.gain
        interior.append(x)
        x = step.x
    return Line(x, gain, shift, tuple(interior))


def _with_constants(call: Call, values: Values) -> Call:
    """An integer bias as the real numbers that it stands for."""
    if len(call.args) != 2:
        return call
    arguments = [_real_constant(a, values) for a in call.args]
    same = all(a is b for a, b in zip(arguments, call.args, strict=True))
    return call if same else Call(call.op, arguments, call.attrs, call.ty_args, ret_ty=call.ty)


def _real_constant(expr: Expr, values: Values) -> Expr:
    inner = made_of(expr, values)
    if op_name(inner) != "relax.dequantize" or not isinstance(inner.args[0], GenericConst):
        return expr
    integers, scale, zero = (array(a).astype(np.float64) for a in inner.args)
    return relax.const(((integers - zero) * scale).astype(np.float32), "float32")


def two_valued(weights: Array) -> tuple[Array, Array] | None:
    """[out_c, ...] -> (signs int8, magnitude [out_c]), where each channel's weights are -a or +a, a > 0."""
    flat = weights.reshape(weights.shape[0], -1)
    magnitude = np.abs(flat[:, 0])
    if not (np.abs(flat) == magnitude[:, None]).all() or not (magnitude > 0).all():
        return None
    return np.where(weights > 0, 1, -1).astype(np.int8), magnitude.astype(np.float64)


def out_first(call: Call) -> Array:
    """A convolution's or a product's constant weights, the output channel first, then as stored in rows."""
    weights = array(call.args[1])
    if op_name(call) == "relax.matmul":
        return np.ascontiguousarray(weights.T)
    order = [str(call.attrs.kernel_layout).index(axis) for axis in "OHWI"]
    return np.ascontiguousarray(weights.transpose(order))


def is_plain_conv(call: Call) -> bool:
    """NHWC and without groups."""
    layouts = (str(call.attrs.data_layout), str(call.attrs.out_layout))
    return layouts == ("NHWC", "NHWC") and int(call.attrs.groups) == 1


def is_binary_layer(call: Expr) -> bool:
    """A convolution or a product with constant weights of two values in each channel."""
    if op_name(call) == "relax.nn.conv2d":
        possible = is_plain_conv(call)
    else:
        possible = op_name(call) == "relax.matmul" and len(shape_of(call.args[0])) == 2
    constant = possible and isinstance(call.args[1], GenericConst) and array(call.args[1]).ndim in (2, 4)
    return constant and two_valued(out_first(call)) is not None


def plus_minus(condition: Expr) -> Expr:
    """+1 where it holds, else -1."""
    return R.where(condition, relax.const(1.0, "float32"), relax.const(-1.0, "float32"))
