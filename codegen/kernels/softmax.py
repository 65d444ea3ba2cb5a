"""csrc/kernels/softmax"""

from __future__ import annotations

from edgert.codegen.kernels.variant import Variant, in_place

# in place: a row's last pass reads each element just before it writes it
VARIANTS = (Variant("softmax_s8", "ref", "kernels/softmax/softmax_s8.h", lead_bytes=in_place),)
