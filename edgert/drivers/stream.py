"""Stream: bytes to and from a board, by a socket, the standard streams of a program, or a serial port."""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from edgert.errors import LinkError, ToolError

STDIO = "stdio"
_CHUNK_BYTES = 65536
_EXIT_S = 3.0
_WRITE_TIMEOUT_S = 10.0


class Stream(ABC):
    """Close it, or use it as a context manager: then nothing is left behind, no process and no port."""

    @abstractmethod
    def read(self, timeout_s: float) -> bytes:
        """What has arrived, at least a byte; b"" if nothing does within timeout_s.

        Raises LinkError if the other side has closed it.
        """

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of it. Raises LinkError."""

    @abstractmethod
    def close(self) -> None:
        """Safe to call twice."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# Runs "$@" on the socket that is its standard output, and ends it as soon as its standard input does: that is
# a pipe whose other end only we hold, so the program goes when we go, however that comes about.
_KEEPER = """
"$@" <&1 & child=$!
exec >/dev/null
read -r _
kill $child 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $child 2>/dev/null || exit 0; sleep 0.1; done
kill -9 $child 2>/dev/null
"""


@dataclass(frozen=True)
class _Behind:
    """The process at the other end, by its keeper; and what it writes to its standard error."""

    keeper: subprocess.Popen[bytes]
    words: IO[bytes]

    def end(self) -> None:
        """Safe to call twice."""
        assert self.keeper.stdin is not None
        with suppress(OSError):
            self.keeper.stdin.close()
        try:
            self.keeper.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            self.keeper.wait()

    def last_words(self) -> str:
        """The last line that it wrote before it ended."""
        self.end()
        if self.words.closed:
            return ""
        self.words.seek(0)
        lines = self.words.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


class SocketStream(Stream):
    """A connected socket, and the process behind it where there is one: ended when the stream is closed."""

    def __init__(self, connected: socket.socket, name: str, behind: _Behind | None = None) -> None:
        self._socket, self._name, self._behind = connected, name, behind
        self._socket.settimeout(_WRITE_TIMEOUT_S)

    def read(self, timeout_s: float) -> bytes:
        try:
            if not select.select([self._socket], [], [], max(0.0, timeout_s))[0]:
                return b""
            data = self._socket.recv(_CHUNK_BYTES)
        except (OSError, ValueError) as error:
            raise self._gone(str(error)) from error
        if not data:
            raise self._gone(self._last_words())
        return data

    def write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._gone(self._last_words() or str(error)) from error

    def close(self) -> None:
        self._socket.close()
        if self._behind is not None:
            self._behind.end()
            self._behind.words.close()

    def _gone(self, why: str) -> LinkError:
        return LinkError(f"the connection is closed{': ' + why if why else ''}", where=self._name)

    def _last_words(self) -> str:
        return self._behind.last_words() if self._behind else ""


class SerialStream(Stream):
    """A port of pyserial: a device, a pty, or socket://host:port."""

    def __init__(self, port: Any, name: str) -> None:
        self._port, self._name = port, name

    def read(self, timeout_s: float) -> bytes:
        try:
            self._port.timeout = max(0.0, timeout_s)
            first = self._port.read(1)
            return bytes(first + self._port.read(self._port.in_waiting)) if first else b""
        except (OSError, TypeError, ValueError) as error:  # pyserial's SerialException is an OSError
            raise LinkError(f"the port is gone: {error}", where=self._name) from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, TypeError, ValueError) as error:
            raise LinkError(f"the port is gone: {error}", where=self._name) from error

    def close(self) -> None:
        self._port.close()


def connect_tcp(address: str, timeout_s: float) -> Stream:
    """address: "host:port". Raises LinkError if nobody answers there."""
    host, _, port = address.rpartition(":")
    try:
        connected = socket.create_connection((host or "localhost", int(port)), timeout=timeout_s)
    except (OSError, ValueError, OverflowError) as error:
        raise LinkError(
            f"nothing answers at {address}: {error}",
            hint="start the GDB server, or give its address with --link",
        ) from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return SocketStream(connected, address)


def start_process(argv: Sequence[str]) -> Stream:
    """Start a program and talk through its standard input and output. Raises ToolError if it is missing."""
    if shutil.which(argv[0]) is None:
        raise ToolError(f"{argv[0]} is missing", hint="edgert doctor")
    ours, theirs = socket.socketpair()
    words = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the stream; a pipe could fill up
    with theirs:
        keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, "sh", *argv],
            stdin=subprocess.PIPE,
            stdout=theirs.fileno(),
            stderr=words,
            start_new_session=True,
        )
    return SocketStream(ours, argv[0], _Behind(keeper, words))


def open_serial(address: str, baud: int) -> Stream:
    """address: a device (/dev/ttyACM0, COM3) or socket://host:port. Raises LinkError, ToolError."""
    try:
        import serial
    except ImportError as error:
        raise ToolError("pyserial is missing", hint="pip install 'edgert[serial]'") from error
    try:
        port = serial.serial_for_url(address, baudrate=baud, timeout=0, write_timeout=_WRITE_TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise LinkError(
            f"cannot open {address}: {error}", hint="is it plugged in, and may you use it?"
        ) from error
    return SerialStream(port, address)
