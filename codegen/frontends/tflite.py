"""TFLite -> Relax, on top of TVM's converter.

Operators in `HANDLERS` are converted by us, one way for float and for 8-bit. Of the rest,
data movement goes through TVM's converter on the integers, and everything else through it in float
between dequantize and quantize: what TVM can do in float, a quantized model can use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tflite
import tvm
from tvm import relax
from tvm.relax.frontend.tflite.tflite_frontend import ExprTable, OperatorConverter, TensorWrapper

from edgert.codegen.frontends import tflite_larq, tflite_ops
from edgert.codegen.frontends.tflite_file import ELEMENT_BYTES, read_model
from edgert.codegen.frontends.tflite_ops import INTEGER_MOVERS
from edgert.codegen.program import Array
from edgert.errors import EdgertError, ModelError, UnsupportedOperatorError

HANDLERS = tflite_ops.HANDLERS | tflite_larq.HANDLERS
_OPERATOR_NAMES = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}


def from_tflite(data: bytes, name: str) -> tvm.IRModule:
    """One Relax function `main`. Raises: ModelError, UnsupportedOperatorError."""
    model = read_model(data, name)
    try:
        return _converted(model, name)
    except EdgertError:
        raise
    except Exception as error:  # TVM and the reader raise anything on what `read_model` could not see
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(
            f"inconsistent TFLite file: {reason}", where=name, hint="export or download the model again"
        ) from error


def _converted(model: Any, name: str) -> tvm.IRModule:
    graph = model.Subgraphs(0)
    builder = relax.BlockBuilder()
    converter = Converter(model, graph, builder, name)
    inputs = [int(i) for i in graph.InputsAsNumpy()] if graph.InputsLength() else []
    outputs = [int(i) for i in graph.OutputsAsNumpy()]
    with builder.function("main"), _ended(builder):
        parameters = [converter.parameter(index) for index in inputs]
        with builder.dataflow():
            for index, parameter in zip(inputs, parameters, strict=True):
                converter.enter(index, parameter)
            converter.convert_all()
            results = [converter.leave(index) for index in outputs]
        builder.emit_func_output(results[0] if len(results) == 1 else relax.Tuple(results), parameters)
    module = builder.get()
    quant = [number for index in (*inputs, *outputs) for number in converter.interface_quant(index)]
    module["main"] = module["main"].with_attr("quant", quant)
    return module


@contextmanager
def _ended(builder: relax.BlockBuilder) -> Iterator[None]:
    """End the open block when the conversion fails: TVM prints a warning for one that is left open."""
    try:
        yield
    except BaseException:
        builder._end_block()
        raise


class Converter(OperatorConverter):  # type: ignore[misc]
    """TVM's converter with expressions keyed by tensor index, and quantized operators done by us."""

    def __init__(self, model: Any, graph: Any, builder: relax.BlockBuilder, name: str) -> None:
        super().__init__(model, graph, ExprTable(), builder)
        self.name = name
        self.in_float = False
        self._exprs: dict[int, tvm.ir.Expr] = {}
        outputs = [int(i) for i in graph.OutputsAsNumpy()]
        self._plain_outputs = {i for i in outputs if graph.Tensors(i).Type() != tflite.TensorType.UINT8}

    # what the graph reads and writes

    def parameter(self, index: int) -> relax.Var:
        tensor = self.subgraph.Tensors(index)
        if tensor.Type() not in ELEMENT_BYTES or tensor.Type() == tflite.TensorType.COMPLEX64:
            raise ModelError(
                f"input '{self.label(index)}' is no tensor of numbers",
                where=self.name,
                rule="8-bit or float32",
            )
        dtype = super().get_tensor_type_str(tensor.Type())
        return relax.Var(self.label(index), relax.TensorType(self.shape(index), dtype))

    def enter(self, index: int, parameter: relax.Var) -> None:
        (wrapper,) = self.get_tensors([index])
        expr = parameter
        if wrapper.qnn_params and parameter.ty.dtype == "uint8":
            expr = self.quantized(self.dequantized(parameter, wrapper, shift=128), wrapper)
        self._exprs[index] = expr

    def leave(self, index: int) -> tvm.ir.Expr:
        (wrapper,) = self.get_tensors([index])
        expr = self.get_tensor_expr(wrapper)
        if wrapper.qnn_params and wrapper.tensor.Type() == tflite.TensorType.UINT8:
            zero = relax.const(int(wrapper.qnn_params["zero_point"].value.numpy()) + 128, "int32")
            real = self.dequantized(expr, wrapper)
            expr = relax.op.quantize(real, wrapper.qnn_params["scale"], zero, axis=0, out_dtype="uint8")
        if (
            index in self._plain_outputs
            and isinstance(expr, relax.Var)
            and not isinstance(expr, relax.DataflowVar)
        ):
            return expr
        return self.bb.emit_output(expr, name_hint=self.label(index))

    def interface_quant(self, index: int) -> tuple[float, float]:
        """(scale, zero point) as the model states them, (0, 0) for a tensor without."""
        quant = self.subgraph.Tensors(index).Quantization()
        if quant is None or quant.ScaleLength() != 1:
            return 0.0, 0.0
        return float(quant.Scale(0)), float(quant.ZeroPoint(0) if quant.ZeroPointLength() else 0)

    def label(self, index: int) -> str:
        name = self.subgraph.Tensors(index).Name()
        return name.decode("utf-8", "replace") if name else f"tensor_{index}"

    def shape(self, index: int) -> list[int]:
        tensor = self.subgraph.Tensors(index)
        return [int(d) for d in tensor.ShapeAsNumpy()] if tensor.ShapeLength() else []

    # operators

    def convert_all(self) -> None:
        for position in range(self.subgraph.OperatorsLength()):
            self._convert_at(position)

    def _convert_at(self, position: int) -> None:
        operator = self.subgraph.Operators(position)
        kind = self._kind(operator)
        outputs = [int(i) for i in operator.OutputsAsNumpy()] if operator.OutputsLength() else []
        label = self.label(outputs[0]) if outputs else ""
        try:
            result = self._convert(kind, operator)
            if result is not None:
                self._bind(self.bb.normalize(result), outputs)
        except Exception as error:  # whatever TVM raises on an operator that it cannot do
            place = f"operator {position + 1} of {self.subgraph.OperatorsLength()}, output '{label}'"
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise UnsupportedOperatorError(
                f"cannot convert {kind} ({place}): {reason}",
                where=self.name,
                hint="replace the operator in the model, or cut the model before it",
            ) from error

    def _kind(self, operator: Any) -> str:
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if number == tflite.BuiltinOperator.CUSTOM:
            return "CUSTOM " + (code.CustomCode() or b"").decode("utf-8", "replace")
        return str(_OPERATOR_NAMES.get(number, f"operator code {number}"))

    def _convert(self, kind: str, operator: Any) -> tvm.ir.Expr | None:
        if kind in HANDLERS:
            return HANDLERS[kind](self, operator)
        if kind not in self.convert_map:
            raise NotImplementedError("no kernel, and TVM has no conversion")
        convert = self.convert_map[kind]
        tensors = [*self.get_input_tensors(operator), *self.get_output_tensors(operator)]
        if not any(t.qnn_params for t in tensors):
            return convert(op=operator)
        if kind in INTEGER_MOVERS:
            return self._rescaled(convert(op=operator), operator)
        self.in_float = True
        try:
            result = self.bb.normalize(convert(op=operator))
        finally:
            self.in_float = False
        return self._requantized(result, operator)

    def _rescaled(self, result: tvm.ir.Expr, operator: Any) -> tvm.ir.Expr:
        """Integers moved by an operator whose output may have another scale than its input."""
        source, targets = self.get_input_tensors(operator)[0], self.get_output_tensors(operator)
        scaled = [target for target in targets if target.qnn_params]
        if source.qnn_params is None or all(self.same_quant(source, target) for target in scaled):
            return result
        result = self.bb.emit(self.bb.normalize(result))
        if len(targets) == 1:
            return self.quantized(self.dequantized(result, source), targets[0])
        parts = (self.dequantized(result[i], source) for i in range(len(targets)))
        return relax.Tuple([self.quantized(p, t) for p, t in zip(parts, targets, strict=True)])

    def _requantized(self, result: tvm.ir.Expr, operator: Any) -> tvm.ir.Expr:
        targets = self.get_output_tensors(operator)
        if len(targets) == 1:
            return self.quantized(result, targets[0]) if targets[0].qnn_params else result
        result = self.bb.emit(result)
        return relax.Tuple(
            [self.quantized(result[i], t) if t.qnn_params else result[i] for i, t in enumerate(targets)]
        )

    def _bind(self, result: tvm.ir.Expr, outputs: list[int]) -> None:
        if len(outputs) == 1:
            self._exprs[outputs[0]] = self._named(result, outputs[0])
            return
        result = self.bb.emit(result)
        for position, index in enumerate(outputs):
            self._exprs[index] = self._named(result[position], index)

    def _named(self, expr: tvm.ir.Expr, index: int) -> tvm.ir.Expr:
        if isinstance(expr, relax.Var | tvm.ir.GenericConst):
            return expr
        emit = self.bb.emit_output if index in self._plain_outputs else self.bb.emit
        return emit(expr, name_hint=self.label(index))

    # quantization

    def dequantized(self, expr: tvm.ir.Expr, wrapper: TensorWrapper, shift: int = 0) -> tvm.ir.Expr:
        params = wrapper.qnn_params
        zero = params["zero_point"]
        if shift:
            zero = relax.const(int(zero.value.numpy()) + shift, "int32")
        return relax.op.dequantize(expr, params["scale"], zero, axis=params["axis"])

    def quantized(self, expr: tvm.ir.Expr, wrapper: TensorWrapper) -> tvm.ir.Expr:
        params = wrapper.qnn_params
        dtype = self.get_tensor_type_str(wrapper.tensor.Type())
        return relax.op.quantize(
            expr, params["scale"], params["zero_point"], axis=params["axis"], out_dtype=dtype
        )

    def real(self, wrapper: TensorWrapper) -> tvm.ir.Expr:
        """The tensor's value in float32: itself, or dequantized."""
        expr = self.get_tensor_expr(wrapper)
        return self.dequantized(expr, wrapper) if wrapper.qnn_params else expr

    def same_quant(self, a: TensorWrapper, b: TensorWrapper) -> bool:
        if a.qnn_params is None or b.qnn_params is None:
            return a.qnn_params is b.qnn_params
        return all(
            np.array_equal(a.qnn_params[key].value.numpy(), b.qnn_params[key].value.numpy())
            for key in ("scale", "zero_point")
        )

    # TVM's hooks: expressions by index, uint8 seen as int8, quantization hidden while in_float

    def get_tensors(self, tensors_idx_list: Any) -> list[TensorWrapper]:
        indices = [] if isinstance(tensors_idx_list, int) else [int(i) for i in tensors_idx_list]
        return [self._wrapper(index) for index in indices]

    def _wrapper(self, index: int) -> TensorWrapper:
        if index < 0:
            return TensorWrapper(index, 0, 0)
        tensor = self.subgraph.Tensors(index)
        params = None if self.in_float else self._qnn_params(tensor)
        return TensorWrapper(index, tensor, self.model.Buffers(tensor.Buffer()), params)

    def _qnn_params(self, tensor: Any) -> dict[str, Any] | None:
        quant = tensor.Quantization()
        if quant is None or not quant.ScaleLength() or tensor.Type() in _NEVER_QUANTIZED:
            return None
        scale = np.atleast_1d(quant.ScaleAsNumpy()).astype(np.float32)
        zeros = np.atleast_1d(quant.ZeroPointAsNumpy()) if quant.ZeroPointLength() else np.zeros(1, np.int64)
        if not scale.all():
            return None
        if tensor.Type() == tflite.TensorType.UINT8:
            zeros = zeros - 128
        if scale.size > 1 and np.any(zeros != zeros[0]):
            raise NotImplementedError("zero points that differ between channels")
        return {
            "scale": relax.const(scale if scale.size > 1 else scale[0], "float32"),
            "zero_point": relax.const(int(zeros[0]), "int32"),
            "axis": int(quant.QuantizedDimension()) if scale.size > 1 else 0,
        }

    def get_tensor_type_str(self, tensor_type: int) -> str:
        return str(super().get_tensor_type_str(self._inner_type(tensor_type)))

    def _inner_type(self, tensor_type: int) -> int:
        is_byte = tensor_type == tflite.TensorType.UINT8 and self._quantized_uint8
        return int(tflite.TensorType.INT8) if is_byte else tensor_type

    @property
    def _quantized_uint8(self) -> bool:
        tensors = (self.subgraph.Tensors(i) for i in range(self.subgraph.TensorsLength()))
        quants = (t.Quantization() for t in tensors if t.Type() == tflite.TensorType.UINT8)
        return any(q is not None and q.ScaleLength() for q in quants)

    def get_tensor_value(self, tensor_wrapper: TensorWrapper, is_sparse: bool = False) -> Array:
        value: Array = super().get_tensor_value(tensor_wrapper, is_sparse)
        if value.dtype == np.uint8 and self._quantized_uint8:
            value = np.bitwise_xor(value.astype(np.uint8), np.uint8(128)).view(np.int8)
        params = self._qnn_params(tensor_wrapper.tensor) if self.in_float else None
        if params is None:
            return value
        scale = params["scale"].value.numpy()
        shape = [-1 if i == params["axis"] else 1 for i in range(value.ndim)] if scale.size > 1 else []
        zero = params["zero_point"].value.numpy()
        real: Array = ((value.astype(np.int64) - zero) * scale.reshape(shape)).astype(np.float32)
        return real

    def get_tensor_expr(self, tensor: TensorWrapper, is_sparse: bool = False) -> tvm.ir.Expr:
        if self.has_expr(tensor.tensor_idx):
            return self.get_expr(tensor.tensor_idx)
        if tensor.buffer.DataLength() == 0 and np.prod(self.shape(tensor.tensor_idx)) > 0:
            raise NotImplementedError(f"'{self.label(tensor.tensor_idx)}' is read before it is written")
        value = self.get_tensor_value_or_prefetched(tensor, is_sparse)
        return relax.const(value, str(value.dtype))

    def get_expr(self, input_tensor_idx: int) -> tvm.ir.Expr:
        expr = self._exprs[input_tensor_idx]
        params = self._qnn_params(self.subgraph.Tensors(input_tensor_idx)) if self.in_float else None
        if params is None:
            return expr
        return relax.op.dequantize(expr, params["scale"], params["zero_point"], axis=params["axis"])

    def has_expr(self, input_tensor_idx: int) -> bool:
        return input_tensor_idx in self._exprs


_NEVER_QUANTIZED = (
    tflite.TensorType.FLOAT32, tflite.TensorType.FLOAT16, tflite.TensorType.BOOL, tflite.TensorType.INT64
)  # fmt: skip
