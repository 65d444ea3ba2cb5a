"""csrc/include/ert_channel.h: the high multiply from 16-bit halves, which no host selects by itself."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
from caller import CSRC, FLAGS, _compiler

SOURCE = """
#include "include/ert_channel.h"
int32_t high(int32_t a, int32_t b);
int32_t high(int32_t a, int32_t b) { return ert_rounded_high_by_halves(a, b); }
"""


def test_the_high_multiply_by_halves_is_exact(tmp_path: Path) -> None:
    (tmp_path / "high.c").write_text(SOURCE)
    command = [*_compiler(), *FLAGS, f"-I{CSRC}", "high.c", "-o", "high.so"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    high = ctypes.CDLL(str(tmp_path / "high.so")).high
    rng = np.random.default_rng(0)
    edges = [0, 1, -1, 2, 0x7FFF, 0x8000, 0xFFFF, 0x10000, -0x8000, -0x10000, -0x10001, 2**31 - 1, -(2**31)]
    left = [*edges, *map(int, rng.integers(-(2**31), 2**31, 300))]
    right = [b for b in edges if b >= 0] + [2**30, 2**30 + 1, *map(int, rng.integers(2**30, 2**31, 100))]
    wrong = [(a, b) for a in left for b in right if high(a, b) != (a * b + 2**31) >> 32]
    assert not wrong, wrong[:5]
