"""Packing for csrc/include/ert_paired.h, and the proof that it is exact for these weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert.codegen.kernels.channel import INPUT_MAGNITUDE, Int, channel_reach, channel_words, folded_bias
from edgert.codegen.kernels.variant import Constants
from edgert.codegen.program import Step

_FIRST_LIMIT = 2**23
_TAP_ORDER = (0, 2, 1, 3)  # as SXTB16 takes four input bytes apart


def separable(step: Step, constants: Constants, weights: Int) -> bool:
    """|A| < 2^23 for the first channel of each pair, bias and all, whatever the input; [out_c, taps].

    Only the whole sum counts: the kernels' sums wrap, so parts of it may be larger.
    """
    reach = channel_reach(step, constants, weights)[0::2]
    return bool((reach < _FIRST_LIMIT).all()) and _fits_halfword(weights)


def separable_in_parts(step: Step, constants: Constants, lines: Int, parts: int) -> bool:
    """The same for every part of a sum that is made in `parts`; [out_c, lines, taps of a line]."""
    weights = np.abs(_in_words(lines))[0::2].sum(2) * INPUT_MAGNITUDE  # [pairs, words]
    starts = np.arange(0, weights.shape[1], part_words(weights.shape[1], parts))
    reach = np.add.reduceat(weights, starts, axis=1)
    reach[:, 0] += np.abs(folded_bias(step, constants, lines.reshape(lines.shape[0], -1)))[0::2]
    return bool((reach < _FIRST_LIMIT).all()) and _fits_halfword(lines)


def part_words(words: int, parts: int) -> int:
    """Of each part but the last: as csrc/include/ert_paired.h, ert_paired_sums."""
    part = -(-words // parts)
    return part + -part % 8


def _fits_halfword(weights: Int) -> bool:
    """256 * -128 + b may not."""
    return bool((weights[0::2] >= -127).all())


def words(lines: Int) -> npt.NDArray[np.uint32]:
    """[out_c, lines, taps of a line] -> [pairs, words]: halfwords 256*a + b, two taps a word.

    Each four taps of a line are in the order 0, 2, 1, 3; a line of odd length ends with a zero.
    """
    ordered = _in_words(lines)
    halves = (256 * ordered[0::2] + ordered[1::2]).astype(np.int16)
    return np.ascontiguousarray(halves).view(np.uint32)[:, :, 0]


def _in_words(lines: Int) -> Int:
    """[out_c, lines, taps of a line] -> [out_c rounded up to even, words, 2]"""
    out_c, count, taps = lines.shape
    padded = np.zeros((out_c + out_c % 2, count, taps + taps % 2), np.int64)
    padded[:out_c, :, :taps] = lines
    return padded[:, :, tap_order(taps)].reshape(padded.shape[0], -1, 2)


def tap_order(taps: int) -> Int:
    """The order in which the taps of a line are stored, rounded up to even."""
    order = np.arange(taps + taps % 2)
    fours = taps - taps % 4
    order[:fours] = order[:fours].reshape(-1, 4)[:, list(_TAP_ORDER)].ravel()
    return order


def block(words: npt.NDArray[np.uint32], pairs: int, run: int = 1) -> npt.NDArray[np.uint32]:
    """[pairs of the layer, words] -> flat: `run` words of each of `pairs` pairs in turn; no pair: 0."""
    words = np.pad(words, ((0, -words.shape[0] % pairs), (0, 0)))
    return words.reshape(-1, pairs, words.shape[1] // run, run).transpose(0, 2, 1, 3).ravel()


def pair_words(step: Step, constants: Constants, weights: Int) -> npt.NDArray[np.int32]:
    """[pairs, 2, 2]: the words of both channels; those of a missing second one are zero."""
    words = channel_words(step, constants, weights)
    return np.pad(words, ((0, words.shape[0] % 2), (0, 0)))
