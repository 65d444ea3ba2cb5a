"""The weighted kernels as a board runs them, assembler and all, against the reference interpreter.

test_weighted.py runs the portable C of every variant; here every variant that a core has runs on that core.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracle import Array
from test_weighted import Case, lowered, make
from tflite_builder import reference

from edgert import api
from edgert.codegen.select import choices
from edgert.target import load_target

BOARDS = {
    "cortex-m4-emulated": "cortex-m4",
    "cortex-m0plus-emulated": "cortex-m0plus",
    "rv32imc-emulated": "rv32imc",
}
CASES = [
    Case("conv", (1, 5, 3, 8), 6),  # 15 pixels: a last block of three
    Case("conv", (1, 3, 3, 9), 7, activation="RELU"),  # odd channels on both sides
    Case("conv", (2, 9, 7, 3), 5, (3, 3), (2, 2), activation="RELU6"),
    Case("conv", (1, 12, 7, 1), 8, (10, 4), (2, 2)),
    Case("conv", (1, 2, 2, 600), 2, (1, 1), extreme=True),  # a sum in two parts
    Case("depthwise", (1, 7, 6, 5), 5, (3, 3)),
    Case("depthwise", (1, 7, 7, 4), 4, (3, 3), (2, 2), zero=-128, activation="RELU"),
    Case("depthwise", (2, 6, 9, 3), 3, (3, 3), (2, 1)),
    Case("depthwise", (1, 9, 8, 6), 6, (5, 5), (2, 2), zero=127, extreme=True),
    Case("depthwise", (1, 8, 9, 2), 2, (4, 2)),
    Case("dense", (2, 37), 19),
    Case("dense", (1, 64), 8, zero=-128, extreme=True),
]


def _first_bytes_that_differ(case: Case, board: str, folder: Path) -> list[str]:
    model, x = make(case)
    (expected,) = reference(model, x)
    program, step, _ = lowered(model)
    wrong = []
    for n, label in enumerate(choices(program, step, load_target(BOARDS[board]).features)):
        artifact = api.compile_program(program, folder / str(n), board=board, labels={step.name: label})
        assert artifact.report["layers"][0]["variant"] == label
        with api.connect(artifact) as session:
            y: Array = session.run(x)[0]
        if not np.array_equal(y, expected):
            wrong.append(label)
    return wrong


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_bytes_on_the_board(case: Case, board: str, tmp_path: Path) -> None:
    assert _first_bytes_that_differ(case, board, tmp_path) == []
