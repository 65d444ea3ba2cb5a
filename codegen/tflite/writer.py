"""A TFLite flatbuffer from lists of tensors and operators.

Source: the schema, as the `tflite` package generates it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from edgert.codegen.program import Array

_IDENTIFIER = b"TFL3"
_VERSION = 3
_TYPES = {"float32": "FLOAT32", "bool": "BOOL"} | {
    f"{s}int{n}": f"{s}int{n}".upper() for s in ("", "u") for n in (8, 16, 32, 64)
}
_ENUMS = {"Padding": tflite.Padding, "FusedActivationFunction": tflite.ActivationFunctionType}


@dataclass(frozen=True, eq=False)
class Tensor:
    """data makes it a constant. scales, zeros: one each, or one per slice of `axis`; none: not quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: Array | None = None
    scales: Array | None = None
    zeros: Array | None = None
    axis: int = 0


@dataclass(frozen=True)
class Operator:
    """kind: a BuiltinOperator, "CONV_2D". options: fields of its table `table`, by name; enums as strings."""

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    table: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True)
class Graph:
    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: Sequence[str]
    outputs: Sequence[str]
    description: str = ""


def write(graph: Graph) -> bytes:
    """The file. The same graph gives the same bytes."""
    return _Writer(graph).run()


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = flatbuffers.Builder(1 << 16)
        self.index = {t.name: i for i, t in enumerate(graph.tensors)}
        self.codes = sorted({(op.kind, op.version) for op in graph.operators})

    def run(self) -> bytes:
        constants = [t for t in self.graph.tensors if t.data is not None]
        places = {t.name: i + 1 for i, t in enumerate(constants)}  # buffer 0 is empty, by convention
        buffers = [self.table("Buffer")] + [self._buffer(t) for t in constants]
        tensors = [self._tensor(t, places.get(t.name, 0)) for t in self.graph.tensors]
        operators = [self._operator(op) for op in self.graph.operators]
        subgraph = self.table(
            "SubGraph", Tensors=self.offsets(tensors), Operators=self.offsets(operators),
            Inputs=self._indices(self.graph.inputs), Outputs=self._indices(self.graph.outputs),
            Name=self.builder.CreateString("main"),
        )  # fmt: skip
        codes = [self._code(kind, version) for kind, version in self.codes]
        model = self.table(
            "Model", Version=_VERSION, OperatorCodes=self.offsets(codes), Subgraphs=self.offsets([subgraph]),
            Description=self.builder.CreateString(self.graph.description), Buffers=self.offsets(buffers),
        )  # fmt: skip
        self.builder.Finish(model, _IDENTIFIER)
        return bytes(self.builder.Output())

    def table(self, kind: str, **fields: int) -> int:
        """fields: numbers, or offsets of what is written already."""
        getattr(tflite, f"{kind}Start")(self.builder)
        for name, value in fields.items():
            getattr(tflite, f"{kind}Add{name}")(self.builder, value)
        return int(getattr(tflite, f"{kind}End")(self.builder))

    def offsets(self, values: Sequence[int]) -> int:
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependUOffsetTRelative(value)
        return int(self.builder.EndVector())

    def _vector(self, values: Any, dtype: Any) -> int:
        return int(self.builder.CreateNumpyVector(np.ascontiguousarray(values, dtype)))

    def _indices(self, names: Sequence[str]) -> int:
        return self._vector([self.index[n] if n else -1 for n in names], np.int32)

    def _buffer(self, tensor: Tensor) -> int:
        raw = np.frombuffer(np.ascontiguousarray(tensor.data, tensor.dtype).tobytes(), np.uint8)
        self.builder.StartVector(
            1, len(raw), 16
        )  # the reference reads weights at any alignment; others do not
        self.builder.head -= len(raw)
        self.builder.Bytes[self.builder.head : self.builder.head + len(raw)] = raw.tobytes()
        return self.table("Buffer", Data=self.builder.EndVector())

    def _tensor(self, tensor: Tensor, buffer: int) -> int:
        fields = {
            "Name": self.builder.CreateString(tensor.name), "Shape": self._vector(tensor.shape, np.int32),
            "Type": getattr(tflite.TensorType, _TYPES[tensor.dtype]), "Buffer": buffer, "HasRank": True,
        }  # fmt: skip
        if tensor.scales is not None:
            fields["Quantization"] = self.table(
                "QuantizationParameters", Scale=self._vector(tensor.scales, np.float32),
                ZeroPoint=self._vector(tensor.zeros, np.int64), QuantizedDimension=tensor.axis,
            )  # fmt: skip
        return self.table("Tensor", **fields)

    def _code(self, kind: str, version: int) -> int:
        number = getattr(tflite.BuiltinOperator, kind)
        return self.table(
            "OperatorCode", DeprecatedBuiltinCode=min(number, 127), Version=version, BuiltinCode=number
        )

    def _operator(self, op: Operator) -> int:
        fields = {
            "Inputs": self._indices(op.inputs), "Outputs": self._indices(op.outputs),
            "OpcodeIndex": self.codes.index((op.kind, op.version)),
        }  # fmt: skip
        if op.table:
            options = {name: self._option(name, value) for name, value in op.options.items()}
            fields["BuiltinOptions"] = self.table(op.table, **options)
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, op.table)
        return self.table("Operator", **fields)

    def _option(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return getattr(_ENUMS[name], value)
        return self._vector(value, np.int32) if isinstance(value, list | tuple) else value
