"""From scales and zero points to the integers that the kernels are told.

Each function follows the arithmetic of the reference interpreter's kernel, float32 where it uses
float32, since a multiplier that differs in its last bit moves outputs.
Source: tensorflow/lite/kernels (*.cc, Prepare) and docs/numerics.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgert.codegen.fixedpoint import quantize_multiplier, round_half_away
from edgert.codegen.luts import (
    INT8_MAX,
    INT8_MIN,
    lut_clip,
    lut_function,
    lut_hard_swish,
    lut_int8_to_uint8,
    lut_leaky_relu,
    lut_logistic,
    lut_relu,
    lut_requantize,
    lut_tanh,
    lut_uint8_to_int8,
    softmax_exp_table,
)

__all__ = [
    "activation_range",
    "add_params",
    "clip_range",
    "conv_multipliers",
    "lut_clip",
    "lut_function",
    "lut_hard_swish",
    "lut_int8_to_uint8",
    "lut_leaky_relu",
    "lut_logistic",
    "lut_relu",
    "lut_requantize",
    "lut_tanh",
    "lut_uint8_to_int8",
    "matmul_params",
    "mean_params",
    "mul_params",
    "prelu_params",
    "quantize_multiplier",
    "softmax_exp_table",
]

Attrs = dict[str, int | float]
_CLIP = {
    "none": (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}


def activation_range(kind: str, scale: float, zero: int) -> tuple[int, int]:
    """(y_min, y_max) of a fused activation "none", "relu", "relu6" or "relu_n1_to_1"."""
    return clip_range(*_CLIP[kind], scale, zero)


def clip_range(low: float, high: float, scale: float, zero: int) -> tuple[int, int]:
    """(y_min, y_max) of clip(y, low, high) on an int8 y = scale * (q - zero); infinities are open ends."""

    def quantized(real: float) -> int:
        steps = round_half_away(float(np.float32(real) / np.float32(scale)))
        return min(max(zero + steps, INT8_MIN), INT8_MAX)

    y_min = INT8_MIN if low == -math.inf else quantized(low)
    y_max = INT8_MAX if high == math.inf else quantized(high)
    return y_min, y_max


def conv_multipliers(
    x_scale: float, w_scales: Sequence[float], y_scale: float
) -> tuple[list[int], list[int]]:
    """Multiplier and shift of each output channel of a (depthwise) convolution or a fully
    connected layer; the product of the scales is not rounded to float32."""
    x, y = float(np.float32(x_scale)), float(np.float32(y_scale))
    pairs = [quantize_multiplier(x * float(np.float32(w)) / y) for w in w_scales]
    return [m for m, _ in pairs], [s for _, s in pairs]


def add_params(
    x0_scale: float,
    x0_zero: int,
    x1_scale: float,
    x1_zero: int,
    y_scale: float,
    y_zero: int,
    y_range: tuple[int, int] = (INT8_MIN, INT8_MAX),
    *,
    subtract: bool = False,
) -> Attrs:
    """The attrs of add_s8 that follow its broadcast geometry. subtract: y = x0 - x1.

    y_range: (y_min, y_max) from activation_range or clip_range.
    """
    left_shift = 20
    x0, x1, y = (float(np.float32(s)) for s in (x0_scale, x1_scale, y_scale))
    twice_max = 2 * max(x0, x1)
    x0_multiplier, x0_shift = quantize_multiplier(x0 / twice_max)
    x1_multiplier, x1_shift = quantize_multiplier(x1 / twice_max)
    y_multiplier, y_shift = quantize_multiplier(twice_max / (2**left_shift * y))
    return {
        "left_shift": left_shift,
        "x0_zero": x0_zero, "x0_multiplier": x0_multiplier, "x0_shift": x0_shift,
        "x1_zero": x1_zero, "x1_multiplier": -x1_multiplier if subtract else x1_multiplier,
        "x1_shift": x1_shift,
        "y_multiplier": y_multiplier, "y_shift": y_shift,
        "y_zero": y_zero, "y_min": y_range[0], "y_max": y_range[1],
    }  # fmt: skip


def mul_params(
    x0_scale: float,
    x0_zero: int,
    x1_scale: float,
    x1_zero: int,
    y_scale: float,
    y_zero: int,
    y_range: tuple[int, int] = (INT8_MIN, INT8_MAX),
) -> Attrs:
    """The attrs of mul_s8 that follow its broadcast geometry."""
    real = np.float32(x0_scale) * np.float32(x1_scale) / np.float32(y_scale)
    multiplier, shift = quantize_multiplier(float(real))
    return {
        "x0_zero": x0_zero, "x1_zero": x1_zero, "y_multiplier": multiplier, "y_shift": shift,
        "y_zero": y_zero, "y_min": y_range[0], "y_max": y_range[1],
    }  # fmt: skip


def matmul_params(
    x0_scale: float,
    x0_zero: int,
    x1_scale: float,
    x1_zero: int,
    y_scale: float,
    y_zero: int,
    y_range: tuple[int, int] = (INT8_MIN, INT8_MAX),
) -> Attrs:
    """The attrs of matmul_s8 that follow its shape; the product of the scales is float32, the rest is not."""
    product = np.float32(x0_scale) * np.float32(x1_scale)
    multiplier, shift = quantize_multiplier(float(product) / float(np.float32(y_scale)))
    return {
        "x0_zero": x0_zero, "x1_zero": x1_zero, "y_multiplier": multiplier, "y_shift": shift,
        "y_zero": y_zero, "y_min": y_range[0], "y_max": y_range[1],
    }  # fmt: skip


def mean_params(count: int, x_scale: float, x_zero: int, y_scale: float, y_zero: int) -> Attrs:
    """The attrs of mean_s8 that follow its shape; 1 / count is folded into the multiplier."""
    multiplier, shift = quantize_multiplier(float(np.float32(x_scale)) / float(np.float32(y_scale)))
    fold = min(count.bit_length() - 1, 32, 31 + shift)
    return {
        "x_zero": x_zero, "multiplier": (multiplier << fold) // count, "shift": shift - fold,
        "y_zero": y_zero,
    }  # fmt: skip


def prelu_params(
    x_scale: float,
    x_zero: int,
    alpha_scale: float,
    alpha_zero: int,
    y_scale: float,
    y_zero: int,
) -> Attrs:
    """The attrs of prelu_s8 that follow its shape."""
    x, alpha, y = np.float32(x_scale), np.float32(alpha_scale), np.float32(y_scale)
    positive, positive_shift = quantize_multiplier(float(x / y))
    negative, negative_shift = quantize_multiplier(float(x * alpha / y))
    return {
        "x_zero": x_zero, "alpha_zero": alpha_zero,
        "positive_multiplier": positive, "positive_shift": positive_shift,
        "negative_multiplier": negative, "negative_shift": negative_shift,
        "y_zero": y_zero,
    }  # fmt: skip
