"""Weights and truths as the words of csrc/include/ert_bits.h."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert.codegen.kernels.variant import Constants
from edgert.codegen.program import Array, Step, bit_words

Words = npt.NDArray[np.uint32]


def pack_bits(values: Array) -> Words:
    """[..., channels] of truths -> [..., words], as csrc/include/ert_bits.h says."""
    padded = np.zeros((*values.shape[:-1], 32 * bit_words(values.shape[-1])), bool)
    padded[..., : values.shape[-1]] = values
    packed = np.packbits(padded, axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u4").astype(np.uint32)


def by_channel(weights: Array) -> Words:
    """+1 and -1, [out_c, kernel_h, kernel_w, in_c] -> [out_c, words of a window]"""
    return pack_bits(weights > 0).reshape(len(weights), -1)


def xnor_pack(step: Step, constants: Constants) -> dict[str, Array]:
    weights = constants["weights"]
    sums = weights.astype(np.int16).sum(3).reshape(weights.shape[0], -1)
    return {
        "weights": pack_bits(weights > 0),
        "sums": sums.astype(np.int16),
        "threshold": constants["threshold"],
    }
