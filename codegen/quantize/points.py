"""Which values of a float network become int8.

A kernel computes convolution, bias and activation in one go, so only the last of the three is a point; the
same for an elementwise function of one tensor, which becomes a table. Points that data only moves between
share a scale, since a move of integers is exact then.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import tvm
from tvm import relax
from tvm.ir import Expr, GenericConst, Tuple

from edgert.codegen.passes.composite import array, dtype_of, is_tensor, leaves, op_name
from edgert.codegen.passes.patterns import ELEMENTWISE
from edgert.codegen.quantize.binary_points import BinaryPart
from edgert.codegen.quantize.options import Options

SAME_SCALE = frozenset(
    f"relax.{name}"
    for name in (
        "reshape", "permute_dims", "squeeze", "expand_dims", "flatten", "strided_slice", "take",
        "nn.max_pool2d",
        "nn.avg_pool2d", "nn.pad", "image.resize2d", "concat",
    )
)  # fmt: skip
WEIGHTED = ("relax.nn.conv2d", "relax.matmul")
_BINARY = ("relax.add", "relax.subtract", "relax.multiply")
_ACTIVATIONS = ("relax.nn.relu", "relax.clip")
# What the reference's kernels insist on: docs/numerics.md, section 3
FIXED = {"relax.nn.softmax": (1 / 256, -128), "relax.sigmoid": (1 / 256, -128), "relax.tanh": (1 / 128, 0)}


@dataclass(frozen=True, eq=False)
class Graph:
    """A float network's bindings in order, who reads what, and the points.

    group: point -> the first point that has the same scale. float_layers: bindings that stay float.
    wide: points that become int16, ones: that are +1 and -1 (codegen/quantize/binary_points.py).
    """

    main: relax.Function
    values: dict[relax.Var, Expr]
    readers: dict[relax.Var, list[relax.Var]]
    points: tuple[relax.Var, ...]
    group: dict[relax.Var, relax.Var]
    float_layers: frozenset[relax.Var]
    wide: frozenset[relax.Var] = frozenset()
    ones: frozenset[relax.Var] = frozenset()

    def inputs(self, var: relax.Var) -> list[relax.Var]:
        """The activations that a binding reads."""
        return [v for v in leaves(self.values[var]) if isinstance(v, relax.Var)]


def find_points(mod: tvm.IRModule, options: Options) -> Graph:
    """Parameters are points, too. Integer tensors never are."""
    main = mod["main"]
    values = {b.var: b.value for block in main.body.blocks for b in block.bindings}
    readers: dict[relax.Var, list[relax.Var]] = defaultdict(list)
    for var, value in values.items():
        for source in leaves(value):
            if isinstance(source, relax.Var):
                readers[source].append(var)
    results = {v for v in leaves(main.body.body) if isinstance(v, relax.Var)}
    binary = BinaryPart(values, readers, results)
    inside = _interior(values, readers, results) | binary.inside
    real = [
        v for v in (*main.params, *values) if is_tensor(v) and dtype_of(v) == "float32" and v not in inside
    ]
    points = tuple(v for v in real if not isinstance(values.get(v), Tuple))
    kept = _float_layers(values, readers, set(points), options)
    points = tuple(
        v for v in points if v not in kept or any(r not in kept for r in readers[v]) or v in results
    )
    wide = binary.wide(points)
    groups = _groups(values, points, wide)
    return Graph(main, values, readers, points, groups, frozenset(kept), wide, binary.ones)


def _interior(
    values: dict[relax.Var, Expr], readers: dict[relax.Var, list[relax.Var]], results: set[relax.Var]
) -> set[relax.Var]:
    inside: set[relax.Var] = set()
    root: dict[relax.Var, relax.Var] = {}
    for var, value in values.items():
        single = len(readers[var]) == 1 and var not in results
        reader = values[readers[var][0]] if single else None
        source = _single_source(value, root)
        if single and _continues(value, reader) and (source is None or source in inside):
            inside.add(var)
            continue
        if source is not None and not (_fused(value) and source in inside):
            root[var] = source
    for var, source in root.items():
        if var not in results and readers[var] and all(root.get(r) == source for r in readers[var]):
            inside.add(var)
    return inside


def _continues(value: Expr, reader: Expr) -> bool:
    """Whether the kernel of `value` computes its reader as well."""
    name, next_name = op_name(value), op_name(reader)
    biased = name in WEIGHTED and next_name == "relax.add" and isinstance(reader.args[1], GenericConst)
    if biased:
        return bool(array(reader.args[1]).size == value.ty.shape[-1])
    two = name in _BINARY and (name == "relax.add" or not _has_constant(value))
    return next_name in _ACTIVATIONS and (name in WEIGHTED or two)


def _has_constant(value: Expr) -> bool:
    return any(isinstance(leaf, GenericConst) for leaf in leaves(value))


def _fused(value: Expr) -> bool:
    return op_name(value) in _ACTIVATIONS or op_name(value) == "relax.add"


def _single_source(value: Expr, root: dict[relax.Var, relax.Var]) -> relax.Var | None:
    """The one tensor that an elementwise expression is a function of."""
    if op_name(value) not in ELEMENTWISE:
        return None
    constants = [v for v in leaves(value) if isinstance(v, GenericConst)]
    if any(array(c).size != 1 for c in constants):
        return None
    sources = {root.get(v, v) for v in leaves(value) if isinstance(v, relax.Var)}
    return sources.pop() if len(sources) == 1 else None


def _float_layers(
    values: dict[relax.Var, Expr],
    readers: dict[relax.Var, list[relax.Var]],
    points: set[relax.Var],
    options: Options,
) -> set[relax.Var]:
    """The chosen points, and the bindings inside them."""
    kept = {v for v in points if v in values and options.keeps_float(str(v.name))}
    todo = list(kept)
    while todo:
        for source in leaves(values[todo.pop()]):
            if (
                isinstance(source, relax.Var)
                and source in values
                and source not in points
                and source not in kept
            ):
                kept.add(source)
                todo.append(source)
    return kept


def _groups(
    values: dict[relax.Var, Expr], points: tuple[relax.Var, ...], wide: frozenset[relax.Var]
) -> dict[relax.Var, relax.Var]:
    group = {p: p for p in points}

    def first(var: relax.Var) -> relax.Var:
        while not group[var].same_as(var):
            var = group[var]
        return var

    for var in points:
        if var in values and op_name(values[var]) in SAME_SCALE:
            for source in leaves(values[var]):
                if source in group and (source in wide) == (var in wide):
                    group[first(var)] = first(source)
    return {p: first(p) for p in points}
