"""Whole networks on every board that something on this machine stands in for: the reference's bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import edgert
from edgert.board import load_board
from edgert.cli.inputs import random_input
from edgert.cli.reference import Reference
from edgert.errors import DoesNotFitError

pytestmark = pytest.mark.shared_models
MODELS = ("kws_int8.tflite", "ic_resnet8_int8.tflite", "vww_int8.tflite", "ad01_int8.tflite")
PLACES = (
    *(
        (name, "gdb")
        for name in (
            "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547", "microbit", "virt-rv32",
            "virt-rv64",
        )
    ),
    ("mps2-an386", "serial"), ("virt-rv32", "serial"),
    ("aarch64-user", "linux"), ("armv7a-user", "linux"), ("riscv64-user", "linux"),
)  # fmt: skip
# What the micro:bit has no room for, and why: 16 KB of RAM, 256 KB of flash
TOO_BIG = {
    "ic_resnet8_int8.tflite": r"arena needs [\d,]+ bytes of RAM, microbit has 16,384: [\d,]+ too many",
    "vww_int8.tflite": r"arena needs [\d,]+ bytes of RAM, microbit has 16,384: [\d,]+ too many",
    "ad01_int8.tflite": r"[\d,]+ bytes too many for the 262,144 of flash",
}


@pytest.mark.parametrize("file", MODELS)
@pytest.mark.parametrize(("board", "link"), PLACES)
def test_same_bytes_as_the_reference(board: str, link: str, file: str, shared_models_dir: Path) -> None:
    table = getattr(load_board(board), link)
    program = (table.run if link == "linux" else table.server)[0]
    if shutil.which(program) is None:
        pytest.skip(f"no {program}: see edgert doctor")
    model = shared_models_dir / file
    if board == "microbit" and file in TOO_BIG:
        with pytest.raises(DoesNotFitError, match=TOO_BIG[file]):
            edgert.compile(model, board=board)
        return
    artifact = edgert.compile(model, board=board)
    reference = Reference(model.read_bytes())
    with edgert.connect(artifact, link=link) as session:
        for seed in range(3):
            inputs = [random_input(port, seed) for port in artifact.report["inputs"]]
            for ours, theirs in zip(session.run(*inputs), reference.run(inputs), strict=True):
                assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("file", MODELS)
def test_qemu_counts_what_unicorn_counts(file: str, shared_models_dir: Path) -> None:
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("no qemu-system-arm: see edgert doctor")
    artifact = edgert.compile(shared_models_dir / file, board="mps2-an386")
    inputs = [random_input(port, 0) for port in artifact.report["inputs"]]
    counts = []
    for link in ("gdb", "unicorn"):
        with edgert.connect(artifact, link=link) as session:
            counts.append([layer.instructions for layer in session.profile(*inputs).layers])
    assert counts[0] == counts[1]
