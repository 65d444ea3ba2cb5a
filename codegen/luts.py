"""Tables of every int8 -> int8 function: int8[256], indexed by the input byte taken as uint8.

A table holds what the reference interpreter's kernel returns for each of the 256 inputs
(tests/unit/test_luts.py compares all of them). Source: tensorflow/lite/kernels/activations.cc and
internal/reference/{hard_swish,leaky_relu,requantize}.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgert.codegen.fixedpoint import (
    INT32_MAX,
    Int,
    divide_by_power,
    exp_of_negative,
    high_multiply,
    quantize_multiplier,
    requantize_twice,
)

INT8_MIN, INT8_MAX = -128, 127

Table = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]


def _inputs() -> Int:
    """The int8 values in table order: 0 .. 127, -128 .. -1."""
    return np.arange(256).astype(np.uint8).view(np.int8).astype(np.int64)


def _table(values: npt.ArrayLike, y_min: int = INT8_MIN, y_max: int = INT8_MAX) -> Table:
    return np.asarray(np.clip(values, y_min, y_max), np.int8)


def lut_requantize(x_scale: float, x_zero: int, y_scale: float, y_zero: int) -> Table:
    """The same real value at another scale and zero point."""
    ratio = float(np.float32(x_scale)) / float(np.float32(y_scale))
    return _table(requantize_twice(_inputs() - x_zero, *quantize_multiplier(ratio)) + y_zero)


def lut_relu(x_scale: float, x_zero: int, y_scale: float, y_zero: int, y_range: tuple[int, int]) -> Table:
    """A stand-alone relu, relu6 or clip: requantize, then clamp to y_range (see activation_range)."""
    ratio = float(np.float32(x_scale) / np.float32(y_scale))
    return _table(requantize_twice(_inputs() - x_zero, *quantize_multiplier(ratio)) + y_zero, *y_range)


def lut_clip(y_min: int, y_max: int) -> Table:
    """min(max(x, y_min), y_max) on the integers, where x and y share scale and zero point."""
    return _table(_inputs(), y_min, y_max)


def lut_uint8_to_int8() -> Table:
    """uint8 q at zero point z becomes int8 q - 128 at zero point z - 128."""
    return (np.arange(256) - 128).astype(np.int8)


def lut_int8_to_uint8() -> Table:
    """int8 q becomes the byte of uint8 q + 128, stored as int8."""
    return (_inputs() + 128).astype(np.uint8).view(np.int8)


def lut_function(
    function: Callable[[Floats], Floats], x_scale: float, x_zero: int, y_scale: float, y_zero: int
) -> Table:
    """Dequantize, apply a float32 function, quantize (round half away from zero)."""
    x = np.float32(x_scale) * (_inputs() - x_zero).astype(np.float32)
    scaled = function(x) * (np.float32(1) / np.float32(y_scale))
    fraction, whole = np.modf(np.clip(scaled, np.float32(-1e6), np.float32(1e6)))
    away = np.where(np.abs(fraction) >= 0.5, np.sign(fraction), 0)
    return _table((whole + away).astype(np.int64) + y_zero)


def lut_logistic(x_scale: float, x_zero: int, y_scale: float, y_zero: int) -> Table:
    def logistic(x: Floats) -> Floats:
        with np.errstate(over="ignore"):
            return np.float32(1) / (np.float32(1) + np.exp(-x.astype(np.float64)).astype(np.float32))

    return lut_function(logistic, x_scale, x_zero, y_scale, y_zero)


def lut_tanh(x_scale: float, x_zero: int, y_scale: float, y_zero: int) -> Table:
    def tanh(x: Floats) -> Floats:
        return np.tanh(x.astype(np.float64)).astype(np.float32)

    return lut_function(tanh, x_scale, x_zero, y_scale, y_zero)


def lut_leaky_relu(alpha: float, x_scale: float, x_zero: int, y_scale: float, y_zero: int) -> Table:
    x, y = np.float32(x_scale), np.float32(y_scale)
    centred = _inputs() - x_zero
    positive = requantize_twice(centred, *quantize_multiplier(float(x / y)))
    negative = requantize_twice(centred, *quantize_multiplier(float(x * np.float32(alpha) / y)))
    return _table(np.where(centred >= 0, positive, negative) + y_zero)


def _high_multiply_16(a: Int, b: int) -> Int:
    """round(a * b / 2**15), halves up, saturated to int16."""
    return np.asarray(np.minimum((a * b + 2**14) >> 15, 2**15 - 1), np.int64)


def _to_16_bits(multiplier: int) -> int:
    return min((multiplier + 2**15) >> 16, 2**15 - 1)


def _saturating_shift_16(x: Int, amount: int) -> Int:
    return np.asarray(np.clip(x << amount, -(2**15), 2**15 - 1), np.int64)


def lut_hard_swish(x_scale: float, x_zero: int, y_scale: float, y_zero: int) -> Table:
    """x * relu6(x + 3) / 6, in the reference's 16-bit fixed point."""
    hires_scale = np.float32(1 / 128) * np.float32(x_scale)
    y_multiplier, y_shift = quantize_multiplier(float(hires_scale / np.float32(y_scale)))
    gate_scale = np.float32(3.0 / 32768.0)
    gate_multiplier, gate_shift = quantize_multiplier(float(hires_scale / gate_scale))
    if y_shift > 0:  # outside what the reference accepts: y_scale < x_scale / 128
        return lut_function(_hard_swish, x_scale, x_zero, y_scale, y_zero)
    x = (_inputs() - x_zero) << 7
    gate = _hard_swish_gate(x, _to_16_bits(gate_multiplier), gate_shift)
    product = gate * _high_multiply_16(x, _to_16_bits(y_multiplier))
    truncated = np.sign(product) * (np.abs(product) >> 15)
    return _table(divide_by_power(truncated, -y_shift) + y_zero)


def _hard_swish_gate(x: Int, multiplier: int, shift: int) -> Int:
    """relu6(x + 3) / 6 in Q0.15."""
    gate = _saturating_shift_16(x, max(shift - 1, 0))
    gate = _high_multiply_16(gate, multiplier)
    gate = _saturating_shift_16(gate, 1) if shift > 0 else divide_by_power(gate, -shift)
    return (gate + 2**15) >> 1


def _hard_swish(x: Floats) -> Floats:
    return np.asarray(x * np.clip(x + np.float32(3), 0, 6) / np.float32(6), np.float32)


def softmax_exp_table(scale: float, beta: float = 1.0) -> npt.NDArray[np.int32]:
    """int32[256]: exp(-d * scale * beta) in Q0.31 for d = max - x; 0 where the reference skips x.

    The argument is rescaled to Q5.26; differences that do not fit it count as exp() = 0.
    """
    real = min(float(np.float32(beta)) * float(np.float32(scale)) * 2**26, float(INT32_MAX))
    multiplier, shift = quantize_multiplier(real)
    d = np.arange(256, dtype=np.int64)
    diff_min = math.floor(31 * 2**26 / 2**shift)
    rescaled = (
        high_multiply(-d << shift, multiplier)
        if shift >= 0
        else divide_by_power(high_multiply(-d, multiplier), -shift)
    )
    return np.where(d <= diff_min, exp_of_negative(rescaled), 0).astype(np.int32)
