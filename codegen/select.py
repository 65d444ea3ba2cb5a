"""Each Step gets a kernel: the first variant in `VARIANTS` that the target and the Step allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgert.codegen.contracts import check_step
from edgert.codegen.kernels import VARIANTS, Variant
from edgert.codegen.kernels.variant import Constants
from edgert.codegen.program import Array, Program, Step


@dataclass(frozen=True, eq=False)
class BoundStep:
    """A Step, the kernel that will run it, and its constants packed as that kernel reads them.

    variant is None for a Step printed from TIR. constants: C argument name -> array, in argument order.
    """

    step: Step
    variant: Variant | None
    constants: Mapping[str, Array]

    @property
    def scratch_bytes(self) -> int:
        if self.variant is None:
            assert self.step.tir is not None
            return self.step.tir.scratch_bytes
        return self.variant.scratch_bytes(self.step)

    @property
    def variant_name(self) -> str:
        return self.variant.label if self.variant else "tir"

    @property
    def weights_bytes(self) -> int:
        return sum(array.nbytes for array in self.constants.values())

    @property
    def shares_input(self) -> bool:
        """Whether the output may lie exactly on the first input."""
        return self.variant is not None and self.variant.shares_input(self.step)

    def lead_bytes(self, input_index: int) -> int | None:
        """How far the output must lead the input to overlap it safely; None: it must not overlap."""
        return self.variant.lead_bytes(self.step, input_index) if self.variant else None


def candidates(step: Step, constants: Constants, features: frozenset[str]) -> tuple[Variant, ...]:
    """Every variant for this Step and its plain constants on a target with these ISA features, best first."""
    fitting = (v for v in VARIANTS if v.contract == step.op and v.requires <= features)
    return tuple(v for v in fitting if v.supports(step, constants))


def bind(
    program: Program, features: frozenset[str], labels: Mapping[str, str] | None = None
) -> tuple[BoundStep, ...]:
    """A kernel for every Step, its constants packed: the first that fits, or the one with the given label.

    labels: Step name -> label of a variant, as a tuner found it; one that no longer fits is passed over.
    """
    wanted = labels or {}
    return tuple(_bind_step(program, step, features, wanted.get(step.name)) for step in program.steps)


def choices(program: Program, step: Step, features: frozenset[str]) -> tuple[str, ...]:
    """The labels of the variants that can do a Step, the default first; without the reference, if there is
    another."""
    if step.op == "tir":
        return ()
    labels = [v.label for v in candidates(step, _plain(program, step), features)]
    return tuple(label for label in labels if label != "ref" or len(labels) == 1)


def fewest_kernels(program: Program, features: frozenset[str]) -> dict[str, str]:
    """Step name -> label, so that the Steps of a contract need one copy of its code, if one can serve them.

    Tunables that may differ between layers that share a copy (Variant.varying) are left alone.
    """
    fitting = {
        step.name: candidates(step, _plain(program, step), features)
        for step in program.steps
        if step.op != "tir"
    }
    labels: dict[str, str] = {}
    for op in {step.op for step in program.steps if step.op != "tir"}:
        steps = [step.name for step in program.steps if step.op == op]
        common = set.intersection(*({_copy(v) for v in fitting[name]} for name in steps))
        first = next((v for v in fitting[steps[0]] if _copy(v) in common and v.varying), None)
        if first is not None:
            labels |= {name: _like(first, fitting[name]).label for name in steps}
    return labels


def _copy(v: Variant) -> tuple[object, ...]:
    """What tells one copy of a shared kernel from another."""
    return (v.name, *(argument for argument in v.arguments if argument[0] not in v.varying))


def _like(wanted: Variant, fitting: Sequence[Variant]) -> Variant:
    return next(v for v in fitting if _copy(v) == _copy(wanted))


def alternatives(program: Program, b: BoundStep, features: frozenset[str]) -> Iterator[BoundStep]:
    """The same Step with the same kernel under other tunables, best first."""
    if b.variant is not None:
        plain = _plain(program, b.step)
        for variant in candidates(b.step, plain, features):
            if variant.name == b.variant.name and variant is not b.variant:
                yield BoundStep(b.step, variant, variant.pack(b.step, plain))


def _bind_step(program: Program, step: Step, features: frozenset[str], label: str | None) -> BoundStep:
    check_step(step)
    if step.op == "tir":
        return BoundStep(step, None, {})
    plain = _plain(program, step)
    fitting = candidates(step, plain, features)
    variant = next((v for v in fitting if v.label == label), fitting[0])
    return BoundStep(step, variant, variant.pack(step, plain))


def _plain(program: Program, step: Step) -> dict[str, Array]:
    return {role: program.constants[name] for role, name in step.constants.items()}
