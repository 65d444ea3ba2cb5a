"""ONNX -> Relax, node by node; a float network with an operator that we have no handler for, by TVM's
importer.

Images are NHWC from the first node on: every rank-4 activation is held in that order, whatever the model's
own axes say, and only the graph's inputs and outputs are transposed. Quantization stays explicit: a
DequantizeLinear is only noted, so that data movement runs on the integers, and written where a
computation reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Expr

from edgert.codegen.frontends.onnx_values import (
    MAX_ELEMENTS,
    NCHW,
    NHWC,
    Quantization,
    Value,
    dequantized,
    to_logical,
    to_physical,
)
from edgert.codegen.program import Array
from edgert.errors import EdgertError, ModelError, ToolError, UnsupportedOperatorError

_QDQ = ("QuantizeLinear", "DequantizeLinear")
_SOURCES = frozenset(("Constant", "ConstantOfShape"))  # evaluated, never converted


def from_onnx(data: bytes, name: str, *, channels_last: bool = False) -> tvm.IRModule:
    """One Relax function `main`.

    Raises: ModelError, UnsupportedOperatorError, ToolError (no onnx package).
    """
    try:
        import onnx
    except ImportError as error:
        raise ToolError(
            "reading ONNX needs the onnx package", where=name, hint="pip install 'edgert[onnx]'"
        ) from error
    model = _parsed(onnx, data, name)
    try:
        return from_graph(onnx, model, name, channels_last=channels_last)
    except EdgertError:
        raise
    except Exception as error:  # onnx and TVM raise anything on an inconsistent graph
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(
            f"inconsistent ONNX file: {reason}", where=name, hint="check it with onnx.checker"
        ) from error


def from_graph(onnx: Any, model: Any, name: str, *, channels_last: bool = False) -> tvm.IRModule:
    """A ModelProto as Relax. channels_last: rank-4 inputs and outputs are NHWC, whatever the model says.

    Raises UnsupportedOperatorError, and anything on an inconsistent graph.
    """
    from edgert.codegen.frontends.onnx_ops import HANDLERS

    kinds = {node.op_type for node in model.graph.node}
    if kinds.isdisjoint(_QDQ) and not kinds <= HANDLERS.keys() | _SOURCES:
        return _float_network(model, name)
    return Importer(onnx, model, name, channels_last=channels_last).run()


def _parsed(onnx: Any, data: bytes, name: str) -> Any:
    try:
        model = onnx.load_from_string(data)
        known = bool(model.graph.node) and bool(model.graph.output)
    except Exception as error:  # protobuf's own exceptions
        raise ModelError(
            "neither a TFLite nor an ONNX file", where=name, rule="a model is a TFLite or ONNX file"
        ) from error
    if not known:
        raise ModelError("no network in the file", where=name, rule="a model is a TFLite or ONNX file")
    for tensor in model.graph.initializer:
        if any(d < 0 for d in tensor.dims) or prod(tensor.dims) > MAX_ELEMENTS:
            raise ModelError(f"tensor {tensor.name!r} has shape {list(tensor.dims)}", where=name)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"tensor {tensor.name!r} is in another file", where=name,
                hint="save the model with its weights inside: onnx.save(model, path)",
            )  # fmt: skip
    return model


def _float_network(model: Any, name: str) -> tvm.IRModule:
    from tvm.relax.frontend.onnx import from_onnx as import_float

    _fix_batch(model, name)
    try:
        return import_float(model)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UnsupportedOperatorError(
            f"TVM's importer refused it: {reason}", where=name, hint="see docs/operators.md"
        ) from error


def _fix_batch(model: Any, name: str) -> None:
    """A leading dimension without a number is a batch of one; any other is refused."""
    constants = {tensor.name for tensor in model.graph.initializer}
    for port in (p for p in model.graph.input if p.name not in constants):
        for position, dim in enumerate(port.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            if position > 0:
                raise ModelError(
                    f"dimension {position} of input {port.name!r} is {dim.dim_param or 'unknown'!r}",
                    where=name,
                    rule="only the batch may be without a number",
                    hint="fix the shape when exporting",
                )
            dim.dim_value = 1


class Importer:
    """Walks the nodes in order; `values` maps ONNX names to Values."""

    def __init__(self, onnx: Any, model: Any, name: str, *, channels_last: bool = False) -> None:
        _fix_batch(model, name)
        self.channels_last = channels_last
        self.onnx, self.model, self.name = onnx, model, name
        self.opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
        self.builder = relax.BlockBuilder()
        self.values: dict[str, Value] = {
            t.name: _constant(onnx.numpy_helper.to_array(t)) for t in model.graph.initializer
        }
        self.interface: list[float] = []

    def run(self) -> tvm.IRModule:
        graph = self.model.graph
        ports = [p for p in graph.input if p.name not in self.values]
        params = [self._parameter(port) for port in ports]
        with self.builder.function("main"):
            try:
                with self.builder.dataflow():
                    for port, param in zip(ports, params, strict=True):
                        self._enter(port.name, param)
                    for number, node in enumerate(graph.node):
                        self._node(number, node)
                    results = [self._leave(port.name) for port in graph.output]
                self.builder.emit_func_output(
                    results[0] if len(results) == 1 else relax.Tuple(results), params
                )
            except BaseException:
                self.builder._end_block()  # TVM warns of a block that is left open
                raise
        module = self.builder.get()
        quant = [0.0, 0.0] * len(params) + self.interface
        module["main"] = module["main"].with_attr("quant", quant)
        return module

    def _parameter(self, port: Any) -> relax.Var:
        kind = port.type.tensor_type
        shape = [d.dim_value for d in kind.shape.dim]
        if prod(shape) > MAX_ELEMENTS:
            raise ModelError(f"input {port.name!r} has shape {shape}", where=self.name)
        dtype = str(self.onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        if self.channels_last and len(shape) == 4:
            shape = [shape[axis] for axis in NHWC]
        return relax.Var(port.name, relax.TensorType(shape, dtype))

    def _enter(self, name: str, param: relax.Var) -> None:
        shape = tuple(int(d) for d in param.ty.shape)
        if self.channels_last and len(shape) == 4:
            self.values[name] = Value(tuple(shape[axis] for axis in NCHW), param)
            return
        expr = to_physical(param, shape)
        if expr is not param:
            expr = self.builder.emit(expr, f"{name}/nhwc")
        self.values[name] = Value(shape, expr)

    def _leave(self, name: str) -> Expr:
        value = self.values.get(name)
        if value is None or (value.expr is None and value.constant is None):
            raise ModelError(f"output {name!r} is computed by no node", where=self.name)
        self.interface += [0.0, 0.0]
        expr = self.real(value)
        expr = expr if self.channels_last else to_logical(expr, value.shape)
        declared = next(p for p in self.model.graph.output if p.name == name).type.tensor_type.elem_type
        if declared == self.onnx.TensorProto.UINT8 and value.quant is None:
            expr = self._unsigned(name, expr)
        elif value.expr is not None and value.quant is None:
            recorded = self._quant_of(name)
            if recorded is not None:
                self.interface[-2:] = [float(recorded.scale.ravel()[0]), float(recorded.zero.ravel()[0])]
        return self.builder.emit_output(expr, name)

    def _quant_of(self, name: str) -> Quantization | None:
        node = next((n for n in self.model.graph.node if name in n.output), None)
        return self.quantization(node) if node is not None and node.op_type == "QuantizeLinear" else None

    def _unsigned(self, name: str, expr: Expr) -> Expr:
        """int8 inside, uint8 at the interface."""
        quant = self._quant_of(name)
        if quant is None:
            raise ModelError(f"output {name!r} is uint8 and not quantized", where=self.name)
        scale, zero = float(quant.scale.ravel()[0]), int(quant.zero.ravel()[0])
        self.interface[-2:] = [scale, zero + 128.0]
        real = relax.op.dequantize(expr, relax.const(scale, "float32"), relax.const(zero, "int32"), axis=0)
        wanted = relax.const(zero + 128, "int32")
        return relax.op.quantize(real, relax.const(scale, "float32"), wanted, axis=0, out_dtype="uint8")

    def _node(self, number: int, node: Any) -> None:
        from edgert.codegen.frontends.onnx_ops import HANDLERS

        missing = [i for i in node.input if i and i not in self.values]
        if missing:
            raise ModelError(
                f"{self._place(number, node)} reads {missing[0]!r}, which nothing makes", where=self.name
            )
        inputs = [self.values[i] if i else None for i in node.input]
        if node.op_type not in _QDQ and all(v is None or _plain(v) for v in inputs):
            results = self._evaluated(node, inputs)
        else:
            handler = HANDLERS.get(node.op_type)
            if handler is None or node.domain not in ("", "ai.onnx"):
                raise self._unsupported(number, node, "no conversion for it")
            try:
                results = handler(self, node, inputs)
            except NotImplementedError as error:
                raise self._unsupported(number, node, str(error)) from error
        for output, value in zip(node.output, results, strict=False):
            self.values[output] = self._bound(value, output)

    def _bound(self, value: Value, name: str) -> Value:
        """Give the result the layer's name."""
        if value.expr is None or isinstance(value.expr, relax.Var):
            return value
        expr = self.builder.emit(value.expr, name)
        return replace(value, expr=expr)

    def _evaluated(self, node: Any, inputs: Sequence[Value | None]) -> list[Value]:
        """A node of constants, computed now by the onnx package's reference."""
        from onnx.reference import ReferenceEvaluator

        helper = self.onnx.helper
        feeds = {
            n: v.constant
            for n, v in zip(node.input, inputs, strict=True)
            if v is not None and v.constant is not None
        }
        ports = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in feeds.items()
        ]
        outputs = [self.onnx.ValueInfoProto(name=o) for o in node.output if o]
        graph = helper.make_graph([node], "constant", ports, outputs)
        if node.op_type in ("ConstantOfShape", "Expand", "Tile"):
            wanted = prod(float(d) for d in np.asarray(next(reversed(feeds.values()))).ravel())
            if wanted > MAX_ELEMENTS:
                raise ModelError(f"constant {node.output[0]!r} is too large", where=self.name)
        made = helper.make_model(graph, opset_imports=self.model.opset_import)
        results = ReferenceEvaluator(made).run(None, feeds)
        if any(np.asarray(r).size > MAX_ELEMENTS for r in results):
            raise ModelError(f"constant {node.output[0]!r} is too large", where=self.name)
        return [_constant(np.asarray(r)) for r in results]

    def _place(self, number: int, node: Any) -> str:
        label = node.name or (node.output[0] if node.output else "")
        return f"operator {number + 1} of {len(self.model.graph.node)}, {label!r} ({node.op_type})"

    def _unsupported(self, number: int, node: Any, reason: str) -> UnsupportedOperatorError:
        return UnsupportedOperatorError(
            f"{self._place(number, node)}: {reason}",
            where=self.name,
            hint="see docs/operators.md; replace the operator, or export with another opset",
        )

    # What the handlers use

    def attribute(self, node: Any, name: str, default: Any = None) -> Any:
        found = next((a for a in node.attribute if a.name == name), None)
        value = default if found is None else self.onnx.helper.get_attribute_value(found)
        return value.decode() if isinstance(value, bytes) else value

    def quantization(self, node: Any, *, unsigned: bool = True) -> Quantization:
        """Scale and zero point of a QuantizeLinear or DequantizeLinear.

        unsigned: whether the integers are uint8 where the node has no zero point to say so.
        """
        scale = self.values[node.input[1]].constant
        given = self.values[node.input[2]].constant if len(node.input) > 2 and node.input[2] else None
        if scale is None or (given is None and len(node.input) > 2 and node.input[2]):
            raise NotImplementedError("a scale or zero point that is no constant")
        zero = np.zeros(scale.shape, np.int64) if given is None else given
        unsigned = unsigned if given is None else zero.dtype == np.uint8
        return Quantization(
            scale.astype(np.float32), zero.astype(np.int64) - (128 if unsigned else 0),
            int(self.attribute(node, "axis", 1)),
        )  # fmt: skip

    def real(self, value: Value) -> Expr:
        """The value as float, in physical order."""
        expr = self.expression(value)
        return expr if value.quant is None else dequantized(expr, value.quant)

    def expression(self, value: Value) -> Expr:
        """The value as it is stored: integers while a DequantizeLinear is pending."""
        if value.expr is not None:
            return value.expr
        assert value.constant is not None
        array = value.constant.transpose(NHWC) if value.constant.ndim == 4 else value.constant
        return relax.const(np.ascontiguousarray(array), str(array.dtype))


def _constant(array: Array) -> Value:
    return Value(tuple(array.shape), constant=array)


def _plain(value: Value) -> bool:
    return value.constant is not None and value.quant is None
