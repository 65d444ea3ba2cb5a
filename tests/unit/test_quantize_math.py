"""Multipliers, ranges and fixed-point helpers. The params functions are tested with their kernels."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from edgert.codegen import fixedpoint as fp
from edgert.codegen import quantize_math as qm


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (2**30, 1)),
        (0.5, (2**30, 0)),
        (0.75, (3 * 2**29, 0)),
        (1 - 2**-40, (2**30, 1)),  # the fraction rounds up to 1: carry
        (2.0**-32, (2**30, -31)),
        (2.0**-33, (0, 0)),
        (-0.75, (-3 * 2**29, 0)),
    ],
)
def test_quantize_multiplier(real: float, expected: tuple[int, int]) -> None:
    assert qm.quantize_multiplier(real) == expected


def test_quantize_multiplier_is_within_half_a_step() -> None:
    rng = np.random.default_rng(0)
    for real in 2.0 ** rng.uniform(-31, 20, 1000):
        multiplier, shift = qm.quantize_multiplier(float(real))
        assert 2**30 <= multiplier < 2**31
        assert abs(Fraction(real) - multiplier * Fraction(2) ** (shift - 31)) <= Fraction(2) ** (shift - 32)


@pytest.mark.parametrize(
    ("real", "expected"), [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (-2.5, -3), (0.49999999999999994, 0)]
)
def test_round_half_away(real: float, expected: int) -> None:
    assert fp.round_half_away(real) == expected


@pytest.mark.parametrize("exponent", [0, 1, 5, 31])
def test_divide_by_power_rounds_half_away(exponent: int) -> None:
    rng = np.random.default_rng(exponent)
    values = np.concatenate([rng.integers(-(2**31), 2**31, 200), np.arange(-70, 71)])
    for x, got in zip(values, fp.divide_by_power(values, exponent), strict=True):
        exact = Fraction(int(x), 2**exponent)
        away = math.floor(abs(exact) + Fraction(1, 2))
        assert got == (away if x >= 0 else -away)


def test_exp_of_negative_follows_exp() -> None:
    raw = -np.linspace(0, 20 * 2**26, 4001).astype(np.int64)
    got = fp.exp_of_negative(raw) / 2**31
    assert np.abs(got - np.exp(raw / 2**26)).max() < 3e-7  # gemmlowp documents 2.7e-7 or better


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("none", (-128, 127)), ("relu", (-10, 127)), ("relu6", (-10, 50)), ("relu_n1_to_1", (-20, 0))],
)
def test_activation_range(kind: str, expected: tuple[int, int]) -> None:
    assert qm.activation_range(kind, 0.1, -10) == expected


def test_clip_range_saturates() -> None:
    assert qm.clip_range(-1e9, 1e9, 0.5, 3) == (-128, 127)
    assert qm.clip_range(-math.inf, 0.75, 0.5, 3) == (-128, 5)


def test_softmax_table_is_full_at_zero_and_falls() -> None:
    table = qm.softmax_exp_table(0.1)
    assert table[0] == 2**31 - 1
    assert (np.diff(table.astype(np.int64)) <= 0).all()
