"""Small .tflite models made in memory, and what the reference interpreter says of them.

    model = build(
        tensors=[T("x", (1, 8, 8, 3), scale=0.05, zero=3), T("y", (1, 4, 4, 3), scale=0.05, zero=3)],
        ops=[Op("MAX_POOL_2D", ["x"], ["y"], dict(strideW=2, strideH=2, filterWidth=2, filterHeight=2))],
        inputs=["x"], outputs=["y"],
    )
    (y,) = reference(model, x)

Import it as `from tflite_builder import Op, T, build, reference` (pytest puts tests/ on the path).
Source: the schema (flatbuffers object API) that ai-edge-litert ships.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from flatbuffers import flexbuffers

Array = np.ndarray[Any, Any]

# Builtin operators whose options table is not their own name with "Options" behind it.
_OPTIONS = {"MAX_POOL_2D": "Pool2DOptions", "AVERAGE_POOL_2D": "Pool2DOptions"} | dict.fromkeys(
    ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"), "ReducerOptions"
)
_BY_FOLDED_NAME = {name.lower(): name for name in vars(schema.BuiltinOptions) if not name.startswith("_")}
_TYPES = {"float32": "FLOAT32", "bool": "BOOL"} | {
    f"{sign}int{bits}": f"{sign}int{bits}".upper() for sign in ("", "u") for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True, eq=False)
class T:
    """A tensor. data makes it a constant. scale, zero: one number, or one per slice of `axis`."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    data: Array | None = None
    scale: float | Sequence[float] | Array | None = None
    zero: int | Sequence[int] = 0
    axis: int = 0


@dataclass(frozen=True)
class Op:
    """kind: a BuiltinOperator, e.g. "CONV_2D", or "CUSTOM name". inputs: "" is an absent optional input.

    options: fields of its options table, spelt as in the object API (strideW, fusedActivationFunction).
    Enum values may be written by name: padding="SAME", fusedActivationFunction="RELU6".
    """

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1


_ENUMS = {"padding": schema.Padding, "fusedActivationFunction": schema.ActivationFunctionType}


def build(*, tensors: Sequence[T], ops: Sequence[Op], inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The flatbuffer (identifier TFL3) of a model with one subgraph."""
    index = {t.name: i for i, t in enumerate(tensors)} | {"": -1}
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description, model.subgraphs = 3, "edgert test", [graph]
    model.buffers = [schema.BufferT()]
    graph.name = "main"
    graph.tensors = [_tensor(t, model.buffers) for t in tensors]
    graph.inputs = np.array([index[n] for n in inputs], np.int32)
    graph.outputs = np.array([index[n] for n in outputs], np.int32)
    codes = sorted({(op.kind, op.version) for op in ops})
    model.operatorCodes = [_operator_code(kind, version) for kind, version in codes]
    graph.operators = [_operator(op, codes.index((op.kind, op.version)), index) for op in ops]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(spec: T, buffers: list[Any]) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape = spec.name, np.array(spec.shape, np.int32)
    tensor.type = getattr(schema.TensorType, _TYPES[spec.dtype])
    tensor.hasRank = True
    if spec.data is not None:
        assert tuple(np.shape(spec.data)) == tuple(spec.shape), spec.name
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(spec.data, spec.dtype).tobytes(), np.uint8)
        tensor.buffer = len(buffers)
        buffers.append(buffer)
    if spec.scale is not None:
        quant = schema.QuantizationParametersT()
        quant.scale = np.atleast_1d(np.asarray(spec.scale, np.float32))
        quant.zeroPoint = np.broadcast_to(np.asarray(spec.zero, np.int64), quant.scale.shape).copy()
        quant.quantizedDimension = spec.axis
        tensor.quantization = quant
    return tensor


def _operator_code(kind: str, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, kind.partition(" ")[0])
    code.customCode = kind.partition(" ")[2] or None
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = version
    return code


def _operator(op: Op, opcode_index: int, index: Mapping[str, int]) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = opcode_index
    operator.inputs = np.array([index[n] for n in op.inputs], np.int32)
    operator.outputs = np.array([index[n] for n in op.outputs], np.int32)
    if op.kind.startswith("CUSTOM "):  # a FlexBuffers map, as Larq's operators have it
        operator.customOptions = np.frombuffer(flexbuffers.Dumps(dict(op.options)), np.uint8)
        return operator
    table = _OPTIONS.get(op.kind) or _BY_FOLDED_NAME.get(f"{op.kind.replace('_', '').lower()}options")
    if table is not None:
        options = getattr(schema, f"{table}T")()
        for name, value in op.options.items():
            assert hasattr(options, name), f"{table} has no {name}: {sorted(vars(options))}"
            setattr(options, name, getattr(_ENUMS[name], value) if isinstance(value, str) else value)
        operator.builtinOptions, operator.builtinOptionsType = options, getattr(schema.BuiltinOptions, table)
    else:
        assert not op.options, f"{op.kind} has no options"
    return operator


def reference(model: bytes, *inputs: Array) -> list[Array]:
    """The outputs of the reference kernels (BUILTIN_REF), which no one here wrote."""
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    assert len(details) == len(inputs), (len(details), len(inputs))
    for detail, value in zip(details, inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]).copy() for d in interpreter.get_output_details()]
