"""csrc/kernels/conv2d"""

from __future__ import annotations

from functools import partial

import numpy as np

from edgert.codegen.kernels import channel, paired, scalar
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


def scalar_supports(step: Step, constants: Constants) -> bool:
    exact = channel.requantizable(step, constants, channel.by_channel(constants))
    return step.attrs["groups"] == 1 and exact


def scalar_pack(step: Step, constants: Constants, channels: int) -> dict[str, Array]:
    weights = channel.by_channel(constants)
    return {
        "weights": scalar.tiles(weights, channels),
        "requant": channel.channel_words(step, constants, weights),
    }


def pointwise(step: Step) -> bool:
    """A kernel of 1x1 that meets every input once."""
    same = ints(step, "in_h", "in_w") == ints(step, "out_h", "out_w")
    return same and ints(step, "kernel_h", "kernel_w", "pad_top", "pad_left") == (1, 1, 0, 0)


def scalar_scratch_bytes(step: Step, pixels: int) -> int:
    kernel_h, kernel_w, in_c, stride_w = ints(step, "kernel_h", "kernel_w", "in_c", "stride_w")
    columns = (pixels - 1) * stride_w + (kernel_w - 1) * int(step.attrs["dilation_w"]) + 1
    return 0 if pointwise(step) else kernel_h * columns * in_c


def scalar_lead_bytes(step: Step, input_index: int, pixels: int) -> int | None:
    """Lines are gathered before their block of pixels is written; pointwise, they are read meanwhile.

    A row's last pixels, too few for a block, are blocks of their own.
    """
    out_w, out_c = ints(step, "out_w", "out_c")
    reads = window_reads(step)
    row = reads.size if pointwise(step) else out_w
    in_row = np.arange(reads.size) % row
    starts = (in_row % pixels == 0) | (in_row >= row // pixels * pixels)
    first = np.flatnonzero(starts)
    written = np.append(first[1:], reads.size) * out_c
    still_needed = np.minimum.accumulate(reads[::-1])[::-1][first]
    if pointwise(step):
        return int((written - still_needed).max())
    return int((written[:-1] - still_needed[1:]).max(initial=0))


def _scalar(pixels: int, channels: int, requires: frozenset[str] = frozenset()) -> Variant:
    return Variant(
        "conv2d_s8",
        "scalar",
        "kernels/conv2d/conv2d_s8__scalar.h",
        requires=requires,
        supports=scalar_supports,
        pack=partial(scalar_pack, channels=channels),
        scratch_bytes=partial(scalar_scratch_bytes, pixels=pixels),
        lead_bytes=partial(scalar_lead_bytes, pixels=pixels),
        uses_scratch=True,
        arguments=(("pixels", pixels), ("channels", channels)),
    )


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
    _scalar(4, 4, frozenset({"rv32m"})),
    _scalar(2, 4, frozenset({"thumb2"})),
    _scalar(2, 2),
    Variant("conv2d_s8", "ref", "kernels/conv2d/conv2d_s8.h", lead_bytes=ref_lead_bytes),
)
