"""ert_fifo: order, depth, and one word a cycle."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from clocked import Clocked

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")
CYCLES = 4000


@pytest.mark.parametrize(("width", "depth"), [(8, 2), (1, 3), (64, 16), (65, 17), (32, 300)])
def test_words_come_out_in_order(width: int, depth: int, tmp_path: Path) -> None:
    inputs = {"rst": 1, "in_valid": 1, "in_data": width, "out_ready": 1}
    outputs = {"in_ready": 1, "out_valid": 1, "out_data": width}
    fifo = Clocked(tmp_path, "ert_fifo", inputs, outputs, parameters={"WIDTH": width, "DEPTH": depth})
    rng = np.random.default_rng(depth)
    phase = np.arange(CYCLES) // (CYCLES // 4)  # both sides rarely, only in, only out, both always
    valid = np.choose(phase, [rng.random(CYCLES) < 0.5, True, False, True])
    ready = np.choose(phase, [rng.random(CYCLES) < 0.5, False, True, True])
    data = rng.integers(0, 1 << min(width, 32), (CYCLES, -(-width // 32)), np.uint32)
    got = fifo.run({"rst": np.arange(CYCLES) < 2, "in_valid": valid, "in_data": data, "out_ready": ready})
    went_in = (valid & (got["in_ready"] == 1))[2:]
    came_out = ((got["out_valid"] == 1) & ready)[2:]
    data[:, -1] &= 0xFFFFFFFF >> (-width % 32)
    wanted = data[2:][went_in]
    found = got["out_data"].reshape(CYCLES, -1)[2:][came_out]
    np.testing.assert_array_equal(found, wanted[: len(found)])
    inside = np.cumsum(went_in) - np.cumsum(came_out)
    assert inside.max() == depth + 1 and inside[CYCLES * 3 // 4 - 3] == 0, "it fills up, and empties"
    assert came_out[-(CYCLES // 4) + 3 :].all(), "one word a cycle"
