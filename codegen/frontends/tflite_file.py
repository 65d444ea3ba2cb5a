"""A TFLite file checked before anything trusts it.

The flatbuffers reader follows every offset that it finds. Here each table, vector, index and buffer size
that the compiler will read is read once, with bounds, so that random or truncated bytes end in ModelError.
Source: the TFLite schema, tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

import struct
from math import prod
from typing import Any

import numpy as np
import tflite

from edgert.errors import ModelError

MAX_ELEMENTS = 1 << 28
# TensorType -> bytes per element; types of strings, resources and variants have none
ELEMENT_BYTES = {
    tflite.TensorType.FLOAT32: 4, tflite.TensorType.FLOAT16: 2, tflite.TensorType.INT32: 4,
    tflite.TensorType.UINT8: 1, tflite.TensorType.INT64: 8, tflite.TensorType.BOOL: 1,
    tflite.TensorType.INT16: 2, tflite.TensorType.COMPLEX64: 8, tflite.TensorType.INT8: 1,
    tflite.TensorType.FLOAT64: 8, tflite.TensorType.UINT64: 8, tflite.TensorType.UINT32: 4,
    tflite.TensorType.UINT16: 2,
}  # fmt: skip
_ZERO_RANGE = {tflite.TensorType.INT8: (-128, 127), tflite.TensorType.UINT8: (0, 255)}
_READER_ERRORS = (
    struct.error, ValueError, IndexError, TypeError, AttributeError, OverflowError, KeyError, MemoryError,
    AssertionError, RuntimeError,
)  # fmt: skip


def read_model(data: bytes, name: str) -> Any:
    """The `tflite.Model` in `data`, every part of it read once. Raises: ModelError."""
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise ModelError("no TFLite file", where=name, rule="bytes 4 to 8 of a TFLite file are 'TFL3'")
    try:
        model = tflite.Model.GetRootAs(data, 0)
        _check(model, len(data), name)
    except _READER_ERRORS as error:
        raise ModelError(
            f"damaged TFLite file ({type(error).__name__})",
            where=name,
            rule="every offset must lie inside the file",
            hint="export or download the model again",
        ) from error
    return model


def _check(model: Any, file_bytes: int, name: str) -> None:
    if model.SubgraphsLength() < 1:
        raise ModelError("no subgraph in the file", where=name)
    for length in (model.SubgraphsLength(), model.OperatorCodesLength(), model.BuffersLength()):
        _require(0 <= length * 4 <= file_bytes, name, f"a vector of {length} entries in {file_bytes} bytes")
    graph = model.Subgraphs(0)
    for length in (graph.TensorsLength(), graph.OperatorsLength()):
        _require(0 <= length * 4 <= file_bytes, name, f"a vector of {length} entries in {file_bytes} bytes")
    _require(graph.OutputsLength() > 0, name, "a graph without outputs")
    for index in range(graph.TensorsLength()):
        _check_tensor(model, graph.Tensors(index), index, name)
    _check_indices(graph.InputsAsNumpy(), graph, name, "graph inputs", optional=False)
    _check_indices(graph.OutputsAsNumpy(), graph, name, "graph outputs", optional=False)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        where = f"operator {index + 1} of {graph.OperatorsLength()}"
        _require(0 <= operator.OpcodeIndex() < model.OperatorCodesLength(), name, f"{where}: its code")
        _check_indices(operator.InputsAsNumpy(), graph, name, f"{where}: inputs", optional=True)
        _check_indices(operator.OutputsAsNumpy(), graph, name, f"{where}: outputs", optional=False)
        model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        options = operator.BuiltinOptions()
        _require(options is None or 0 <= options.Pos < file_bytes, name, f"{where}: its options")


def _check_tensor(model: Any, tensor: Any, index: int, name: str) -> None:
    label = (tensor.Name() or b"").decode("utf-8", "replace")[:80]
    where = f"tensor {index} '{label}'"
    shape = [int(d) for d in np.atleast_1d(tensor.ShapeAsNumpy())] if tensor.ShapeLength() else []
    _require(len(shape) <= 8, name, f"{where} of rank {len(shape)}")
    _require(all(d >= 0 for d in shape), name, f"{where} of shape {shape}")
    _require(prod(shape) <= MAX_ELEMENTS, name, f"{where} of shape {shape}, more than 2^28 elements")
    _require(0 <= tensor.Buffer() < model.BuffersLength(), name, f"{where}: buffer {tensor.Buffer()}")
    buffer = model.Buffers(tensor.Buffer())
    size = buffer.DataLength()
    _require(0 <= size <= len(buffer._tab.Bytes), name, f"{where}: a buffer of {size} bytes")
    width = ELEMENT_BYTES.get(tensor.Type())
    if size and width is not None and tensor.Sparsity() is None:
        buffer.DataAsNumpy()
        expected = prod(shape) * width
        _require(size == expected, name, f"{where}: {size} bytes of data where its shape takes {expected}")
    quantization = tensor.Quantization()
    if quantization is not None and quantization.ScaleLength():
        _check_quantization(quantization, shape, name, where)
        _check_zero_points(quantization, tensor.Type(), name, where)


def _check_quantization(quantization: Any, shape: list[int], name: str, where: str) -> None:
    scale = np.atleast_1d(quantization.ScaleAsNumpy())
    usable = (scale == 0) | ((scale > 1e-30) & (scale < 1e30))  # zero: no scale, as on shape tensors
    _require(bool(np.all(usable)), name, f"{where}: its scale")
    zeros = quantization.ZeroPointLength()
    _require(zeros in (0, 1, scale.size), name, f"{where}: {zeros} zero points, {scale.size} scales")
    if scale.size > 1:
        axis = quantization.QuantizedDimension()
        fits = 0 <= axis < len(shape) and shape[axis] == scale.size
        _require(fits, name, f"{where} of shape {shape}: {scale.size} scales over dimension {axis}")


def _check_zero_points(quantization: Any, kind: int, name: str, where: str) -> None:
    low, high = _ZERO_RANGE.get(kind, (-(2**31), 2**31 - 1))
    zeros = np.atleast_1d(quantization.ZeroPointAsNumpy()) if quantization.ZeroPointLength() else np.zeros(1)
    _require(bool(np.all((zeros >= low) & (zeros <= high))), name, f"{where}: its zero point")


def _check_indices(indices: Any, graph: Any, name: str, what: str, *, optional: bool) -> None:
    low = -1 if optional else 0
    for index in np.atleast_1d(indices) if isinstance(indices, np.ndarray) else []:
        _require(low <= index < graph.TensorsLength(), name, f"{what}: tensor {index}")


def _require(good: bool, name: str, what: str) -> None:
    if not good:
        raise ModelError(
            f"inconsistent TFLite file: {what}", where=name, hint="export or download the model again"
        )
