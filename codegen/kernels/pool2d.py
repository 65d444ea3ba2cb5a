"""csrc/kernels/pool2d"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgert.codegen.kernels.overlap import image_positions, ints, lead
from edgert.codegen.kernels.variant import Constants, Variant, always
from edgert.codegen.program import Step


def lead_bytes(step: Step, input_index: int) -> int | None:
    """Exact: each output element needs nothing before the first element of its window."""
    batch, in_h, in_w, channels, out_h, out_w = ints(
        step, "batch", "in_h", "in_w", "channels", "out_h", "out_w"
    )
    stride_h, stride_w, pad_top, pad_left = ints(step, "stride_h", "stride_w", "pad_top", "pad_left")
    rows = np.maximum(np.arange(out_h) * stride_h - pad_top, 0)
    columns = np.maximum(np.arange(out_w) * stride_w - pad_left, 0)
    return lead(image_positions(batch, in_h, in_w, channels, rows, columns))


def sums_fit(step: Step, constants: Constants) -> bool:
    """A window's sum in 16 bits."""
    kernel_h, kernel_w = ints(step, "kernel_h", "kernel_w")
    return kernel_h * kernel_w <= 255


def _dsp(contract: str, supports: Callable[[Step, Constants], bool]) -> Variant:
    return Variant(
        contract,
        "dsp",
        "kernels/pool2d/pool2d_s8__dsp.h",
        requires=frozenset({"arm-dsp"}),
        supports=supports,
        lead_bytes=lead_bytes,
    )


VARIANTS = (
    _dsp("max_pool2d_s8", always),
    _dsp("avg_pool2d_s8", sums_fit),
    Variant("max_pool2d_s8", "ref", "kernels/pool2d/max_pool2d_s8.h", lead_bytes=lead_bytes),
    Variant("avg_pool2d_s8", "ref", "kernels/pool2d/avg_pool2d_s8.h", lead_bytes=lead_bytes),
)
