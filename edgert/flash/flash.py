"""Choose a way to flash a board, say what it does, do it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgert.board import Board
from edgert.drivers.elf import Elf
from edgert.errors import DescriptorError, UsageError
from edgert.flash import images, tools, uf2

GDB, UF2 = "gdb", "uf2"
WAYS = (GDB, *tools.TOOLS, UF2)
_UF2_KEYS = ("family", "volume")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Options:
    """tool: one of WAYS, by default the board's first. address: of a GDB server. port: for esptool.

    volume: where the board's drive is mounted.
    """

    tool: str = ""
    address: str = ""
    port: str = ""
    volume: str = ""


def choose(board: Board, wanted: str = "") -> str:
    """The way to flash: the one that is wanted, else the board's first. Raises UsageError if it has none."""
    known = [*board.flash_tools, *([GDB] if board.gdb is not None and GDB not in board.flash_tools else [])]
    if not known:
        raise UsageError(
            f"{board.id} is not flashed", rule=f"its driver is {board.driver!r}",
            hint="edgert run and edgert profile start it with the firmware",
        )  # fmt: skip
    if wanted and wanted not in known:
        raise UsageError(f"{board.id} is not flashed by {wanted!r}", rule=f"it is by {', '.join(known)}")
    return wanted or known[0]


def check_tables(board: Board, where: str) -> None:
    """Raises DescriptorError for a tool or a key that does not exist, or one that is missing."""
    from edgert import descriptor

    for name, table in board.flash_tools.items():
        if name not in WAYS:
            raise DescriptorError(f"no flash tool {name!r}", where=where, rule=f"tools are {', '.join(WAYS)}")
        keys: Mapping[str, Any] = tools.TOOLS[name].keys if name in tools.TOOLS else {}
        keys = dict.fromkeys(_UF2_KEYS) if name == UF2 else keys
        required = [key for key, default in keys.items() if default is None]
        descriptor.check_keys(table, required, keys, f"{where} [flash.{name}]")


def plan(board: Board, elf: Path, options: Options) -> list[str]:
    """What flash() would do, as the shell would be told. Raises UsageError."""
    way = choose(board, options.tool)
    if way == GDB:
        assert board.gdb is not None
        address = options.address or board.gdb.address
        reset = [f"monitor {board.gdb.reset}"] if board.gdb.reset else []
        steps = [f"target remote {address}", f"load {elf}", "compare-sections", *reset]
        return [f"# as gdb would: {'; '.join(steps)}"]
    if way == UF2:
        return [shlex.join(["cp", str(_image(elf, "uf2")), options.volume or f"<{_table(board)['volume']}>"])]
    tool = tools.TOOLS[way]
    argv = tools.command(tool, board.flash_tools[way], str(_image(elf, tool.image)), options.port)
    return [shlex.join(argv)]


def flash(board: Board, elf_path: Path, options: Options, progress: Progress) -> None:
    """Flash a firmware. progress: called with bytes done and in all, where that is known.

    Raises UsageError, ToolError, LinkError, BoardFaultError.
    """
    way, elf = choose(board, options.tool), Elf(elf_path)
    if way == GDB:
        _by_gdb(board, elf, options.address, progress)
    elif way == UF2:
        table = _table(board)
        volume = uf2.find_volume(str(table["volume"]), options.volume)
        uf2.copy(images.write_image(elf, "uf2", _image(elf_path, "uf2"), int(table["family"])), volume)
    else:
        tool = tools.TOOLS[way]
        image = (
            images.write_image(elf, tool.image, _image(elf_path, tool.image))
            if tool.image != "elf"
            else elf_path
        )
        tools.run(tool, tools.command(tool, board.flash_tools[way], str(image), options.port))


def _by_gdb(board: Board, elf: Elf, address: str, progress: Progress) -> None:
    from edgert.drivers.gdb_board import open_access
    from edgert.drivers.gdb_load import load
    from edgert.drivers.stream import STDIO

    assert board.gdb is not None
    if board.gdb.address == STDIO and not address:
        raise UsageError(
            f"{board.id} is started for every session, and loaded then",
            hint="start its server by hand, and say where it is: --link gdb:HOST:PORT",
        )
    access = open_access(board, elf, address)
    try:
        load(access, elf.segments, progress)
        access.reset()
    finally:
        access.close()


def _table(board: Board) -> Mapping[str, Any]:
    return board.flash_tools[UF2]


def _image(elf: Path, kind: str) -> Path:
    return elf.with_suffix(f".{kind}")
