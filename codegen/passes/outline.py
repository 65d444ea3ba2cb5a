"""A Body as a Relax function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import tvm
from tvm import relax
from tvm.ir import Call, Expr, Tuple, TupleGetItem

from edgert.codegen.passes.composite import Body


def outlined(name: str, body: Body) -> relax.Function:
    """The composite as a private function over fresh parameters."""
    fresh: dict[relax.Var, relax.Var] = {p: relax.Var(p.name, p.ty) for p in body.params}
    bindings = []
    for var, value in body.bindings:
        last = var is body.result
        fresh[var] = (relax.Var if last else relax.DataflowVar)(var.name, var.ty)
        bindings.append(relax.VarBinding(fresh[var], renamed(value, fresh)))
    result = fresh[body.result]
    seq = typed(relax.SeqExpr([relax.DataflowBlock(bindings)], result), result.ty)
    function = relax.Function([fresh[p] for p in body.params], seq, result.ty)
    return function.with_attr("Composite", f"edgert.{name}")


def typed(expr: Expr, ty: tvm.ir.Type) -> Expr:
    """`expr` with its type set, as the block builder would have deduced it."""
    relax.expr._update_type(expr, ty)
    return expr


def renamed(expr: Expr, fresh: Mapping[relax.Var, Expr]) -> Expr:
    """`expr` with its Vars replaced."""
    if isinstance(expr, relax.Var):
        return fresh.get(expr, expr)
    if isinstance(expr, Tuple):
        return Tuple([renamed(f, fresh) for f in expr.fields])
    if isinstance(expr, TupleGetItem):
        return TupleGetItem(renamed(expr.tuple_value, fresh), expr.index)
    if isinstance(expr, Call):
        arguments = [renamed(a, fresh) for a in expr.args]
        return Call(expr.op, arguments, expr.attrs, expr.ty_args, ret_ty=expr.ty)
    return expr


def with_bindings(mod: tvm.IRModule, bindings: Iterable[tuple[relax.Var, Expr]]) -> tvm.IRModule:
    """`mod` with these bindings, in this order, as the one dataflow block of main; same result."""
    main, name = mod["main"], mod.get_global_var("main")
    block = relax.DataflowBlock([relax.VarBinding(var, value) for var, value in bindings])
    seq = typed(relax.SeqExpr([block], main.body.body), main.body.body.ty)
    function = relax.Function(main.params, seq, main.ret_ty, main.is_pure, main.attrs)
    others = {g: f for g, f in mod.functions.items() if g.name_hint != "main"}
    return tvm.IRModule({name: function} | others, attrs=mod.attrs)
