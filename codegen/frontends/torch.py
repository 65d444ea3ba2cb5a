"""PyTorch -> Relax: the ATen graph of torch.export, one node at a time, as ONNX nodes for the ONNX importer.

Why by way of ONNX: layout, quantization and shape rules are then those of one importer. Nothing is written to
a file and no exporter is involved. Source: the schemas of ATen's operators and the ONNX operator
specification.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
import tvm
from onnx import helper, numpy_helper

from edgert.codegen.frontends.onnx import from_graph
from edgert.codegen.program import Array
from edgert.errors import EdgertError, ModelError, UnsupportedOperatorError

_OPSET = 17
Arguments = Mapping[str, Any]


def from_pt2(data: bytes, name: str, *, channels_last: bool = False) -> tvm.IRModule:
    """A file that torch.export.save wrote. Raises ModelError, UnsupportedOperatorError."""
    try:
        program = torch.export.load(io.BytesIO(data))
    except Exception as error:  # torch raises anything on an archive that is none of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(
            f"not a saved torch.export program: {reason}", where=name,
            hint="write it with torch.export.save(torch.export.export(model.eval(), (example,)), path)",
        ) from error  # fmt: skip
    return from_exported(program, name, channels_last=channels_last)


def from_module(
    model: torch.nn.Module, example: Any, name: str, *, channels_last: bool = False
) -> tvm.IRModule:
    """An nn.Module, in evaluation mode, for the shapes of `example` (a tensor or a tuple of tensors).

    Raises ModelError where torch.export cannot trace it, UnsupportedOperatorError.
    """
    examples = example if isinstance(example, tuple) else (example,)
    training = model.training
    try:
        program = torch.export.export(model.eval(), examples)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"torch.export cannot trace it: {reason}", where=name, hint="see torch.export's documentation"
        ) from error
    finally:
        model.train(training)
    return from_exported(program, name, channels_last=channels_last)


def from_exported(program: Any, name: str, *, channels_last: bool = False) -> tvm.IRModule:
    """A torch.export.ExportedProgram. Raises ModelError, UnsupportedOperatorError."""
    model = _Translator(program, name).run()
    try:
        return from_graph(onnx, model, name, channels_last=channels_last)
    except EdgertError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(f"inconsistent network: {reason}", where=name) from error


class _Translator:
    """names: FX node -> ONNX value; a constant of the graph is an initializer."""

    def __init__(self, program: Any, name: str) -> None:
        self.program, self.name = program, name
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.names: dict[Any, str] = {}
        self.known: dict[Any, Any] = {}  # what is constant, as PyTorch has it
        self.inputs: list[Any] = []
        self.output = ""

    def run(self) -> Any:
        graph = self.program.graph
        constants = self._constants()
        outputs: list[Any] = []
        for number, node in enumerate(graph.nodes):
            if node.op == "placeholder":
                self._placeholder(node, constants)
            elif node.op == "output":
                outputs = [n for n in node.args[0] if isinstance(n, torch.fx.Node)]
            elif node.op == "call_function":
                self._call(number, node)
        ports = [_port(self.value(n), n) for n in outputs]
        made = helper.make_graph(
            self.nodes, "main", self.inputs, ports, initializer=list(self.initializers.values())
        )
        return helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)])

    def _constants(self) -> dict[str, Any]:
        """Placeholder name -> tensor, for parameters, buffers and lifted constants."""
        signature = self.program.graph_signature
        state = {**self.program.constants, **self.program.state_dict}
        held = (
            signature.inputs_to_parameters, signature.inputs_to_buffers,
            signature.inputs_to_lifted_tensor_constants,
        )  # fmt: skip
        return {placeholder: state[target] for table in held for placeholder, target in table.items()}

    def _placeholder(self, node: Any, constants: Mapping[str, Any]) -> None:
        if node.name in constants:
            self.known[node] = constants[node.name].detach()
        else:
            self.names[node] = node.name
            self.inputs.append(_port(node.name, node))

    def _call(self, number: int, node: Any) -> None:
        if node.all_input_nodes and all(n in self.known for n in node.all_input_nodes):
            self._computed(node)
            return
        kind = str(node.target).removeprefix("aten.")
        handler = HANDLERS.get(kind) or HANDLERS.get(kind.partition(".")[0])
        place = f"operator {number + 1} of {len(self.program.graph.nodes)}, {node.name!r} ({kind})"
        if handler is None or not hasattr(node.target, "_schema"):
            raise self._unsupported(place, "no conversion for it")
        self.output = node.name
        try:
            self.names[node] = handler(self, _arguments(node))
        except NotImplementedError as error:
            raise self._unsupported(place, str(error)) from error

    def _computed(self, node: Any) -> None:
        """Of constants only, binary weights say: PyTorch computes it now."""
        arguments, named = torch.fx.map_arg((node.args, node.kwargs), lambda n: self.known[n])
        with torch.no_grad():
            result = node.target(*arguments, **named)
        self.known[node] = result

    def _unsupported(self, place: str, reason: str) -> UnsupportedOperatorError:
        return UnsupportedOperatorError(
            f"{place}: {reason}",
            where=self.name,
            hint="replace the operator in the model; see docs/operators.md",
        )

    # What the handlers use

    def value(self, given: Any) -> str:
        """The ONNX value of a node, or of a Python number."""
        if isinstance(given, torch.fx.Node):
            if given not in self.names:  # a constant, read for the first time
                self.names[given] = self.initializer(given.name, self.known[given].cpu().numpy())
            return self.names[given]
        if isinstance(given, int | float):
            return self.constant(np.float32(given))
        raise NotImplementedError(f"an argument {given!r}")

    def constant(self, array: Any) -> str:
        return self.initializer(f"{self.output}/constant_{len(self.initializers)}", np.asarray(array))

    def initializer(self, name: str, array: Array) -> str:
        self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def emit(self, kind: str, *inputs: str, suffix: str = "", **attributes: Any) -> str:
        """One ONNX node; its result has the FX node's name, or that and a suffix."""
        output = self.output + suffix
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def _port(name: str, node: Any) -> Any:
    value = node.meta["val"]
    dtype = helper.np_dtype_to_tensor_dtype(torch.empty(0, dtype=value.dtype).numpy().dtype)
    return helper.make_tensor_value_info(name, dtype, [int(d) for d in value.shape])


def _arguments(node: Any) -> dict[str, Any]:
    """Arguments by the names of the schema, defaults filled in. "shape": of the result; "node": itself."""
    named: dict[str, Any] = {"node": node}
    for position, argument in enumerate(node.target._schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        given = node.args[position] if position < len(node.args) else default
        named[argument.name] = node.kwargs.get(argument.name, given)
    return named


def _shape(node: Any) -> tuple[int, ...]:
    return tuple(int(d) for d in node.meta["val"].shape)


def _pair(value: Any) -> list[int]:
    values = [int(v) for v in value] if isinstance(value, Sequence) else [int(value)]
    return values * 2 if len(values) == 1 else values


Handler = Callable[[_Translator, Arguments], str]


def _unary(kind: str, **attributes: Any) -> Handler:
    return lambda t, a: t.emit(kind, t.value(next(v for k, v in a.items() if k != "node")), **attributes)


def _same(t: _Translator, a: Arguments) -> str:
    """Nothing at inference: dropout, contiguous, a copy."""
    if a.get("train"):
        raise NotImplementedError("dropout in training mode: export model.eval()")
    return t.value(a.get("self", a.get("input")))


def _binary(kind: str) -> Handler:
    def handler(t: _Translator, a: Arguments) -> str:
        if a.get("alpha", 1) not in (1, None):
            raise NotImplementedError("alpha that is not 1")
        return t.emit(kind, t.value(a["self"]), t.value(a["other"]))

    return handler


def _conv(t: _Translator, a: Arguments) -> str:
    if a.get("transposed"):
        raise NotImplementedError("a transposed convolution")
    padding = a["padding"]
    options: dict[str, Any] = {"strides": _pair(a["stride"]), "dilations": _pair(a["dilation"])}
    if isinstance(padding, str):
        options["auto_pad"] = {"same": "SAME_UPPER", "valid": "VALID"}[padding]
    else:
        options["pads"] = _pair(padding) * 2
    inputs = [t.value(a["input"]), t.value(a["weight"])] + (
        [t.value(a["bias"])] if a["bias"] is not None else []
    )
    return t.emit("Conv", *inputs, group=int(a["groups"]), **options)


def _batch_norm(t: _Translator, a: Arguments) -> str:
    if a.get("training"):
        raise NotImplementedError("batch norm in training mode: export model.eval()")
    channels = _shape(a["input"])[1]
    gain = t.value(a["weight"]) if a["weight"] is not None else t.constant(np.ones(channels, np.float32))
    shift = t.value(a["bias"]) if a["bias"] is not None else t.constant(np.zeros(channels, np.float32))
    statistics = (t.value(a["running_mean"]), t.value(a["running_var"]))
    return t.emit(
        "BatchNormalization", t.value(a["input"]), gain, shift, *statistics, epsilon=float(a["eps"])
    )


def _linear(t: _Translator, a: Arguments) -> str:
    x, inner = t.value(a["input"]), _shape(a["input"])
    bias = [] if a["bias"] is None else [t.value(a["bias"])]
    if len(inner) == 2:
        return t.emit("Gemm", x, t.value(a["weight"]), *bias, transB=1)
    flat = t.emit("Reshape", x, t.constant(np.array([-1, inner[-1]])), suffix="/flat")
    product = t.emit("Gemm", flat, t.value(a["weight"]), *bias, suffix="/product", transB=1)
    return t.emit("Reshape", product, t.constant(np.array(_shape(a["node"]))))


def _addmm(t: _Translator, a: Arguments) -> str:
    if (a["alpha"], a["beta"]) != (1, 1):
        raise NotImplementedError("alpha and beta have to be 1")
    return t.emit("Gemm", t.value(a["mat1"]), t.value(a["mat2"]), t.value(a["self"]))


def _clip(low: Any, high: Any) -> Handler:
    """low, high: numbers, or the names of the arguments that hold them."""

    def handler(t: _Translator, a: Arguments) -> str:
        bounds = [a[b] if isinstance(b, str) else b for b in (low, high)]
        names = ["" if b is None else t.constant(np.float32(b)) for b in bounds]
        return t.emit("Clip", t.value(a["self"]), *names)

    return handler


def _leaky_relu(t: _Translator, a: Arguments) -> str:
    slope = float(a["negative_slope"])
    if slope == 1.0:  # VanillaNet at the end of its training: no activation at all
        return t.value(a["self"])
    return t.emit("LeakyRelu", t.value(a["self"]), alpha=slope)


def _pool(kind: str) -> Handler:
    def handler(t: _Translator, a: Arguments) -> str:
        options: dict[str, Any] = {
            "kernel_shape": _pair(a["kernel_size"]), "strides": _pair(a["stride"] or a["kernel_size"]),
            "pads": _pair(a["padding"]) * 2, "ceil_mode": int(a["ceil_mode"]),
        }  # fmt: skip
        if kind == "MaxPool":
            options["dilations"] = _pair(a["dilation"])
        elif a.get("divisor_override") is not None:
            raise NotImplementedError("an average pool with its own divisor")
        else:
            options["count_include_pad"] = int(a["count_include_pad"])
        return t.emit(kind, t.value(a["self"]), **options)

    return handler


def _adaptive_average(t: _Translator, a: Arguments) -> str:
    sides, wanted = _shape(a["self"])[-2:], _pair(a["output_size"])
    if any(side % want for side, want in zip(sides, wanted, strict=True)):
        raise NotImplementedError(f"an adaptive pool of {list(sides)} to {wanted}, which does not divide")
    window = [side // want for side, want in zip(sides, wanted, strict=True)]
    if wanted == [1, 1]:
        return t.emit("GlobalAveragePool", t.value(a["self"]))
    return t.emit("AveragePool", t.value(a["self"]), kernel_shape=window, strides=window)


def _mean(t: _Translator, a: Arguments) -> str:
    axes = [int(d) for d in a["dim"]] if a.get("dim") else list(range(len(_shape(a["self"]))))
    return t.emit("ReduceMean", t.value(a["self"]), axes=axes, keepdims=int(bool(a.get("keepdim"))))


def _reshape(t: _Translator, a: Arguments) -> str:
    """To the shape that torch found: view, reshape, flatten, squeeze, unsqueeze."""
    return t.emit(
        "Reshape", t.value(a.get("self", a.get("input"))), t.constant(np.array(_shape(a["node"]), np.int64))
    )


def _permute(t: _Translator, a: Arguments) -> str:
    rank = len(_shape(a["self"]))
    return t.emit("Transpose", t.value(a["self"]), perm=[int(d) % rank for d in a["dims"]])


def _transpose(t: _Translator, a: Arguments) -> str:
    rank = len(_shape(a["self"]))
    perm, (i, j) = list(range(rank)), (int(a["dim0"]) % rank, int(a["dim1"]) % rank)
    perm[i], perm[j] = perm[j], perm[i]
    return t.emit("Transpose", t.value(a["self"]), perm=perm)


def _cat(t: _Translator, a: Arguments) -> str:
    return t.emit("Concat", *(t.value(x) for x in a["tensors"]), axis=int(a["dim"]))


def _slice(t: _Translator, a: Arguments) -> str:
    end = 2**31 - 1 if a["end"] is None else min(int(a["end"]), 2**31 - 1)
    cut = (int(a["start"] or 0), end, int(a["dim"]), int(a["step"]))
    return t.emit("Slice", t.value(a["self"]), *(t.constant(np.array([n])) for n in cut))


def _softmax(t: _Translator, a: Arguments) -> str:
    return t.emit("Softmax", t.value(a["self"]), axis=int(a["dim"]))


def _pad(t: _Translator, a: Arguments) -> str:
    if a.get("mode", "constant") != "constant":
        raise NotImplementedError("only padding with a constant")
    given, rank = [int(p) for p in a["pad"]], len(_shape(a["self"]))
    before, after = [0] * rank, [0] * rank
    for position in range(len(given) // 2):  # from the last axis backwards
        before[rank - 1 - position], after[rank - 1 - position] = given[2 * position : 2 * position + 2]
    value = t.constant(np.float32(a.get("value") or 0))
    return t.emit("Pad", t.value(a["self"]), t.constant(np.array(before + after)), value)


def _nearest(t: _Translator, a: Arguments) -> str:
    sizes = t.constant(np.array(_shape(a["node"]), np.int64))
    return t.emit(
        "Resize", t.value(next(v for k, v in a.items() if k in ("self", "input"))), "", "", sizes,
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _prelu(t: _Translator, a: Arguments) -> str:
    return t.emit("PRelu", t.value(a["self"]), t.value(a["weight"]))


def _where(t: _Translator, a: Arguments) -> str:
    return t.emit("Where", t.value(a["condition"]), t.value(a["self"]), t.value(a["other"]))


# NotImplementedError in a handler becomes UnsupportedOperatorError with the node's place in the network.
HANDLERS: dict[str, Handler] = {
    "conv2d": _conv, "convolution": _conv, "linear": _linear, "addmm": _addmm, "matmul": _binary("MatMul"),
    "mm": lambda t, a: t.emit("MatMul", t.value(a["self"]), t.value(a["mat2"])),
    "batch_norm": _batch_norm, "_native_batch_norm_legit_no_training": _batch_norm,
    "add.Tensor": _binary("Add"), "add_.Tensor": _binary("Add"), "sub.Tensor": _binary("Sub"),
    "mul.Tensor": _binary("Mul"), "div.Tensor": _binary("Div"), "maximum": _binary("Max"),
    "minimum": _binary("Min"),
    "relu": _unary("Relu"), "relu_": _unary("Relu"), "relu6": _clip(0.0, 6.0), "relu6_": _clip(0.0, 6.0),
    "hardtanh": _clip("min_val", "max_val"), "hardtanh_": _clip("min_val", "max_val"), "clamp": _clip("min",
    "max"),
    "hardswish": _unary("HardSwish"), "hardswish_": _unary("HardSwish"),
    "hardsigmoid": _unary("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hardsigmoid_": _unary("HardSigmoid", alpha=1 / 6, beta=0.5),
    "sigmoid": _unary("Sigmoid"), "tanh": _unary("Tanh"), "exp": _unary("Exp"), "log": _unary("Log"),
    "sqrt": _unary("Sqrt"), "abs": _unary("Abs"), "neg": _unary("Neg"), "erf": _unary("Erf"),
    "sign": _unary("Sign"), "ge": _binary("GreaterOrEqual"), "gt": _binary("Greater"),
    "le": _binary("LessOrEqual"), "lt": _binary("Less"), "where": _where,
    "leaky_relu": _leaky_relu, "leaky_relu_": _leaky_relu, "prelu": _prelu, "_prelu_kernel": _prelu,
    "max_pool2d": _pool("MaxPool"), "avg_pool2d": _pool("AveragePool"),
    "adaptive_avg_pool2d": _adaptive_average, "_adaptive_avg_pool2d": _adaptive_average, "mean": _mean,
    "view": _reshape, "reshape": _reshape, "flatten": _reshape, "squeeze": _reshape, "unsqueeze": _reshape,
    "_unsafe_view": _reshape, "permute": _permute, "transpose": _transpose,
    "t": lambda t, a: t.emit("Transpose", t.value(a["self"]), perm=[1, 0]),
    "cat": _cat, "slice": _slice, "softmax": _softmax, "_softmax": _softmax, "pad": _pad,
    "constant_pad_nd": _pad, "upsample_nearest2d": _nearest,
    "dropout": _same, "feature_dropout": _same, "contiguous": _same, "clone": _same, "detach": _same,
    "alias": _same, "to": _same, "_to_copy": _same,
}  # fmt: skip
