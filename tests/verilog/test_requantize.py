"""ert_requantize against docs/numerics.md, section 2, as the interpreter of the circuit has it."""

from __future__ import annotations

import shutil

import numpy as np
import numpy.typing as npt
import pytest
from clocked import Clocked

from edgert.codegen.hls.interpret import once, twice

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")
LATENCY = 10
Ints = npt.NDArray[np.int64]
INPUTS = {
    "rst": 1, "in_valid": 1, "acc": 32, "multiplier": 31, "shift": 8, "once": 1,
    "y_zero": 8, "y_min": 8, "y_max": 8,
}  # fmt: skip


def accumulators(rng: np.random.Generator, count: int) -> Ints:
    """Of all magnitudes, and the ends."""
    acc = rng.integers(-(1 << 31), 1 << 31, count) >> rng.integers(0, 31, count)
    ends = np.array([0, 1, -1, (1 << 31) - 1, -(1 << 31), 1 << 30, -(1 << 30), (1 << 16) - 1, -(1 << 16)])
    return np.where(rng.random(count) < 0.1, rng.choice(ends, count), acc)


def factors(rng: np.random.Generator, count: int, lowest: int) -> tuple[Ints, Ints]:
    """multiplier, shift: normalized; below 2^30 as of a mean; powers of two, for ties; the ends."""
    normal = rng.integers(1 << 30, 1 << 31, count)
    small = rng.integers(0, 1 << 31, count) >> rng.integers(0, 31, count)
    power = np.int64(1) << rng.integers(0, 31, count)
    ends = rng.choice([0, 1, (1 << 30), (1 << 31) - 1], count)
    multiplier = np.choose(rng.integers(0, 4, count), [normal, small, power, ends])
    return multiplier, rng.integers(lowest, 32, count)


def near(rng: np.random.Generator, acc: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """Accumulators whose result is about an int8: acc * multiplier * 2^(shift - 31) within some 300."""
    wanted = rng.uniform(-300, 300, len(acc))
    ideal = wanted * np.exp2(31.0 - shift) / np.maximum(multiplier, 1)
    ideal = np.rint(np.clip(ideal, -(2.0**31), 2.0**31 - 1)).astype(np.int64)
    return np.where(rng.random(len(acc)) < 0.6, ideal, acc)


def ties(rng: np.random.Generator, acc: Ints, multiplier: Ints, shift: Ints) -> tuple[Ints, Ints]:
    """A tenth of them: an odd multiple of half a step."""
    here = (rng.random(len(acc)) < 0.1) & (shift <= 0) & (shift >= -29)
    odd = 2 * rng.integers(-150, 150, len(acc)) + 1
    return (
        np.where(here, np.clip(odd << np.maximum(-shift, 0), -(1 << 31), (1 << 31) - 1), acc),
        np.where(here, 1 << 30, multiplier),
    )


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Clocked:
    folder = tmp_path_factory.mktemp("requantize")
    return Clocked(folder, "ert_requantize", INPUTS, {"out_valid": 1, "y": 8}, ["ert_multiply.v"])


@pytest.mark.parametrize(("is_once", "lowest", "seed"), [(0, -31, 1), (1, -31, 2), (0, -31, 3), (1, -31, 4)])
def test_same_bytes_as_the_interpreter(module: Clocked, is_once: int, lowest: int, seed: int) -> None:
    rng, count = np.random.default_rng(seed), 100_000
    multiplier, shift = factors(rng, count, lowest)
    if is_once:
        shift = np.minimum(shift, 30)
    acc = near(rng, accumulators(rng, count), multiplier, shift)
    acc, multiplier = ties(rng, acc, multiplier, shift)
    if not is_once:  # a shift to the left of more than 32 bits has no meaning
        overflows = (shift > 0) & (abs(acc) >> np.maximum(31 - shift, 0) > 0)
        acc = np.where(overflows, acc >> np.maximum(shift, 0), acc)
    y_zero = rng.integers(-128, 128, count)
    y_min, y_max = np.sort(rng.integers(-128, 128, (2, count)), axis=0)
    open_ended = rng.random(count) < 0.7
    y_min, y_max = np.where(open_ended, -128, y_min), np.where(open_ended, 127, y_max)
    valid = rng.random(count) < 0.9
    values = {
        "rst": np.zeros(count, bool), "in_valid": valid, "acc": acc, "multiplier": multiplier,
        "shift": shift, "once": np.full(count, is_once), "y_zero": y_zero, "y_min": y_min, "y_max": y_max,
    }  # fmt: skip
    got = module.run({k: np.concatenate([v, np.zeros(LATENCY, v.dtype)]) for k, v in values.items()})
    np.testing.assert_array_equal(got["out_valid"][LATENCY:], valid)
    y = (once if is_once else twice)(acc, multiplier, shift)
    wanted = np.clip(y + y_zero, y_min, y_max) & 0xFF
    found = got["y"][LATENCY:]
    wrong = np.flatnonzero(valid & (found != wanted))
    assert not len(wrong), (
        f"{len(wrong)}; acc {acc[wrong[0]]} * {multiplier[wrong[0]]}, shift {shift[wrong[0]]}, "
        f"zero {y_zero[wrong[0]]}: {found[wrong[0]]} for {wanted[wrong[0]]}"
    )
    inside = valid & (abs(y + y_zero) < 128)
    assert inside.sum() > count // 4, "enough of them are not clamped"
