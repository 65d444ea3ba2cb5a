"""Walk main and turn every binding into Steps, a view, or a TIR function."""

from __future__ import annotations

from collections.abc import Callable

import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst, Tuple, TupleGetItem

from edgert.codegen.lower import binary, movers, quantized, weighted
from edgert.codegen.lower.builder import ProgramBuilder
from edgert.codegen.lower.context import Composite
from edgert.codegen.passes.composite import Body, array, dtype_of, op_name
from edgert.codegen.passes.legalize import VIEWS
from edgert.codegen.program import Program, Quant, TirFunction

RULES: dict[str, Callable[[Composite], None]] = {
    "edgert.conv2d": weighted.conv2d,
    "edgert.fully_connected": weighted.fully_connected,
    "edgert.matmul": quantized.matmul,
    "edgert.add": quantized.binary,
    "edgert.subtract": quantized.binary,
    "edgert.multiply": quantized.binary,
    "edgert.avg_pool2d": quantized.avg_pool2d,
    "edgert.max_pool2d": quantized.max_pool2d,
    "edgert.mean": quantized.mean,
    "edgert.softmax": quantized.softmax,
    "edgert.prelu": quantized.prelu,
    "edgert.resize_bilinear": quantized.resize_bilinear,
    "edgert.table": quantized.table,
    "edgert.binary_conv2d": binary.conv2d,
    "edgert.binary_max_pool2d": binary.max_pool2d,
    "edgert.binary_sign": binary.sign,
    "edgert.sign_conv2d": binary.first_conv2d,
    "edgert.quantize": movers.quantize,
    "edgert.dequantize": movers.dequantize,
    "edgert.concat": movers.concat,
    "edgert.transpose": movers.transpose,
    "edgert.slice": movers.strided_slice,
    "edgert.pad": movers.pad,
    "edgert.resize_nearest": movers.resize_nearest,
}
PrintFunction = Callable[[tvm.tirx.PrimFunc, str], TirFunction]


def lower(mod: tvm.IRModule, name: str, print_primfunc: PrintFunction) -> Program:
    """main and its composites -> Program."""
    return _Lowering(mod, name, print_primfunc).run()


class _Lowering:
    def __init__(self, mod: tvm.IRModule, name: str, print_primfunc: PrintFunction) -> None:
        self.mod, self.main = mod, mod["main"]
        self.print_primfunc = print_primfunc
        self.program = ProgramBuilder(name)
        self.tuples: dict[relax.Var, tuple[Expr, ...]] = {}

    def run(self) -> Program:
        numbers = [float(n) for n in (self.main.attrs or {}).get("quant", [])]
        quants = [Quant(s, int(z)) if s else None for s, z in zip(numbers[0::2], numbers[1::2], strict=True)]
        quants += [None] * len(self.main.params)
        inputs = [self.program.result(p, q) for p, q in zip(self.main.params, quants, strict=False)]
        for block in self.main.body.blocks:
            for binding in block.bindings:
                self._binding(binding.var, binding.value)
        return self.program.finish(inputs, self._outputs())

    def _outputs(self) -> list[relax.Var]:
        result = self.main.body.body
        fields = result.fields if isinstance(result, Tuple) else self.tuples.get(result, (result,))
        return [self._as_variable(number, field) for number, field in enumerate(fields)]

    def _as_variable(self, number: int, field: Expr) -> relax.Var:
        """A constant output gets a name of its own."""
        if isinstance(field, relax.Var):
            return field
        var = relax.Var(f"output_{number}", field.ty)
        self.program.view(var, self._name(field))
        return var

    def _binding(self, var: relax.Var, value: Expr) -> None:
        if op_name(value) == "relax.call_dps_packed":
            self._composite(var, value)
        elif op_name(value) in VIEWS:
            self.program.view(var, self._name(value.args[0]))
        elif op_name(value) == "relax.call_tir":
            self._call_tir(var, value)
        elif isinstance(value, Tuple):
            self.tuples[var] = tuple(value.fields)
        elif isinstance(value, TupleGetItem):
            self._alias(var, self.tuples[value.tuple_value][value.index])
        elif isinstance(value, relax.Var | GenericConst):
            self._alias(var, value)
        else:
            raise AssertionError(f"{var.name}: {op_name(value) or type(value).__name__} reached lowering")

    def _alias(self, var: relax.Var, value: Expr) -> None:
        if isinstance(value, relax.Var) and value in self.tuples:
            self.tuples[var] = self.tuples[value]
        else:
            self.program.view(var, self._name(value))

    def _name(self, expr: Expr) -> str:
        """The tensor of a variable, or a new Constant."""
        if isinstance(expr, GenericConst):
            return self.program.constant("constant", dtype_of(expr), array(expr))
        return self.program.names[expr]

    def _composite(self, var: relax.Var, call: Call) -> None:
        function = self.mod[str(call.args[0].global_symbol)]
        names = tuple(self._name(a) for a in call.args[1].fields)
        RULES[str(function.attrs["Composite"])](Composite(self.program, var, Body.of(function), names))

    def _call_tir(self, var: relax.Var, call: Call) -> None:
        inputs = tuple(self._name(a) for a in call.args[1].fields)
        outputs = self._tir_results(var)
        number = len(self.program.steps)
        tir = self.print_primfunc(self.mod[call.args[0]], f"ert_tir_{number:02}")
        self.program.tir_step(var.name, inputs, outputs, tir)

    def _tir_results(self, var: relax.Var) -> tuple[str, ...]:
        if isinstance(var.ty, relax.TensorType):
            return (self.program.result(var),)
        parts = tuple(relax.Var(f"{var.name}/{i}", field) for i, field in enumerate(var.ty.fields))
        self.tuples[var] = parts
        return tuple(self.program.result(part) for part in parts)
