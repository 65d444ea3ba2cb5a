"""One Session contract, one file per way to reach a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from edgert.board import DRIVERS, Board
from edgert.drivers.session import Session
from edgert.errors import UsageError

_HOMES = {
    "host": "edgert.drivers.host",
    "unicorn": "edgert.drivers.unicorn_board",
    "gdb": "edgert.drivers.gdb_board",
    "serial": "edgert.drivers.serial_board",
    "linux": "edgert.drivers.linux_board",
    "verilator": "edgert.drivers.verilator_board",
}
_CIRCUIT = ("verilator", "host")


def open_session(report: Mapping[str, Any], folder: Path, board: Board, link: str = "") -> Session:
    """Open a session with `board` for the artifact in `folder`. Each driver module has open_session().

    link: "DRIVER" or "DRIVER:ADDRESS" where it is not the board's own, "gdb:localhost:3333" say.
    """
    driver, _, address = link.partition(":")
    driver = driver or board.driver
    if driver not in DRIVERS:
        raise UsageError(f"no driver {driver!r}", rule=f"drivers are {', '.join(DRIVERS)}")
    if "fpga" in report and driver not in _CIRCUIT:
        raise UsageError(f"no link {link!r} to a circuit", rule=f"its drivers are {', '.join(_CIRCUIT)}")
    opener = import_module(_HOMES[driver]).open_session
    return cast(Callable[[Mapping[str, Any], Path, Board, str], Session], opener)(
        report, folder, board, address
    )
