"""csrc/kernels/lut"""

from __future__ import annotations

from edgert.codegen.kernels.variant import Variant, in_place

VARIANTS = (Variant("lut_s8", "ref", "kernels/lut/lut_s8.h", lead_bytes=in_place),)
