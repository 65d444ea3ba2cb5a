"""csrc/kernels/add"""

from __future__ import annotations

from edgert.codegen.kernels import broadcast
from edgert.codegen.kernels.variant import Variant

VARIANTS = (Variant("add_s8", "ref", "kernels/add/add_s8.h", lead_bytes=broadcast.lead_bytes),)
