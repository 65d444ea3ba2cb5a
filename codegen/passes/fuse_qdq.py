"""Outline what a kernel can do into composite functions.

Needs: one dataflow block; constants on the weight side of convolutions and products.
Guarantees: main has a call_dps_packed of `edgert_<composite>_<nnn>` for each match, and the function of that
name is its meaning (attr Composite = the pattern's name); the variable keeps the layer's name; what is left
is for TIR; nothing dead remains.
Why not FuseOpsByPattern: it renames the results, and lets no two composites share a dequantize.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import tvm
from tvm import relax
from tvm.ir import Call, Expr

from edgert.codegen.passes.composite import Body, leaves, op_name, shape_of
from edgert.codegen.passes.outline import outlined, typed, with_bindings
from edgert.codegen.passes.patterns import ELEMENTWISE, PATTERNS, Pattern

Binding = tuple[relax.Var, Expr]


def fuse_qdq(mod: tvm.IRModule) -> tvm.IRModule:
    """Relax -> Relax with composite functions."""
    return _Fuser(mod["main"]).run(mod)


class _Fuser:
    def __init__(self, main: relax.Function) -> None:
        self.main = main
        self.bindings = [(b.var, b.value) for block in main.body.blocks for b in block.bindings]
        self.values = dict(self.bindings)
        self.order = {var: i for i, (var, _) in enumerate(self.bindings)}
        self.uses = Counter(v for _, value in self.bindings for v in leaves(value))
        self.uses.update(leaves(main.body.body))
        self.tir: dict[Expr, relax.Var] = {}  # what only an elementwise function reads that is no composite

    def run(self, mod: tvm.IRModule) -> tvm.IRModule:
        kept = self._kept()
        functions: dict[tvm.ir.GlobalVar, relax.Function] = {}
        bindings = []
        for number, (var, value, match) in enumerate(kept):
            if match is not None:
                pattern, body = match
                function = outlined(pattern.name, body)
                name = f"edgert_{pattern.name}_{number:03}"
                functions[tvm.ir.GlobalVar(name)] = function
                call = relax.op.call_dps_packed(name, tvm.ir.Tuple(list(body.params)), var.ty)
                value = typed(call, var.ty)
            bindings.append((var, value))
        main = with_bindings(mod, bindings)
        main.update(tvm.IRModule(functions))
        return main

    def _kept(self) -> list[tuple[relax.Var, Expr, tuple[Pattern, Body] | None]]:
        """The bindings that remain, last reader first found, in order of execution."""
        needed = set(leaves(self.main.body.body))
        kept = []
        for var, value in reversed(self.bindings):
            if var not in needed:
                continue
            match = None if self._read_by_tir(var, value) else self._match(var, value)
            needed |= set(match[1].params) if match else set(leaves(value))
            kept.append((var, value, match))
            if match is None and op_name(value) in ELEMENTWISE:
                self.tir |= {source: var for source in leaves(value) if self.uses[source] == 1}
        return kept[::-1]

    def _read_by_tir(self, var: relax.Var, value: Expr) -> bool:
        """A dequantize whose one reader is elementwise and no composite: fuse_tir makes it a part of that."""
        reader = self.tir.get(var) if op_name(value) == "relax.dequantize" else None
        return reader is not None and shape_of(reader) == shape_of(var)

    def _match(self, var: relax.Var, value: Expr) -> tuple[Pattern, Body] | None:
        if not isinstance(value, Call):
            return None
        whole: Body | None = None
        for pattern in PATTERNS:
            if not pattern.pattern.match(value, self.values):
                continue
            if pattern.whole:
                whole = whole or self._body(var)
            body = whole if pattern.whole else self._single(var)
            if body is not None and not self._shared(body) and pattern.supports(body):
                return pattern, body
        return None

    def _single(self, var: relax.Var) -> Body:
        return self._of([(var, self.values[var])])

    def _body(self, var: relax.Var) -> Body:
        """Everything from `var` back to its dequantizes."""
        interior, todo = set(), [var]
        while todo:
            current = todo.pop()
            if current in interior or current not in self.values:
                continue
            interior.add(current)
            if op_name(self.values[current]) != "relax.dequantize":
                todo.extend(v for v in leaves(self.values[current]) if isinstance(v, relax.Var))
        return self._of([(v, self.values[v]) for v in sorted(interior, key=lambda v: self.order[v])])

    def _of(self, bindings: Sequence[Binding]) -> Body:
        own = {var for var, _ in bindings}
        read = [
            v for _, value in bindings for v in leaves(value) if isinstance(v, relax.Var) and v not in own
        ]
        return Body(tuple(dict.fromkeys(read)), tuple(bindings))

    def _shared(self, body: Body) -> bool:
        """Whether somebody outside reads a value inside, other than a dequantize, which is recomputed."""
        inside = Counter(v for _, value in body.bindings for v in leaves(value))
        return any(
            op_name(value) != "relax.dequantize" and self.uses[var] != inside[var]
            for var, value in body.bindings[:-1]
        )
