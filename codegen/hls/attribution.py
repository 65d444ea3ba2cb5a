"""Whose cycles are they: a run's cycles, shared out among layers that run at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from edgert.codegen.hls.cycles import Span
from edgert.codegen.hls.design import Design
from edgert.codegen.hls.isa import Machine


def layer_cycles(design: Design, spans: Sequence[Span], cycles: int) -> dict[str, int]:
    """Layer -> cycles; the rest, in which nothing runs, is under "". They add up to `cycles`.

    A cycle in which units compute is shared by their layers, by how many units each has; one in which only
    words are moved, by the layers that they are moved for. A command that is read ahead counts from the end
    of the one before it.
    """
    edges: dict[int, list[tuple[int, bool, str, int]]] = {0: [], cycles: []}
    for start, end, name, agent in _pieces(design, spans):
        for at, by in ((start, 1), (end, -1)):
            edges.setdefault(min(at, cycles), []).append((by, agent >= Machine.FIRST_CORE, name, agent))
    found: dict[str, float] = {}
    active: dict[bool, Counter[tuple[str, int]]] = {True: Counter(), False: Counter()}
    times = sorted(edges)
    for now, then in pairwise(times):
        for by, computes, name, agent in edges[now]:
            active[computes][name, agent] += by
            if not active[computes][name, agent]:
                del active[computes][name, agent]
        running = [name for name, _ in active[True] or active[False]] or [""]
        for name in running:
            found[name] = found.get(name, 0.0) + (then - now) / len(running)
    return _whole(found, cycles)


def active_cycles(design: Design, spans: Sequence[Span]) -> dict[str, int]:
    """Layer -> cycles in which any unit computes for it, whatever runs beside it."""
    found: dict[str, int] = {}
    ends: dict[str, int] = {}
    for start, end, name, agent in sorted(_pieces(design, spans)):
        if agent >= Machine.FIRST_CORE:
            found[name] = found.get(name, 0) + max(0, end - max(start, ends.get(name, 0)))
            ends[name] = max(end, ends.get(name, 0))
    return found


def _pieces(design: Design, spans: Sequence[Span]) -> Iterator[tuple[int, int, str, int]]:
    """(first cycle, behind the last, layer, agent) of each command, less its overlap with the one before."""
    ends = [0] * len(design.agents)
    for span in sorted(spans, key=lambda s: (s.agent, s.command)):
        start = max(span.start, ends[span.agent])
        ends[span.agent] = max(start, span.end)
        yield start, ends[span.agent], design.agents[span.agent][span.command].tag.step, span.agent


def _whole(shares: dict[str, float], total: int) -> dict[str, int]:
    """Rounded so that the sum is exact."""
    found, done, sum_ = {}, 0, 0.0
    for name, share in shares.items():
        sum_ += share
        found[name] = round(sum_) - done
        done += found[name]
    found[""] = found.get("", 0) + total - done
    return found
