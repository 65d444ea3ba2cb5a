"""A board at a serial line: a device, a socket, or the standard streams of a simulator that we start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgert.board import Board, filled_in
from edgert.drivers.elf import load_firmware
from edgert.drivers.frames import FrameLink
from edgert.drivers.mailbox_session import MailboxSession
from edgert.drivers.session import Session
from edgert.drivers.stream import STDIO, Stream, open_serial, start_process
from edgert.errors import UsageError


def open_session(report: Mapping[str, Any], folder: Path, board: Board, address: str = "") -> Session:
    """address: the device or socket://host:port, where it is not the board's own."""
    elf = load_firmware(folder, board)
    if board.serial is None or board.uart is None:
        raise UsageError(f"{board.id} has no serial line", hint=f"see: edgert boards {board.id}")
    serial = board.serial
    starts = not address and serial.address == STDIO

    def connect() -> Stream:
        if starts:
            return start_process(filled_in(serial.server, firmware=str(elf.path)))
        return open_serial(address or serial.address, serial.baud)

    return MailboxSession(report, FrameLink(connect, elf, report, board, restarts=starts), board)
