"""Cross-layer equalisation: between two layers, one channel's weights go up and the next layer's go down.

relu(s x) = s relu(x) for s > 0, so a factor per channel can move from a layer's output to the next one's
weights without changing the network. Factors that give both sides the same largest weight leave no channel of
either with few steps (M. Nagel et al., https://arxiv.org/abs/1906.04721, section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst

from edgert.codegen.passes.composite import array, leaves, op_name
from edgert.codegen.passes.outline import with_bindings
from edgert.codegen.program import Array

_ROUNDS = 20
_ENOUGH = 1e-3  # largest change of a factor at which it has settled


@dataclass(eq=False)
class _Layer:
    """A convolution or product; weights as written. bias: the binding that adds it, or None."""

    var: relax.Var
    weights: Array
    layout: str
    bias_var: relax.Var | None
    bias: Array | None

    def _scale(self, axis: int, factors: Array) -> None:
        self.weights = self.weights * factors.reshape(
            [-1 if i == axis else 1 for i in range(self.weights.ndim)]
        )

    @property
    def output_axis(self) -> int:
        return self.layout.index("O")

    @property
    def input_axis(self) -> int:
        return self.layout.index("O" if self.layout == "HWOI" else "I")

    def largest(self, axis: int) -> Array:
        result: Array = np.abs(self.weights).max(tuple(i for i in range(self.weights.ndim) if i != axis))
        return result


def equalize(mod: tvm.IRModule) -> tvm.IRModule:
    """Float Relax -> the same function with balanced weights."""
    bindings = [(b.var, b.value) for block in mod["main"].body.blocks for b in block.bindings]
    pairs, layers = _pairs(mod, dict(bindings))
    for _ in range(_ROUNDS):
        if max((_balance(a, b) for a, b in pairs), default=0.0) < _ENOUGH:
            break
    return with_bindings(mod, [(v, _with_weights(v, e, layers)) for v, e in bindings])


def _pairs(
    mod: tvm.IRModule, values: dict[relax.Var, Expr]
) -> tuple[list[tuple[_Layer, _Layer]], list[_Layer]]:
    readers: dict[Expr, list[relax.Var]] = {}
    for var, value in values.items():
        for source in leaves(value):
            readers.setdefault(source, []).append(var)
    results = set(leaves(mod["main"].body.body))
    layers = {v: _layer(v, e, values, readers) for v, e in values.items() if _weighted(e)}
    pairs = []
    for layer in layers.values():
        end = layer.var if layer.bias_var is None else layer.bias_var
        while end not in results and len(readers.get(end, [])) == 1:
            reader = readers[end][0]
            if reader in layers:
                if (
                    layers[reader].weights.shape[layers[reader].input_axis]
                    == layer.weights.shape[layer.output_axis]
                ):
                    pairs.append((layer, layers[reader]))
                break
            if op_name(values[reader]) not in ("relax.nn.relu", "relax.nn.max_pool2d"):
                break
            end = reader
    return pairs, list(layers.values())


def _weighted(value: Expr) -> bool:
    if op_name(value) == "relax.nn.conv2d" and isinstance(value.args[1], GenericConst):
        return int(value.attrs.groups) == 1 or str(value.attrs.kernel_layout) == "HWOI"
    return op_name(value) == "relax.matmul" and isinstance(value.args[1], GenericConst)


def _layer(
    var: relax.Var, value: Call, values: dict[relax.Var, Expr], readers: dict[Expr, list[relax.Var]]
) -> _Layer:
    layout = str(value.attrs.kernel_layout) if op_name(value) == "relax.nn.conv2d" else "IO"
    weights = array(value.args[1]).astype(np.float64)
    follows = readers.get(var, [])
    add = values[follows[0]] if len(follows) == 1 else None
    if add is not None and op_name(add) == "relax.add" and isinstance(add.args[1], GenericConst):
        bias = array(add.args[1]).astype(np.float64)
        if bias.size == weights.shape[layout.index("O")]:
            return _Layer(var, weights, layout, follows[0], bias.reshape(-1))
    return _Layer(var, weights, layout, None, None)


def _balance(a: _Layer, b: _Layer) -> float:
    """One pair; the largest change."""
    up, down = a.largest(a.output_axis), b.largest(b.input_axis)
    alive = (up > 0) & (down > 0)
    factors = np.where(alive, np.sqrt(np.where(alive, down, 1) / np.where(alive, up, 1)), 1.0)
    a._scale(a.output_axis, factors)
    if a.bias is not None:
        a.bias = a.bias * factors
    b._scale(b.input_axis, 1 / factors)
    return float(np.abs(np.log(factors)).max())


def _with_weights(var: relax.Var, value: Expr, layers: list[_Layer]) -> Expr:
    for layer in layers:
        if layer.var.same_as(var):
            return _replaced(value, layer.weights)
        if layer.bias_var is not None and layer.bias_var.same_as(var) and layer.bias is not None:
            return _replaced(value, layer.bias)
    return value


def _replaced(call: Call, constant: Array) -> Call:
    shape = array(call.args[1]).shape
    new = relax.const(np.ascontiguousarray(constant.reshape(shape), np.float32), "float32")
    return Call(call.op, [call.args[0], new], call.attrs, call.ty_args, ret_ty=call.ty)
