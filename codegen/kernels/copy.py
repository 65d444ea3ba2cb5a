"""csrc/kernels/copy"""

from __future__ import annotations

from edgert.codegen.kernels.overlap import ints, lead, positions
from edgert.codegen.kernels.variant import Variant
from edgert.codegen.program import Step


def strided_lead_bytes(step: Step, input_index: int) -> int | None:
    """Exact, byte by byte: each output byte reads one input byte."""
    dims, strides = ints(step, "d0", "d1", "d2", "d3"), ints(step, "s0", "s1", "s2", "s3")
    begin, element_bytes = ints(step, "begin", "element_bytes")
    byte_strides = tuple(stride * element_bytes for stride in strides)
    return lead(positions((*dims, element_bytes), (*byte_strides, 1), begin * element_bytes))


def rows_lead_bytes(step: Step, input_index: int) -> int | None:
    """A plain copy may run in place; a part of a concat meets a buffer that others have written into."""
    row_bytes, y_row_bytes = ints(step, "row_bytes", "y_row_bytes")
    return 0 if row_bytes == y_row_bytes else None


VARIANTS = (
    Variant("strided_copy", "ref", "kernels/copy/strided_copy.h", lead_bytes=strided_lead_bytes),
    Variant("copy_rows", "ref", "kernels/copy/copy_rows.h", lead_bytes=rows_lead_bytes),
)
