"""Documents that are generated from the code are what the code says now."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edgert import errors

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import gen_docs  # noqa: E402


def test_generated_parts_are_up_to_date() -> None:
    assert gen_docs.stale() == [], "run: make docs"


def test_exit_codes_are_unique_and_fixed() -> None:
    """They are part of the interface: changing one breaks somebody's script."""
    codes = {kind.__name__: kind.exit_code for kind in gen_docs._tree(errors.EdgertError)}
    assert codes == {
        "EdgertError": 1,
        "UsageError": 2,
        "ModelError": 3,
        "UnsupportedOperatorError": 4,
        "InputError": 5,
        "DoesNotFitError": 6,
        "DescriptorError": 7,
        "ToolError": 8,
        "BoardFaultError": 9,
        "BoardTimeoutError": 10,
        "LinkError": 11,
        "WrongFirmwareError": 12,
    }


@pytest.mark.shared_models
def test_readme_promises_no_more_than_is_measured(shared_models_dir: Path) -> None:
    """The table may lag behind an improvement (make bench), but never claims what is not so."""
    from edgert.board import load_board
    from edgert.cli.bench import measure

    document = json.loads(gen_docs.MEASURED.read_text(encoding="utf-8"))
    rows = document["boards"]["cortex-m4-emulated"]["models"]
    suite = [(row["task"], shared_models_dir / row["model"]) for row in rows]
    for row, now in zip(rows, measure(suite, load_board("cortex-m4-emulated")), strict=True):
        for key in ("instructions", "cycles", "arena_bytes", "stack_bytes", "flash_bytes"):
            assert now[key] <= row[key], (row["model"], key)
