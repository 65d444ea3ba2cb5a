"""csrc/kernels/conv2d"""

from __future__ import annotations

import numpy as np

from edgert.codegen.kernels import channel, paired
from edgert.codegen.kernels.overlap import ints, lead, window_reads
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Array, Step


def ref_lead_bytes(step: Step, input_index: int) -> int | None:
    """Each output element reads its window anew."""
    return lead(np.repeat(window_reads(step), int(step.attrs["out_c"])))


def dsp_supports(step: Step, constants: Constants) -> bool:
    weights = channel.by_channel(constants)
    exact = paired.separable(step, constants, weights) and channel.requantizable(step, constants, weights)
    return step.attrs["groups"] == 1 and exact


def dsp_pack(step: Step, constants: Constants) -> dict[str, Array]:
    """Quads of channels where a third and a fourth exist, then what is left as one pair."""
    weights = channel.by_channel(constants)
    lines = weights.reshape(weights.shape[0], int(step.attrs["kernel_h"]), -1)
    words = paired.words(lines)
    quads = 2 * (weights.shape[0] // 4)
    return {
        "weights": np.concatenate([paired.block(words[:quads], 2), words[quads:].ravel()]),
        "requant": paired.pair_words(step, constants, weights),
    }


def dsp_scratch_bytes(step: Step) -> int:
    kernel_h, kernel_w, in_c = ints(step, "kernel_h", "kernel_w", "in_c")
    line = kernel_w * in_c
    return 8 * kernel_h * (-(-line // 2)) + line


def dsp_lead_bytes(step: Step, input_index: int) -> int | None:
    """The windows of two output pixels are read before either is written."""
    reads = window_reads(step)
    pairs = np.minimum(reads[::2], np.append(reads[1::2], reads[-1:])[: len(reads[::2])])
    return lead(pairs, 2 * int(step.attrs["out_c"]), read_bytes=1)


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
