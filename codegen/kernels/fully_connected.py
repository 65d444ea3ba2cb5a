"""csrc/kernels/fully_connected"""

from __future__ import annotations

import numpy as np

from edgert.codegen.kernels import channel, paired
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Array, Step

_PAIRS = 4  # of outputs in a block


def dsp_supports(step: Step, constants: Constants) -> bool:
    weights = channel.by_channel(constants)
    return paired.separable(step, constants, weights) and channel.requantizable(step, constants, weights)


def dsp_pack(step: Step, constants: Constants) -> dict[str, Array]:
    """Blocks of eight outputs, then pairs; inputs rounded up to four with zero weights."""
    weights = channel.by_channel(constants)
    lines = np.pad(weights, ((0, 0), (0, -weights.shape[1] % 4)))[:, None, :]
    words = paired.words(lines)
    whole = weights.shape[0] // (2 * _PAIRS) * _PAIRS
    return {
        "weights": np.concatenate([paired.block(words[:whole], _PAIRS, run=2), words[whole:].ravel()]),
        "requant": paired.pair_words(step, constants, weights),
    }


VARIANTS = (
    Variant(
        "fully_connected_s8",
        "dsp",
        "kernels/fully_connected/fully_connected_s8__dsp.h",
        requires=frozenset({"arm-dsp"}),
        supports=dsp_supports,
        pack=dsp_pack,
    ),
    Variant("fully_connected_s8", "ref", "kernels/fully_connected/fully_connected_s8.h"),
)
