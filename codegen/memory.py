"""Arena planner: interface (the algorithm follows)."""

from __future__ import annotations

from dataclasses import dataclass


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
    """`output` may overlap `input` where offset(output) + lead_bytes <= offset(input)."""

    output: str
    input: str
    lead_bytes: int


@dataclass(frozen=True)
class MemoryPlan:
    """offsets in bytes from the arena's start. exact: arena_bytes is proven minimal."""

    offsets: dict[str, int]
    arena_bytes: int
    lower_bound_bytes: int
    exact: bool
