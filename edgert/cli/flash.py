"""edgert flash: a model's firmware onto a board, or into a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgert.board import Board, load_board
from edgert.cli.console import Progress, add_json, emit, emit_json, say
from edgert.cli.models import add_source, board_of, open_source, refuse_circuits
from edgert.drivers.elf import Elf, load_firmware
from edgert.errors import UsageError
from edgert.flash import flash, images

BITSTREAM = (
    "edgert makes no bitstream: give rtl/top.v and the board's memory controller to Yosys and nextpnr, or to "
    "Vivado, and load the result with openFPGALoader"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("--tool", choices=flash.WAYS, help="default: the board's first")
    parser.add_argument("--link", default="", metavar="gdb:HOST:PORT", help="a GDB server that runs already")
    parser.add_argument("--port", default="", help="serial port, for esptool")
    parser.add_argument("--volume", default="", metavar="DIR", help="the board's drive, for UF2")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, run none")
    parser.add_argument("--image", type=Path, metavar="FILE", help="write .elf, .bin, .hex or .uf2 instead")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    refuse_circuits(board_of(args), "flash", BITSTREAM)
    artifact = open_source(args)
    board_id = args.board or artifact.report["board"]
    if board_id is None:
        raise UsageError("no board given", hint="add --board (see: edgert boards)")
    board = load_board(board_id)
    elf = load_firmware(artifact.folder, board)
    if args.image:
        return _write(args, elf, board)
    options = flash.Options(
        args.tool or ("gdb" if args.link else ""), args.link.removeprefix("gdb:"), args.port, args.volume
    )
    done = flash.plan(board, elf.path, options)
    if not args.dry_run:
        with Progress(f"flashing {board.id}") as progress:
            flash.flash(board, elf.path, options, lambda n, total: progress.step("flashing", n, total))
    if args.json:
        emit_json({"board": board.id, "commands": done, "flashed": not args.dry_run})
    elif args.dry_run:
        emit("\n".join(done))
    else:
        say(f"edgert: {artifact.name} is on {board.id}")
    return 0


def _write(args: argparse.Namespace, elf: Elf, board: Board) -> int:
    """An image file; its format is the file's ending."""
    family = board.flash_tools.get("uf2", {}).get("family")
    images.write_image(elf, args.image.suffix.removeprefix("."), args.image, family)
    nbytes = args.image.stat().st_size
    if args.json:
        emit_json({"image": str(args.image), "bytes": nbytes})
    else:
        say(f"edgert: wrote {args.image}, {nbytes:,} bytes")
    return 0
