"""Fixtures shared by every test."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest

# The tests compile hundreds of small models: not into the cache of the person who runs them.
os.environ.setdefault("EDGERT_CACHE", str(Path(__file__).parents[1] / "build" / "test-cache"))
# Two workers whose PyTorch takes all cores each wait for one another most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
SHARED = Path(os.environ.get("EDGERT_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared_models_dir() -> Path:
    """The MLPerf Tiny models; tests that ask for them are skipped where they are absent."""
    folder = SHARED / "models"
    if not folder.is_dir():
        pytest.skip(f"no {folder}: set EDGERT_SHARED to the folder that holds models/ (MLPerf Tiny)")
    return folder


@pytest.fixture(autouse=True)
def own_random_numbers(request: pytest.FixtureRequest) -> None:
    """A module's RNG starts anew for each test: its data do not depend on what its worker ran before."""
    generator = getattr(request.module, "RNG", None)
    if generator is not None:
        seed = zlib.crc32(request.node.name.encode())
        generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state
