"""csrc/kernels/matmul"""

from __future__ import annotations

from edgert.codegen.kernels.variant import Variant

VARIANTS = (Variant("matmul_s8", "ref", "kernels/matmul/matmul_s8.h"),)
