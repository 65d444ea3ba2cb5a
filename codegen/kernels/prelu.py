"""csrc/kernels/prelu"""

from __future__ import annotations

from edgert.codegen.kernels.variant import Variant, in_place

VARIANTS = (Variant("prelu_s8", "ref", "kernels/prelu/prelu_s8.h", lead_bytes=in_place),)
