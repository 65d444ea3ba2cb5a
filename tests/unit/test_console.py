"""Progress lines: only for a terminal, and gone when done."""

from __future__ import annotations

import io
import time

import pytest

from edgert.cli.console import Progress, nearest


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_silent_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with Progress("working"):
        time.sleep(2 * Progress.REFRESH_S)
    assert stream.getvalue() == ""


def test_progress_draws_a_bar_and_clears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with Progress("starting") as progress:
        progress.step("images", 3, 6)
        while "3/6" not in stream.getvalue():
            time.sleep(Progress.REFRESH_S)
    assert f"[{'#' * 12}{'.' * 12}] 3/6 images" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_nearest() -> None:
    assert nearest("compil", ["compile", "run"]) == ", did you mean compile?"
    assert nearest("xyzzy", ["compile", "run"]) == ""
