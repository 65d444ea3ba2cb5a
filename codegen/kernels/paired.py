"""Packing for csrc/include/ert_paired.h, and the proof that it is exact for these weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert.codegen.kernels.channel import Int, channel_reach, channel_words
from edgert.codegen.kernels.variant import Constants
from edgert.codegen.program import Step

_FIRST_LIMIT = 2**23
_TAP_ORDER = (0, 2, 1, 3)  # as SXTB16 takes four input bytes apart


def separable(step: Step, constants: Constants, weights: Int) -> bool:
    """|A| < 2^23 for the first channel of each pair, bias and all, whatever the input; [out_c, taps].

    Only the whole sum counts: the kernels' sums wrap, so parts of it may be larger.
    """
    first = weights[0::2]
    reach = channel_reach(step, constants, weights)[0::2]
    return bool((reach < _FIRST_LIMIT).all() and (first >= -127).all())  # 256 * -128 + b: no halfword


def words(lines: Int) -> npt.NDArray[np.uint32]:
    """[out_c, lines, taps of a line] -> [pairs, words]: halfwords 256*a + b, two taps a word.

    Each four taps of a line are in the order 0, 2, 1, 3; a line of odd length ends with a zero.
    """
    out_c, count, taps = lines.shape
    padded = np.zeros((out_c + out_c % 2, count, taps + taps % 2), np.int64)
    padded[:out_c, :, :taps] = lines
    halves = (256 * padded[0::2] + padded[1::2])[:, :, tap_order(taps)].astype(np.int16)
    return np.ascontiguousarray(halves.reshape(halves.shape[0], -1)).view(np.uint32)


def tap_order(taps: int) -> Int:
    """The order in which the taps of a line are stored, rounded up to even."""
    order = np.arange(taps + taps % 2)
    fours = taps - taps % 4
    order[:fours] = order[:fours].reshape(-1, 4)[:, list(_TAP_ORDER)].ravel()
    return order


def block(words: npt.NDArray[np.uint32], pairs: int, run: int = 1) -> npt.NDArray[np.uint32]:
    """[pairs of the layer, words] -> flat: `run` words of each of `pairs` pairs in turn."""
    return words.reshape(-1, pairs, words.shape[1] // run, run).transpose(0, 2, 1, 3).ravel()


def pair_words(step: Step, constants: Constants, weights: Int) -> npt.NDArray[np.int32]:
    """[pairs, 2, 2]: the words of both channels; those of a missing second one are zero."""
    words = channel_words(step, constants, weights)
    return np.pad(words, ((0, words.shape[0] % 2), (0, 0)))
