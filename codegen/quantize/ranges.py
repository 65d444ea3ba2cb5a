"""The range of an activation -> scale and zero point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgert.codegen.program import Array
from edgert.codegen.quantize.options import Options

BINS = 2048
_STEPS = 60  # clipping levels that the least squares search tries on each side


@dataclass(eq=False)
class Histogram:
    """Counts of values between low and high (which enclose zero), in equal bins; counts is [BINS]."""

    low: float
    high: float
    counts: Array

    @property
    def centres(self) -> Array:
        edges = np.linspace(self.low, self.high, BINS + 1)
        middle: Array = (edges[:-1] + edges[1:]) / 2
        return middle


def to_quant(low: float, high: float) -> tuple[float, int]:
    """(scale, zero point) of int8 for [low, high] widened to hold zero, which is then exact."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32(max(high - low, 1e-8) / 255))
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


def to_wide_quant(low: float, high: float) -> tuple[float, int]:
    """(scale, 0) of int16 for [low, high], symmetric."""
    return float(np.float32(max(-low, high, 1e-8) / 32767)), 0


def to_int8(values: Array, scale: float, zero: int) -> Array:
    """Real numbers as the integers that stand for them."""
    integers: Array = np.clip(np.rint(values / np.float32(scale)) + zero, -128, 127).astype(np.int8)
    return integers


def choose(histogram: Histogram, options: Options) -> tuple[float, float]:
    """The range to quantize, by the method that the options name."""
    if options.ranges == "minmax" or not histogram.counts.any():
        return histogram.low, histogram.high
    return _percentile(histogram, options.percentile) if options.ranges == "percentile" else _mse(histogram)


def _percentile(histogram: Histogram, kept: float) -> tuple[float, float]:
    share = np.cumsum(histogram.counts) / histogram.counts.sum()
    cut = (100 - kept) / 200
    edges = np.linspace(histogram.low, histogram.high, BINS + 1)
    low = edges[np.searchsorted(share, cut)] if histogram.low < 0 else 0.0
    high = edges[min(BINS, int(np.searchsorted(share, 1 - cut)) + 1)] if histogram.high > 0 else 0.0
    return float(low), float(high)


def _mse(histogram: Histogram) -> tuple[float, float]:
    """The clipping with the least squared error, one side after the other."""
    best = (histogram.low, histogram.high)
    values, weights = histogram.centres, histogram.counts.astype(np.float64)
    for _ in range(2):
        for side in (0, 1):
            candidates = [_with(best, side, best[side] * (1 - step / (2 * _STEPS))) for step in range(_STEPS)]
            best = min(candidates, key=lambda c: _error(values, weights, *c))
    return best


def _with(pair: tuple[float, float], side: int, value: float) -> tuple[float, float]:
    return (value, pair[1]) if side == 0 else (pair[0], value)


def _error(values: Array, weights: Array, low: float, high: float) -> float:
    scale, zero = to_quant(low, high)
    q = np.clip(np.rint(values / scale) + zero, -128, 127)
    difference: Array = (q - zero) * scale - values
    # within a bin the rounding error is spread evenly: a step is seldom narrower than a bin
    return float((weights * (difference**2 + scale**2 / 12)).sum())
