"""Packing for csrc/include/ert_channel.h, and the proof that it is exact for these weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert.codegen.kernels.variant import Constants
from edgert.codegen.program import Step

Int = npt.NDArray[np.int64]

INPUT_MAGNITUDE = 128
SUM_LIMIT = 2**30
_BIAS_LIMIT = 2**26
_SHIFTS = (-22, -1)


def by_channel(constants: Constants) -> Int:
    """Weights whose first axis is the output channel: [out_c, taps]"""
    weights = constants["weights"].astype(np.int64)
    return np.asarray(weights.reshape(weights.shape[0], -1))


def depthwise_by_channel(constants: Constants) -> Int:
    """Weights whose last axis is the output channel: [out_c, taps]"""
    weights = constants["weights"].astype(np.int64)
    return np.ascontiguousarray(weights.reshape(-1, weights.shape[-1]).T)


def folded_bias(step: Step, constants: Constants, weights: Int) -> Int:
    """bias - x_zero * sum of the channel's weights: what is left when x is not centred."""
    return np.asarray(constants["bias"].astype(np.int64) - int(step.attrs["x_zero"]) * weights.sum(1))


def channel_reach(step: Step, constants: Constants, weights: Int) -> Int:
    """[out_c]: no input makes a channel's |sum| larger; as interval analysis knows it, else for any int8."""
    if step.reach is not None:
        return np.asarray(step.reach)
    return _int8_reach(step, constants, weights)


def _int8_reach(step: Step, constants: Constants, weights: Int) -> Int:
    """|folded bias| + sum of |weight * input|: bounds every part of the sum, too."""
    parts = np.abs(weights).sum(1) * INPUT_MAGNITUDE
    return np.asarray(np.abs(folded_bias(step, constants, weights)) + parts)


def bounded(step: Step, constants: Constants, weights: Int, limit: int) -> bool:
    """|folded bias| + sum of |weight * input| < limit for every input."""
    return bool((_int8_reach(step, constants, weights) < limit).all())


def requantizable(step: Step, constants: Constants, weights: Int) -> bool:
    """|acc| < 2^30 for every input, |bias| < 2^26, and every shift is to the right and not far."""
    low, high = _SHIFTS
    shifts = (constants["shift"] >= low) & (constants["shift"] <= high)
    small = np.abs(folded_bias(step, constants, weights)) < _BIAS_LIMIT
    return bounded(step, constants, weights, SUM_LIMIT) and bool((shifts & small).all())


def channel_words(step: Step, constants: Constants, weights: Int) -> npt.NDArray[np.int32]:
    """[out_c, 2]: bias * 32 + shift - 1, multiplier"""
    shift = -constants["shift"].astype(np.int64)
    first = folded_bias(step, constants, weights) * 32 + shift - 1
    return np.stack([first, constants["multiplier"]], axis=1).astype(np.int32)
