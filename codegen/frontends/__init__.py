"""Model files -> Relax. Quantization is explicit: R.quantize(f(R.dequantize(x), ...)).

What every front end hands to codegen/passes, one function `main` with one dataflow block:
  images NHWC; conv2d weights constant, dequantized over their output channel;
  matmul weights constant [in, out]; a fused activation is R.nn.relu or R.clip before R.quantize;
  data movement (reshape, permute_dims, pad, max_pool2d, ...) directly on int8 where scales are equal;
  8-bit activations are int8; the graph's own inputs and outputs keep the model's dtype;
  attr "quant": the scale and zero point of 8-bit inputs and outputs, flat [scale, zero, ...];
  the variable of each result has the layer's name in the model.
"""

from __future__ import annotations

import tvm

from edgert.errors import ModelError, ToolError

_TFLITE_IDENTIFIER = b"TFL3"
_ZIP = b"PK\x03\x04"


def load(data: bytes, name: str, *, channels_last: bool = False) -> tvm.IRModule:
    """Read a model, known by its content and not by its name. channels_last: see edgert.network.load.

    Raises: ModelError if it is no model, UnsupportedOperatorError if it has an operator that we cannot do.
    """
    if not data:
        raise ModelError("the file is empty", where=name, rule="a model is a TFLite, ONNX, .pt2 or .npz file")
    if data[4:8] == _TFLITE_IDENTIFIER:
        from edgert.codegen.frontends.tflite import from_tflite

        return from_tflite(data, name)
    if data[:4] == _ZIP:
        from edgert.codegen.frontends import binary_npz

        if binary_npz.is_npz(data):
            return binary_npz.from_npz(data, name)
        return _from_pt2(data, name, channels_last)
    try:
        from edgert.codegen.frontends.onnx import from_onnx
    except ImportError as error:
        raise ModelError(
            "neither a TFLite file nor readable as ONNX here",
            where=name,
            hint="ONNX models need: pip install 'edgert[onnx]'",
        ) from error
    return from_onnx(data, name, channels_last=channels_last)


def _from_pt2(data: bytes, name: str, channels_last: bool) -> tvm.IRModule:
    try:
        from edgert.codegen.frontends.torch import from_pt2
    except ImportError as error:
        raise ToolError(
            "reading PyTorch programs needs torch and onnx", where=name, hint="pip install 'edgert[train]'"
        ) from error
    return from_pt2(data, name, channels_last=channels_last)
