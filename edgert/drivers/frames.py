"""Link through a serial line, or the standard streams of a program: frames that may be repeated."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from edgert.board import Board, Serial
from edgert.drivers.cobs import Frame, Kind, Splitter, Status
from edgert.drivers.debug_link import place
from edgert.drivers.elf import Elf
from edgert.drivers.link import Link
from edgert.drivers.mailbox import REQUEST, Command, Fault, Region, request
from edgert.drivers.stream import Stream
from edgert.errors import BoardTimeoutError, LinkError
from edgert.firmware import FRAME_DATA_BYTES

_TRIES = 12
_RETRY_MIN_S, _RETRY_MAX_S = 0.02, 1.0
_HEADER_BYTES = 24  # a frame's bytes beside its data, on the line


class FrameLink(Link):
    """connect: opens the stream; restarts: whether doing so anew starts the board anew.

    elf: to say where a fault was. data_bytes: the most that a frame carries. The time to wait for a reply
    before asking again follows the replies' own times.
    """

    def __init__(
        self,
        connect: Callable[[], Stream],
        elf: Elf,
        report: Mapping[str, Any],
        board: Board,
        *,
        restarts: bool,
        data_bytes: int = FRAME_DATA_BYTES,
    ) -> None:
        self._connect, self._elf, self._report, self._board = connect, elf, report, board
        self._restarts, self._data_bytes = restarts, data_bytes
        self._stream: Stream | None = None
        self._splitter = Splitter()
        self._session = 0
        self._sequence = 0
        self._retry_s = 0.25

    def read(self, region: Region, offset: int, nbytes: int) -> bytes:
        out = bytearray()
        while len(out) < nbytes:
            count = min(self._data_bytes, nbytes - len(out))
            data = self._exchange(Kind.READ, region, offset + len(out), count)
            if len(data) != count:
                raise LinkError(f"asked for {count} bytes, got {len(data)}", where=self._board.id)
            out += data
        return bytes(out)

    def write(self, region: Region, offset: int, data: bytes) -> None:
        for at in range(0, len(data), self._data_bytes):
            piece = data[at : at + self._data_bytes]
            self._exchange(Kind.WRITE, region, offset + at, len(piece), piece)

    def execute(self, timeout_s: float) -> None:
        """The firmware announces its answer; where that is lost, the command in the mailbox is gone."""
        deadline = time.monotonic() + timeout_s
        pause_s = self._retry_s
        while (left_s := deadline - time.monotonic()) > 0:
            found = self._await(min(left_s, pause_s), self._is_answer)
            if found is not None and (found.kind == Kind.ANSWERED or found.data == bytes(4)):
                return
            self._send(Kind.READ, Region.MAILBOX, 0, 4)
            pause_s = min(2 * pause_s, _RETRY_MAX_S)
        raise BoardTimeoutError(
            f"no answer within {timeout_s:.3g} s", where=self._board.id, hint="give it more time (--timeout)"
        )

    def reset(self) -> None:
        """The firmware has to run to say who it is: so it serves already."""
        if self._stream is None or self._restarts:
            self.close()
            self._stream = self._connect()
        else:
            self._write_reset()
        self._hello()

    def start(self) -> None:
        return None

    def place(self, fault: Fault) -> str:
        return place(self._elf, self._report, self._board.id, fault.pc, (fault.link,))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _write_reset(self) -> None:
        """If the board still listens. There is no answer to this one."""
        self._hello()
        self._exchange(Kind.WRITE, Region.MAILBOX, 0, REQUEST.size, request(Command.RESET, 0, 0))

    def _hello(self) -> None:
        """Open a session of ours, which ends any other's."""
        timeout_s = self._board.serial.start_s if self._board.serial else Serial.start_s
        self._session = secrets.randbelow(0xFFFF) + 1
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self._send(Kind.HELLO, Region.IDENTITY, 0, 0)
            if self._await(self._retry_s, self._is_reply) is not None:
                return
            self._retry_s = min(2 * self._retry_s, _RETRY_MAX_S)
        raise BoardTimeoutError(
            f"the firmware does not answer within {timeout_s:g} s", where=self._board.id,
            hint="is it flashed, are port and baud rate right? press the board's reset button",
        )  # fmt: skip

    def _exchange(self, kind: Kind, region: Region, offset: int, count: int, data: bytes = b"") -> bytes:
        """A request and the data of its reply. Raises LinkError."""
        for _ in range(_TRIES):
            start = time.monotonic()
            self._send(kind, region, offset, count, data)
            reply = self._await(self._retry_s + self._on_the_line_s(count), self._is_reply)
            if reply is not None:
                self._learn(time.monotonic() - start)
                self._check(reply)
                return reply.data
            self._retry_s = min(2 * self._retry_s, _RETRY_MAX_S)
        raise LinkError(
            f"no answer to {_TRIES} requests in a row", where=self._board.id, hint="check the cable"
        )

    def _on_the_line_s(self, count: int) -> float:
        """How long a request and its reply take at the line's speed: 10 bits a byte."""
        serial = self._board.serial
        if serial is None or serial.server:
            return 0.0
        return 10 * (2 * _HEADER_BYTES + count) / serial.baud

    def _learn(self, took_s: float) -> None:
        wanted = min(max(4 * took_s, _RETRY_MIN_S), _RETRY_MAX_S)
        self._retry_s += (wanted - self._retry_s) / 4

    def _check(self, reply: Frame) -> None:
        if reply.status == Status.OTHER_SESSION:
            raise LinkError(
                "another host has taken over the board", where=self._board.id,
                rule="one host drives a board at a time",
                hint="close the other session, and open this one anew",
            )  # fmt: skip
        if reply.status != Status.OK:
            raise LinkError(f"the firmware refused a request: status {reply.status}", where=self._board.id)

    def _send(self, kind: Kind, region: Region, offset: int, count: int, data: bytes = b"") -> None:
        self._sequence = (self._sequence + 1) & 0xFF
        frame = Frame(self._session, self._sequence, kind, region, 0, count, offset, data)
        self._opened().write(frame.encode())
        self._sent = frame

    def _await(self, timeout_s: float, wanted: Callable[[Frame], bool]) -> Frame | None:
        """The first frame that is wanted; None if none comes in time. Others are late, and dropped."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            for frame in self._splitter.feed(self._opened().read(left_s)):
                if wanted(frame):
                    return frame
        return None

    def _is_reply(self, frame: Frame) -> bool:
        sent = self._sent
        same = (frame.session, frame.sequence, frame.kind) == (sent.session, sent.sequence, sent.kind)
        return same and (frame.region, frame.offset) == (sent.region, sent.offset)

    def _is_answer(self, frame: Frame) -> bool:
        announced = frame.kind == Kind.ANSWERED and frame.session == self._session
        return announced or (self._sent.kind == Kind.READ and self._is_reply(frame))

    def _opened(self) -> Stream:
        if self._stream is None:
            raise LinkError("the session is closed", where=self._board.id)
        return self._stream
