"""edgert boards: what there is, all of one, and a new one."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgert.board import (
    DESCRIPTOR,
    SEARCH_PATH,
    Board,
    board_folders,
    list_boards,
    load_board,
    read_board,
)  # fmt: skip
from edgert.cli.console import add_json, emit, emit_json, say
from edgert.errors import EdgertError, UsageError
from edgert.report.tables import Column, number, text
from edgert.target import load_target

LINKS = ("gdb", "serial", "linux")
COLUMNS = (
    Column("board"), Column("target"), Column("clock MHz", True), Column("flash bytes", True),
    Column("RAM bytes", True), Column("driver"), Column("links"), Column("verified"),
    Column("what", max_width=70),
)  # fmt: skip
_NEW = """\
id = "{id}"
name = "{name}"
target = "{target}"
driver = "gdb"
verified = "linked"
source = "{source}"
clock_hz = {clock_hz:_}

[memory.flash]
start = {flash[0]:#010x}
end = {flash[1]:#010x}

[memory.ram]
start = {ram[0]:#010x}
end = {ram[1]:#010x}

[gdb]
address = "localhost:3333"
reset = "reset halt"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", metavar="ID | new ID", help="all of one board; or make a new one")
    parser.add_argument("--from", dest="base", metavar="BOARD", help="new: copy this one's descriptor")
    parser.add_argument("--target", metavar="T", help="new: the CPU (edgert targets)")
    parser.add_argument("--flash", type=_range, metavar="START:SIZE", help="new: 0x08000000:512K")
    parser.add_argument("--ram", type=_range, metavar="START:SIZE", help="new: 0x20000000:64K")
    parser.add_argument("--clock", type=float, metavar="MHZ", help="new: the clock out of reset")
    parser.add_argument("--source", default="", help="new: the datasheet and section that say so")
    parser.add_argument("-o", "--output", type=Path, default=Path("boards"), help="new: default ./boards")
    add_json(parser)


def _range(text: str) -> tuple[int, int]:
    start, _, size = text.partition(":")
    units = {"K": 1 << 10, "M": 1 << 20}
    nbytes = int(size.rstrip("KkMm"), 0) * units.get(size[-1:].upper(), 1)
    if int(start, 0) < 0 or nbytes <= 0:
        raise ValueError("not a range")
    return int(start, 0), int(start, 0) + nbytes


_range.__name__ = "range START:SIZE"


def main(args: argparse.Namespace) -> int:
    if args.what[:1] == ["new"]:
        return _new(args)
    if len(args.what) > 1:
        raise UsageError(f"one board at a time, got {' '.join(args.what)}", hint="edgert boards --help")
    if args.what:
        return _show(load_board(args.what[0]), args.json)
    rows = [_row(load_board(name)) for name in list_boards()]
    if args.json:
        emit_json(rows)
    else:
        emit(text(COLUMNS, [_cells(row) for row in rows]))
    return 0


def _row(board: Board) -> dict[str, Any]:
    return {
        "id": board.id,
        "target": board.target,
        "clock_hz": board.clock_hz,
        "flash_bytes": board.flash_bytes,
        "ram_bytes": board.fpga.scratch_bytes if board.fpga else board.ram_bytes,
        "driver": board.driver,
        "links": [link for link in LINKS if getattr(board, link) is not None],
        "verified": board.verified,
        "name": board.name,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    clock = f"{row['clock_hz'] / 1e6:g}" if row["clock_hz"] else "-"
    sizes = [number(row[key]) if row[key] else "-" for key in ("flash_bytes", "ram_bytes")]
    links = " ".join(row["links"]) or "-"
    return [row["id"], row["target"], clock, *sizes, row["driver"], links, row["verified"], row["name"]]


def _show(board: Board, as_json: bool) -> int:
    """Everything, as the descriptor says it."""
    folder = board_folders()[board.id]
    if as_json:
        emit_json({**asdict(board), "folder": str(folder)})
    else:
        emit(f"# {folder / DESCRIPTOR}\n{(folder / DESCRIPTOR).read_text(encoding='utf-8').rstrip()}")
    return 0


def _new(args: argparse.Namespace) -> int:
    """Write the descriptor aside, check it, link a firmware with it, and only then put it in its place."""
    if len(args.what) != 2:
        raise UsageError("give the new board an id", hint="edgert boards new my-board --from nucleo-l4r5zi")
    name = args.what[1]
    folder = args.output / name
    if folder.exists() or name in list_boards():
        raise UsageError(f"there is a board {name!r}", hint="choose another id")
    with tempfile.TemporaryDirectory() as scratch:
        draft = Path(scratch) / name
        draft.mkdir()
        (draft / DESCRIPTOR).write_text(_descriptor(name, args), encoding="utf-8")
        board = read_board(draft)
        flash_bytes, ram_bytes = (0, 0) if board.fpga else try_linking(board, Path(scratch))
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(draft, folder)
    facts = {"folder": str(folder), "flash_bytes": flash_bytes, "ram_bytes": ram_bytes}
    if args.json:
        emit_json(facts)
    else:
        links = f"; a firmware links: {flash_bytes:,} bytes of flash" if flash_bytes else ""
        say(f"edgert: wrote {folder / DESCRIPTOR}{links}")
        say(f"  next: {SEARCH_PATH}={args.output} edgert run MODEL --board {name}")
    return 0


def _descriptor(name: str, args: argparse.Namespace) -> str:
    if args.base:
        load_board(args.base)
        base = board_folders()[args.base] / DESCRIPTOR
        return _changed(base.read_text(encoding="utf-8"), name, args)
    missing = [f"--{key}" for key in ("target", "flash", "ram", "clock") if getattr(args, key) is None]
    if missing:
        raise UsageError(f"{', '.join(missing)} missing", hint="or start with another board: --from BOARD")
    load_target(args.target)
    return _NEW.format(
        id=name, name=name, target=args.target, clock_hz=round(args.clock * 1e6), flash=args.flash,
        ram=args.ram, source=args.source or "not said: name the datasheet and section",
    )  # fmt: skip


def _changed(descriptor: str, name: str, args: argparse.Namespace) -> str:
    """Another board's descriptor, with the new id and what the arguments say."""
    given = {"id": f'"{name}"', "name": f'"{name}"', "verified": '"linked"'}
    given |= {"target": f'"{args.target}"'} if args.target else {}
    given |= {"clock_hz": f"{round(args.clock * 1e6):_}"} if args.clock else {}
    given |= {"source": f'"{args.source}"'} if args.source else {}
    section, lines = "", []
    for line in descriptor.splitlines():
        section = line.split("#")[0].strip() if line.startswith("[") else section
        key = line.split("=")[0].strip()
        memory = {"[memory.flash]": args.flash, "[memory.ram]": args.ram}.get(section)
        if not section and key in given:
            line = f"{key} = {given[key]}"
        elif memory and key in ("start", "end"):
            line = f"{key} = {memory[key == 'end']:#010x}"
        lines.append(line)
    return "\n".join(lines) + "\n"


_PROBE_H = "#include <stdint.h>\nvoid probe_invoke(uint8_t *arena);\n"
_PROBE_C = """#include "model.h"
void probe_invoke(uint8_t *arena)
{
    arena[1] = arena[0];
}
extern void (*const probe_steps[1])(uint8_t *arena);
void (*const probe_steps[1])(uint8_t *arena) = {probe_invoke};
"""


def try_linking(board: Board, scratch: Path) -> tuple[int, int]:
    """Link a firmware that copies a byte; (flash, RAM) bytes. Raises DoesNotFitError, ToolError."""
    from edgert.toolchain import compile_firmware

    (scratch / "model.h").write_text(_PROBE_H, encoding="utf-8")
    (scratch / "model.c").write_text(_PROBE_C, encoding="utf-8")
    port = {"dtype": "uint8", "shape": [1]}
    report = {
        "name": "probe", "arena_bytes": 16, "layers": [{}],
        "inputs": [{**port, "offset": 0}], "outputs": [{**port, "offset": 1}],
    }  # fmt: skip
    try:
        firmware = compile_firmware(scratch, report, board, scratch / "firmware.elf", "size")
    except EdgertError as error:
        raise UsageError(f"no firmware links for it: {error.what}", where=board.id) from error
    return firmware.flash_bytes, firmware.ram_bytes
