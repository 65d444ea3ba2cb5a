"""csrc/kernels/depthwise_conv2d"""

from __future__ import annotations

import numpy as np

from edgert.codegen.kernels import paired
from edgert.codegen.kernels.overlap import ints, lead, window_reads
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Array, Step


def ref_lead_bytes(step: Step, input_index: int) -> int | None:
    """Each output element reads its own channel's window anew."""
    (out_c,) = ints(step, "out_c")
    channel = np.arange(out_c) // int(step.attrs["depth_multiplier"])
    return lead((window_reads(step)[:, None] + channel).ravel())


def dsp_supports(step: Step, constants: Constants) -> bool:
    simple = step.attrs["depth_multiplier"] == 1 and step.attrs["dilation_w"] == 1
    weights = constants["weights"].astype(np.int64).reshape(-1, int(step.attrs["out_c"])).T
    return simple and paired.requantizable(step, constants, weights)


def dsp_pack(step: Step, constants: Constants) -> dict[str, Array]:
    channels = int(step.attrs["out_c"])
    taps = constants["weights"].astype(np.int64).reshape(-1, channels)
    padded = np.zeros((taps.shape[0], -(-channels // 4) * 4), np.int16)
    padded[:, :channels] = taps
    fours = padded.reshape(taps.shape[0], -1, 4)[:, :, [0, 2, 1, 3]].transpose(1, 0, 2)
    return {
        "weights": np.ascontiguousarray(fours).ravel(),
        "requant": paired.requant_words(step, constants, taps.sum(0)),
    }


def dsp_scratch_bytes(step: Step) -> int:
    return int(np.prod(ints(step, "kernel_h", "kernel_w", "in_c")))


def dsp_lead_bytes(step: Step, input_index: int) -> int | None:
    """A pixel is written four channels at a time, while its own window is still being read."""
    reads = window_reads(step)
    still_needed = np.minimum.accumulate(reads[::-1])[::-1]
    written = np.arange(1, reads.size + 1, dtype=np.int64) * int(step.attrs["out_c"])
    return int((written - still_needed).max())


VARIANTS = (
    Variant(
        "depthwise_conv2d_s8",
        "dsp",
        "kernels/depthwise_conv2d/depthwise_conv2d_s8__dsp.h",
        requires=frozenset({"arm-dsp"}),
        supports=dsp_supports,
        pack=dsp_pack,
        scratch_bytes=dsp_scratch_bytes,
        lead_bytes=dsp_lead_bytes,
        uses_scratch=True,
    ),
    Variant(
        "depthwise_conv2d_s8",
        "ref",
        "kernels/depthwise_conv2d/depthwise_conv2d_s8.h",
        lead_bytes=ref_lead_bytes,
    ),
)
