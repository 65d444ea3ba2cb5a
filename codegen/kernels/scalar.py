"""Packing shared by the scalar variants: channels interleaved in the order in which their tiles read them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert.codegen.kernels.channel import Int


def tiles(weights: Int, channels: int) -> npt.NDArray[np.int8]:
    """[out_c, taps] -> flat: tap by tap for `channels` channels at a time; what is left over in halves.

    channels: a power of two.
    """
    parts = []
    while weights.shape[0]:
        whole = weights.shape[0] // channels * channels
        blocks = weights[:whole].reshape(-1, channels, weights.shape[1])
        parts.append(blocks.transpose(0, 2, 1).ravel())
        weights, channels = weights[whole:], channels // 2
    return np.concatenate(parts).astype(np.int8)
