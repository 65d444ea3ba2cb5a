"""edgert check: what a board runs, whether its memory holds, how deep its stack went."""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import Any

from edgert import api
from edgert.board import load_board
from edgert.cli.console import Progress, add_json, emit, emit_json
from edgert.cli.inputs import random_input
from edgert.cli.models import add_link, add_source, board_of, open_source, refuse_circuits
from edgert.drivers.elf import Elf, load_firmware
from edgert.drivers.mailbox_session import MailboxSession
from edgert.errors import BoardFaultError, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_link(parser)
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    refuse_circuits(board_of(args), "check", "edgert run MODEL --board B --compare-reference")
    artifact = open_source(args)
    board = args.board or artifact.report["board"]
    with Progress("asking the board"), api.connect(artifact, board=args.board, link=args.link) as session:
        if not isinstance(session, MailboxSession):
            raise UsageError(f"{board} runs no firmware", hint="choose another board (edgert boards)")
        found = examine(session, artifact.folder, board)
    if args.json:
        emit_json(found)
    else:
        emit("\n".join(f"{key.replace('_', ' '):<14} {value}" for key, value in found.items()))
    return 0


def examine(session: MailboxSession, folder: Path, board: str) -> dict[str, Any]:
    """Ask everything that can be asked. Raises BoardFaultError if the flash is not what was put there."""
    elf = load_firmware(folder, load_board(board))
    session.run(*(random_input(port, 0) for port in session.report["inputs"]))
    stack_bytes = session.stack_bytes()
    found, wanted = session.self_test(), flash_crc(elf)
    if found is not None and wanted is not None and found != wanted:
        raise BoardFaultError(
            f"the CRC-32 of its flash is {found:#010x}",
            where=board,
            rule=f"the firmware's is {wanted:#010x}",
            hint="flash it again: edgert flash",
        )  # fmt: skip
    identity = session.identity
    return {
        "board": board,
        "model": identity.model,
        "shapes": identity.shapes,
        "build": identity.build,
        "model_sha256": identity.model_sha256,
        "mailbox": f"version {identity.version}",
        "arena_bytes": identity.arena_bytes,
        "stack_bytes": stack_bytes,
        "flash_crc": None if found is None else f"{found:#010x}",
        "memory": "tested",
        "notes": session.notes(),
    }


def flash_crc(elf: Elf) -> int | None:
    """CRC-32 of what the firmware's own self-test reads; None where there is no such thing."""
    if "ert_flash_start" not in elf.symbols:
        return None
    start, end = (elf.symbols[f"ert_flash_{name}"] for name in ("start", "end"))
    image = bytearray(end - start)
    for address, data in elf.segments:
        if start <= address < end:
            image[address - start : address - start + len(data)] = data
    return zlib.crc32(image[: end - start])
