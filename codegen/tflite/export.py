"""Relax with explicit quantization -> TFLite, one operator for each composite.

Padding that TFLite cannot say (it knows SAME and VALID) becomes a PAD before the layer. Raises
UnsupportedOperatorError for what TFLite has no operator for; C can still be made of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst, Tuple

from edgert.codegen.passes.composite import (
    Body,
    Operand,
    array,
    dtype_of,
    leaves,
    op_name,
    prim,
    shape_of,
    untransposed,
)
from edgert.codegen.program import Array
from edgert.codegen.tflite.writer import Graph, Operator, Tensor, write
from edgert.errors import UnsupportedOperatorError

_ACTIVATIONS = {
    (-np.inf, np.inf): "NONE", (0.0, np.inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1",
    (0.0, 1.0): "RELU_0_TO_1",
}  # fmt: skip
_TABLES = {
    "relax.sigmoid": "LOGISTIC", "relax.tanh": "TANH", "relax.nn.relu": "RELU", "relax.abs": "ABS",
}  # fmt: skip


def to_tflite(mod: tvm.IRModule, name: str) -> bytes:
    """mod: after the phases simplify and fuse. Raises UnsupportedOperatorError."""
    return _Exporter(mod, name).run()


class _Exporter:
    def __init__(self, mod: tvm.IRModule, name: str) -> None:
        self.mod, self.main, self.name = mod, mod["main"], name
        self.quant = [float(n) for n in self.main.attrs["quant"]]
        self.tensors: dict[str, Tensor] = {}
        self.operators: list[Operator] = []
        self.names: dict[relax.Var, str] = {}
        self.bindings = [(b.var, b.value) for block in self.main.body.blocks for b in block.bindings]

    def run(self) -> bytes:
        outputs = [v for v in leaves(self.main.body.body) if isinstance(v, relax.Var)]
        inputs = [self._port(param, i) for i, param in enumerate(self.main.params)]
        for var, value in self.bindings:
            self._binding(var, value)
        graph = Graph(
            list(self.tensors.values()), self.operators, inputs, [self.names[v] for v in outputs], "edgert"
        )
        return write(graph)

    def _port(self, param: relax.Var, position: int) -> str:
        scale, zero = self.quant[2 * position : 2 * position + 2]
        return self.activation(param, (scale, int(zero)) if scale else None)

    def activation(self, var: relax.Var, quant: tuple[float, int] | None) -> str:
        name = self._fresh(str(var.name))
        scales = None if quant is None else np.array([quant[0]], np.float32)
        zeros = None if quant is None else np.array([quant[1]])
        self.tensors[name] = Tensor(name, shape_of(var), dtype_of(var), scales=scales, zeros=zeros)
        self.names[var] = name
        return name

    def constant(
        self, suffix: str, data: Array, scales: Array | None = None, axis: int = 0, zeros: Array | None = None
    ) -> str:
        name = self._fresh(suffix)
        if scales is not None and zeros is None:
            zeros = np.zeros(scales.size, np.int64)
        self.tensors[name] = Tensor(name, data.shape, str(data.dtype), data, scales, zeros, axis)
        return name

    def _fresh(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.tensors:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def quant_of(self, name: str) -> tuple[float, int] | None:
        tensor = self.tensors[name]
        if tensor.scales is None or tensor.zeros is None:
            return None
        return float(tensor.scales[0]), int(tensor.zeros[0])

    def _binding(self, var: relax.Var, value: Expr) -> None:
        if isinstance(value, relax.Var):
            self.names[var] = self.names[value]
            return
        name = op_name(value)
        if name in ("relax.reshape", "relax.squeeze", "relax.expand_dims", "relax.flatten"):
            source = self.names[value.args[0]]
            shape = self.constant(f"{var.name}/shape", np.array(shape_of(var), np.int32))
            self.emit("RESHAPE", [source, shape], self.activation(var, self.quant_of(source)))
            return
        if name != "relax.call_dps_packed":
            raise _unsupported(f"{name or type(value).__name__} of {dtype_of(var)}", var, self.name)
        function = self.mod[str(value.args[0].global_symbol)]
        arguments = [self.names[a] for a in value.args[1].fields]
        kind = str(function.attrs["Composite"]).removeprefix("edgert.")
        rule = RULES.get(kind)
        if rule is None:
            raise _unsupported(kind, var, self.name)
        rule(_Composite(self, var, Body.of(function), arguments))

    def emit(self, kind: str, inputs: list[str], output: str, table: str = "", **options: Any) -> None:
        self.operators.append(Operator(kind, inputs, [output], table, options, VERSIONS.get(kind, 1)))


# Versions of the int8 kernels in the reference's registry.
VERSIONS = {
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "ADD": 2, "SUB": 2, "MUL": 2, "SOFTMAX": 2,
    "AVERAGE_POOL_2D": 2, "MAX_POOL_2D": 2, "MEAN": 2, "CONCATENATION": 2, "PAD": 2, "PADV2": 2,
    "TRANSPOSE": 2,
    "LOGISTIC": 2, "TANH": 2, "RELU": 2, "RESIZE_NEAREST_NEIGHBOR": 2, "RESIZE_BILINEAR": 2, "QUANTIZE": 1,
    "DEQUANTIZE": 2, "STRIDED_SLICE": 2, "BATCH_MATMUL": 2,
}  # fmt: skip


class _Composite:
    """One composite call; arguments: the tensors it reads."""

    def __init__(self, exporter: _Exporter, var: relax.Var, body: Body, arguments: list[str]) -> None:
        self.out, self.var, self.body, self.arguments = exporter, var, body, arguments

    def operand(self, expr: Expr) -> Operand:
        operand = self.body.operand(expr)
        assert operand is not None, self.var.name
        return operand

    def input(self, expr: Expr) -> str:
        operand = self.body.operand(expr)
        source = expr if operand is None else operand.source
        if isinstance(source, GenericConst):
            assert operand is not None
            scale, zero = operand.scale.reshape(-1), np.array([operand.zero])
            return self.out.constant(f"{self.var.name}/operand", array(source), scale, zeros=zero)
        return self.arguments[list(self.body.params).index(source)]

    def result(self) -> str:
        quant = self.body.output or self.out.quant_of(self.arguments[0])
        return self.out.activation(self.var, quant if dtype_of(self.var) == "int8" else None)

    @property
    def activation(self) -> str:
        low, high = self.body.activation
        bounds = (float(low), float(high))
        name = _ACTIVATIONS.get(bounds)
        if name is None:
            raise _unsupported(f"clip to {bounds}", self.var, self.out.name)
        return name

    def window(self, call: Call, x: str, kernel: tuple[int, int], lowest: bool = False) -> tuple[str, str]:
        """(the input, padded if need be; "SAME" or "VALID"). lowest: with the lowest value, not zero."""
        top, left, bottom, right = (int(p) for p in call.attrs.padding)
        if not (top or left or bottom or right):
            return x, "VALID"
        in_h, in_w = self.out.tensors[x].shape[1:3]
        same = all(
            (before, before + after) == (total // 2, total)
            for before, after, total in (
                (top, bottom, _same_total(in_h, kernel[0], int(call.attrs.strides[0]))),
                (left, right, _same_total(in_w, kernel[1], int(call.attrs.strides[1]))),
            )
        )
        return (x, "SAME") if same else (self.padded(x, (top, bottom, left, right), lowest), "VALID")

    def padded(self, x: str, pads: tuple[int, int, int, int], lowest: bool) -> str:
        top, bottom, left, right = pads
        batch, height, width, channels = self.out.tensors[x].shape
        table = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        shape = (batch, height + top + bottom, width + left + right, channels)
        quant = self.out.quant_of(x)
        assert quant is not None
        pad = relax.Var(f"{self.var.name}/pad", relax.TensorType(shape, "int8"))
        inputs = [x, self.out.constant(f"{self.var.name}/paddings", table)]
        if lowest:
            scales, zeros = np.array([quant[0]], np.float32), np.array([quant[1]])
            value = np.array([-128], np.int8)
            inputs.append(self.out.constant(f"{self.var.name}/lowest", value, scales, zeros=zeros))
        name = self.out.activation(pad, quant)
        self.out.emit("PADV2" if lowest else "PAD", inputs, name)
        return name

    def find(self, *names: str) -> Call:
        call = self.body.find(*names)
        assert call is not None, self.var.name
        return call

    def bias(self, x_scale: float, w: Operand, channels: int) -> str:
        add = self.body.find("relax.add")
        scales = np.float32(x_scale) * w.scale.reshape(-1)
        if add is not None and op_name(self.body.value(add.args[1])) == "relax.dequantize":
            value = self.operand(add.args[1]).constant
            assert value is not None
            return self.out.constant(
                f"{self.var.name}/bias", value.reshape(channels).astype(np.int32), scales
            )
        return self.out.constant(f"{self.var.name}/bias", np.zeros(channels, np.int32), scales)


def _same_total(side: int, kernel: int, stride: int) -> int:
    return max(0, (-(-side // stride) - 1) * stride + kernel - side)


def _conv2d(c: _Composite) -> None:
    conv = c.find("relax.nn.conv2d")
    w, x = c.operand(conv.args[1]), c.input(conv.args[0])
    assert w.constant is not None
    layout = str(conv.attrs.kernel_layout)
    weights = w.constant.transpose([layout.index(axis) for axis in "OHWI"])
    channels, dilation = shape_of(c.var)[3], [int(d) for d in conv.attrs.dilation]
    reach = tuple((k - 1) * d + 1 for k, d in zip(weights.shape[1:3], dilation, strict=True))
    x_scale = float(c.operand(conv.args[0]).scale.reshape(-1)[0])
    source, padding = c.window(conv, x, (reach[0], reach[1]))
    options: dict[str, Any] = {
        "Padding": padding, "StrideH": int(conv.attrs.strides[0]), "StrideW": int(conv.attrs.strides[1]),
        "DilationHFactor": dilation[0], "DilationWFactor": dilation[1], "FusedActivationFunction":
        c.activation,
    }  # fmt: skip
    bias = c.bias(x_scale, w, channels)
    if layout == "HWOI":
        depth = weights.shape[0] * weights.shape[3]
        weights = np.ascontiguousarray(w.constant.reshape(1, *weights.shape[1:3], depth))
        name = c.out.constant(f"{c.var.name}/weights", weights, w.scale.reshape(-1), 3)
        multiplier = channels // c.out.tensors[x].shape[3]
        c.out.emit(
            "DEPTHWISE_CONV_2D", [source, name, bias], c.result(), "DepthwiseConv2DOptions",
            DepthMultiplier=multiplier, **options,
        )  # fmt: skip
        return
    name = c.out.constant(f"{c.var.name}/weights", np.ascontiguousarray(weights), w.scale.reshape(-1), 0)
    c.out.emit("CONV_2D", [source, name, bias], c.result(), "Conv2DOptions", **options)


def _fully_connected(c: _Composite) -> None:
    matmul = c.find("relax.matmul")
    w, x = c.operand(matmul.args[1]), c.input(matmul.args[0])
    assert w.constant is not None
    x_scale = float(c.operand(matmul.args[0]).scale.reshape(-1)[0])
    name = c.out.constant(f"{c.var.name}/weights", np.ascontiguousarray(w.constant.T), w.scale.reshape(-1), 0)
    bias = c.bias(x_scale, w, w.constant.shape[1])
    c.out.emit(
        "FULLY_CONNECTED",
        [x, name, bias],
        c.result(),
        "FullyConnectedOptions",
        FusedActivationFunction=c.activation,
    )


def _matmul(c: _Composite) -> None:
    call = c.find("relax.matmul")
    right, adjoint = untransposed(c.body, call.args[1])
    inputs = [c.input(call.args[0]), c.input(right)]
    if c.activation != "NONE":
        raise _unsupported("a product of two activations with a clip", c.var, c.out.name)
    c.out.emit("BATCH_MATMUL", inputs, c.result(), "BatchMatMulOptions", AdjX=False, AdjY=adjoint)


def _binary(kind: str, table: str) -> Callable[[_Composite], None]:
    def rule(c: _Composite) -> None:
        call = c.find("relax.add", "relax.subtract", "relax.multiply")
        inputs = [c.input(a) for a in call.args]
        c.out.emit(kind, inputs, c.result(), table, FusedActivationFunction=c.activation)

    return rule


def _pool(kind: str, op: str) -> Callable[[_Composite], None]:
    def rule(c: _Composite) -> None:
        pool = c.find(op)
        kernel = (int(pool.attrs.pool_size[0]), int(pool.attrs.pool_size[1]))
        average = kind == "AVERAGE_POOL_2D"
        source, padding = c.window(pool, c.input(pool.args[0]), kernel, lowest=not average)
        if average and padding == "VALID" and any(int(p) for p in pool.attrs.padding):
            raise _unsupported("an average pool with its own padding", c.var, c.out.name)
        c.out.emit(
            kind, [source], c.result(), "Pool2DOptions", Padding=padding, FilterHeight=kernel[0],
            FilterWidth=kernel[1], StrideH=int(pool.attrs.strides[0]), StrideW=int(pool.attrs.strides[1]),
            FusedActivationFunction=c.activation,
        )  # fmt: skip

    return rule


def _mean(c: _Composite) -> None:
    call = c.find("relax.mean")
    x = c.input(call.args[0])
    rank = len(c.out.tensors[x].shape)
    axes = range(rank) if call.attrs.axis is None else [int(a) % rank for a in call.attrs.axis]
    name = c.out.constant(f"{c.var.name}/axes", np.array(sorted(axes), np.int32))
    c.out.emit("MEAN", [x, name], c.result(), "ReducerOptions", KeepDims=bool(call.attrs.keepdims))


def _softmax(c: _Composite) -> None:
    call = c.find("relax.nn.softmax")
    c.out.emit("SOFTMAX", [c.input(call.args[0])], c.result(), "SoftmaxOptions", Beta=1.0)


def _concat(c: _Composite) -> None:
    call = c.find("relax.concat")
    assert isinstance(call.args[0], Tuple)
    parts = [c.input(field) for field in call.args[0].fields]
    axis = int(call.attrs.axis) % len(shape_of(c.var))
    c.out.emit(
        "CONCATENATION", parts, c.result(), "ConcatenationOptions", Axis=axis, FusedActivationFunction="NONE"
    )


def _table(c: _Composite) -> None:
    ops = c.body.ops
    x = c.arguments[0]
    if not ops:
        c.out.emit("QUANTIZE", [x], c.result(), "QuantizeOptions")
    elif len(ops) == 1 and ops[0] in _TABLES:
        c.out.emit(_TABLES[ops[0]], [x], c.result())
    elif ops == ("relax.clip",) and c.activation != "NONE":
        c.out.emit(c.activation, [x], c.result())
    elif ops == ("relax.nn.leakyrelu",):
        slope = float(c.find("relax.nn.leakyrelu").attrs.alpha)
        c.out.emit("LEAKY_RELU", [x], c.result(), "LeakyReluOptions", Alpha=slope)
    elif c.body.is_hard_swish:
        c.out.emit("HARD_SWISH", [x], c.result(), "HardSwishOptions")
    else:
        raise _unsupported(f"a function of {', '.join(ops)}", c.var, c.out.name)


def _transpose(c: _Composite) -> None:
    axes = [int(a) for a in c.body.root.attrs.axes]
    name = c.out.constant(f"{c.var.name}/axes", np.array(axes, np.int32))
    c.out.emit("TRANSPOSE", [c.arguments[0], name], c.result(), "TransposeOptions")


def _slice(c: _Composite) -> None:
    shape, root = c.out.tensors[c.arguments[0]].shape, c.body.root
    begin, end, step = [0] * len(shape), list(shape), [1] * len(shape)
    columns = [[int(prim(f)) for f in a.fields] for a in root.args[1:5]]
    for axis, b, e, s in zip(*columns, strict=True):
        begin[axis], end[axis], step[axis] = b, min(e, shape[axis]), s
    names = [
        c.out.constant(f"{c.var.name}/{what}", np.array(v, np.int32))
        for what, v in (("begin", begin), ("end", end), ("step", step))
    ]
    c.out.emit("STRIDED_SLICE", [c.arguments[0], *names], c.result(), "StridedSliceOptions")


def _convert(kind: str, table: str) -> Callable[[_Composite], None]:
    def rule(c: _Composite) -> None:
        if kind == "DEQUANTIZE":
            c.out.emit(kind, [c.arguments[0]], c.out.activation(c.var, None), table)
        else:
            c.out.emit(kind, [c.arguments[0]], c.result(), table)

    return rule


RULES: dict[str, Callable[[_Composite], None]] = {
    "conv2d": _conv2d,
    "fully_connected": _fully_connected,
    "matmul": _matmul,
    "add": _binary("ADD", "AddOptions"),
    "subtract": _binary("SUB", "SubOptions"),
    "multiply": _binary("MUL", "MulOptions"),
    "avg_pool2d": _pool("AVERAGE_POOL_2D", "relax.nn.avg_pool2d"),
    "max_pool2d": _pool("MAX_POOL_2D", "relax.nn.max_pool2d"),
    "mean": _mean,
    "softmax": _softmax,
    "concat": _concat,
    "table": _table,
    "transpose": _transpose,
    "slice": _slice,
    "quantize": _convert("QUANTIZE", "QuantizeOptions"),
    "dequantize": _convert("DEQUANTIZE", "DequantizeOptions"),
}


def _unsupported(what: str, var: relax.Var, name: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"TFLite has no operator for {what} (layer '{var.name}')", where=name,
        hint="compile the network straight to C instead of by way of a TFLite file",
    )  # fmt: skip
