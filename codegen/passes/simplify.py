"""Small rewrites of single bindings, so that the patterns have less to know.

All need one binding per result, and keep the results' names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst, TupleGetItem

from edgert.codegen.passes.composite import array, leaves, op_name, shape_of
from edgert.codegen.passes.outline import renamed, with_bindings
from edgert.codegen.program import Array

Values = dict[relax.Var, Expr]
Rule = Callable[[Expr, Values], Expr | None]
_RESHAPES = ("relax.reshape", "relax.squeeze", "relax.expand_dims", "relax.flatten")
_MOVERS = (*_RESHAPES, "relax.permute_dims", "relax.strided_slice", "relax.nn.max_pool2d")


def split_tuples(mod: tvm.IRModule) -> tvm.IRModule:
    """Each part of an R.split becomes a strided_slice."""
    return _rewritten(mod, _split_part)


def fold_weights(mod: tvm.IRModule) -> tvm.IRModule:
    """Reshapes and transposes of constants, done now and on the integers.

    A dequantize of a constant is never folded: the kernels want the integers.
    """
    return _rewritten(mod, _folded)


def commute_movement(mod: tvm.IRModule) -> tvm.IRModule:
    """quantize(move(dequantize(x))) -> move(x), quantize(dequantize(x)) -> x, where the scales are equal."""
    return _rewritten(mod, _commuted)


def quantize_early(mod: tvm.IRModule) -> tvm.IRModule:
    """quantize(move(y)) -> move(quantize(y)) where a layer computes y and nothing else reads it.

    After commute_movement, which leaves no quantize of moved integers; the layer and its quantize then
    stand together, as a kernel has them. The quantize keeps its name.
    """
    main = mod["main"]
    bindings = [(b.var, b.value) for block in main.body.blocks for b in block.bindings]
    values, uses = dict(bindings), Counter(v for _, value in bindings for v in leaves(value))
    uses.update(leaves(main.body.body))
    early: Values = {}
    for var, value in bindings:
        moves = _moves_before(value, values, uses)
        source = values[moves[-1]].args[0] if moves else None
        if source is None or source not in values or op_name(values[source]) == "relax.dequantize":
            early[var] = value
            continue
        calls = [values[move] for move in moves]
        for move in moves:
            del early[move]
        early.update(_moved_later(var, value, calls))
    return with_bindings(mod, early.items())


def _moves_before(value: Expr, values: Values, uses: Mapping[relax.Var, int]) -> list[relax.Var]:
    """Reshapes and transposes that only a per-tensor quantize reads, the last first."""
    if op_name(value) != "relax.quantize" or array(value.args[1]).size != 1:
        return []
    moves, source = [], value.args[0]
    while uses[source] == 1 and op_name(values.get(source)) in (*_RESHAPES, "relax.permute_dims"):
        moves.append(source)
        source = values[source].args[0]
    return moves


def _moved_later(var: relax.Var, quantize: Call, moves: list[Call]) -> Iterator[tuple[relax.Var, Expr]]:
    normalize = relax.BlockBuilder().normalize
    scale, zero = quantize.args[1:3]
    integers = relax.op.quantize(moves[-1].args[0], scale, zero, axis=0, out_dtype=str(quantize.ty.dtype))
    value = normalize(integers)
    for move in reversed(moves):
        inner = relax.DataflowVar(var.name, value.ty)
        yield inner, value
        value = normalize(Call(move.op, [inner, *move.args[1:]], move.attrs, move.ty_args))
    yield var, value


def _rewritten(mod: tvm.IRModule, rule: Rule) -> tvm.IRModule:
    """`rule` on every binding of main, in order; None leaves it. A Var or constant replaces its readers'."""
    main, normalize = mod["main"], relax.BlockBuilder().normalize
    results = set(leaves(main.body.body))
    values: Values = {}
    replaced: dict[relax.Var, Expr] = {}
    for binding in (b for block in main.body.blocks for b in block.bindings):
        value = renamed(binding.value, replaced)
        new = rule(value, values)
        value = value if new is None else normalize(new)
        if isinstance(value, relax.Var | GenericConst) and binding.var not in results:
            replaced[binding.var] = value
        else:
            values[binding.var] = value
    return with_bindings(mod, values.items())


def _split_part(expr: Expr, values: Values) -> Expr | None:
    split = values.get(expr.tuple_value) if isinstance(expr, TupleGetItem) else None
    if split is None or op_name(split) != "relax.split":
        return None
    axis = int(split.attrs.axis) % len(shape_of(split.args[0]))
    sizes = [int(field.shape[axis]) for field in split.ty.fields]
    begin = sum(sizes[: expr.index])
    return relax.op.strided_slice(split.args[0], [axis], [begin], [begin + sizes[expr.index]], [1])


def _folded(expr: Expr, values: Values) -> Expr | None:
    name = op_name(expr)
    if name != "relax.permute_dims" and name not in _RESHAPES:
        return None
    source = expr.args[0]
    if isinstance(source, GenericConst):
        value = _moved(expr, array(source))
        return relax.const(value, str(value.dtype))
    inner = values.get(source)
    if inner is None or op_name(inner) != "relax.dequantize" or not isinstance(inner.args[0], GenericConst):
        return None
    axis = _moved_axis(expr, inner)
    if axis is None:
        return None
    value = _moved(expr, array(inner.args[0]))
    return relax.op.dequantize(relax.const(value, str(value.dtype)), inner.args[1], inner.args[2], axis=axis)


def _axes(call: Call) -> list[int]:
    rank = len(shape_of(call.args[0]))
    axes = call.attrs.axes
    return list(range(rank))[::-1] if axes is None else [int(a) % rank for a in axes]


def _moved(call: Call, value: Array) -> Array:
    if op_name(call) == "relax.permute_dims":
        return np.ascontiguousarray(value.transpose(_axes(call)))
    return value.reshape(shape_of(call))


def _moved_axis(call: Call, dequantize: Call) -> int | None:
    """Where the scaled dimension of a moved constant is; None where a reshape may have split it."""
    if array(dequantize.args[1]).size == 1:
        return 0
    axis = int(dequantize.attrs.axis) % len(shape_of(dequantize.args[0]))
    return _axes(call).index(axis) if op_name(call) == "relax.permute_dims" else None


def _commuted(expr: Expr, values: Values) -> Expr | None:
    if op_name(expr) != "relax.quantize":
        return None
    moved = values.get(expr.args[0])
    mover = moved if op_name(moved) in _MOVERS else None
    inner = values.get(mover.args[0]) if mover is not None else moved
    if inner is None or op_name(inner) != "relax.dequantize" or not _same_quant(inner, expr):
        return None
    source = inner.args[0]
    if mover is None:
        return source
    return Call(mover.op, [source, *mover.args[1:]], mover.attrs, mover.ty_args)


def _same_quant(dequantize: Call, quantize: Call) -> bool:
    same_type = dequantize.args[0].ty.dtype == quantize.ty.dtype
    pairs = zip(dequantize.args[1:3], quantize.args[1:3], strict=True)
    values = ((array(a), array(b)) for a, b in pairs)
    return same_type and all(a.size == b.size == 1 and a.item() == b.item() for a, b in values)
