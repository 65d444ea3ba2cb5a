"""csrc/kernels/quantize"""

from __future__ import annotations

import numpy as np

from edgert.codegen.kernels.overlap import ints, lead
from edgert.codegen.kernels.variant import Variant
from edgert.codegen.program import Step


def quantize_lead_bytes(step: Step, input_index: int) -> int | None:
    """4-byte elements become 1-byte elements."""
    (size,) = ints(step, "size")
    return lead(np.arange(size), 1, read_bytes=4)


def dequantize_lead_bytes(step: Step, input_index: int) -> int | None:
    """1-byte elements become 4-byte elements: the output has to start well before the input."""
    (size,) = ints(step, "size")
    return lead(np.arange(size), 4, read_bytes=1)


VARIANTS = (
    Variant("quantize_f32_s8", "ref", "kernels/quantize/quantize_f32_s8.h", lead_bytes=quantize_lead_bytes),
    Variant(
        "dequantize_s8_f32", "ref", "kernels/quantize/dequantize_s8_f32.h", lead_bytes=dequantize_lead_bytes
    ),
)
