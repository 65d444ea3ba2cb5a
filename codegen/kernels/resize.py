"""csrc/kernels/resize"""

from __future__ import annotations

import numpy as np

from edgert.codegen.kernels.overlap import Int, image_positions, ints, lead
from edgert.codegen.kernels.variant import Variant
from edgert.codegen.program import Step

_IMAGE = ("batch", "in_h", "in_w", "channels", "out_h", "out_w", "align_corners", "half_pixel_centers")


def bilinear_low(ins: int, outs: int, align_corners: int, half_pixel_centers: int) -> Int:
    """The lower of the two neighbours of each output position; ert_bilinear_tap in C."""
    corners = align_corners and outs > 1
    span_in, span_out = (ins - 1, outs - 1) if corners else (ins, outs)
    step = (1024 * span_in + span_out // 2) // span_out
    position = np.arange(outs, dtype=np.int64) * step + (step // 2 - 512 if half_pixel_centers else 0)
    return np.asarray(np.clip(position // 1024, 0, ins - 1), np.int64)


def nearest(ins: int, outs: int, align_corners: int, half_pixel_centers: int) -> Int:
    """The input position of each output position, in float32 like ert_nearest in C."""
    corners = align_corners and outs > 1
    span_in, span_out = (ins - 1, outs - 1) if corners else (ins, outs)
    ratio = np.float32(span_in) / np.float32(span_out)
    offset = np.float32(0.5 if half_pixel_centers else 0)
    position = (np.arange(outs).astype(np.float32) + offset) * ratio
    whole = np.floor(position)
    away = bool(align_corners) & (position - whole >= 0.5)
    return np.asarray(np.clip(whole + away, 0, ins - 1), np.int64)


def bilinear_lead_bytes(step: Step, input_index: int) -> int | None:
    """Exact: an output element needs nothing before its lower row and lower column."""
    batch, in_h, in_w, channels, out_h, out_w, corners, centers = ints(step, *_IMAGE)
    rows, columns = bilinear_low(in_h, out_h, corners, centers), bilinear_low(in_w, out_w, corners, centers)
    return lead(image_positions(batch, in_h, in_w, channels, rows, columns))


def nearest_lead_bytes(step: Step, input_index: int) -> int | None:
    """Exact: an output element reads one input element."""
    batch, in_h, in_w, channels, out_h, out_w, corners, centers = ints(step, *_IMAGE)
    rows, columns = nearest(in_h, out_h, corners, centers), nearest(in_w, out_w, corners, centers)
    (element_bytes,) = ints(step, "element_bytes")
    return lead(image_positions(batch, in_h, in_w, channels * element_bytes, rows, columns))


VARIANTS = (
    Variant(
        "resize_bilinear_s8", "ref", "kernels/resize/resize_bilinear_s8.h", lead_bytes=bilinear_lead_bytes
    ),
    Variant("resize_nearest", "ref", "kernels/resize/resize_nearest.h", lead_bytes=nearest_lead_bytes),
)
