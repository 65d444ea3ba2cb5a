"""Writes quantize and dequantize into the network, and int8 weights.

A weight is symmetric and per output channel, in [-127, 127]; a bias is int32 in the scale of the sums. The
mean error that rounding the weights makes, with the calibration data's mean input, is taken out of the bias
(M. Nagel et al., https://arxiv.org/abs/1906.04721, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst, Tuple
from tvm.relax import op as R

from edgert.codegen.passes.composite import array, op_name, shape_of
from edgert.codegen.passes.outline import typed
from edgert.codegen.program import Array
from edgert.codegen.quantize.options import Options
from edgert.codegen.quantize.points import WEIGHTED, Graph

Quants = Mapping[relax.Var, tuple[float, int]]


@dataclass(eq=False)
class _Writer:
    """stored: point -> its int8 variable. real: original variable -> its float variable.

    values: the bindings; biases become int32 on the way.
    """

    graph: Graph
    quants: Quants
    means: Mapping[relax.Var, Array]
    options: Options

    def run(self) -> tuple[tvm.IRModule, dict[relax.Var, relax.Var]]:
        """The QDQ network, and for each point the variable that holds its integers."""
        self.bindings: list[tuple[relax.Var, Expr]] = []
        self.stored: dict[relax.Var, relax.Var] = {}
        self.real: dict[relax.Var, relax.Var] = {}
        self.normalize = relax.BlockBuilder().normalize
        self.values = dict(self.graph.values)
        params = [self._enter(param) for param in self.graph.main.params]
        for var in self.graph.values:
            self._binding(var, self.values[var])
        result = self._leave(self.graph.main.body.body)
        block = relax.BindingBlock([relax.VarBinding(v, e) for v, e in self.bindings])
        function = relax.Function(params, typed(relax.SeqExpr([block], result), result.ty), result.ty)
        function = function.with_attr("quant", self._interface()).with_attr("global_symbol", "main")
        module = relax.transform.ConvertToDataflow(min_size=1)(tvm.IRModule({"main": function}))
        return relax.transform.DeadCodeElimination()(module), self.stored

    def _interface(self) -> list[float]:
        results = self.graph.main.body.body
        outputs = list(results.fields) if isinstance(results, Tuple) else [results]
        ports = [*self.graph.main.params, *outputs]
        if self.options.float_interface:
            return [0.0, 0.0] * len(ports)
        return [float(n) for port in ports for n in self.quants.get(port, (0.0, 0.0))]

    def _enter(self, param: relax.Var) -> relax.Var:
        if self.options.float_interface or param not in self.quants:
            self.real[param] = param
            if param in self.quants:
                self._quantize(param, f"{param.name}/int8")
            return param
        fresh = relax.Var(param.name, relax.TensorType(shape_of(param), "int8"))
        self.stored[param] = fresh
        return fresh

    def _binding(self, var: relax.Var, value: Expr) -> None:
        quantized = var not in self.graph.float_layers and self._weights_can(value)
        expr = self._weighted(var, value) if quantized else self._rebuilt(value)
        last = var in self.quants
        fresh = self._emit(f"{var.name}/real" if last else str(var.name), expr)
        self.real[var] = fresh
        if last:
            self._quantize(var, str(var.name))

    def _emit(self, name: str, expr: Expr) -> relax.Var:
        expr = self.normalize(expr)
        var = relax.Var(name, expr.ty)
        self.bindings.append((var, expr))
        return var

    def _quantize(self, var: relax.Var, name: str) -> None:
        scale, zero = self.quants[var]
        dtype = "int16" if var in self.graph.wide else "int8"
        self.stored[var] = self._emit(
            name, R.quantize(self.real[var], _f32(scale), relax.const(zero, "int32"), axis=0, out_dtype=dtype)
        )

    def _read(self, expr: Expr) -> Expr:
        """What a layer computes with: the dequantized integers where there are some."""
        if isinstance(expr, Tuple):
            return Tuple([self._read(f) for f in expr.fields])
        if not isinstance(expr, relax.Var):
            return expr
        if expr not in self.stored:
            return self.real.get(expr, expr)
        scale, zero = self.quants[expr]
        whole = R.dequantize(self.stored[expr], _f32(scale), relax.const(zero, "int32"), axis=0)
        return self._emit(f"{expr.name}/read", whole)

    def _rebuilt(self, value: Expr) -> Expr:
        if isinstance(value, Call):
            return Call(value.op, [self._read(a) for a in value.args], value.attrs, value.ty_args)
        return self._read(value)

    # Weights

    def _weights_can(self, value: Expr) -> bool:
        return (
            op_name(value) in WEIGHTED
            and isinstance(value.args[1], GenericConst)
            and value.args[0] in self.quants
        )

    def _weighted(self, var: relax.Var, value: Call) -> Expr:
        axis = self._output_axis(value)
        integers, scales = quantized_weights(array(value.args[1]), axis)
        weights = R.dequantize(
            relax.const(integers, "int8"), relax.const(scales, "float32"), relax.const(0, "int32"), axis=axis
        )
        weights_var = self._emit(f"{var.name}/weights", weights)
        bias_reader = next(
            (r for r in self.graph.readers[var] if op_name(self.values[r]) == "relax.add"), None
        )
        self._note_bias(bias_reader, value, integers, scales, axis)
        return Call(value.op, [self._read(value.args[0]), weights_var], value.attrs, value.ty_args)

    @staticmethod
    def _output_axis(value: Call) -> int:
        return str(value.attrs.kernel_layout).index("O") if op_name(value) == "relax.nn.conv2d" else 1

    def _note_bias(
        self, reader: relax.Var | None, value: Call, integers: Array, scales: Array, axis: int
    ) -> None:
        """The reader's constant becomes int32 here, before the reader is written."""
        reading = self.values[reader] if reader is not None else None
        if reading is None or reader is None or not isinstance(reading.args[1], GenericConst):
            return
        bias = array(reading.args[1]).astype(np.float64).reshape(-1)
        if bias.size != scales.size:
            return
        if self.options.correct_bias and value.args[0] in self.means:
            bias = bias - self._mean_error(value, integers, scales, axis)
        sums = np.float32(self.quants[value.args[0]][0]) * scales
        q = np.clip(np.rint(bias / sums), -(2**31), 2**31 - 1).astype(np.int32)
        real = R.dequantize(
            relax.const(q, "int32"), relax.const(sums, "float32"), relax.const(0, "int32"), axis=0
        )
        bias_var = self._emit(f"{reader.name}/bias", real)
        self.values[reader] = Call(reading.op, [reading.args[0], bias_var], reading.attrs, reading.ty_args)
        self.real[bias_var] = bias_var

    def _mean_error(self, value: Call, integers: Array, scales: Array, axis: int) -> Array:
        """E[(W' - W) x] per output channel, borders aside."""
        shape = [-1 if i == axis else 1 for i in range(integers.ndim)]
        error = integers * scales.reshape(shape).astype(np.float64) - array(value.args[1])
        mean = self.means[value.args[0]]
        if op_name(value) == "relax.matmul":
            product: Array = mean @ error
            return product
        taps = error.sum((0, 1))  # [in, out], or [in, 1] for a depthwise layer in HWOI
        depthwise = str(value.attrs.kernel_layout) == "HWOI"
        if depthwise:
            result: Array = (taps * mean[:, None]).reshape(-1)
            return result
        groups, per_group = int(value.attrs.groups), taps.shape[0]
        rows = mean.reshape(groups, per_group)
        columns = taps.reshape(per_group, groups, -1)
        summed: Array = np.einsum("gi,igo->go", rows, columns).reshape(-1)
        return summed

    def _leave(self, result: Expr) -> Expr:
        if isinstance(result, Tuple):
            return Tuple([self._leave(f) for f in result.fields])
        if self.options.float_interface or result not in self.stored:
            read = self._read(result)
            return read if isinstance(read, relax.Var) else self._emit(str(result.name), read)
        return self.stored[result]


def quantized_weights(weights: Array, axis: int) -> tuple[Array, Array]:
    """int8 values in [-127, 127] and one scale for each slice of `axis`; a slice of zeros has scale 1."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights).max(others)
    scales = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(weights.ndim)]
    return np.clip(np.rint(weights / scales.reshape(shape)), -127, 127).astype(np.int8), scales


def _f32(value: float) -> Any:
    return relax.const(value, "float32")


def insert(
    graph: Graph, quants: Quants, means: Mapping[relax.Var, Array], options: Options
) -> tuple[tvm.IRModule, dict[relax.Var, relax.Var]]:
    """(the QDQ network, point -> the variable that holds its integers)."""
    return _Writer(graph, quants, means, options).run()
