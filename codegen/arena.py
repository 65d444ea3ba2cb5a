"""Program -> buffers with lifetimes -> a place for each in the arena.

Activations and each Step's scratch share one arena. An activation lives from its first writer to its
last reader; a graph input from the start; a graph output to the end; scratch for its own Step only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgert.codegen.memory import Buffer, MemoryPlan, Overlap, plan
from edgert.codegen.program import Program
from edgert.codegen.select import BoundStep

ARENA_ALIGN_BYTES = 16


@dataclass(frozen=True)
class Arena:
    """buffers are what was placed; live_bytes[i] is the sum of the buffers that Step i needs at once."""

    plan: MemoryPlan
    buffers: tuple[Buffer, ...]
    live_bytes: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return self.plan.arena_bytes

    def offset(self, tensor: str) -> int:
        return self.plan.offsets[tensor]

    def scratch_offset(self, step_index: int) -> int:
        return self.plan.offsets[scratch_name(step_index)]


def scratch_name(step_index: int) -> str:
    return f"(scratch {step_index})"


def place(program: Program, bound: Sequence[BoundStep]) -> Arena:
    """Pack every activation and scratch buffer into one arena (codegen/memory.py)."""
    buffers = (*_activations(program), *_scratch(bound))
    lives = {b.name: b for b in buffers}
    overlaps = tuple(_overlaps(bound, lives))
    live = tuple(sum(b.nbytes for b in buffers if b.first <= i <= b.last) for i in range(len(bound)))
    return Arena(plan(buffers, overlaps), buffers, live)


def _activations(program: Program) -> list[Buffer]:
    end = len(program.steps) - 1
    writers: dict[str, list[int]] = {name: [] for name in program.tensors}
    readers: dict[str, list[int]] = {name: [] for name in program.tensors}
    for index, step in enumerate(program.steps):
        for name in step.outputs:
            writers[name].append(index)
        for name in step.inputs:
            if name in program.tensors:
                readers[name].append(index)
    buffers = []
    for name, tensor in program.tensors.items():
        first = 0 if name in program.inputs else min(writers[name])
        last = end if name in program.outputs else max([first, *writers[name], *readers[name]])
        buffers.append(Buffer(name, max(1, tensor.nbytes), first, last))
    return buffers


def _scratch(bound: Sequence[BoundStep]) -> list[Buffer]:
    return [
        Buffer(scratch_name(i), b.scratch_bytes, i, i, align=8)
        for i, b in enumerate(bound)
        if b.scratch_bytes > 0
    ]


def _overlaps(bound: Sequence[BoundStep], lives: dict[str, Buffer]) -> list[Overlap]:
    """The (output, input) pairs that may share bytes: the input dies in the Step that makes the output."""
    found = []
    for index, b in enumerate(bound):
        output = b.step.outputs[0]
        if len(b.step.outputs) != 1 or lives[output].first != index:
            continue
        leads: dict[str, int | None] = {}
        for position, name in enumerate(b.step.inputs):
            if name not in lives or lives[name].last != index or name == output:
                continue
            lead = b.lead_bytes(position)
            seen = leads.get(name, lead)
            leads[name] = None if lead is None or seen is None else max(lead, seen)
        found += [Overlap(output, name, lead) for name, lead in leads.items() if lead is not None]
    return found
