"""Board: a target with memory, a clock and ways to reach it. One folder per board in boards/, or in yours."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from edgert import descriptor
from edgert.errors import DescriptorError
from edgert.fpga import External, Fpga, broken_rules
from edgert.part import list_parts, load_part
from edgert.target import list_targets

DRIVERS = ("host", "unicorn", "gdb", "serial", "linux", "verilator")
SEARCH_PATH, DESCRIPTOR = "EDGERT_BOARDS", "board.toml"
VERIFIED = ("hardware", "emulated", "linked")
_REQUIRED = ("id", "name", "target", "driver", "verified", "source")
_OPTIONAL = ("clock_hz", "memory", "gdb", "serial", "uart", "linux", "flash", "fpga", "external")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Region:
    """Addresses start <= a < end."""

    start: int
    end: int

    @property
    def nbytes(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class FlashTiming:
    """What a read of flash costs beyond the core's own cycles: wait_states, unless it is in a cache.

    read_bytes: width of one flash read, which a miss brings in. Caches: fully associative, least recently
    used; at least one read, which is the flash's output register.
    """

    source: str
    wait_states: int
    read_bytes: int
    instruction_cache_bytes: int
    data_cache_bytes: int


@dataclass(frozen=True)
class CacheTiming:
    """The core's own caches, direct-mapped, in front of all its memory: how many cycles a miss adds.

    Writes go through to the memory and bring nothing in.
    """

    source: str
    line_bytes: int
    instruction_bytes: int
    data_bytes: int
    instruction_miss_cycles: int
    data_miss_cycles: int


@dataclass(frozen=True)
class Gdb:
    """A server of GDB's remote protocol. server: the program to start, empty where one is started by hand.

    address: "stdio" (of the server) or "host:port". load: the board's memory is empty when the server has
    started, so a session loads the firmware first. reset: the server's monitor command that resets and halts.
    """

    address: str
    server: tuple[str, ...] = ()
    load: bool = False
    reset: str = ""


@dataclass(frozen=True)
class Serial:
    """A serial line. address: "stdio" (of the server), a device or pyserial's socket://host:port.

    server: the program to start, {firmware} in it stands for the ELF, {python} for this interpreter.
    start_s: how long the first answer may take: a simulator that builds itself first takes minutes.
    """

    address: str
    server: tuple[str, ...] = ()
    baud: int = 115200
    start_s: int = 10


@dataclass(frozen=True)
class Uart:
    """The board's own side of the serial line. driver: csrc/port/uart_<driver>.c; base: its registers."""

    driver: str
    base: int = 0


@dataclass(frozen=True)
class Linux:
    """A board with an operating system. run: the command that runs {runner} there, on our standard streams.

    copy: commands that put {runner} there first; {address} is what --link says, by default `address`.
    """

    run: tuple[str, ...]
    copy: tuple[tuple[str, ...], ...] = ()
    address: str = ""


@dataclass(frozen=True)
class Board:
    """flash, ram and clock_hz are None for the host; links (gdb, serial, uart, linux) where there is none.

    target: a CPU, or an FPGA part; then fpga and external say what we put on it, clock_hz the design's clock.

    verified: "hardware", "emulated" or "linked" - how far anyone has seen it work.
    flash_timing: None where flash answers at once, or nobody has said how it answers.
    boot_words: what the chip's boot loader wants to find behind the vectors.
    caches: None where the core has none, or nobody has said how they answer.
    flash_tools: tool of edgert/flash/ -> its arguments, most preferred first.
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
    flash_timing: FlashTiming | None = None
    boot_words: tuple[int, ...] = ()
    caches: CacheTiming | None = None
    gdb: Gdb | None = None
    serial: Serial | None = None
    uart: Uart | None = None
    linux: Linux | None = None
    flash_tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fpga: Fpga | None = None
    external: External | None = None

    @property
    def flash_bytes(self) -> int | None:
        return self.flash.nbytes if self.flash else None

    @property
    def ram_bytes(self) -> int | None:
        return self.ram.nbytes if self.ram else None


def filled_in(command: Sequence[str], **names: str) -> list[str]:
    """A command of a descriptor with {python} and `names` put in."""
    known = {"python": sys.executable, **names}
    return [part.format_map(known) for part in command]


def board_folders() -> dict[str, Traversable]:
    """Id -> folder of every board: those of edgert, and those in the folders that EDGERT_BOARDS names."""
    own = [Path(p) for p in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if p]
    found: dict[str, Traversable] = {}
    for place in (files("edgert.boards"), *own):
        if place.is_dir():
            found |= {p.name: p for p in place.iterdir() if (p / DESCRIPTOR).is_file()}
    return found


def list_boards() -> list[str]:
    """Ids of every board, sorted."""
    return sorted(board_folders())


def load_board(board_id: str) -> Board:
    """Read <folder>/board.toml of a board and check it.

    Raises DescriptorError: unknown id (names the nearest), unknown or missing key, overlapping memory,
    a target that does not exist.
    """
    folders = board_folders()
    if board_id not in folders:
        raise descriptor.unknown("board", board_id, folders)
    return _read_once(folders[board_id])


_KNOWN: dict[tuple[str, str], Board] = {}


def _read_once(folder: Traversable) -> Board:
    """By where it is and what it says: a descriptor that was edited is read again."""
    key = (str(folder), (folder / DESCRIPTOR).read_text(encoding="utf-8"))
    if key not in _KNOWN:
        _KNOWN[key] = read_board(folder)
    return _KNOWN[key]


def read_board(folder: Traversable) -> Board:
    """Read folder/board.toml and check it. Raises DescriptorError."""
    where = f"boards/{folder.name}/{DESCRIPTOR}"
    table = descriptor.read(folder / DESCRIPTOR, where)
    descriptor.check_keys(table, _REQUIRED, _OPTIONAL, where)
    memory = table.get("memory", {})
    descriptor.check_keys(memory, () if not memory else ("flash", "ram"), ("cache",), f"{where} [memory]")
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
        flash_timing=_record(FlashTiming, memory.get("flash", {}), "timing", f"{where} [memory.flash]"),
        boot_words=tuple(memory.get("flash", {}).get("boot_words", ())),
        caches=_record(CacheTiming, memory, "cache", f"{where} [memory]"),
        gdb=_record(Gdb, table, "gdb", where),
        serial=_record(Serial, table, "serial", where),
        uart=_record(Uart, table, "uart", where),
        linux=_record(Linux, table, "linux", where),
        flash_tools=table.get("flash", {}),
        fpga=_record(Fpga, table, "fpga", where),
        external=_record(External, table, "external", where),
    )
    _check(board, folder.name, where)
    return board


def _region(memory: dict[str, Any], name: str, where: str) -> Region | None:
    if name not in memory:
        return None
    optional = ("timing", "boot_words") if name == "flash" else ()
    descriptor.check_keys(memory[name], ("start", "end"), optional, f"{where} [memory.{name}]")
    return Region(int(memory[name]["start"]), int(memory[name]["end"]))


def _record(kind: type[_T], parent: Mapping[str, Any], name: str, where: str) -> _T | None:
    """The table `name` as a dataclass: its fields are the keys, those without a default are required."""
    table = parent.get(name)
    if table is None:
        return None
    known = fields(kind)  # type: ignore[arg-type]  # a dataclass, which TypeVar cannot say
    required = [f.name for f in known if f.default is MISSING and f.default_factory is MISSING]
    descriptor.check_keys(table, required, [f.name for f in known], f"{where} [{name}]")
    return kind(**{key: _frozen(value) for key, value in table.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _check(board: Board, board_id: str, where: str) -> None:
    is_fpga = board.target in list_parts()
    rules = {
        f"the id is the folder's name, got {board.id!r}": board.id == board_id,
        f"there is no target {board.target!r}": is_fpga or board.target in list_targets(),
        f"driver is one of {', '.join(DRIVERS)}, got {board.driver!r}": board.driver in DRIVERS,
        f"verified is one of {', '.join(VERIFIED)}, got {board.verified!r}": board.verified in VERIFIED,
        f"{board.target} is an FPGA: driver 'verilator', [fpga], [external], clock_hz are needed": not is_fpga
        or (board.driver == "verilator" and board.fpga and board.external and bool(board.clock_hz)),
        f"{board.target} is a CPU: no driver 'verilator', [fpga] or [external]": is_fpga
        or (board.driver != "verilator" and not board.fpga and not board.external),
        "an FPGA board has no [memory]: its memory is in [fpga]": not is_fpga
        or not (board.flash or board.ram),
        "a board without an operating system has memory and a clock": is_fpga
        or board.driver in ("host", "linux")
        or (board.flash is not None and board.ram is not None and bool(board.clock_hz)),
        f"driver {board.driver!r} needs a table [{board.driver}]": board.driver
        not in ("gdb", "serial", "linux")
        or getattr(board, board.driver) is not None,
        "a memory region is not empty": all(r.nbytes > 0 for r in (board.flash, board.ram) if r),
        "flash and RAM do not overlap": board.flash is None
        or board.ram is None
        or board.flash.end <= board.ram.start
        or board.ram.end <= board.flash.start,
        "flash and RAM start at multiples of 4": all(r.start % 4 == 0 for r in (board.flash, board.ram) if r),
        "wait states are 0 or more, read_bytes a power of 2, and each cache holds a read": board.flash_timing
        is None
        or _is_plausible(board.flash_timing),
    }
    for rule, holds in rules.items():
        if not holds:
            raise DescriptorError(rule, where=where)
    if board.fpga and board.external:
        for rule in broken_rules(board.fpga, board.external, load_part(board.target)):
            raise DescriptorError(rule, where=where)


def _is_plausible(timing: FlashTiming) -> bool:
    smallest = min(timing.instruction_cache_bytes, timing.data_cache_bytes)
    return timing.wait_states >= 0 and timing.read_bytes.bit_count() == 1 and smallest >= timing.read_bytes
