"""One Session contract, one file per way to reach a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from edgert.board import Board
from edgert.drivers.session import Session

_HOMES = {"host": "edgert.drivers.host", "unicorn": "edgert.drivers.unicorn_board"}


def open_session(report: Mapping[str, Any], folder: Path, board: Board) -> Session:
    """Open a session with `board` for the artifact in `folder`. Each driver module has open_session()."""
    opener = import_module(_HOMES[board.driver]).open_session
    return cast(Callable[[Mapping[str, Any], Path, Board], Session], opener)(report, folder, board)
