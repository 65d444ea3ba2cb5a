"""What a lowering rule sees: one composite, its operands as tensors and numbers, and where to put Steps."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from tvm import relax
from tvm.ir import Expr, GenericConst

from edgert.codegen.lower.builder import ProgramBuilder
from edgert.codegen.passes.composite import Body, Operand, array, dtype_of, shape_of
from edgert.codegen.program import DTYPE_BYTES, Quant
from edgert.codegen.quantize_math import clip_range


@dataclass(frozen=True)
class Input:
    """A quantized operand: the tensor or constant that it is in, its shape, scale and zero point."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero: int


@dataclass(frozen=True, eq=False)
class Composite:
    """One call of a composite function in main. var: its result; arguments: the names of its inputs."""

    program: ProgramBuilder
    var: relax.Var
    body: Body
    arguments: tuple[str, ...]

    @property
    def layer(self) -> str:
        return str(self.var.name)

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.var)

    @property
    def element_bytes(self) -> int:
        return DTYPE_BYTES[dtype_of(self.var)]

    def name(self, expr: Expr) -> str:
        """The tensor of a parameter, or a constant made of a constant operand."""
        if isinstance(expr, GenericConst):
            return self.program.constant(self.layer, "operand", array(expr))
        return self.arguments[self.body.params.index(expr)]

    def operand(self, expr: Expr) -> Operand:
        operand = self.body.operand(expr)
        assert operand is not None, self.layer
        return operand

    def input(self, expr: Expr) -> Input:
        """A dequantized activation (or constant) of one scale."""
        operand = self.operand(expr)
        name, scale = self.name(operand.source), float(operand.scale.reshape(-1)[0])
        self.program.note_quant(name, scale, operand.zero)
        return Input(name, shape_of(operand.source), scale, operand.zero)

    @property
    def output(self) -> tuple[float, int]:
        output = self.body.output
        assert output is not None, self.layer
        return output

    def result(self) -> str:
        """The output tensor; a data mover's has the scale of what it moves."""
        output = self.body.output
        quant = Quant(*output) if output else self._moved_quant()
        return self.program.result(self.var, quant)

    def _moved_quant(self) -> Quant | None:
        same = dtype_of(self.var) in ("int8", "uint8") and self.arguments
        return self.program.quant(self.arguments[0]) if same else None

    @property
    def y_range(self) -> tuple[int, int]:
        """The clamp that the fused activation asks for; without a scale, bounds are integers already."""
        low, high = self.body.activation
        if self.body.output is not None:
            return clip_range(low, high, *self.output)
        return (-128 if low == -inf else int(low), 127 if high == inf else int(high))
