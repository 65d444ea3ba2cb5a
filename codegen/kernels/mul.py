"""csrc/kernels/mul"""

from __future__ import annotations

from edgert.codegen.kernels import broadcast
from edgert.codegen.kernels.variant import Variant

VARIANTS = (Variant("mul_s8", "ref", "kernels/mul/mul_s8.h", lead_bytes=broadcast.lead_bytes),)
