"""Board: a target with memory, a clock and a way to reach it. One folder per board in boards/."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from edgert import descriptor
from edgert.errors import DescriptorError
from edgert.target import list_targets

DRIVERS = ("host", "unicorn")
VERIFIED = ("hardware", "emulated", "linked")
_REQUIRED = ("id", "name", "target", "driver", "verified", "source")
_OPTIONAL = ("clock_hz", "memory")


@dataclass(frozen=True)
class Region:
    """Addresses start <= a < end."""

    start: int
    end: int

    @property
    def nbytes(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Board:
    """flash, ram and clock_hz are None for the host.

    verified: "hardware", "emulated" or "linked" - how far anyone has seen it work.
    """

    id: str
    name: str
    target: str
    driver: str
    verified: str
    source: str
    clock_hz: int | None
    flash: Region | None
    ram: Region | None

    @property
    def flash_bytes(self) -> int | None:
        return self.flash.nbytes if self.flash else None

    @property
    def ram_bytes(self) -> int | None:
        return self.ram.nbytes if self.ram else None


def list_boards() -> list[str]:
    """Ids of every board, sorted."""
    return sorted(p.name for p in files("edgert.boards").iterdir() if (p / "board.toml").is_file())


@cache
def load_board(board_id: str) -> Board:
    """Read boards/<id>/board.toml and check it.

    Raises DescriptorError: unknown id (names the nearest), unknown or missing key, overlapping memory,
    a target that does not exist.
    """
    if board_id not in list_boards():
        raise descriptor.unknown("board", board_id, list_boards())
    where = f"boards/{board_id}/board.toml"
    table = descriptor.read(files("edgert.boards") / board_id / "board.toml", where)
    descriptor.check_keys(table, _REQUIRED, _OPTIONAL, where)
    memory = table.get("memory", {})
    descriptor.check_keys(memory, () if not memory else ("flash", "ram"), (), f"{where} [memory]")
    board = Board(
        id=table["id"],
        name=table["name"],
        target=table["target"],
        driver=table["driver"],
        verified=table["verified"],
        source=table["source"],
        clock_hz=table.get("clock_hz"),
        flash=_region(memory, "flash", where),
        ram=_region(memory, "ram", where),
    )
    _check(board, board_id, where)
    return board


def _region(memory: dict[str, Any], name: str, where: str) -> Region | None:
    if name not in memory:
        return None
    descriptor.check_keys(memory[name], ("start", "end"), (), f"{where} [memory.{name}]")
    return Region(int(memory[name]["start"]), int(memory[name]["end"]))


def _check(board: Board, board_id: str, where: str) -> None:
    rules = {
        f"the id is the folder's name, got {board.id!r}": board.id == board_id,
        f"there is no target {board.target!r}": board.target in list_targets(),
        f"driver is one of {', '.join(DRIVERS)}, got {board.driver!r}": board.driver in DRIVERS,
        f"verified is one of {', '.join(VERIFIED)}, got {board.verified!r}": board.verified in VERIFIED,
        "a board other than the host has memory and a clock": board.driver == "host"
        or (board.flash is not None and board.ram is not None and bool(board.clock_hz)),
        "a memory region is not empty": all(r.nbytes > 0 for r in (board.flash, board.ram) if r),
        "flash and RAM do not overlap": board.flash is None
        or board.ram is None
        or board.flash.end <= board.ram.start
        or board.ram.end <= board.flash.start,
    }
    for rule, holds in rules.items():
        if not holds:
            raise DescriptorError(rule, where=where)
