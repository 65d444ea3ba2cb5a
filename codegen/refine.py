"""Exact rewrites of a Program, in the order that they need: the same output bytes for every input."""

from __future__ import annotations

from dataclasses import dataclass

from edgert.codegen.bounds import IdleClamp, tell_bounds
from edgert.codegen.fuse_pool import fuse_pool
from edgert.codegen.order_bits import order_bits
from edgert.codegen.program import Program
from edgert.codegen.prune import Removal, prune


@dataclass(frozen=True, eq=False)
class Refined:
    """removals, idle: what was left out, with the reasons."""

    program: Program
    removals: tuple[Removal, ...]
    idle: tuple[IdleClamp, ...]


def refine(program: Program) -> Refined:
    """Constant channels out, idle clamps open, pools into convolutions, bits in the order of trees."""
    program, removals = prune(program)
    program, idle = tell_bounds(program)
    return Refined(order_bits(fuse_pool(program)), removals, idle)
