"""csrc/kernels/fully_connected"""

from __future__ import annotations

from edgert.codegen.kernels.variant import Variant

VARIANTS = (Variant("fully_connected_s8", "ref", "kernels/fully_connected/fully_connected_s8.h"),)
