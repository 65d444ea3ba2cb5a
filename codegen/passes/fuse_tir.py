"""Join a TIR function with the elementwise ones that follow it, so that no tensor is written in between.

Needs: call_tir with op_pattern annotated. Guarantees: one call_tir per group; results keep their names.
Why not FuseOps: it renames the results, and the names are the layers'.
"""

from __future__ import annotations

from collections import Counter

import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst

from edgert.codegen.passes.composite import Body, leaves, op_name, shape_of
from edgert.codegen.passes.outline import outlined, typed, with_bindings

_BROADCAST, _HEAVY = (
    1,
    4,
)  # OpPatternKind: elementwise 0, broadcast 1, injective 2, reduction 3, convolution 4


def fuse_tir(mod: tvm.IRModule) -> tvm.IRModule:
    """Group, then let TVM's FuseTIR make one PrimFunc of each group."""
    composites = {g: f for g, f in mod.functions.items() if "Composite" in (f.attrs or {})}
    others = {g: f for g, f in mod.functions.items() if g not in composites}
    grouped = _Grouping(tvm.IRModule(others, attrs=mod.attrs)).run()
    fused = relax.transform.DeadCodeElimination()(relax.transform.FuseTIR()(grouped))
    fused.update(tvm.IRModule(composites))
    return fused


class _Grouping:
    def __init__(self, mod: tvm.IRModule) -> None:
        self.mod, self.main = mod, mod["main"]
        self.bindings = [(b.var, b.value) for block in self.main.body.blocks for b in block.bindings]
        self.values = dict(self.bindings)
        self.order = {var: i for i, (var, _) in enumerate(self.bindings)}
        self.uses = Counter(v for _, value in self.bindings for v in leaves(value))
        self.uses.update(leaves(self.main.body.body))
        self.absorbed: set[relax.Var] = set()
        self.functions: dict[tvm.ir.GlobalVar, relax.Function] = {}

    def run(self) -> tvm.IRModule:
        kept = [(v, self._grouped(v, e)) for v, e in reversed(self.bindings) if v not in self.absorbed]
        grouped = with_bindings(self.mod, kept[::-1])
        grouped.update(tvm.IRModule(self.functions))
        return grouped

    def _grouped(self, var: relax.Var, value: Expr) -> Expr:
        group = self._group(var)
        if len(group) < 2:
            return value
        self.absorbed |= set(group) - {var}
        bindings = [(v, self.values[v]) for v in sorted(group, key=lambda v: self.order[v])]
        body, arguments = _parametrized(bindings)
        function = outlined("tir", body).without_attr("Composite").with_attr("Primitive", True)
        name = typed(tvm.ir.GlobalVar(f"group_{self.order[var]:03}"), function.ty)
        self.functions[name] = function
        return Call(name, arguments, ret_ty=var.ty)

    def _group(self, root: relax.Var) -> list[relax.Var]:
        """`root` and the producers it absorbs: used only here, of its shape, at most one of them heavy."""
        group, todo = [root], [root]
        heavy = self._kind(root) > _BROADCAST
        while todo and not heavy:
            current = todo.pop()
            for source in leaves(self.values[current]):
                if heavy or source in group or not self._absorbable(source, root):
                    continue
                group.append(source)
                heavy = self._kind(source) > _BROADCAST
                todo.append(source)
        return group

    def _absorbable(self, source: Expr, root: relax.Var) -> bool:
        single = isinstance(source, relax.Var) and self.uses[source] == 1 and source in self.values
        if not single or not isinstance(source.ty, relax.TensorType) or source in self.absorbed:
            return False
        return self._kind(source) <= _HEAVY and shape_of(source) == shape_of(root)

    def _kind(self, var: relax.Var) -> int:
        """The op_pattern of the PrimFunc that makes `var`; opaque for anything else."""
        value = self.values[var]
        if op_name(value) != "relax.call_tir" or not isinstance(var.ty, relax.TensorType):
            return _HEAVY + 1
        return int((self.mod[value.args[0]].attrs or {}).get("op_pattern", _HEAVY + 1))


def _parametrized(bindings: list[tuple[relax.Var, Expr]]) -> tuple[Body, list[Expr]]:
    """The group with every outside value and constant as a parameter, and what to pass for them."""
    own = {var for var, _ in bindings}
    outside = dict.fromkeys(v for _, value in bindings for v in leaves(value) if v not in own)
    fresh: dict[Expr, relax.Var] = {
        v: v if isinstance(v, relax.Var) else relax.Var(f"constant_{i}", v.ty) for i, v in enumerate(outside)
    }
    replaced = [(var, _with_parameters(value, fresh)) for var, value in bindings]
    return Body(tuple(fresh.values()), tuple(replaced)), list(outside)


def _with_parameters(call: Call, fresh: dict[Expr, relax.Var]) -> Call:
    arguments = [fresh[a] if isinstance(a, GenericConst) else a for a in call.args[1].fields]
    return Call(call.op, [call.args[0], tvm.ir.Tuple(arguments)], call.attrs, call.ty_args, ret_ty=call.ty)
