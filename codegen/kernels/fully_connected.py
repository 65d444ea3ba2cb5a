"""csrc/kernels/fully_connected"""

from __future__ import annotations

import numpy as np

from edgert.codegen.kernels import paired
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Array, Step

_TAP_ORDER = (0, 2, 1, 3)  # as SXTB16 takes four input bytes apart


def dsp_supports(step: Step, constants: Constants) -> bool:
    weights = paired.weights_by_channel(constants)
    return paired.separable(weights) and paired.bounded(step, constants, weights, 2**31)


def dsp_pack(step: Step, constants: Constants) -> dict[str, Array]:
    weights = paired.weights_by_channel(constants)
    bias = paired.folded_bias(step, constants, weights.sum(1))
    words = np.stack([bias, constants["multiplier"], 31 - constants["shift"]], axis=1)
    return {"weights": paired.pair_weights(weights, _TAP_ORDER), "requant": words.astype(np.int32)}


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
