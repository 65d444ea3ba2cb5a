"""csrc/kernels/conv2d"""

from __future__ import annotations

from edgert.codegen.kernels.variant import Variant

VARIANTS = (Variant("conv2d_s8", "ref", "kernels/conv2d/conv2d_s8.h"),)
