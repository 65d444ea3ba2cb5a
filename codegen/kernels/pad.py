"""csrc/kernels/pad"""

from __future__ import annotations

from edgert.codegen.kernels.overlap import ints
from edgert.codegen.kernels.variant import Variant
from edgert.codegen.program import Step


def lead_bytes(step: Step, input_index: int) -> int | None:
    """The padding in front of the last input element: everything up to there is written before it is read."""
    dims, before = ints(step, "d0", "d1", "d2", "d3"), ints(step, "before0", "before1", "before2", "before3")
    after = ints(step, "after0", "after1", "after2", "after3")
    x_last = y_last = 0
    for dim, front, back in zip(dims, before, after, strict=True):
        x_last = x_last * dim + dim - 1
        y_last = y_last * (front + dim + back) + front + dim - 1
    return (y_last - x_last) * ints(step, "element_bytes")[0]


VARIANTS = (Variant("pad", "ref", "kernels/pad/pad.h", lead_bytes=lead_bytes),)
