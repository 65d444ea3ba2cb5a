"""The command line in this process, and a cache that all workers of one test run share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from edgert.cli.main import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


@pytest.fixture(scope="session", autouse=True)
def fresh_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing compiled by an earlier run is served; under xdist the workers share one cache."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    before = os.environ.get("EDGERT_CACHE")
    os.environ["EDGERT_CACHE"] = str(shared / "edgert-cache")
    yield
    if before is None:
        del os.environ["EDGERT_CACHE"]
    else:
        os.environ["EDGERT_CACHE"] = before


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """cli("compile", path, ...) -> exit code, stdout, stderr; also what C libraries print."""

    def call(*argv: object) -> Outcome:
        capfd.readouterr()
        code = main([str(word) for word in argv])
        return Outcome(code, *capfd.readouterr())

    return call
