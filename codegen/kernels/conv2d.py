"""csrc/kernels/conv2d"""

from __future__ import annotations

from functools import partial

import numpy as np

from edgert.codegen.kernels import channel, paired, scalar
from edgert.codegen.kernels.overlap import ints, lead, window_reads
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Array, Step

_PARTS = (1, 2, 4, 8)
_VARYING = ("in_h", "in_w", "in_c", "out_h", "out_w", "out_c", "x_zero", "y_zero")


def ref_lead_bytes(step: Step, input_index: int) -> int | None:
    """Each output element reads its window anew."""
    return lead(np.repeat(window_reads(step), int(step.attrs["out_c"])))


def dsp_supports(step: Step, constants: Constants, parts: int) -> bool:
    weights = channel.by_channel(constants)
    if step.attrs["groups"] != 1 or not channel.requantizable(step, constants, weights):
        return False
    if paired.separable(step, constants, weights):
        return parts == 1
    fitting = (p for p in _PARTS if paired.separable_in_parts(step, constants, _lines(step, weights), p))
    return next(fitting, 0) == parts


def _lines(step: Step, weights: channel.Int) -> channel.Int:
    return weights.reshape(weights.shape[0], int(step.attrs["kernel_h"]), -1)


def dsp_pack(step: Step, constants: Constants, pixels: int) -> dict[str, Array]:
    """Word by word of two pairs of channels where two pixels meet them, else pair by pair."""
    weights = channel.by_channel(constants)
    pairs = 4 // pixels
    requant = paired.pair_words(step, constants, weights)
    return {
        "weights": paired.block(paired.words(_lines(step, weights)), pairs),
        "requant": np.pad(requant, ((0, -requant.shape[0] % (2 * pairs)), (0, 0))),
    }


def dsp_scratch_bytes(step: Step, pixels: int) -> int:
    """Windows as words, a line at the border, the pixels of an incomplete block."""
    kernel_h, kernel_w, in_c, out_c = ints(step, "kernel_h", "kernel_w", "in_c", "out_c")
    line = kernel_w * in_c
    spare = pixels * out_c if _pixels(step) % pixels else 0
    return 4 * pixels * kernel_h * (-(-line // 2)) + line + spare


def dsp_lead_bytes(step: Step, input_index: int, pixels: int) -> int | None:
    """The windows of a block of pixels are read before any of it is written."""
    reads = window_reads(step)
    padded = np.pad(reads, (0, -reads.size % pixels), mode="edge").reshape(-1, pixels)
    return lead(padded.min(1), pixels * int(step.attrs["out_c"]), read_bytes=1)


def _pixels(step: Step) -> int:
    return int(np.prod(ints(step, "batch", "out_h", "out_w")))


def _dsp(pixels: int, parts: int = 1) -> Variant:
    """pixels: four fetch half the weights of two; two waste less on a small image.

    parts: of a sum that is too long for one (include/ert_paired.h); as few as the weights allow.
    """

    def supports(step: Step, constants: Constants) -> bool:
        done = -(-_pixels(step) // pixels) * pixels
        return (pixels == 2 or done <= 1.1 * _pixels(step)) and dsp_supports(step, constants, parts)

    return Variant(
        "conv2d_s8",
        "dsp",
        "kernels/conv2d/conv2d_s8__dsp.h",
        requires=frozenset({"arm-dsp"}),
        supports=supports,
        pack=partial(dsp_pack, pixels=pixels),
        scratch_bytes=partial(dsp_scratch_bytes, pixels=pixels),
        lead_bytes=partial(dsp_lead_bytes, pixels=pixels),
        uses_scratch=True,
        varying=_VARYING,
        arguments=(("pixels", pixels), ("parts", parts)),
    )


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
        varying=_VARYING,
        arguments=(("pixels", pixels), ("channels", channels)),
    )


VARIANTS = (
    *(_dsp(pixels, parts) for parts in _PARTS for pixels in (4, 2)),
    _scalar(4, 4, frozenset({"rv32m"})),
    _scalar(2, 4, frozenset({"thumb2"})),
    _scalar(2, 2),
    Variant("conv2d_s8", "ref", "kernels/conv2d/conv2d_s8.h", lead_bytes=ref_lead_bytes),
)
