"""The `bench` fixture of tiny.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tiny import Bench

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
