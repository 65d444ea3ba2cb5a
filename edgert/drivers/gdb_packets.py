"""Packets of GDB's remote protocol over a byte stream. Source: the GDB manual, appendix E, "Overview"."""

from __future__ import annotations

import time

from edgert.drivers.stream import Stream
from edgert.errors import LinkError

INTERRUPT = b"\x03"
LARGEST_BYTES = 1 << 20  # of a packet; nobody sends such, so it is garbage
_RETRY_MIN_S, _RETRY_MAX_S = 0.01, 0.5
_ESCAPED = frozenset(b"#$}*")


class Packets:
    """Sends packets until they are acknowledged, and receives those whose checksum is right.

    Acknowledgements stay on: over a line that loses bytes, they are what notices. How long to wait before
    sending again follows the replies' own times. A request sent twice may be answered twice: what comes late
    is dropped before the next.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._pending = bytearray()
        self._acknowledged = self._refused = self._repeated = False
        self._retry_s = _RETRY_MAX_S

    def request(self, body: bytes, timeout_s: float, *, once: bool = False, afresh: bool = False) -> bytes:
        """Send `body` and return the reply's. Raises LinkError if there is none within timeout_s.

        once: do not send it again where the reply takes long, because it may be at work. afresh: whatever
        has come by now is no reply to this one.
        """
        deadline = time.monotonic() + timeout_s
        self._repeated |= afresh
        self._drop_late()
        while (left_s := deadline - time.monotonic()) > 0:
            start = time.monotonic()
            self.send(body)
            reply = self._receive(left_s if once else min(self._retry_s, left_s), on_refusal=True)
            if reply is not None:
                self._learn(time.monotonic() - start)
                return reply
            self._repeat()
        raise LinkError(f"no answer to {_shown(body)} within {timeout_s:.3g} s")

    def start(self, body: bytes, timeout_s: float) -> None:
        """Send what has no reply for now (`c`), until it is acknowledged. Raises LinkError."""
        deadline = time.monotonic() + timeout_s
        self._drop_late()
        while (left_s := deadline - time.monotonic()) > 0:
            self.send(body)
            self._await_acknowledgement(min(self._retry_s, left_s))
            if self._acknowledged:
                return
            self._repeat()
        raise LinkError(f"{_shown(body)} is not acknowledged within {timeout_s:.3g} s")

    def interrupt(self) -> None:
        """Ask the core to halt (Ctrl-C): a byte of its own, no packet."""
        self._stream.write(INTERRUPT)

    def nudge(self) -> None:
        """Ask for the last packet again: it may have been lost. A core that runs may halt at it."""
        self._stream.write(b"-")

    def receive(self, timeout_s: float) -> bytes | None:
        """The next packet's body; None if none comes. One that is spoiled is asked for again."""
        return self._receive(timeout_s, on_refusal=False)

    def _receive(self, timeout_s: float, *, on_refusal: bool) -> bytes | None:
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._take()
            if found is not None:
                return found
            left_s = deadline - time.monotonic()
            if left_s <= 0 or (on_refusal and self._refused):
                return None
            self._read(left_s)

    def _read(self, timeout_s: float) -> None:
        self._pending += self._stream.read(timeout_s)
        if len(self._pending) > LARGEST_BYTES:
            raise LinkError("garbage instead of packets", hint="is there a GDB server at this address?")

    def _await_acknowledgement(self, timeout_s: float) -> None:
        """A packet counts as one, and stays for who waits for it."""
        deadline = time.monotonic() + timeout_s
        while not self._acknowledged and (left_s := deadline - time.monotonic()) > 0:
            self._read(left_s)
            self._skip_noise()
            self._acknowledged |= bool(self._pending)
            if self._refused:
                return

    def send(self, body: bytes) -> None:
        """Send once, and look for no reply."""
        self._acknowledged = self._refused = False
        self._stream.write(frame(body))

    def _repeat(self) -> None:
        self._repeated = True
        self._retry_s = min(2 * self._retry_s, _RETRY_MAX_S)

    def _learn(self, took_s: float) -> None:
        wanted = min(max(8 * took_s, _RETRY_MIN_S), _RETRY_MAX_S)
        self._retry_s += (wanted - self._retry_s) / 4

    def _drop_late(self) -> None:
        if self._repeated:
            while self._receive(_RETRY_MIN_S, on_refusal=False) is not None:
                pass
            self._pending.clear()
        self._repeated = False

    def _skip_noise(self) -> bytes:
        """Drop what lies before the next packet: acknowledgements and refusals, which it notes, and noise."""
        start = self._pending.find(b"$")
        between = bytes(self._pending if start < 0 else self._pending[:start])
        del self._pending[: len(between)]
        self._acknowledged |= b"+" in between
        self._refused |= b"-" in between
        return between

    def _take(self) -> bytes | None:
        """A whole packet off the pending bytes; what lies before it (acknowledgements, noise) is dropped."""
        while True:
            after = self._skip_noise()
            end = self._pending.find(b"#")
            if end < 0 or len(self._pending) < end + 3:
                return None
            body, check = bytes(self._pending[1:end]), bytes(self._pending[end + 1 : end + 3])
            del self._pending[: end + 3]
            if check.lower() == b"%02x" % (sum(body) & 0xFF):
                if after.endswith(b"%"):  # a notification, which is not acknowledged
                    continue
                self._stream.write(b"+")
                return expand(body)
            self._stream.write(b"-")


def frame(body: bytes) -> bytes:
    """`$body#checksum`; `body` is escaped already where it holds binary data."""
    return b"$%s#%02x" % (body, sum(body) & 0xFF)


def escape(data: bytes) -> bytes:
    """Binary data for a packet."""
    if not _ESCAPED.intersection(data):
        return data
    return b"".join(b"}%c" % (byte ^ 0x20) if byte in _ESCAPED else b"%c" % byte for byte in data)


def expand(body: bytes) -> bytes:
    """Undo escapes and run-length encoding. Raises LinkError if they make no sense."""
    if b"*" not in body and b"}" not in body:
        return body
    out, at = bytearray(), 0
    while at < len(body):
        byte = body[at]
        following = body[at + 1] if at + 1 < len(body) else None
        at += 2 if byte in b"}*" else 1
        if byte == ord("}") and following is not None:
            out.append(following ^ 0x20)
        elif byte == ord("*") and following is not None and out and 29 <= following <= 126:
            out += bytes([out[-1]]) * (following - 29)
        elif byte in b"}*":
            raise LinkError("a packet of the GDB server is broken")
        else:
            out.append(byte)
    return bytes(out)


def _shown(body: bytes) -> str:
    text = body[:20].decode("ascii", "replace")
    return f"{text!r}{'...' if len(body) > 20 else ''}"
