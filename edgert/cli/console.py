"""What every command shares: data on stdout, messages on stderr, a parser that raises our own errors."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NoReturn

from edgert.errors import UsageError


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong argument is a UsageError like any other wrong input."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, where=self.prog.removeprefix("edgert "), hint=f"see: {self.prog} --help")


def emit(text: str) -> None:
    """Data, to stdout."""
    print(text)


def emit_json(data: Any) -> None:
    """One JSON document, to stdout."""
    print(json.dumps(data, indent=2))


def say(text: str) -> None:
    """A message, to stderr: never mixed into data that is piped on."""
    print(text, file=sys.stderr)


def nearest(name: str, known: Iterable[str]) -> str:
    """', did you mean X?' where a known name is close, else ''."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f", did you mean {close[0]}?" if close else ""


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


class Progress:
    """One line on stderr that says what is going on and for how long; only where stderr is a terminal.

    with Progress("compiling kws") as progress: progress.step("linking", 2, 3)
    """

    REFRESH_S = 0.1
    BAR_CHARS = 24

    def __init__(self, what: str) -> None:
        self._what, self._done, self._total = what, 0, 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._start = time.monotonic()

    def step(self, what: str, done: int = 0, total: int | None = 0) -> None:
        """Say what comes now; with a total, show a bar."""
        self._what, self._done, self._total = what, done, total or 0

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _draw(self) -> None:
        while not self._stop.wait(self.REFRESH_S):
            sys.stderr.write(f"\r\x1b[K{self._line()}")
            sys.stderr.flush()

    def _line(self) -> str:
        elapsed_s = time.monotonic() - self._start
        if not self._total:
            return f"{self._what} ... {elapsed_s:.0f} s"
        filled = self.BAR_CHARS * self._done // self._total
        bar = "#" * filled + "." * (self.BAR_CHARS - filled)
        return f"[{bar}] {self._done}/{self._total} {self._what} ({elapsed_s:.0f} s)"
