"""An unrolled layer behind a stream, against counting."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from clocked import VERILOG, Clocked

from edgert.codegen.hls.unrolled import unrolled_stream
from edgert.codegen.mst import distances, spanning_tree

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")
CYCLES = 2000


@pytest.mark.parametrize(
    ("channels", "n", "levels", "by_tree"),
    [(1, 1, 1, False), (5, 7, 1, True), (12, 45, 2, True), (16, 90, 1, True), (9, 90, None, False)],
)
def test_same_bits_as_counting(
    channels: int, n: int, levels: int | None, by_tree: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(n)
    bits = rng.integers(0, 2, (channels, n))
    thresholds = rng.integers(-1, n + 2, channels)
    differ, turned = distances(bits)
    tree = spanning_tree(differ, n, turned) if by_tree else None
    source = tmp_path / "layer.v"
    source.write_text(unrolled_stream("layer", bits, thresholds, tree, levels=levels), encoding="ascii")
    inputs = {"rst": 1, "in_valid": 1, "in_data": n, "out_ready": 1}
    outputs = {"in_ready": 1, "out_valid": 1, "out_data": channels}
    layer = Clocked(tmp_path, "layer", inputs, outputs, [str(VERILOG / "ert_fifo.v")], source=source)
    valid, ready = rng.random(CYCLES) < 0.8, rng.random(CYCLES) < 0.8
    valid[CYCLES // 2 :], ready[CYCLES // 2 :] = True, True  # then at full speed
    windows = rng.integers(0, 2, (CYCLES, n)).astype(np.uint8)
    packed = np.zeros((CYCLES, -(-n // 32) * 4), np.uint8)
    packed[:, : -(-n // 8)] = np.packbits(windows, axis=1, bitorder="little")
    values = {
        "rst": np.arange(CYCLES) < 2,
        "in_valid": valid,
        "in_data": packed.view("<u4"),
        "out_ready": ready,
    }
    got = layer.run(values)
    went_in = windows[2:][(valid & (got["in_ready"] == 1))[2:]]
    came_out = ((got["out_valid"] == 1) & ready)[2:]
    wanted = (went_in[:, None] == (bits[None] > 0)).sum(2) > thresholds
    found = got["out_data"][2:][came_out][:, None] >> np.arange(channels) & 1
    np.testing.assert_array_equal(found, wanted[: len(found)])
    assert came_out[-CYCLES // 4 :].all(), "one window a cycle"
