"""Link through a debug probe, or an emulator that offers the same: memory by address, one breakpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgert.board import Board
from edgert.drivers.access import Access
from edgert.drivers.elf import Elf
from edgert.drivers.link import Link
from edgert.drivers.mailbox import Fault, Region
from edgert.errors import BoardFaultError, BoardTimeoutError, LinkError

START_TIMEOUT_S = 10.0
_SYMBOLS = {Region.IDENTITY: "ert_identity", Region.MAILBOX: "ert_mailbox", Region.ARENA: "ert_arena"}
_STACK_SCAN_BYTES = 512


class DebugLink(Link):
    """The core stands at ert_idle between requests; it is let go to answer one, and comes back there.

    connect: gives access to the board's core, its firmware in place; called anew where the access broke.
    """

    def __init__(
        self, connect: Callable[[], Access], elf: Elf, report: Mapping[str, Any], board: Board
    ) -> None:
        self._connect, self.elf, self._report, self._board = connect, elf, report, board
        self._idle = elf.symbols["ert_idle"] & ~1
        self._opened: Access | None = None

    @property
    def access(self) -> Access:
        if self._opened is None:
            raise LinkError("the session is closed", where=self._board.id)
        return self._opened

    def read(self, region: Region, offset: int, nbytes: int) -> bytes:
        if region not in _SYMBOLS:
            return b""
        return self.access.read(self.elf.symbols[_SYMBOLS[region]] + offset, nbytes)

    def write(self, region: Region, offset: int, data: bytes) -> None:
        self.access.write(self.elf.symbols[_SYMBOLS[region]] + offset, data)

    def execute(self, timeout_s: float) -> None:
        try:
            self.access.resume(self._idle)
            came_back = self.access.wait(timeout_s)
        except BoardFaultError as error:
            raise BoardFaultError(
                error.what, where=self._here(), hint="look at that line of model.c or its kernel header"
            ) from error
        if not came_back:
            self.access.halt()
            raise BoardTimeoutError(
                f"no answer within {timeout_s:.3g} s",
                where=self._here(),
                hint="give it more time (--timeout)",
            )

    def reset(self) -> None:
        if self._opened is not None:
            try:
                self.access.reset()
                return
            except LinkError:
                self.close()
        self._opened = self._connect()
        self.access.reset()

    def start(self) -> None:
        self.execute(START_TIMEOUT_S)

    def place(self, fault: Fault) -> str:
        return place(self.elf, self._report, self._board.id, fault.pc, (fault.link, *self._stack(fault.sp)))

    def _here(self) -> str:
        found = self.access.registers()
        return place(self.elf, self._report, self._board.id, found.pc, (found.link, *self._stack(found.sp)))

    def _stack(self, sp: int) -> list[int]:
        """The words on the stack: return addresses are among them."""
        top = self.elf.symbols.get("ert_stack_top", 0)
        nbytes = min(top - sp, _STACK_SCAN_BYTES) & ~3
        if nbytes <= 0 or sp < self.elf.symbols["ert_stack_limit"]:
            return []
        try:
            data = self.access.read(sp & ~3, nbytes)
        except (BoardFaultError, LinkError):
            return []
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, nbytes, 4)]

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def place(elf: Elf, report: Mapping[str, Any], board: str, pc: int, callers: tuple[int, ...]) -> str:
    """`board, layer 3 name, function model.c:12, pc 0x...`; callers: addresses that may be return addresses.

    The layer is that of the innermost function of one.
    """
    layers = {layer["symbol"]: layer for layer in report["layers"]}
    found = [f.name for f in map(elf.function_at, (pc & ~1, *(c & ~1 for c in callers))) if f]
    layer = next((layers[name] for name in found if name in layers), None)
    function = elf.function_at(pc & ~1)
    where = f"{function.name if function else 'outside the firmware'} {elf.line_at(pc & ~1)}".strip()
    named = [f"layer {layer['index']} {layer['name']}"] if layer else []
    return ", ".join([board, *named, where, f"pc {pc:#010x}"])
