"""Signs in a network that is quantized: bits are exact as they are, and what only signs read needs no
integers.

What is added up on the way to a later sign, the shortcuts of Bi-Real Net and ReActNet, becomes int16: a sign
asks for the side of a threshold that a value is on, and eight bits of a long sum do not tell. A layer of real
weights still gives int8, as its kernels do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvm import relax
from tvm.ir import Expr, GenericConst

from edgert.codegen.passes.binary_forms import COMPARISONS, is_binary_layer, sign_of
from edgert.codegen.passes.composite import leaves, op_name
from edgert.codegen.passes.fold_linear import affine
from edgert.codegen.passes.patterns import ELEMENTWISE

_MOVED = frozenset(
    f"relax.{name}"
    for name in ("nn.max_pool2d", "nn.pad", "reshape", "flatten", "squeeze", "expand_dims", "permute_dims")
)
_WEIGHTED = ("relax.nn.conv2d", "relax.matmul")
_CHAINED = ELEMENTWISE | {"relax.nn.prelu"}
_SUMMED = _CHAINED | {"relax.concat", "relax.nn.avg_pool2d", "relax.nn.max_pool2d"}


class BinaryPart:
    """bits: signs, and what only moves them. inside: values that are no points.

    ones: bits that a layer with real weights reads, the last one say: int8 there, of scale 1.
    """

    def __init__(
        self,
        values: Mapping[relax.Var, Expr],
        readers: Mapping[relax.Var, Sequence[relax.Var]],
        results: set[relax.Var],
    ) -> None:
        self.values = values
        signs = {var for var, value in values.items() if sign_of(value, values) is not None}
        self.bits = set(signs)
        for var, value in values.items():
            if op_name(value) in _MOVED and value.args[0] in self.bits:
                self.bits.add(var)
        self.before_a_sign = self._before(signs)
        self.only_signs: set[relax.Var] = set()
        self.ones = frozenset(v for v in self.bits if self._meets_real_weights(readers[v]))
        self.inside = set(self.bits - self.ones)
        for var in reversed(list(values)):
            if var not in results and readers[var] and self._is_inside(var, readers[var]):
                self.inside.add(var)

    def wide(self, points: Sequence[relax.Var]) -> frozenset[relax.Var]:
        """The points that a later sign depends on, what binary layers give, and what is added up of it."""
        found: set[relax.Var] = set()
        for var, value in self.values.items():
            sources = [v for v in leaves(value) if isinstance(v, relax.Var)]
            summed = op_name(value) in _SUMMED and any(v in found for v in sources)
            layer = self._layer(var, real=False)
            if not self._layer(var, real=True) and (var in self.before_a_sign or layer or summed):
                found.add(var)
        return frozenset(p for p in points if p in found)

    def _meets_real_weights(self, readers: Sequence[relax.Var]) -> bool:
        """All readers are such layers: bits that others read as bits stay bits."""
        layers = [self.values[r] for r in readers]
        return bool(layers) and all(op_name(v) in _WEIGHTED and not is_binary_layer(v) for v in layers)

    def _before(self, signs: set[relax.Var]) -> set[relax.Var]:
        """Back from the signs as far as the layers with real weights."""
        found: set[relax.Var] = set()
        todo = list(signs)
        while todo:
            value = self.values[todo.pop()]
            if op_name(value) in _WEIGHTED and not (value.args[0] in self.bits and is_binary_layer(value)):
                continue
            for source in leaves(value):
                if isinstance(source, relax.Var) and source in self.values and source not in found:
                    found.add(source)
                    todo.append(source)
        return found

    def _is_inside(self, var: relax.Var, readers: Sequence[relax.Var]) -> bool:
        """Only signs are made of it, or the next step of a chain of elementwise functions."""
        if var not in self.before_a_sign or var in self.bits:
            return False
        value = self.values[var]
        if self._linear(value) and all(self._leads_to_a_sign(reader) for reader in readers):
            self.only_signs.add(var)
            return True
        layer = self._layer(var, real=True) or self._layer(var, real=False)
        chained = op_name(value) in _CHAINED and not layer
        return chained and len(readers) == 1 and op_name(self.values[readers[0]]) in _CHAINED

    def _leads_to_a_sign(self, reader: relax.Var) -> bool:
        value = self.values[reader]
        made = reader in self.bits and op_name(value) not in _MOVED
        return made or reader in self.only_signs or op_name(value) in COMPARISONS

    def _linear(self, value: Expr) -> bool:
        """What a threshold takes in, or what an exchange of sign and pool does."""
        kept = op_name(value) in (*_WEIGHTED, "relax.clip", "relax.nn.max_pool2d")
        return kept or affine(value) is not None

    def _layer(self, var: relax.Var, *, real: bool) -> bool:
        """Whether a layer with real, or with binary, weights makes it, a bias and an activation included."""
        value = self.values[var]
        while op_name(value) in ("relax.nn.relu", "relax.clip") or _is_biased(value):
            value = self.values.get(value.args[0])
        if op_name(value) not in _WEIGHTED:
            return False
        return (value.args[0] not in self.bits or not is_binary_layer(value)) == real


def _is_biased(value: Expr) -> bool:
    return op_name(value) == "relax.add" and isinstance(value.args[1], GenericConst)
