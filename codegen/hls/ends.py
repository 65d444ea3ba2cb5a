"""What of a network is in the circuit, and what the host does at the two ends: layers that no unit can do.

The circuit takes the whole middle. A layer without a unit that only inputs of the network lead to is computed
before it; one that leads to nothing but outputs, behind it; both as C. One in the middle is refused by name
(tasks.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgert.codegen.hls.tasks import supported
from edgert.codegen.program import Program, Step
from edgert.errors import UnsupportedOperatorError


@dataclass(frozen=True, eq=False)
class Ends:
    """before, behind: what the host computes; None where nothing is left to it. circuit: the middle.

    A part's inputs and outputs are tensors of the network.
    """

    before: Program | None
    circuit: Program
    behind: Program | None


def ends(program: Program) -> Ends:
    """Raises UnsupportedOperatorError if no layer has a unit."""
    first = _first(program)
    rest = [step for step in program.steps if step not in first]
    last = _last(program, rest)
    middle = [step for step in rest if step not in last]
    if not middle:
        raise UnsupportedOperatorError(
            "no layer has a unit in the circuit", where=program.name,
            rule="at least one layer is int8 or binary", hint="edgert quantize makes a float network int8",
        )  # fmt: skip
    return Ends(
        _part(program, first, "before") if first else None,
        _part(program, middle, "") if first or last else program,
        _part(program, last, "behind") if last else None,
    )


def _writers(steps: Sequence[Step], tensor: str) -> list[Step]:
    return [step for step in steps if tensor in step.outputs]


def _readers(steps: Sequence[Step], tensor: str) -> list[Step]:
    return [step for step in steps if tensor in step.inputs]


def _first(program: Program) -> list[Step]:
    """Steps without a unit whose inputs come from outside, or from such steps."""
    found: list[Step] = []
    for step in program.steps:
        if not supported(step) and all(w in found for x in step.inputs for w in _writers(program.steps, x)):
            found.append(step)
    return found


def _last(program: Program, steps: Sequence[Step]) -> list[Step]:
    """Steps without a unit whose outputs go nowhere but to such steps, in order."""
    found: list[Step] = []
    for step in reversed(steps):
        if not supported(step) and all(r in found for y in step.outputs for r in _readers(steps, y)):
            found.append(step)
    return found[::-1]


def _part(program: Program, steps: Sequence[Step], suffix: str) -> Program:
    """These Steps as a Program: it reads what others make, and returns what others read."""
    others = [step for step in program.steps if step not in steps]
    read = dict.fromkeys(x for step in steps for x in step.inputs if x in program.tensors)
    made = dict.fromkeys(y for step in steps for y in step.outputs)
    wanted = {x for step in others for x in step.inputs} | set(program.outputs)
    constants = {c for step in steps for c in (*step.constants.values(), *step.inputs)}
    return replace(
        program,
        name=f"{program.name}_{suffix}" if suffix else program.name,
        tensors={name: t for name, t in program.tensors.items() if name in read or name in made},
        constants={name: c for name, c in program.constants.items() if name in constants},
        steps=tuple(steps),
        inputs=tuple(name for name in read if not _writers(steps, name)),
        outputs=tuple(name for name in made if name in wanted),
    )
