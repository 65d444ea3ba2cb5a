"""Access through a server of GDB's remote protocol: OpenOCD, pyOCD, J-Link, Black Magic Probe, QEMU.

Source: the GDB manual, appendix E: packets (E.2), stop replies (E.3), queries (E.4), memory map (E.14).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import Enum

from edgert.drivers.access import Access, Registers
from edgert.drivers.gdb_memory import MemoryRegion, parse_memory_map
from edgert.drivers.gdb_packets import Packets, escape
from edgert.drivers.stream import Stream
from edgert.errors import BoardFaultError, LinkError

TIMEOUT_S = 5.0
_FLASH_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 0.5
_POLL_S = 0.05
_NUDGE_S = 0.25
_DEFAULT_PACKET_BYTES = 400
_MOST_PACKET_BYTES = 1 << 16
_MOST_DOCUMENT_BYTES = 1 << 18
_SIGNALS = {
    4: "an illegal instruction",
    7: "a bus error",
    8: "an arithmetic error",
    10: "a bus error",
    11: "a bad access",
}
_ANY, _OK, _HEX = re.compile(rb".*", re.DOTALL), re.compile(rb"OK"), re.compile(rb"(?:[0-9a-fA-F]{2})+")
_FEATURES, _STOPPED = re.compile(rb"(?:.*[=+-].*)?", re.DOTALL), re.compile(rb"[TSWXN].*", re.DOTALL)
_MORE_TRIES = 2
_HALTED_BY_US = (0, 2, 5, 17, 19)  # none, INT, TRAP, STOP as various systems number it


@dataclass(frozen=True)
class Core:
    """What the client has to know of the core. Numbers are GDB's of its registers.

    entry: where to start; stack: the stack pointer there, None where the code sets it itself.
    """

    pc: int
    sp: int
    link: int
    entry: int
    stack: int | None = None
    thumb: bool = False
    register_bytes: int = 4


class _Break(Enum):
    HARDWARE = b"1"
    SOFTWARE = b"0"
    NONE = b""


class GdbAccess(Access):
    """See Access. name: of the board, for messages. reset_command: what `monitor` resets and halts with."""

    def __init__(self, stream: Stream, core: Core, name: str, reset_command: str = "") -> None:
        self._stream, self._packets = stream, Packets(stream)
        self._core, self._name, self._reset_command = core, name, reset_command
        self._break = _Break.HARDWARE
        self._stop_at: int | None = None
        self._running = False
        self._patience_s = _NUDGE_S
        self._packet_bytes = _DEFAULT_PACKET_BYTES
        self._binary_write = True
        self._features: dict[str, str] = {}
        try:
            self._open()
        except BaseException:
            stream.close()
            raise

    def _open(self) -> None:
        features = self._ask(b"qSupported:swbreak+;hwbreak+", like=_FEATURES)  # a stop reply may come first
        reply = features.decode("ascii", "replace")
        for feature in filter(None, reply.split(";")):  # name=value, name+ or name-
            name, sign, value = feature.partition("=")
            self._features[name if sign else name[:-1]] = value if sign else name[-1:]
        size = self._features.get("PacketSize", "")
        if size:
            self._packet_bytes = min(max(64, _number(size)), _MOST_PACKET_BYTES)
        if not self._ask(b"?", like=_STOPPED).startswith((b"T", b"S")):
            raise LinkError("the GDB server has no core to offer", where=self._name)
        self._transfer("features", "target.xml")  # QEMU wants to be asked before it gives single registers

    # ---- memory

    def read(self, address: int, nbytes: int) -> bytes:
        step = (self._packet_bytes - 8) // 2
        return b"".join(self._read(address + at, min(step, nbytes - at)) for at in range(0, nbytes, step))

    def _read(self, address: int, nbytes: int) -> bytes:
        reply = self._ask(b"m%x,%x" % (address, nbytes), like=re.compile(rb"[0-9a-fA-F]{%d}" % (2 * nbytes)))
        self._refuse_error(reply, f"reading {nbytes} bytes at {address:#010x}")
        try:
            data = bytes.fromhex(reply.decode("ascii"))
        except ValueError as error:
            raise LinkError(f"not memory: {reply[:20]!r}", where=self._name) from error
        if len(data) != nbytes:
            raise BoardFaultError(
                f"{len(data)} of {nbytes} bytes can be read at {address:#010x}", where=self._name,
                hint="compare the board's memory map",
            )  # fmt: skip
        return data

    def write(self, address: int, data: bytes) -> None:
        step = self.payload_bytes
        for at in range(0, len(data), step):
            self._write(address + at, data[at : at + step])

    def _write(self, address: int, data: bytes) -> None:
        if self._binary_write:
            reply = self._ask(b"X%x,%x:%s" % (address, len(data), escape(data)), like=_OK)
            if reply:
                return self._expect_ok(reply, f"writing {len(data)} bytes at {address:#010x}")
            self._binary_write = False
        reply = self._ask(b"M%x,%x:%s" % (address, len(data), data.hex().encode()), like=_OK)
        return self._expect_ok(reply, f"writing {len(data)} bytes at {address:#010x}")

    # ---- run control

    def registers(self) -> Registers:
        return Registers(*(self._register(n) for n in (self._core.pc, self._core.sp, self._core.link)))

    def _register(self, number: int) -> int:
        reply = self._ask(b"p%x" % number, like=_HEX)
        if not reply:  # no single registers: all of them, in a row
            digits = 2 * self._core.register_bytes
            reply = self._ask(b"g")[digits * number : digits * (number + 1)]
        self._refuse_error(reply, f"reading register {number}")
        try:
            return int.from_bytes(bytes.fromhex(reply.decode("ascii")), "little")
        except ValueError as error:
            raise LinkError(f"not a register: {reply[:20]!r}", where=self._name) from error

    def _set_register(self, number: int, value: int) -> None:
        digits = value.to_bytes(self._core.register_bytes, "little").hex().encode()
        self._expect_ok(self._ask(b"P%x=%s" % (number, digits), like=_OK), f"writing register {number}")

    def resume(self, stop_at: int) -> None:
        if self._stop_at != stop_at:
            self._move_breakpoint(stop_at)
        elif self._break is not _Break.NONE and self._register(self._core.pc) & ~1 == stop_at:
            self._step_off(stop_at)
        self._go()

    def _go(self) -> None:
        self._running = True
        self._packets.start(b"c", TIMEOUT_S)

    def _step_off(self, address: int) -> None:
        """Off a breakpoint: a server may, or may not, stop at once at one that the core stands at."""
        self._breakpoint(b"z", address)
        self._ask(b"s")
        self._breakpoint(b"Z", address)

    def _move_breakpoint(self, address: int) -> None:
        if self._stop_at is not None:
            self._breakpoint(b"z", self._stop_at)
        for kind in (_Break.HARDWARE, _Break.SOFTWARE, _Break.NONE):
            self._break = kind
            if self._register(self._core.pc) & ~1 == address:
                self._ask(b"s")
            if self._breakpoint(b"Z", address):
                break
        self._stop_at = address

    def _breakpoint(self, action: bytes, address: int) -> bool:
        """Z (set) or z (clear); whether the server can."""
        if self._break is _Break.NONE:
            return True
        reply = self._ask(b"%s%s,%x,%d" % (action, self._break.value, address, 2 if self._core.thumb else 4))
        return reply == b"OK"

    def wait(self, timeout_s: float) -> bool:
        if self._break is _Break.NONE:
            return self._poll(timeout_s)
        deadline = time.monotonic() + timeout_s
        patience_s = self._patience_s
        start = time.monotonic()
        while (left_s := deadline - time.monotonic()) > 0:
            reply = self._packets.receive(min(left_s, patience_s))
            if reply is None:
                self._packets.nudge()
                patience_s *= 2
            elif self._stopped(reply):
                if self._register(self._core.pc) & ~1 == self._stop_at:
                    self._patience_s = max(_NUDGE_S, 2 * (time.monotonic() - start))
                    return True
                self._go()  # a stray byte stopped it
        return False

    def _poll(self, timeout_s: float) -> bool:
        """Without breakpoints: look now and then where the core is."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            time.sleep(_POLL_S)
            self.halt()
            if self._register(self._core.pc) & ~1 == self._stop_at:
                return True
            self._go()
        return False

    def _stopped(self, reply: bytes) -> bool:
        """Whether a packet says that the core has stopped. Raises where it cannot go on."""
        if reply[:1] in (b"W", b"X", b"N"):
            raise LinkError("the GDB server lost the core", where=self._name)
        if reply[:1] not in (b"T", b"S"):
            return False
        self._running = False
        signal = _number(reply[1:3].decode("ascii", "replace"))
        if signal not in _HALTED_BY_US:
            raise BoardFaultError(
                f"the core stopped at {_SIGNALS.get(signal, f'signal {signal}')}", where=self._name
            )
        return True

    def halt(self) -> None:
        """Ctrl-C; where nothing comes of it, ask: the core may have halted before, its word of it lost."""
        deadline = time.monotonic() + TIMEOUT_S
        while self._running:
            self._packets.interrupt()
            reply = self._packets.receive(_NUDGE_S)
            if reply is None:
                self._packets.send(b"?")
                reply = self._packets.receive(_NUDGE_S)
            if reply is not None and self._stopped(reply):
                return
            if time.monotonic() > deadline:
                raise LinkError(f"the core does not halt within {TIMEOUT_S:g} s", where=self._name)

    def reset(self) -> None:
        self.halt()
        if self._reset_command:
            self.monitor(self._reset_command)
        if self._core.stack is not None:
            self._set_register(self._core.sp, self._core.stack)
        self._set_register(self._core.pc, self._core.entry)

    def monitor(self, command: str) -> str:
        """A command of the server's own; returns what it prints. Raises LinkError if it refuses."""
        printed = ""
        reply = self._ask(b"qRcmd," + command.encode().hex().encode(), once=True)
        while reply[:1] == b"O" and reply != b"OK":
            printed += bytes.fromhex(reply[1:].decode("ascii")).decode(errors="replace")
            following = self._packets.receive(TIMEOUT_S)
            if following is None:
                raise LinkError(f"`monitor {command}` does not end", where=self._name)
            reply = following
        self._expect_ok(reply, f"`monitor {command}`")
        return printed

    # ---- what programming it needs (gdb_load.py), and all of them

    @property
    def payload_bytes(self) -> int:
        """Bytes of data that a packet holds, whether in hexadecimal or binary with all of it escaped."""
        return (self._packet_bytes - 32) // 2

    @property
    def name(self) -> str:
        """Of the board, for messages."""
        return self._name

    def memory_map(self) -> list[MemoryRegion]:
        """What the server says; nothing where it does not."""
        text = self._transfer("memory-map", "")
        return parse_memory_map(text) if text else []

    def program(self, body: bytes, doing: str) -> None:
        """A vFlash packet, which may take long and is sent once. Raises LinkError, BoardFaultError."""
        self._expect_ok(self._ask(body, _FLASH_TIMEOUT_S, once=True), doing)

    def _transfer(self, what: str, annex: str) -> bytes:
        """A document that the server offers; nothing where it does not. Raises LinkError: it is endless."""
        text, last = bytearray(), self._features.get(f"qXfer:{what}:read") != "+"
        while not last:
            place = f"qXfer:{what}:read:{annex}:{len(text):x},{self._packet_bytes // 2:x}"
            reply = self._ask(place.encode())
            if reply[:1] not in (b"m", b"l"):
                return b""
            text += reply[1:]
            last = reply[:1] == b"l"
            if len(text) > _MOST_DOCUMENT_BYTES:
                raise LinkError(f"the server's {what} does not end", where=self._name)
        return bytes(text)

    def _ask(
        self, body: bytes, timeout_s: float = TIMEOUT_S, *, once: bool = False, like: re.Pattern[bytes] = _ANY
    ) -> bytes:
        """like: what a good reply looks like. Another may answer what did not arrive as it was sent, or be
        late: it is asked for twice more before it is believed."""
        try:
            reply = self._packets.request(body, timeout_s, once=once)
            for _ in range(0 if once else _MORE_TRIES):
                if like.fullmatch(reply):
                    break
                reply = self._packets.request(body, timeout_s, afresh=True)
            return reply
        except LinkError as error:
            raise LinkError(
                error.what, where=self._name, hint=error.hint or "is another host connected to it?"
            ) from error

    def _refuse_error(self, reply: bytes, doing: str) -> None:
        if _is_error(reply):
            raise BoardFaultError(
                f"{doing} failed: {reply.decode('ascii', 'replace')}", where=self._name,
                hint="compare the board's memory map",
            )  # fmt: skip

    def _expect_ok(self, reply: bytes, doing: str) -> None:
        self._refuse_error(reply, doing)
        if reply != b"OK":
            got = "cannot do that" if not reply else f"answers {reply[:20]!r}"
            raise LinkError(f"{doing}: the GDB server {got}", where=self._name)

    def close(self) -> None:
        try:
            self._packets.request(b"D", _CLOSE_TIMEOUT_S)
        except LinkError:
            pass  # it is gone already, or does not care
        finally:
            self._stream.close()


def _is_error(reply: bytes) -> bool:
    """E and two digits, or E. and a text."""
    return reply[:1] == b"E" and (len(reply) == 3 or reply[1:2] == b".")


def _number(text: str) -> int:
    """Hexadecimal digits; 0 where there are none."""
    try:
        return int(text, 16)
    except ValueError:
        return 0
