"""What the ONNX front end holds while it walks the nodes: values, their quantization, their layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tvm import relax
from tvm.ir import Expr

from edgert.codegen.program import Array

if TYPE_CHECKING:
    from edgert.codegen.frontends.onnx import Importer

MAX_ELEMENTS = 1 << 28
NHWC = (0, 2, 3, 1)  # logical axis at each physical position
NCHW = (0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class Quantization:
    """As in the model, but 8-bit activations are int8: unsigned ones have their zero point less 128."""

    scale: Array
    zero: Array
    axis: int = 0

    def same(self, other: Quantization) -> bool:
        return self.scale.size == other.scale.size == 1 and bool(
            (self.scale.ravel() == other.scale.ravel()).all()
            and (self.zero.ravel() == other.zero.ravel()).all()
        )


@dataclass(frozen=True, eq=False)
class Value:
    """An ONNX value. shape: as the model sees it.

    constant: its array, as the model sees it. expr: the Relax activation, NHWC if of rank 4.
    quant: set while a DequantizeLinear is pending; expr or constant are then the integers.
    accumulator: scale of the sums, for the direct result of a quantized Conv, Gemm or MatMul.
    unsigned: the model's integers are uint8; expr holds them less 128, as int8.
    """

    shape: tuple[int, ...]
    expr: Expr | None = None
    constant: Array | None = None
    quant: Quantization | None = None
    accumulator: Array | None = None
    unsigned: bool = False


Inputs = Sequence[Value | None]
Handler = Callable[["Importer", Any, Inputs], list[Value]]


def given(inputs: Inputs, position: int) -> Value | None:
    return inputs[position] if len(inputs) > position else None


def first(inputs: Inputs) -> Value:
    value = given(inputs, 0)
    if value is None:
        raise NotImplementedError("its input is missing")
    return value


def constant_array(inputs: Inputs, position: int, what: str) -> Array | None:
    value = given(inputs, position)
    if value is None:
        return None
    if value.constant is None:
        raise NotImplementedError(f"{what} that is no constant")
    return value.constant


def physical_axis(axis: int, rank: int) -> int:
    """A logical axis as a physical one."""
    axis %= rank
    return NHWC.index(axis) if rank == 4 else axis


def dequantized(expr: Expr, quant: Quantization, axis: int | None = None) -> Expr:
    scale, zero = quant.scale, quant.zero.ravel()
    axis = quant.axis if axis is None else axis
    if scale.size == 1:
        scale, axis = scale.reshape(()), 0
    zero_point = relax.const(zero[0] if (zero == zero[0]).all() else zero, "int32")
    return relax.op.dequantize(expr, relax.const(scale, "float32"), zero_point, axis=axis)


def to_physical(expr: Expr, shape: Sequence[int]) -> Expr:
    """NCHW -> NHWC; a reshape where nothing moves."""
    if len(shape) != 4:
        return expr
    n, c, h, w = shape
    return relax.op.reshape(expr, (n, h, w, c)) if c == 1 or h * w == 1 else relax.op.permute_dims(expr, NHWC)


def to_logical(expr: Expr, shape: Sequence[int]) -> Expr:
    """NHWC -> NCHW; a reshape where nothing moves."""
    if len(shape) != 4:
        return expr
    c, pixels = shape[1], shape[2] * shape[3]
    return relax.op.reshape(expr, shape) if c == 1 or pixels == 1 else relax.op.permute_dims(expr, NCHW)


def logical(c: Importer, x: Value) -> Expr:
    """The stored value in the model's own order."""
    return to_logical(c.expression(x), x.shape)
