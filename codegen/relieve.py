"""Where a kernel's scratch makes the arena larger, another variant of it that needs less takes its place.

The first variant of a list is the fastest; the fastest may gather a whole image where a slower one, by a few
per cent, gathers some rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgert.codegen import arena as arenas
from edgert.codegen.arena import Arena
from edgert.codegen.program import Program
from edgert.codegen.select import BoundStep, alternatives

_WORTH = 50  # scratch below 1/50 of the arena is left alone, and so is an arena that would shrink by less


def relieve(
    program: Program, bound: Sequence[BoundStep], features: frozenset[str]
) -> tuple[tuple[BoundStep, ...], Arena]:
    """The kernels and the arena, after every exchange of one kernel that made the arena smaller."""
    chosen, arena = list(bound), arenas.place(program, bound)
    for index in sorted(range(len(chosen)), key=lambda i: -chosen[i].scratch_bytes):
        if chosen[index].scratch_bytes * _WORTH < arena.nbytes:
            break
        for other in alternatives(program, chosen[index], features):
            if other.scratch_bytes >= chosen[index].scratch_bytes:
                continue
            tried = [*chosen[:index], other, *chosen[index + 1 :]]
            smaller = arenas.place(program, tried)
            if smaller.nbytes * _WORTH < arena.nbytes * (_WORTH - 1):
                chosen, arena = tried, smaller
                break
    return tuple(chosen), arena
