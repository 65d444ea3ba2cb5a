"""ert_softmax against docs/numerics.md, section 5, as the interpreter of the circuit has it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from clocked import verilated

from edgert.codegen.hls.interpret import softmax_row
from edgert.codegen.hls.isa import Softmax
from edgert.codegen.quantize_math import softmax_exp_table

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")
MEMORY = 8 << 16
Bytes = npt.NDArray[np.uint8]
Case = tuple[float, int, int, int]  # scale, rows, depth, words between rows beyond what a row needs


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    main = Path(__file__).with_name("softmax.cpp").read_text(encoding="ascii")
    folder = tmp_path_factory.mktemp("softmax")
    return verilated(folder, "ert_softmax", main, ["ert_softmax.v", "ert_multiply.v"])


def table_of(scale: float) -> npt.NDArray[np.int64]:
    return np.asarray(softmax_exp_table(scale, 1.0), np.int64)


def run(unit: Path, cases: list[Case], latency: int, ready: int, seed: int, *, in_place: bool) -> list[float]:
    """Cycles of a row in each case, after the bytes were found equal; rows lie from the memory's start on."""
    rng = np.random.default_rng(seed)
    memory = rng.integers(0, 256, MEMORY, np.uint8)
    wanted, told = memory.copy(), b""
    at = 0
    for scale, rows, depth, apart in cases:
        table = table_of(scale)
        words = -(-depth // 8)
        stride = 8 * (words + apart)
        x, y = at, at if in_place else at + rows * stride
        at = y + rows * stride
        # From noise of all widths, so that the sums differ; rows of one value have the largest.
        spread = rng.integers(0, 8, (rows, 1))
        values = (rng.integers(-128, 128, (rows, depth)) >> spread) + rng.integers(-100, 100, (rows, 1))
        values[rng.random(rows) < 0.1] = rng.integers(-128, 128)
        values = np.clip(values, -128, 127)
        for row in range(rows):
            memory[x + row * stride :][:depth] = values[row].astype(np.int8).view(np.uint8)
            wanted[x + row * stride :][: 8 * words] = memory[x + row * stride :][: 8 * words]
        for row in range(rows):
            padded = np.zeros(8 * words, np.uint8)
            padded[:depth] = softmax_row(values[row], table).astype(np.int8).view(np.uint8)
            wanted[y + row * stride :][: 8 * words] = padded
        command = Softmax(x=x, y=y, x_stride=stride, y_stride=stride, rows=rows, depth=depth)
        told += table.astype("<u4").tobytes() + command.pack().to_bytes(16, "little")
    assert at <= MEMORY
    done = subprocess.run(
        [str(unit), str(latency), str(ready), str(seed)],
        input=memory.tobytes() + told, capture_output=True, check=True,
    )  # fmt: skip
    found = np.frombuffer(done.stdout[:MEMORY], np.uint8)
    wrong = np.flatnonzero(found != wanted)
    assert not len(wrong), f"{len(wrong)} bytes, first {wrong[0]}: {found[wrong[0]]} for {wanted[wrong[0]]}"
    cycles = np.frombuffer(done.stdout[MEMORY:], "<u8")
    return [float(c) / rows for c, (_, rows, _, _) in zip(cycles, cases, strict=True)]


@pytest.mark.parametrize(("latency", "ready", "in_place"), [(1, 100, False), (3, 50, True), (9, 20, False)])
def test_same_bytes_as_the_interpreter(unit: Path, latency: int, ready: int, in_place: bool) -> None:
    rng = np.random.default_rng(latency)
    depths = [*range(1, 20), 63, 64, 65, 255, 511, 512, 513, 1000, 1023, 1024, *rng.integers(20, 1024, 10)]
    scales = [1 / 256, 0.1, 1 / 16, 0.005, 0.5, 1e-6, 2.0]
    cases = [
        (scales[i % len(scales)], int(rng.integers(1, 12)), int(depth), int(rng.integers(0, 2)))
        for i, depth in enumerate(depths)
    ]
    run(unit, cases, latency, ready, seed=latency, in_place=in_place)


def test_sum_of_512(unit: Path) -> None:
    """Rows of one value: the sum is the depth, and 511 is the last that has a reciprocal."""
    table = table_of(1e-6)
    assert (softmax_row(np.zeros(511, np.int64), table) == -127).all()
    assert (softmax_row(np.zeros(513, np.int64), table) == -128).all()
    run(unit, [(1e-7, 20, depth, 0) for depth in (510, 511, 512, 513, 1024)], 3, 100, 7, in_place=False)


def test_three_cycles_a_byte(unit: Path) -> None:
    depths = [8, 64, 512, 1024]
    cycles = run(unit, [(0.1, 4, depth, 0) for depth in depths], 4, 100, 0, in_place=False)
    for depth, found in zip(depths, cycles, strict=True):
        assert found <= 3 * depth + 100, f"{found} cycles a row of {depth}"
