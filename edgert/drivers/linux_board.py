"""A board with Linux or Android: our runner there, its standard streams here, by ssh, adb or qemu-user."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgert.board import Board, filled_in
from edgert.drivers import qemu_count
from edgert.drivers.elf import Elf, load_firmware
from edgert.drivers.frames import FrameLink
from edgert.drivers.mailbox_session import MailboxSession
from edgert.drivers.session import Profile, Session
from edgert.drivers.stream import Stream, start_process
from edgert.errors import LinkError, ToolError, UsageError
from edgert.firmware import HOSTED_FRAME_DATA_BYTES

_COPY_TIMEOUT_S = 120.0
_WARM_UP_RUNS = 2


def open_session(report: Mapping[str, Any], folder: Path, board: Board, address: str = "") -> Session:
    """address: what {address} in the board's commands stands for, where it is not the board's own."""
    elf = load_firmware(folder, board)
    if board.linux is None:
        raise UsageError(f"{board.id} has no operating system", hint=f"see: edgert boards {board.id}")
    linux = board.linux
    names = {"runner": str(elf.path), "address": address or linux.address}
    if any("{address}" in part for part in (*linux.run, *sum(linux.copy, ()))) and not names["address"]:
        raise UsageError(
            f"{board.id} needs an address", rule=f"its command is: {' '.join(linux.run)}",
            hint="give it with --link linux:ADDRESS",
        )  # fmt: skip

    for command in linux.copy:
        _copy(filled_in(command, **names), board)
    return LinuxSession(report, board, elf, names)


def _link(report: Mapping[str, Any], board: Board, elf: Elf, names: Mapping[str, str]) -> FrameLink:
    assert board.linux is not None
    command = filled_in(board.linux.run, **names)

    def connect() -> Stream:
        return start_process(command)

    return FrameLink(connect, elf, report, board, restarts=True, data_bytes=HOSTED_FRAME_DATA_BYTES)


class LinuxSession(MailboxSession):
    """See Session. The first runs of a process are slower, so they warm it up; the notes say how it ran.

    Under qemu-user, instructions are counted in a second QEMU, which has a plugin that counts and is slower.
    """

    def __init__(self, report: Mapping[str, Any], board: Board, elf: Elf, names: Mapping[str, str]) -> None:
        super().__init__(report, _link(report, board, elf, names), board)
        self._elf, self._names = elf, names

    def _profile(self, inputs: Sequence[bytes], timeout_s: float, repetitions: int) -> Profile:
        for _ in range(_WARM_UP_RUNS):
            self.run_bytes(inputs, timeout_s)
        profile = super()._profile(inputs, timeout_s, repetitions)
        profile = replace(profile, notes=f"{_WARM_UP_RUNS} runs to warm up, {self.notes()}")
        if not qemu_count.can_count(self._board):
            return profile
        counts = qemu_count.count(self, self._elf, self._board, self._link_to, inputs, timeout_s)
        return qemu_count.with_counts(profile, counts)

    def _link_to(self, board: Board) -> FrameLink:
        return _link(self.report, board, self._elf, self._names)


def _copy(command: Sequence[str], board: Board) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_COPY_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise ToolError(f"cannot start {command[0]}: {error.strerror}", where=board.id) from error
    except subprocess.TimeoutExpired as error:
        raise LinkError(
            f"{' '.join(command)} takes longer than {_COPY_TIMEOUT_S:g} s", where=board.id,
            hint="is the board reachable without a password?",
        ) from error  # fmt: skip
    if done.returncode != 0:
        raise LinkError(f"{' '.join(command)} failed: {_last_line(done.stderr)}", where=board.id)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it does not say why")
