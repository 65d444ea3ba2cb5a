"""What the operators with two operands share: csrc/include/ert_broadcast.h"""

from __future__ import annotations

from edgert.codegen.kernels.overlap import ints
from edgert.codegen.program import Step


def lead_bytes(step: Step, input_index: int) -> int | None:
    """0 for an operand that is read in the order that the output is written, None for a broadcast one."""
    dims = ints(step, "d0", "d1", "d2", "d3")
    strides = ints(step, *(f"x{input_index}_s{axis}" for axis in range(4)))
    dense = 1
    for dim, stride in zip(reversed(dims), reversed(strides), strict=True):
        if dim != 1 and stride != dense:
            return None
        dense *= dim
    return 0
