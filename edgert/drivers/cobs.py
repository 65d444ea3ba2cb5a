"""Frames over a byte stream: COBS, CRC-32, a zero byte between frames. Layout: csrc/runtime/ert_frames.h.

Source: S. Cheshire, M. Baker: Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on Networking, 1999.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_HEADER = struct.Struct("<HBBBBHI")
_RUN = 254
_LARGEST_BYTES = 1 << 16


class Kind(IntEnum):
    HELLO = 0
    READ = 1
    WRITE = 2
    ANSWERED = 3


class Status(IntEnum):
    OK = 0
    OTHER_SESSION = 1
    BAD_RANGE = 2
    BAD_KIND = 3


@dataclass(frozen=True)
class Frame:
    """kind and status as the firmware has them: it may send some that this version does not know."""

    session: int
    sequence: int
    kind: int
    region: int = 0
    status: int = 0
    count: int = 0
    offset: int = 0
    data: bytes = b""

    def encode(self) -> bytes:
        """The bytes to send. The leading zero ends whatever noise there was."""
        body = _HEADER.pack(
            self.session, self.sequence, self.kind, self.region, self.status, self.count, self.offset
        )
        body += self.data
        return b"\0" + stuff(body + struct.pack("<I", zlib.crc32(body))) + b"\0"

    @classmethod
    def decode(cls, stuffed: bytes) -> Frame | None:
        """None if the bytes are no frame, or do not have the CRC that they say."""
        body = unstuff(stuffed)
        if body is None or len(body) < _HEADER.size + 4:
            return None
        if zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
            return None
        session, sequence, kind, region, status, count, offset = _HEADER.unpack_from(body)
        return cls(session, sequence, kind, region, status, count, offset, body[_HEADER.size : -4])


class Splitter:
    """Bytes as they come -> frames; what is none is dropped."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._pending += data
        *complete, rest = bytes(self._pending).split(b"\0")
        self._pending = bytearray(rest[-_LARGEST_BYTES:])
        for stuffed in complete:
            frame = Frame.decode(stuffed) if stuffed else None
            if frame is not None:
                yield frame


def stuff(data: bytes) -> bytes:
    """COBS: the same without zeros, a byte longer for each 254."""
    out = bytearray()
    for piece in data.split(b"\0"):
        full, rest = divmod(len(piece), _RUN)
        for i in range(full):
            out.append(_RUN + 1)
            out += piece[i * _RUN : (i + 1) * _RUN]
        out.append(rest + 1)
        out += piece[full * _RUN :]
    return bytes(out)


def unstuff(data: bytes) -> bytes | None:
    """The inverse of `stuff`; None if it is no COBS."""
    out, at = bytearray(), 0
    while at < len(data):
        run = data[at]
        if run == 0 or at + run > len(data):
            return None
        out += data[at + 1 : at + run]
        at += run
        if run <= _RUN and at < len(data):
            out.append(0)
    return bytes(out)
