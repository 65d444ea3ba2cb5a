"""The `bench` fixture of tiny.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
