"""csrc/kernels/mean"""

from __future__ import annotations

from edgert.codegen.kernels.overlap import ints, lead, positions
from edgert.codegen.kernels.variant import Variant
from edgert.codegen.program import Step


def lead_bytes(step: Step, input_index: int) -> int | None:
    """Exact: output (o, i) reads x[o, :, i]."""
    outer, reduce, inner = ints(step, "outer", "reduce", "inner")
    return lead(positions((outer, inner), (reduce * inner, 1)))


VARIANTS = (Variant("mean_s8", "ref", "kernels/mean/mean_s8.h", lead_bytes=lead_bytes),)
