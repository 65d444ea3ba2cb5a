"""A composite: the Relax expression that one kernel computes, as a function of its activations.

    q = R.quantize(f(R.dequantize(x0), R.dequantize(constant), ...))        or one op on integers

Passes build it, lowering takes it apart; both through `Body`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst, Tuple, TupleGetItem

from edgert.codegen.program import Array


@dataclass(frozen=True, eq=False)
class Operand:
    """A dequantized value: source is an activation (a Var) or a constant array.

    scale: [] or one per slice of `axis`.
    """

    source: Expr
    scale: Array
    zero: int
    axis: int

    @property
    def constant(self) -> Array | None:
        return array(self.source) if isinstance(self.source, GenericConst) else None

    @property
    def per_tensor(self) -> bool:
        return self.scale.size == 1


def array(constant: GenericConst) -> Array:
    value: Array = constant.value.numpy()
    return value


def op_name(expr: Expr) -> str:
    """ "relax.add" of a call of that op; empty for anything else."""
    name = getattr(expr.op, "name", "") if isinstance(expr, Call) else ""
    return str(name)


def shape_of(expr: Expr) -> tuple[int, ...]:
    return tuple(int(d) for d in expr.ty.shape)


def dtype_of(expr: Expr) -> str:
    return str(expr.ty.dtype)


def is_tensor(expr: Expr) -> bool:
    return isinstance(expr.ty, relax.TensorType) and expr.ty.shape is not None


def leaves(expr: Expr) -> Iterator[Expr]:
    """The Vars and constants that an expression reads directly."""
    if isinstance(expr, relax.Var | GenericConst):
        yield expr
    elif isinstance(expr, Call):
        for argument in expr.args:
            yield from leaves(argument)
    elif isinstance(expr, Tuple):
        for field in expr.fields:
            yield from leaves(field)
    elif isinstance(expr, TupleGetItem):
        yield from leaves(expr.tuple_value)


@dataclass(frozen=True, eq=False)
class Body:
    """Bindings in order, the last one the result; params are the activations that they read."""

    params: tuple[relax.Var, ...]
    bindings: tuple[tuple[relax.Var, Expr], ...]

    @staticmethod
    def of(function: relax.Function) -> Body:
        bindings = tuple((b.var, b.value) for block in function.body.blocks for b in block.bindings)
        return Body(tuple(function.params), bindings)

    @cached_property
    def values(self) -> dict[relax.Var, Expr]:
        return dict(self.bindings)

    @property
    def root(self) -> Call:
        return self.bindings[-1][1]

    @property
    def result(self) -> relax.Var:
        return self.bindings[-1][0]

    @cached_property
    def ops(self) -> tuple[str, ...]:
        """What is computed between dequantize and quantize, in order."""
        outer = ("relax.dequantize", "relax.quantize")
        return tuple(op_name(value) for _, value in self.bindings if op_name(value) not in outer)

    def find(self, *names: str) -> Call | None:
        """The first call of one of these ops."""
        return next((value for _, value in self.bindings if op_name(value) in names), None)

    def value(self, expr: Expr) -> Expr:
        return self.values.get(expr, expr) if isinstance(expr, relax.Var) else expr

    def operand(self, expr: Expr) -> Operand | None:
        """The dequantize behind an expression."""
        call = self.value(expr)
        if op_name(call) != "relax.dequantize":
            return None
        scale, zero = array(call.args[1]), array(call.args[2])
        if np.any(zero.reshape(-1) != zero.reshape(-1)[0]):
            return None
        axis = int(call.attrs.axis) % max(1, len(shape_of(call.args[0])))
        return Operand(call.args[0], scale, int(zero.reshape(-1)[0]), axis)

    @property
    def output(self) -> tuple[float, int] | None:
        """(scale, zero point) of the result, where it is a per-tensor quantize."""
        if op_name(self.root) != "relax.quantize":
            return None
        scale, zero = array(self.root.args[1]), array(self.root.args[2])
        return (
            (float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0])) if scale.size == zero.size == 1 else None
        )

    @property
    def activation(self) -> tuple[float, float]:
        """Bounds of the fused activation, in real numbers; infinite where it has none."""
        before = self.value(self.root.args[0]) if op_name(self.root) == "relax.quantize" else self.root
        if op_name(before) == "relax.nn.relu":
            return 0.0, float("inf")
        if op_name(before) == "relax.clip":
            return tuple(prim(a) for a in before.args[1:3])  # type: ignore[return-value]
        return float("-inf"), float("inf")

    @property
    def is_hard_swish(self) -> bool:
        """x * (clip(x + 3, 0, 6) * (1 / 6)), in this or another order, or divided by 6."""
        ops = [op for op in self.ops if op != "relax.multiply"]
        if ops not in (["relax.add", "relax.clip"], ["relax.add", "relax.clip", "relax.divide"]):
            return False
        clip = self.find("relax.clip")
        assert clip is not None
        bounds = tuple(prim(a) for a in clip.args[1:3])
        constants = [
            array(a).item() for _, v in self.bindings[:-1] for a in v.args[:2] if _single_float(a, v)
        ]
        sixth = any(abs(k - 1 / 6) < 1e-6 or k == 6.0 for k in constants)
        return bounds == (0.0, 6.0) and 3.0 in constants and sixth and self.activation == (-inf, inf)


def _single_float(argument: object, value: Call) -> bool:
    outer = op_name(value) in ("relax.dequantize", "relax.quantize")
    return isinstance(argument, GenericConst) and not outer


def untransposed(body: Body, expr: Expr) -> tuple[Expr, bool]:
    """(what an exchange of the last two axes is of, True); anything else as it is, and False."""
    call = body.value(expr)
    if op_name(call) != "relax.permute_dims":
        return expr, False
    rank = len(shape_of(call.args[0]))
    axes = range(rank)[::-1] if call.attrs.axes is None else (int(a) % rank for a in call.attrs.axes)
    exchanged = [*range(rank - 2), rank - 1, rank - 2]
    return (call.args[0], True) if rank >= 2 and list(axes) == exchanged else (expr, False)


def is_quantized(mod: tvm.IRModule) -> bool:
    """Whether any of main computes in integers."""
    blocks = mod["main"].body.blocks
    return any(op_name(b.value) == "relax.quantize" for block in blocks for b in block.bindings)


def prim(expr: Any) -> float:
    """The number in a primitive value."""
    return float(getattr(getattr(expr, "value", expr), "value", getattr(expr, "value", expr)))
