"""csrc/kernels/conv2d"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert.codegen.kernels import paired
from edgert.codegen.kernels.overlap import image_positions, ints, lead
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Array, Step


def first_reads(step: Step) -> npt.NDArray[np.int64]:
    """For each output pixel, in order: the lowest byte of the input that its window touches."""
    batch, in_h, in_w, in_c, out_h, out_w = ints(step, "batch", "in_h", "in_w", "in_c", "out_h", "out_w")
    stride_h, stride_w, pad_top, pad_left = ints(step, "stride_h", "stride_w", "pad_top", "pad_left")
    rows = np.clip(np.arange(out_h) * stride_h - pad_top, 0, in_h - 1)
    columns = np.clip(np.arange(out_w) * stride_w - pad_left, 0, in_w - 1)
    return image_positions(batch, in_h, in_w, 1, rows, columns).ravel() * in_c


def ref_lead_bytes(step: Step, input_index: int) -> int | None:
    """Each output element reads its window anew."""
    return lead(np.repeat(first_reads(step), int(step.attrs["out_c"])))


def dsp_supports(step: Step, constants: Constants) -> bool:
    return step.attrs["groups"] == 1 and paired.exact(step, constants)


def dsp_pack(step: Step, constants: Constants) -> dict[str, Array]:
    weights = paired.weights_by_channel(constants)
    return {
        "weights": paired.pair_weights(weights),
        "requant": paired.requant_words(step, constants, weights.sum(1)),
    }


def dsp_scratch_bytes(step: Step) -> int:
    taps = np.prod(ints(step, "kernel_h", "kernel_w", "in_c"))
    return int(2 * (taps + taps % 2) * 2)


def dsp_lead_bytes(step: Step, input_index: int) -> int | None:
    """The windows of two output pixels are read before either is written."""
    return lead(first_reads(step)[::2], 2 * int(step.attrs["out_c"]), read_bytes=1)


VARIANTS = (
    Variant(
        "conv2d_s8",
        "dsp",
        "kernels/conv2d/conv2d_s8__dsp.h",
        requires=frozenset({"arm-dsp"}),
        supports=dsp_supports,
        pack=dsp_pack,
        scratch_bytes=dsp_scratch_bytes,
        lead_bytes=dsp_lead_bytes,
        uses_scratch=True,
    ),
    Variant("conv2d_s8", "ref", "kernels/conv2d/conv2d_s8.h", lead_bytes=ref_lead_bytes),
)
