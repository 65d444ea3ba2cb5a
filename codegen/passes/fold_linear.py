"""Float networks: everything linear that can go into a convolution's weights goes there.

    batch norm (a factor and a term per channel) behind a convolution, or before one without a border
    a 1x1 convolution behind a convolution with nothing between, where one costs fewer MACs than the two
        (VanillaNet: https://arxiv.org/abs/2305.12972, section 3.1)
    convolutions of the same map, the map itself, or a batch norm of it, that are added
        (RepVGG: https://arxiv.org/abs/2101.03697, section 3.3)
    a relu behind a max pool, moved before it
    a channel shuffle, pushed through depthwise convolutions and activations into the weights that read it

Needs: one binding per result, NHWC, constant weights. Sums are in float64, so the outputs agree to float32's
last bits. Quantized networks are left alone: their arithmetic is exact as it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst
from tvm.relax import op as R

from edgert.codegen.passes.composite import array, is_quantized, leaves, op_name, shape_of
from edgert.codegen.passes.outline import with_bindings
from edgert.codegen.program import Array

_UNARY = ("relax.nn.relu", "relax.clip", "relax.nn.leakyrelu", "relax.sigmoid", "relax.tanh")
_MONOTONE = ("relax.nn.relu", "relax.clip")
_MOVERS = ("relax.permute_dims", "relax.reshape")


@dataclass(frozen=True, eq=False)
class Conv:
    """weights [out, kh, kw, in / groups], bias [out]; padding top, left, bottom, right."""

    x: Expr
    weights: Array
    bias: Array
    strides: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def depthwise(self) -> bool:
        channels = shape_of(self.x)[3]
        return bool(self.weights.shape[3] == 1 and self.groups == channels == self.weights.shape[0])

    @property
    def pointwise(self) -> bool:
        return self.weights.shape[1:3] == (1, 1) and self.strides == (1, 1) and not any(self.padding)

    def scaled(self, gain: Array, shift: Array) -> Conv:
        return replace(self, weights=self.weights * gain[:, None, None, None], bias=self.bias * gain + shift)


@dataclass(frozen=True, eq=False)
class Affine:
    """x * gain + shift, each [channels]. source: as it was written, where it is still that."""

    x: Expr
    gain: Array
    shift: Array
    source: Expr | None = None


@dataclass(frozen=True, eq=False)
class Dense:
    """x @ weights + bias; weights [in, out]."""

    x: Expr
    weights: Array
    bias: Array


@dataclass(frozen=True, eq=False)
class Shuffle:
    """Output channel j is input channel order[j]."""

    x: Expr
    order: Array


Value: TypeAlias = "Conv | Affine | Dense | Shuffle | Expr"


def fold_linear(mod: tvm.IRModule) -> tvm.IRModule:
    """Relax -> Relax, fewer bindings; results keep their names."""
    return mod if is_quantized(mod) else _Folder(mod["main"]).run(mod)


class _Folder:
    def __init__(self, main: relax.Function) -> None:
        self.bindings = [(b.var, b.value) for block in main.body.blocks for b in block.bindings]
        self.sources = dict(self.bindings)
        self.uses = Counter(v for _, value in self.bindings for v in leaves(value))
        self.uses.update(leaves(main.body.body))
        self.results = set(leaves(main.body.body))
        self.values: dict[relax.Var, Value] = {}

    def run(self, mod: tvm.IRModule) -> tvm.IRModule:
        for var, value in self.bindings:
            self.values[var] = self._folded(var, value)
        return with_bindings(mod, self._lowered())

    def _folded(self, var: relax.Var, value: Expr) -> Value:
        new = self._lifted(value)
        for rule in (_behind_conv, _pointwise_behind_conv, _before_conv, _shuffled_conv):
            inner = self._only_read_here(new.x) if isinstance(new, Conv | Affine | Dense) else None
            if inner is not None:
                new = _first(rule(new, inner), new)
        if op_name(value) == "relax.add" and not isinstance(new, Conv | Affine | Dense):
            new = _first(self._sum(value), value)
        if op_name(value) in _UNARY:
            new = _first(self._past_shuffle(var, value), self._before_pool(value), new)
        if op_name(value) in _MOVERS:
            new = _first(self._shuffle(var), new)
        return self._past_depthwise(var, new)

    def _only_read_here(self, x: Expr) -> Value | None:
        single = isinstance(x, relax.Var) and self.uses[x] == 1 and x not in self.results
        return self.values.get(x) if single else None

    def _lifted(self, value: Expr) -> Value:
        name = op_name(value)
        if name == "relax.nn.conv2d" and isinstance(value.args[1], GenericConst):
            return _conv(value)
        if name == "relax.matmul" and isinstance(value.args[1], GenericConst):
            weights = array(value.args[1]).astype(np.float64)
            if weights.ndim == 2 and len(shape_of(value)) == 2:
                return Dense(value.args[0], weights, np.zeros(weights.shape[1]))
        return _first(affine(value), value)

    # Additions

    def _sum(self, value: Call) -> Conv | None:
        """Two branches of the same map."""
        a, b = value.args
        if shape_of(a) != shape_of(b) or len(shape_of(a)) != 4:
            return None
        for left, right in ((a, b), (b, a)):
            conv = self._only_read_here(left)
            if not isinstance(conv, Conv):
                continue
            other = self._branch(right, conv)
            if other is not None:
                return _added(conv, other)
        return None

    def _branch(self, expr: Expr, conv: Conv) -> Conv | None:
        """`expr` as a convolution of conv's input."""
        inner = self._only_read_here(expr)
        if isinstance(inner, Conv):
            return inner if inner.x.same_as(conv.x) else None
        if isinstance(inner, Affine) and inner.x.same_as(conv.x):
            return _identity(conv, inner.gain, inner.shift)
        channels = conv.weights.shape[0]
        return _identity(conv, np.ones(channels), np.zeros(channels)) if expr.same_as(conv.x) else None

    # Shuffles

    def _shuffle(self, var: relax.Var) -> Shuffle | None:
        """Movers in a row that come to a permutation of the channels."""
        chain: list[Call] = []
        base = var
        while base in self.sources and op_name(self.sources[base]) in _MOVERS:
            if chain and self.uses[base] != 1:
                break
            chain.append(self.sources[base])
            base = chain[-1].args[0]
        shape = shape_of(var)
        if len(chain) < 3 or len(shape) != 4 or shape_of(base) != shape:
            return None
        moved = np.arange(np.prod(shape)).reshape(shape)
        for call in reversed(chain):
            axes = getattr(call.attrs, "axes", None) if op_name(call) == "relax.permute_dims" else None
            moved = moved.reshape(shape_of(call)) if axes is None else moved.transpose([int(a) for a in axes])
        order = moved[0, 0, 0]
        if order.max() >= shape[3] or order.tolist() == list(range(shape[3])):
            return None
        expected = np.arange(np.prod(shape)).reshape(shape)[..., order]
        return Shuffle(base, order) if np.array_equal(moved, expected) else None

    def _past_shuffle(self, var: relax.Var, value: Call) -> Shuffle | None:
        """f(shuffle(x)) -> shuffle(f(x)) for a function of single numbers."""
        inner = self._only_read_here(value.args[0])
        if not isinstance(inner, Shuffle):
            return None
        fresh = self._fresh(var)
        self.values[fresh] = Call(
            value.op, [inner.x, *value.args[1:]], value.attrs, value.ty_args, ret_ty=value.ty
        )
        return Shuffle(fresh, inner.order)

    def _before_pool(self, value: Call) -> Expr | None:
        """relu(max_pool(x)) -> max_pool(relu(x)): a convolution before the pool takes the activation in."""
        pool: Any = self._only_read_here(value.args[0])
        if op_name(value) not in _MONOTONE or op_name(pool) != "relax.nn.max_pool2d":
            return None
        fresh = self._fresh(pool.args[0], "activated")
        self.values[fresh] = Call(
            value.op, [pool.args[0], *value.args[1:]], value.attrs, value.ty_args, ret_ty=fresh.ty
        )
        return Call(pool.op, [fresh, *pool.args[1:]], pool.attrs, pool.ty_args, ret_ty=pool.ty)

    def _past_depthwise(self, var: relax.Var, new: Value) -> Value:
        """depthwise(shuffle(x)) -> shuffle(depthwise(x))"""
        inner = self._only_read_here(new.x) if isinstance(new, Conv) and new.depthwise else None
        if not isinstance(inner, Shuffle) or not isinstance(new, Conv):
            return self._biased_shuffle(var, new)
        back = np.argsort(inner.order)
        fresh = self._fresh(var)
        self.values[fresh] = replace(new, x=inner.x, weights=new.weights[back], bias=new.bias[back])
        return Shuffle(fresh, inner.order)

    def _biased_shuffle(self, var: relax.Var, new: Value) -> Value:
        """A bias or batch norm behind a shuffled depthwise convolution goes into it as well."""
        inner = self._only_read_here(new.x) if isinstance(new, Affine) else None
        if not isinstance(inner, Shuffle) or not isinstance(new, Affine):
            return new
        back, conv = np.argsort(inner.order), self._only_read_here(inner.x)
        gain, shift = new.gain[back], new.shift[back]
        fresh = self._fresh(var)
        if isinstance(conv, Conv):
            self.values[fresh] = conv.scaled(gain, shift)
        else:
            self.values[fresh] = Affine(inner.x, gain, shift)
        return Shuffle(fresh, inner.order)

    def _fresh(self, like: relax.Var, suffix: str = "unshuffled") -> relax.Var:
        fresh = relax.DataflowVar(f"{like.name}/{suffix}", like.ty)
        self.uses[fresh] = 1
        return fresh

    # Back to Relax

    def _lowered(self) -> Iterator[tuple[relax.Var, Expr]]:
        """What is still read, in an order that runs."""
        needed, todo = set(), [v for v in self.results if isinstance(v, relax.Var)]
        while todo:
            var = todo.pop()
            if var in needed or var not in self.values:
                continue
            needed.add(var)
            todo.extend(v for v in _read(self.values[var]) if isinstance(v, relax.Var))
        done: set[relax.Var] = set()
        for var in self.values:
            yield from self._in_order(var, needed, done)

    def _in_order(
        self, var: relax.Var, needed: set[relax.Var], done: set[relax.Var]
    ) -> Iterator[tuple[relax.Var, Expr]]:
        if var in done or var not in needed:
            return
        done.add(var)
        for source in _read(self.values[var]):
            if isinstance(source, relax.Var):
                yield from self._in_order(source, needed, done)
        yield from _bindings(var, self.values[var])


def _first(*values: Value | None) -> Value:
    """The first that is not None: an Expr has no truth value."""
    return next(v for v in values if v is not None)


def _read(value: Value) -> list[Expr]:
    return [value.x] if isinstance(value, Conv | Affine | Dense | Shuffle) else list(leaves(value))


def _conv(call: Call) -> Conv:
    attrs, weights = call.attrs, array(call.args[1]).astype(np.float64)
    order = [str(attrs.kernel_layout).index(axis) for axis in "OHWI"]
    if str(attrs.kernel_layout) == "HWOI":  # depthwise: O counts the inputs, I the outputs of each
        kernel_h, kernel_w, inputs, multiplier = weights.shape
        weights = weights.reshape(kernel_h, kernel_w, inputs * multiplier, 1)
    weights = weights.transpose(order)
    strides, padding, dilation = (
        tuple(int(n) for n in field) for field in (attrs.strides, attrs.padding, attrs.dilation)
    )
    bias = np.zeros(weights.shape[0])
    return Conv(call.args[0], weights, bias, strides, padding, dilation, int(attrs.groups))


def affine(call: Expr) -> Affine | None:
    """A sum, product or quotient with one number, or with one for each element of the last axis."""
    name = op_name(call)
    if name not in ("relax.add", "relax.subtract", "relax.multiply", "relax.divide"):
        return None
    a, b = call.args
    if isinstance(a, GenericConst) and name in ("relax.add", "relax.multiply"):
        a, b = b, a
    if not isinstance(b, GenericConst) or isinstance(a, GenericConst) or b.ty.dtype != "float32":
        return None
    shape, constant = shape_of(a), array(b).astype(np.float64)
    channels = shape[-1] if shape else 1
    per_channel = constant.size == 1 or (constant.shape and constant.shape[-1] == constant.size == channels)
    if not per_channel or shape_of(call) != shape or len(shape) not in (2, 4):
        return None
    if name == "relax.divide" and not np.all(constant):
        return None
    values = np.broadcast_to(constant.ravel(), (channels,))
    ones, zeros = np.ones(channels), np.zeros(channels)
    made = {
        "relax.add": (ones, values), "relax.subtract": (ones, -values), "relax.multiply": (values, zeros),
    }  # fmt: skip
    gain, shift = made[name] if name in made else (1 / values, zeros)
    return Affine(a, gain, shift, call)


# Rules: (a value, the one that only it reads) -> a value for both, or None


def _behind_conv(new: Value, inner: Value) -> Value | None:
    if not isinstance(new, Affine):
        return None
    if isinstance(inner, Conv):
        return inner.scaled(new.gain, new.shift)
    if isinstance(inner, Dense):
        return replace(inner, weights=inner.weights * new.gain, bias=inner.bias * new.gain + new.shift)
    if isinstance(inner, Affine):
        return Affine(inner.x, inner.gain * new.gain, inner.shift * new.gain + new.shift)
    return None


def _pointwise_behind_conv(new: Value, inner: Value) -> Conv | None:
    if not isinstance(new, Conv) or not isinstance(inner, Conv) or not new.pointwise:
        return None
    if new.groups != 1 or inner.groups != 1:
        return None
    out_c, taps = new.weights.shape[0], inner.weights[0].size
    middle = inner.weights.shape[0]
    if taps * out_c > taps * middle + middle * out_c:  # a bottleneck: the two are cheaper
        return None
    matrix = new.weights[:, 0, 0]
    weights = np.tensordot(matrix, inner.weights, 1)
    return replace(inner, weights=weights, bias=matrix @ inner.bias + new.bias)


def _before_conv(new: Value, inner: Value) -> Value | None:
    """A border is zero behind the term, not before it: only where there is no border, or no term."""
    if not isinstance(inner, Affine):
        return None
    if isinstance(new, Dense):
        weights = new.weights * inner.gain[:, None]
        return Dense(inner.x, weights, new.bias + inner.shift @ new.weights)
    if not isinstance(new, Conv) or (any(new.padding) and np.any(inner.shift)):
        return None
    if new.depthwise:
        taps = new.weights.sum((1, 2, 3))
        gained = new.weights * inner.gain[:, None, None, None]
        return replace(new, x=inner.x, weights=gained, bias=new.bias + taps * inner.shift)
    if new.groups != 1:
        return None
    bias = new.bias + new.weights.sum((1, 2)) @ inner.shift
    return replace(new, x=inner.x, weights=new.weights * inner.gain, bias=bias)


def _shuffled_conv(new: Value, inner: Value) -> Conv | None:
    """The weights are shuffled instead. A grouped convolution becomes a dense one with zeros."""
    if not isinstance(inner, Shuffle) or not isinstance(new, Conv) or new.depthwise:
        return None
    out_c, kernel_h, kernel_w, depth = new.weights.shape
    dense = np.zeros((out_c, kernel_h, kernel_w, depth * new.groups))
    for group in range(new.groups):
        rows = slice(group * out_c // new.groups, (group + 1) * out_c // new.groups)
        dense[rows, ..., group * depth : (group + 1) * depth] = new.weights[rows]
    return replace(new, x=inner.x, weights=dense[..., np.argsort(inner.order)], groups=1)


def _identity(conv: Conv, gain: Array, shift: Array) -> Conv | None:
    """x * gain + shift as a 1x1 convolution that can be added to `conv`."""
    channels = shape_of(conv.x)[3]
    if conv.strides != (1, 1) or conv.weights.shape[0] != channels:
        return None
    if conv.depthwise:
        weights = gain.reshape(channels, 1, 1, 1)
    elif conv.groups == 1:
        weights = np.diag(gain).reshape(channels, 1, 1, channels)
    else:
        return None
    return replace(conv, weights=weights, bias=shift, padding=(0, 0, 0, 0), dilation=(1, 1))


def _added(a: Conv, b: Conv) -> Conv | None:
    """One convolution for the sum of two that walk the same map with the same step."""
    if a.strides != b.strides or a.groups != b.groups or a.weights.shape[3] != b.weights.shape[3]:
        return None
    large, small = (a, b) if a.weights.shape[1] >= b.weights.shape[1] else (b, a)
    if large.dilation != (1, 1) or small.dilation != (1, 1):
        return None
    top, left = (large.padding[i] - small.padding[i] for i in (0, 1))
    kernel_h, kernel_w = small.weights.shape[1:3]
    if (
        min(top, left) < 0
        or top + kernel_h > large.weights.shape[1]
        or left + kernel_w > large.weights.shape[2]
    ):
        return None
    weights = large.weights.copy()
    weights[:, top : top + kernel_h, left : left + kernel_w] += small.weights
    return replace(large, weights=weights, bias=a.bias + b.bias)


def _bindings(var: relax.Var, value: Value) -> Iterator[tuple[relax.Var, Expr]]:
    normalize = relax.BlockBuilder().normalize
    if isinstance(value, Conv):
        yield from _with_term(var, normalize(_conv2d(value)), value.bias)
    elif isinstance(value, Dense):
        yield from _with_term(var, normalize(R.matmul(value.x, _float32(value.weights))), value.bias)
    elif isinstance(value, Affine) and value.source is None:
        gain, shift = _one_number(value.gain), _one_number(value.shift)
        head = value.x if np.all(gain == 1) else normalize(R.multiply(value.x, _float32(gain)))
        yield from _with_term(var, head, shift)
    elif isinstance(value, Affine):
        yield var, value.source
    elif isinstance(value, Shuffle):
        yield var, normalize(R.take(value.x, relax.const(value.order.astype(np.int32), "int32"), axis=3))
    else:
        yield var, value


def _one_number(values: Array) -> Array:
    """A single number where all are the same: an elementwise function of one tensor stays one."""
    return values[:1] if np.all(values == values[0]) else values


def _with_term(var: relax.Var, head: Expr, term: Array) -> Iterator[tuple[relax.Var, Expr]]:
    if not np.any(term) and not isinstance(head, relax.Var):
        yield var, head
        return
    if not isinstance(head, relax.Var):
        inner = relax.DataflowVar(f"{var.name}/linear", var.ty)
        yield inner, head
        head = inner
    yield var, relax.BlockBuilder().normalize(R.add(head, _float32(term)))


def _conv2d(conv: Conv) -> Expr:
    kernel, layout = conv.weights.transpose(1, 2, 3, 0), "HWIO"
    if conv.weights.shape[3] == 1 and conv.groups == shape_of(conv.x)[3]:
        kernel_h, kernel_w = kernel.shape[:2]
        kernel, layout = kernel.reshape(kernel_h, kernel_w, conv.groups, -1), "HWOI"
    return R.nn.conv2d(
        conv.x, _float32(kernel), strides=list(conv.strides), padding=list(conv.padding),
        dilation=list(conv.dilation), groups=conv.groups, data_layout="NHWC", kernel_layout=layout,
    )  # fmt: skip


def _float32(values: Array) -> Expr:
    return relax.const(np.ascontiguousarray(values, np.float32), "float32")
