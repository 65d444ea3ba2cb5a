"""csrc/kernels/depthwise_conv2d"""

from __future__ import annotations

from edgert.codegen.kernels.variant import Variant

VARIANTS = (Variant("depthwise_conv2d_s8", "ref", "kernels/depthwise_conv2d/depthwise_conv2d_s8.h"),)
