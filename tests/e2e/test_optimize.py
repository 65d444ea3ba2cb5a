"""The size dial: the same bytes at every level, less flash at each, and a report that adds up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgert
from edgert.api import OPTIMIZE

MODEL = Path(edgert.__file__).parent / "demo" / "cifar10_small.tflite"
BOARDS = ("cortex-m4-emulated", "cortex-m3-emulated", "cortex-m0plus-emulated", "rv32imc-emulated")


@pytest.mark.parametrize("board", BOARDS)
def test_levels_agree_and_shrink(board: str) -> None:
    made = {level: edgert.compile(MODEL, board=board, optimize=level) for level in OPTIMIZE}
    x = (
        np.random.default_rng(1)
        .integers(-128, 128, made["size"].report["inputs"][0]["shape"])
        .astype(np.int8)
    )
    outputs = []
    for artifact in made.values():
        with edgert.connect(artifact) as session:
            outputs.append(session.run(x)[0])
    assert all(np.array_equal(outputs[0], y) for y in outputs[1:])
    flash = {level: artifact.report["flash_bytes"] for level, artifact in made.items()}
    assert flash["size"] < min(flash["speed"], flash["balanced"])


@pytest.mark.parametrize("level", OPTIMIZE)
def test_the_report_adds_up(level: str) -> None:
    report = edgert.compile(MODEL, board=BOARDS[0], optimize=level).report
    split = report["flash_split"]
    assert sum(split.values()) == sum(report["flash_sections"].values()) == report["flash_bytes"]
    assert split["weights"] + split["tables"] >= report["weights_bytes"]
    assert all(size > 0 for size in split.values())
    assert report["linked_arena_bytes"] == report["arena_bytes"] >= report["largest_tensor_bytes"]
    for layer in report["layers"]:
        assert layer["written_bytes"] == int(np.prod(layer["output_shape"]))
        assert layer["read_bytes"] >= layer["weights_bytes"]


def test_shared_kernels_are_written_once_and_called_by_their_layers() -> None:
    artifact = edgert.compile(MODEL, board=BOARDS[0], optimize="size")
    text = (artifact.folder / "model.c").read_text()
    calls = text.count("(arena, &layer);")
    definitions = text.count("(uint8_t *arena, const ")
    assert 0 < definitions < calls
