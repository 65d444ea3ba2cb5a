"""Program -> buffers with lifetimes -> a place for each in the arena.

Activations and each Step's scratch share one arena. An activation lives from its first writer to its
last reader; a graph input from the start; a graph output to the end; scratch for its own Step only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgert.codegen.memory import Buffer, MemoryPlan, Overlap, plan
from edgert.codegen.program import Program
from edgert.codegen.select import BoundStep

ARENA_ALIGN_BYTES = 16


@dataclass(frozen=True)
class Arena:
    """buffers are what was placed; live_bytes[i] is the sum of the buffers that Step i needs at once.

    homes: a tensor that lies in the buffer of another, which it replaces -> that buffer's name.
    """

    plan: MemoryPlan
    buffers: tuple[Buffer, ...]
    live_bytes: tuple[int, ...]
    homes: Mapping[str, str]

    @property
    def nbytes(self) -> int:
        return self.plan.arena_bytes

    def offset(self, tensor: str) -> int:
        return self.plan.offsets[self.homes.get(tensor, tensor)]

    def scratch_offset(self, step_index: int) -> int:
        return self.plan.offsets[scratch_name(step_index)]


def scratch_name(step_index: int) -> str:
    return f"(scratch {step_index})"


def place(program: Program, bound: Sequence[BoundStep]) -> Arena:
    """Pack every activation and scratch buffer into one arena (codegen/memory.py).

    An output that may lie exactly on its input does, unless the arena is smaller with the two apart.
    """
    activations = {b.name: b for b in _activations(program)}
    shared = _shared(bound, activations)
    best = _place(bound, activations, shared)
    for output in sorted(shared, key=lambda name: -activations[name].nbytes):
        fewer = {y: x for y, x in shared.items() if y != output}
        tried = _place(bound, activations, fewer)
        if tried.nbytes < best.nbytes:
            best, shared = tried, fewer
    return best


def _place(bound: Sequence[BoundStep], activations: Mapping[str, Buffer], shared: Mapping[str, str]) -> Arena:
    homes = _homes(shared)
    buffers = (*_merged(activations.values(), homes), *_scratch(bound))
    overlaps = tuple(_overlaps(bound, activations, homes))
    live = tuple(sum(b.nbytes for b in buffers if b.first <= i <= b.last) for i in range(len(bound)))
    return Arena(plan(buffers, overlaps), buffers, live, homes)


def _shared(bound: Sequence[BoundStep], lives: Mapping[str, Buffer]) -> dict[str, str]:
    """Output -> the input that dies in making it, and whose very place it may take."""
    found: dict[str, str] = {}
    for index, b in enumerate(bound):
        if b.shares_input:
            x, y = b.step.inputs[0], b.step.outputs[0]
            dies = x in lives and lives[x].last == index and lives[y].first == index
            if dies and lives[x].nbytes == lives[y].nbytes:
                found[y] = x
    return found


def _homes(shared: Mapping[str, str]) -> dict[str, str]:
    """Output -> the first of the tensors that have its place."""
    homes: dict[str, str] = {}
    for y, x in shared.items():
        homes[y] = homes.get(x, x)
    return homes


def _merged(activations: Iterable[Buffer], homes: Mapping[str, str]) -> list[Buffer]:
    """One buffer for all that share a home, alive from the first of them to the last."""
    merged: dict[str, Buffer] = {}
    for b in activations:
        name = homes.get(b.name, b.name)
        seen = merged.get(name, b)
        merged[name] = Buffer(name, b.nbytes, min(seen.first, b.first), max(seen.last, b.last))
    return list(merged.values())


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


def _overlaps(
    bound: Sequence[BoundStep], lives: Mapping[str, Buffer], homes: Mapping[str, str]
) -> list[Overlap]:
    """The (output, input) pairs that may share bytes: the input dies in the Step that makes the output."""
    found = []
    for index, b in enumerate(bound):
        output = b.step.outputs[0]
        if len(b.step.outputs) != 1 or lives[output].first != index or output in homes:
            continue
        leads: dict[str, int | None] = {}
        for position, name in enumerate(b.step.inputs):
            if name not in lives or lives[name].last != index or name == output:
                continue
            lead = b.lead_bytes(position)
            seen = leads.get(name, lead)
            leads[name] = None if lead is None or seen is None else max(lead, seen)
        found += [
            Overlap(output, homes.get(name, name), lead) for name, lead in leads.items() if lead is not None
        ]
    return found
