"""The Program under construction: unique names, tensors, constants, steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np
from tvm import relax

from edgert.codegen.passes.composite import dtype_of, shape_of
from edgert.codegen.program import Array, Attr, Program, Quant, Step, Tensor, TirFunction


class ProgramBuilder:
    """Holds what lowering has made so far. `names` says in which tensor each Relax variable lives."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, Array] = {}
        self.steps: list[Step] = []
        self.names: dict[relax.Var, str] = {}
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        """`name`, or `name_2`, `name_3`, ... where it is taken."""
        number, candidate = 1, name
        while candidate in self._taken:
            number += 1
            candidate = f"{name}_{number}"
        self._taken.add(candidate)
        return candidate

    def tensor(self, name: str, shape: tuple[int, ...], dtype: str, quant: Quant | None = None) -> str:
        unique = self.unique(name)
        self.tensors[unique] = Tensor(unique, shape, dtype, quant)
        return unique

    def result(self, var: relax.Var, quant: Quant | None = None) -> str:
        """The tensor of a Relax variable."""
        self.names[var] = self.tensor(var.name, shape_of(var), dtype_of(var), quant)
        return self.names[var]

    def view(self, var: relax.Var, source: str) -> None:
        """`var` is another shape of `source`: the same bytes, no Step."""
        self.names[var] = source

    def constant(self, layer: str, role: str, value: Array) -> str:
        name = self.unique(f"{layer}/{role}")
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def quant(self, name: str) -> Quant | None:
        tensor = self.tensors.get(name)
        return tensor.quant if tensor else None

    def note_quant(self, name: str, scale: float, zero: int) -> None:
        """A reader's dequantize tells the scale of a tensor whose writer did not."""
        tensor = self.tensors.get(name)
        if tensor is not None and tensor.quant is None and tensor.dtype in ("int8", "uint8"):
            self.tensors[name] = replace(tensor, quant=Quant(scale, zero))

    def step(
        self,
        layer: str,
        op: str,
        inputs: tuple[str, ...],
        output: str,
        attrs: Mapping[str, Attr],
        constants: Mapping[str, Array] | None = None,
        macs: int = 0,
    ) -> None:
        names = {role: self.constant(layer, role, value) for role, value in (constants or {}).items()}
        self.steps.append(Step(layer, op, inputs, (output,), dict(attrs), names, macs))

    def tir_step(
        self, layer: str, inputs: tuple[str, ...], outputs: tuple[str, ...], tir: TirFunction
    ) -> None:
        self.steps.append(Step(layer, "tir", inputs, outputs, tir=tir))

    def copy(self, layer: str, source: str, output: str) -> None:
        """All bytes of one tensor into another."""
        size = self.tensors[output].nbytes
        attrs = {"rows": 1, "row_bytes": size, "y_row_bytes": size, "y_offset": 0}
        self.step(layer, "copy_rows", (source,), output, attrs)

    def finish(self, inputs: list[str], outputs: list[relax.Var]) -> Program:
        names = tuple(self._output(var, inputs) for var in outputs)
        return Program(self.name, self.tensors, self.constants, tuple(self.steps), tuple(inputs), names)

    def _output(self, var: relax.Var, inputs: list[str]) -> str:
        """The tensor that a graph output lives in: of its own shape, and shared with no other interface."""
        name = self.names[var]
        first = name in self.tensors and name not in inputs and name not in self._outputs
        if not first:
            source, quant = name, self.quant(name)
            name = self.tensor(var.name, shape_of(var), dtype_of(var), quant)
            self.copy(var.name, source, name)
        elif self.tensors[name].shape != shape_of(var):
            assert prod(shape_of(var)) == prod(self.tensors[name].shape)
            self.tensors[name] = replace(self.tensors[name], shape=shape_of(var))
        self._outputs.add(name)
        return name

    @property
    def _outputs(self) -> set[str]:
        return self.__dict__.setdefault("_output_names", set())  # type: ignore[no-any-return]
