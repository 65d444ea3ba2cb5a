"""Fixed-point arithmetic as TensorFlow Lite's reference kernels do it, on numpy int64 arrays.

A Q<m>.<31-m> number is a 32-bit integer `raw` that stands for raw / 2**(31 - m). Used at compile time
only; csrc/include/ert_requantize.h and ert_fixedpoint.h are the same functions in C.
Source: gemmlowp, doc/quantization.md and fixedpoint/fixedpoint.h; docs/numerics.md section 2.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]

INT32_MAX = 2**31 - 1


def round_half_away(real: float) -> int:
    """C's round(): halves go away from zero (Python's round() takes them to even)."""
    fraction, whole = math.modf(abs(real))
    magnitude = int(whole) + (fraction >= 0.5)
    return magnitude if real >= 0 else -magnitude


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real ~= multiplier * 2**(shift - 31) and multiplier in [2**30, 2**31).

    Factors below 2**-32 become (0, 0). Source: QuantizeMultiplier, tensorflow/lite quantization_util.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * 2**31)
    if abs(multiplier) == 2**31:  # fraction rounded up to 1
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def high_multiply(a: npt.ArrayLike, b: npt.ArrayLike) -> Int:
    """round(a * b / 2**31), halves up; saturates the one case that overflows, (-2**31)**2."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.asarray(np.minimum((product + 2**30) >> 31, INT32_MAX), np.int64)


def divide_by_power(x: npt.ArrayLike, exponent: npt.ArrayLike) -> Int:
    """round(x / 2**exponent), halves away from zero."""
    x, exponent = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return np.asarray((x >> exponent) + ((x & mask) > threshold), np.int64)


def saturate(x: npt.ArrayLike) -> Int:
    return np.clip(np.asarray(x, np.int64), -(2**31), INT32_MAX)


def requantize_twice(x: npt.ArrayLike, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> Int:
    """x * multiplier * 2**(shift - 31), rounded after the multiplication and again after the shift."""
    shift = np.asarray(shift, np.int64)
    shifted = np.asarray(x, np.int64) << np.maximum(shift, 0)
    return divide_by_power(high_multiply(shifted, multiplier), np.maximum(-shift, 0))


def requantize_once(x: npt.ArrayLike, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> Int:
    """x * multiplier * 2**(shift - 31), rounded once, halves away from zero."""
    product = np.asarray(x, np.int64) * np.asarray(multiplier, np.int64)
    return divide_by_power(product, 31 - np.asarray(shift, np.int64))


# exp(-2**k) in Q0.31 for the bits 2**k of the argument, k = -2 .. 4.
_EXP_OF_BIT = {k: round_half_away(math.exp(-(2.0**k)) * 2**31) for k in range(-2, 5)}


def exp_of_negative(raw: npt.ArrayLike) -> Int:
    """exp(x) in Q0.31 of x <= 0 in Q5.26: a Taylor polynomial about -1/8, then one factor per bit of x."""
    a = np.asarray(raw, np.int64)
    quarter = 1 << 24
    in_quarter = (a & (quarter - 1)) - quarter  # in [-1/4, 0)
    result = _exp_on_quarter(in_quarter << 5)
    remainder = in_quarter - a
    for k, factor in _EXP_OF_BIT.items():
        result = np.where(remainder & (1 << (26 + k)), high_multiply(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def _exp_on_quarter(a: Int) -> Int:
    """exp(a) of a in [-1/4, 0), both Q0.31."""
    at_minus_eighth, third = round_half_away(math.exp(-1 / 8) * 2**31), round_half_away(2**31 / 3)
    x = a + (1 << 28)
    x2 = high_multiply(x, x)
    x3 = high_multiply(x2, x)
    x4_over_4 = divide_by_power(high_multiply(x2, x2), 2)
    tail = divide_by_power(high_multiply(x4_over_4 + x3, third) + x2, 1)
    return at_minus_eighth + high_multiply(at_minus_eighth, x + tail)
