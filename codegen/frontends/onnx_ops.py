"""Which handler converts which ONNX operator: (importer, node, inputs) -> results.

NotImplementedError in a handler becomes UnsupportedOperatorError with the node's place in the model.
"""

from __future__ import annotations

from tvm.relax import op as R

from edgert.codegen.frontends.common import hard_swish
from edgert.codegen.frontends.onnx_compute import (
    batch_norm,
    binary,
    clip,
    conv,
    dequantize,
    gemm,
    global_average,
    hard_sigmoid,
    leaky_relu,
    matmul,
    pool,
    prelu,
    quantize,
    reduce_mean,
    softmax,
    unary,
)
from edgert.codegen.frontends.onnx_movers import (
    concat,
    flatten,
    identity,
    pad,
    reshape,
    resize,
    shape_of,
    slice_,
    split,
    squeeze,
    transpose,
    unsqueeze,
)
from edgert.codegen.frontends.onnx_values import Handler

HANDLERS: dict[str, Handler] = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "Conv": conv,
    "Gemm": gemm,
    "BatchNormalization": batch_norm,
    "MatMul": matmul,
    "Add": binary(R.add),
    "Sub": binary(R.subtract),
    "Mul": binary(R.multiply),
    "Div": binary(R.divide),
    "Max": binary(R.maximum),
    "Min": binary(R.minimum),
    "Relu": unary(R.nn.relu),
    "Sigmoid": unary(R.sigmoid),
    "Tanh": unary(R.tanh),
    "HardSwish": unary(hard_swish),
    "Exp": unary(R.exp),
    "Log": unary(R.log),
    "Sqrt": unary(R.sqrt),
    "Abs": unary(R.abs),
    "Neg": unary(R.negative),
    "Erf": unary(R.erf),
    "Floor": unary(R.floor),
    "Ceil": unary(R.ceil),
    "Clip": clip,
    "LeakyRelu": leaky_relu,
    "HardSigmoid": hard_sigmoid,
    "PRelu": prelu,
    "Softmax": softmax,
    "MaxPool": pool(R.nn.max_pool2d, average=False),
    "AveragePool": pool(R.nn.avg_pool2d, average=True),
    "GlobalAveragePool": global_average,
    "ReduceMean": reduce_mean,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "Slice": slice_,
    "Split": split,
    "Pad": pad,
    "Resize": resize,
    "Identity": identity,
    "Dropout": identity,
    "Shape": shape_of,
}
