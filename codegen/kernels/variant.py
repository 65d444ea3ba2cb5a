"""What the compiler knows of one C kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgert.codegen.program import Array, Step

Constants = Mapping[str, Array]


def always(step: Step, constants: Constants) -> bool:
    return True


def as_is(step: Step, constants: Constants) -> dict[str, Array]:
    return dict(constants)


def no_scratch(step: Step) -> int:
    return 0


def apart(step: Step, input_index: int) -> int | None:
    """The output must not overlap the input."""
    return None


def in_place(step: Step, input_index: int) -> int | None:
    """Element i of the output is written after element i of the input was last read."""
    return 0


def never(step: Step) -> bool:
    return False


@dataclass(frozen=True)
class Variant:
    """requires: ISA features the target must have.
    supports: whether it can do this Step with these weights (in the plain layout).

    pack: role -> plain array in, C argument name -> packed array out, in argument order.
    lead_bytes: the safe overlap. The output may start at address y wherever
    y + lead_bytes <= x, the input's address, or where the two do not meet at all; None: never overlap.
    The number may be negative (the output is much smaller than the input it trails).
    shares_input: the output may lie exactly on input 0, which is of the same size; useful where the kernel
    has no lead.
    uses_scratch: the C function has a scratch argument.
    varying: attrs and tunables that may differ between layers that share one out-of-line copy of the kernel
    (codegen/c/shared.py); the others stay literals in it. Empty: such a copy is not worth it.
    arguments: tunables, (name, value), passed to the C function after g. Several Variants may share one C
    function and differ in these; the first in `VARIANTS` is the default, the tuner may prefer another.
    """

    contract: str
    name: str
    header: str
    requires: frozenset[str] = frozenset()
    supports: Callable[[Step, Constants], bool] = always
    pack: Callable[[Step, Constants], dict[str, Array]] = as_is
    scratch_bytes: Callable[[Step], int] = no_scratch
    lead_bytes: Callable[[Step, int], int | None] = apart
    shares_input: Callable[[Step], bool] = never
    uses_scratch: bool = False
    varying: tuple[str, ...] = ()
    arguments: tuple[tuple[str, int], ...] = ()

    @property
    def function(self) -> str:
        return f"ert_{self.contract}__{self.name}"

    @property
    def label(self) -> str:
        """Name and tunables: "dsp", "dsp(band=4)"; unique within a contract."""
        tunables = ", ".join(f"{name}={value}" for name, value in self.arguments)
        return f"{self.name}({tunables})" if tunables else self.name
