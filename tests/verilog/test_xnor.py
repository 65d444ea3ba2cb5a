"""ert_xnor against counting."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from clocked import Clocked

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")
LATENCY = 5
INPUTS = {"rst": 1, "in_valid": 1, "first": 1, "last": 1, "x": 64, "w": 512}
LENGTHS = (1, 2, 3, 9, 36, 512, 1023)


def test_same_counts(tmp_path: Path) -> None:
    module = Clocked(tmp_path, "ert_xnor", INPUTS, {"out_valid": 1, "acc": 128}, ["ert_xnor_lane.v"])
    rng, cycles = np.random.default_rng(0), 30_000
    x = rng.integers(0, 1 << 32, (cycles, 2), np.uint32)
    w = rng.integers(0, 1 << 32, (cycles, 8, 2), np.uint32)
    valid = rng.random(cycles) < 0.8
    valid[:2], valid[-LATENCY:] = False, False
    items = np.flatnonzero(valid)
    ends = np.cumsum(np.concatenate([LENGTHS, rng.choice(LENGTHS, len(items), p=[0.16] * 6 + [0.04])]))
    ends = ends[ends <= len(items)]
    starts = np.concatenate([[0], ends[:-1]])
    first, last = (np.zeros(cycles, bool) for _ in range(2))
    first[items[starts]], last[items[ends - 1]] = True, True
    alike = np.zeros(cycles)  # sums of equal words only, of no equal bit, of any
    alike[items] = np.repeat(rng.random(len(ends) + 1), np.diff(np.concatenate([[0], ends, [len(items)]])))
    w[alike > 0.7], w[alike < 0.3] = x[alike > 0.7][:, None], ~x[alike < 0.3][:, None]
    alike[items[: ends[len(LENGTHS) - 1]]] = 1
    w[alike == 1] = x[alike == 1][:, None]
    got = module.run(
        {"rst": np.arange(cycles) < 2, "in_valid": valid, "first": first, "last": last, "x": x, "w": w}
    )
    equal = 64 - np.bitwise_count(x[:, None] ^ w).astype(np.int64).sum(2)
    total = np.concatenate([np.zeros((1, 8), np.int64), np.cumsum(equal[items], axis=0)])
    wanted = total[ends] - total[starts]
    assert wanted.max() == 64 * max(LENGTHS)
    at = np.flatnonzero(got["out_valid"])
    np.testing.assert_array_equal(at, items[ends - 1] + LATENCY)
    found = np.ascontiguousarray(got["acc"][at], "<u4").view("<u2")
    np.testing.assert_array_equal(found, wanted)
