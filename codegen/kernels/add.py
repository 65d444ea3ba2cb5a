"""csrc/kernels/add"""

from __future__ import annotations

from edgert.codegen.kernels import broadcast
from edgert.codegen.kernels.overlap import ints
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Step


def scalar_supports(step: Step, constants: Constants) -> bool:
    left_shift, x0_shift, x1_shift, y_shift = ints(step, "left_shift", "x0_shift", "x1_shift", "y_shift")
    operands = all(-22 <= shift <= 0 for shift in (x0_shift, x1_shift))
    return left_shift == 20 and operands and -22 <= y_shift <= -1


VARIANTS = (
    Variant(
        "add_s8",
        "scalar",
        "kernels/add/add_s8__scalar.h",
        supports=scalar_supports,
        lead_bytes=broadcast.lead_bytes,
    ),
    Variant("add_s8", "ref", "kernels/add/add_s8.h", lead_bytes=broadcast.lead_bytes),
)
