"""Packing for csrc/include/ert_paired.h, and the proof that it is exact for these weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert.codegen.kernels.variant import Constants
from edgert.codegen.program import Step

INPUT_MAGNITUDE = 128
_FIRST_LIMIT = 2**23
_SUM_LIMIT = 2**30


def weights_by_channel(constants: Constants) -> npt.NDArray[np.int64]:
    """[out_c, taps]"""
    weights = constants["weights"].astype(np.int64)
    return np.asarray(weights.reshape(weights.shape[0], -1))


def folded_bias(
    step: Step, constants: Constants, weight_sums: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """bias - x_zero * sum of the channel's weights: what is left when x is not centred."""
    return np.asarray(constants["bias"].astype(np.int64) - int(step.attrs["x_zero"]) * weight_sums)


def requantizable(step: Step, constants: Constants, weights: npt.NDArray[np.int64]) -> bool:
    """|acc| < 2^30 for every input, and every shift is to the right."""
    return bounded(step, constants, weights, _SUM_LIMIT) and bool((constants["shift"] <= -1).all())


def bounded(step: Step, constants: Constants, weights: npt.NDArray[np.int64], limit: int) -> bool:
    """|folded bias| + sum of |weight * input| < limit for every input; weights [out_c, taps]."""
    bias = folded_bias(step, constants, weights.sum(1))
    reach = np.abs(bias) + np.abs(weights).sum(1) * INPUT_MAGNITUDE
    return bool((reach < limit).all())


def separable(weights: npt.NDArray[np.int64]) -> bool:
    """|A| < 2^23 for the first channel of each pair, whatever the input; [out_c, taps]."""
    first = weights[0::2]
    small = np.abs(first).sum(1) * INPUT_MAGNITUDE < _FIRST_LIMIT
    return bool(small.all() and (first >= -127).all())  # 256 * -128 + b may not fit in a halfword


def requant_words(
    step: Step, constants: Constants, weight_sums: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """[out_c, 3]: 2 * bias, multiplier, -shift - 1"""
    words = [2 * folded_bias(step, constants, weight_sums), constants["multiplier"], -constants["shift"] - 1]
    return np.stack(words, axis=1).astype(np.int32)


def pair_weights(weights: npt.NDArray[np.int64], unit: tuple[int, ...] = (0, 1)) -> npt.NDArray[np.int16]:
    """[out_c, taps] -> the halfwords 256*a + b, four channels at a time, then two.

    unit: the order of taps within a unit; taps are padded with zeros to whole units.
    """
    out_c, taps = weights.shape
    padded = np.zeros((out_c + out_c % 2, -(-taps // len(unit)) * len(unit)), np.int64)
    padded[:out_c, :taps] = weights
    halves = 256 * padded[0::2] + padded[1::2]  # [pairs, taps]
    words = halves.reshape(halves.shape[0], -1, len(unit))[:, :, list(unit)]
    words = words.reshape(halves.shape[0], -1, 2)  # [pairs, words, 2]
    quads = out_c // 4
    fours = words[: 2 * quads].reshape(quads, 2, words.shape[1], 2).transpose(0, 2, 1, 3)
    return np.concatenate([fours.ravel(), words[2 * quads :].ravel()]).astype(np.int16)
