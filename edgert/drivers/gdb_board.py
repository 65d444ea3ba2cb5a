"""A board behind a GDB server: one that runs already, or one that we start, QEMU among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgert.board import Board, filled_in
from edgert.drivers import qemu_count
from edgert.drivers.debug_link import DebugLink
from edgert.drivers.elf import Elf, load_firmware
from edgert.drivers.gdb import Core, GdbAccess
from edgert.drivers.gdb_load import load
from edgert.drivers.mailbox_session import MailboxSession
from edgert.drivers.session import Profile, Session
from edgert.drivers.stream import STDIO, Stream, connect_tcp, start_process
from edgert.errors import UsageError
from edgert.target import load_target

_CONNECT_S = 5.0
_ARM, _RISCV = (15, 13, 14), (32, 2, 1)  # pc, sp, link: GDB's numbers of the standard register sets


def open_session(report: Mapping[str, Any], folder: Path, board: Board, address: str = "") -> Session:
    """address: host:port of a server that runs; a board that starts empty is loaded first."""
    elf = load_firmware(folder, board)
    kind = QemuSession if qemu_count.can_count(board) and not address else MailboxSession
    return kind(report, _link(report, board, elf, address), board)


def _link(report: Mapping[str, Any], board: Board, elf: Elf, address: str = "") -> DebugLink:
    return DebugLink(lambda: _loaded(board, elf, address), elf, report, board)


def _loaded(board: Board, elf: Elf, address: str) -> GdbAccess:
    """Access to a core that has the firmware in its memory, as far as we are to put it there."""
    access = open_access(board, elf, address)
    if board.gdb is not None and board.gdb.load:
        try:
            load(access, elf.segments)
        except BaseException:
            access.close()
            raise
    return access


class QemuSession(MailboxSession):
    """See Session. Profiles are counted in a second QEMU, which has a plugin that counts and is slower."""

    def _profile(self, inputs: Sequence[bytes], timeout_s: float, repetitions: int) -> Profile:
        """repetitions: all would be the same."""
        assert isinstance(self._link, DebugLink)
        profile = super()._profile(inputs, timeout_s, 1)
        elf = self._link.elf
        counts = qemu_count.count(
            self, elf, self._board, lambda board: _link(self.report, board, elf), inputs, timeout_s
        )
        return qemu_count.without_cycles(qemu_count.with_counts(profile, counts))


def open_access(board: Board, elf: Elf, address: str = "") -> GdbAccess:
    """Connect to the board's GDB server. Raises LinkError, ToolError."""
    if board.gdb is None:
        raise UsageError(f"{board.id} has no GDB server", hint=f"see: edgert boards {board.id}")
    return GdbAccess(_stream(board, address), _core(board, elf), board.id, board.gdb.reset)


def _stream(board: Board, address: str) -> Stream:
    assert board.gdb is not None
    if not address and board.gdb.address == STDIO:
        return start_process(filled_in(board.gdb.server))
    return connect_tcp(address or board.gdb.address, _CONNECT_S)


def _core(board: Board, elf: Elf) -> Core:
    arch = load_target(board.target).arch
    if arch.startswith("rv"):
        return Core(*_RISCV, entry=elf.entry, register_bytes=8 if arch == "rv64" else 4)
    vectors = elf.symbols["ert_flash_start"]
    image = next(data[vectors - a :] for a, data in elf.segments if a <= vectors < a + len(data))
    stack, entry = (int.from_bytes(image[i : i + 4], "little") for i in (0, 4))
    return Core(*_ARM, entry=entry & ~1, stack=stack, thumb=True)
