"""Arena planner: a byte offset for every buffer, as few bytes in all as can be.

Buffers that live at the same time lie apart, except an output over the input that it replaces, as far
as the kernel allows (Overlap). The plan is the best of several greedy orders and a local search, then
branch and bound (codegen/memory_search.py), which on the networks of a microcontroller mostly ends
with a proof. Work is bounded by counting nodes, never by the clock: same input, same plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgert.codegen import memory_search

DEFAULT_NODE_BUDGET = 3000


@dataclass(frozen=True)
class Buffer:
    """Bytes that must exist from step `first` to step `last`, both included."""

    name: str
    nbytes: int
    first: int
    last: int
    align: int = 4


@dataclass(frozen=True)
class Overlap:
    """`output` may overlap `input` where offset(output) + lead_bytes <= offset(input).

    `input` dies in the step that makes `output`: input.last == output.first. A negative lead lets the
    output start that far behind the input's start. Lying apart is always allowed.
    """

    output: str
    input: str
    lead_bytes: int


@dataclass(frozen=True)
class MemoryPlan:
    """offsets in bytes from the arena's start. exact: arena_bytes is proven minimal.

    lower_bound_bytes: no plan can be smaller; equals arena_bytes where exact.
    """

    offsets: dict[str, int]
    arena_bytes: int
    lower_bound_bytes: int
    exact: bool


def plan(
    buffers: Sequence[Buffer], overlaps: Sequence[Overlap] = (), *, node_budget: int = DEFAULT_NODE_BUDGET
) -> MemoryPlan:
    """Place every buffer.

    node_budget: how many nodes branch and bound may visit (some 10,000 a second on small graphs).
    """
    names = [b.name for b in buffers]
    assert len(set(names)) == len(names), "buffer names must differ"
    problem = _problem(buffers, overlaps)
    bound = lower_bound(buffers, overlaps)
    best = memory_search.solve(problem, bound, node_budget)
    arena = memory_search.extent(problem, best.offsets)
    exact = best.proven or arena == bound
    result = MemoryPlan(dict(zip(names, best.offsets, strict=True)), arena, arena if exact else bound, exact)
    assert not violations(result, buffers, overlaps), violations(result, buffers, overlaps)
    return result


def lower_bound(buffers: Sequence[Buffer], overlaps: Sequence[Overlap] = ()) -> int:
    """Bytes that some step needs whatever the placement: its live bytes less what overlaps may share.

    An output shares at most shared_bytes() with each of its inputs and at most its own size with all.
    """
    by_name = {b.name: b for b in buffers}
    shared: dict[str, int] = {}
    for o in overlaps:
        shared[o.output] = shared.get(o.output, 0) + shared_bytes(
            by_name[o.output].nbytes, by_name[o.input].nbytes, o.lead_bytes
        )
    need = max((b.nbytes for b in buffers), default=0)
    for step in sorted({b.first for b in buffers}):
        live = [b for b in buffers if b.first <= step <= b.last]
        saved = sum(min(b.nbytes, shared.get(b.name, 0)) for b in live if b.first == step)
        need = max(need, sum(b.nbytes for b in live) - saved)
    return need


def shared_bytes(output_bytes: int, input_bytes: int, lead_bytes: int) -> int:
    """The most bytes that an output and its input can have in common under a lead."""
    apart = output_bytes + input_bytes
    return apart - min(apart, max(output_bytes, max(lead_bytes, 0) + input_bytes))


def violations(
    memory_plan: MemoryPlan, buffers: Sequence[Buffer], overlaps: Sequence[Overlap] = ()
) -> list[str]:
    """What is wrong with a plan, in words; empty if it is valid. Simple on purpose: it checks `plan`."""
    offsets = memory_plan.offsets
    allowed = {(o.output, o.input): o.lead_bytes for o in overlaps}
    found = []
    for i, a in enumerate(buffers):
        start, end = offsets[a.name], offsets[a.name] + a.nbytes
        if start < 0 or start % a.align or end > memory_plan.arena_bytes:
            found.append(f"{a.name} at {start}..{end}: outside the arena, or not {a.align}-byte aligned")
        for b in buffers[:i]:
            if a.last < b.first or b.last < a.first:
                continue
            apart = end <= offsets[b.name] or offsets[b.name] + b.nbytes <= start
            trails = any(
                (y, x) in allowed and offsets[y] + allowed[y, x] <= offsets[x]
                for y, x in ((a.name, b.name), (b.name, a.name))
            )
            if not (apart or trails):
                found.append(f"{a.name} and {b.name} live at the same time and overlap")
    return found


def picture(memory_plan: MemoryPlan, buffers: Sequence[Buffer], *, rows: int = 16, names: bool = True) -> str:
    """The arena as text: a column per step, addresses upwards, a letter per buffer, `*` where two overlap."""
    steps = max((b.last for b in buffers), default=0) + 1
    letters = {b.name: _letter(i) for i, b in enumerate(buffers)}
    row_bytes = max(1, -(-memory_plan.arena_bytes // rows))
    lines = []
    for row in reversed(range(-(-memory_plan.arena_bytes // row_bytes))):
        low, high = row * row_bytes, (row + 1) * row_bytes
        cells = [_cell(memory_plan, buffers, letters, step, low, high) for step in range(steps)]
        lines.append(f"{low:>9,} |{''.join(cells)}")
    lines.append(f"{'bytes':>9} +{'-' * steps}> step")
    if names:
        lines += [
            f"{letters[b.name]:>11} {b.name}: {b.nbytes:,} bytes at {memory_plan.offsets[b.name]:,},"
            f" steps {b.first}-{b.last}"
            for b in buffers
        ]
    return "\n".join(lines)


def _letter(index: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return alphabet[index % len(alphabet)]


def _cell(
    memory_plan: MemoryPlan,
    buffers: Sequence[Buffer],
    letters: dict[str, str],
    step: int,
    low: int,
    high: int,
) -> str:
    """What one step has in [low, high): shown at the middle of the row, or its edge for small buffers."""
    here = [
        b
        for b in buffers
        if b.first <= step <= b.last
        and memory_plan.offsets[b.name] < high
        and memory_plan.offsets[b.name] + b.nbytes > low
    ]
    middle = (low + high) // 2
    exact = [
        b for b in here if memory_plan.offsets[b.name] <= middle < memory_plan.offsets[b.name] + b.nbytes
    ]
    shown = exact or here
    if not shown:
        return "."
    return letters[shown[0].name] if len(shown) == 1 or not exact else "*"


def _problem(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> memory_search.Problem:
    """Every pair that lives together, as `x[i] + d_ij <= x[j] or x[j] + d_ji <= x[i]`."""
    index = {b.name: i for i, b in enumerate(buffers)}
    leads = {(index[o.output], index[o.input]): o.lead_bytes for o in overlaps}
    pairs = []
    for j, b in enumerate(buffers):
        for i, a in enumerate(buffers[:j]):
            if a.last < b.first or b.last < a.first or not a.nbytes or not b.nbytes:
                continue
            d_ij = min(a.nbytes, leads.get((i, j), a.nbytes))
            d_ji = min(b.nbytes, leads.get((j, i), b.nbytes))
            if d_ij + d_ji > 0:  # otherwise one of the two always holds
                pairs.append(memory_search.Pair(i, j, d_ij, d_ji))
    return memory_search.Problem(
        tuple(b.nbytes for b in buffers), tuple(b.align for b in buffers), tuple(pairs)
    )
