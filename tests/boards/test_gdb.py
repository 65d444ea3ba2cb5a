"""GDB's remote protocol against a scripted server: what QEMU does not do, and what goes wrong."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgert.drivers.cobs import Frame, Splitter, stuff, unstuff
from edgert.drivers.gdb import Core, GdbAccess
from edgert.drivers.gdb_load import load
from edgert.drivers.gdb_memory import parse_memory_map
from edgert.drivers.gdb_packets import escape, expand, frame
from edgert.drivers.stream import SocketStream
from edgert.errors import BoardFaultError, LinkError

CORE = Core(15, 13, 14, entry=0x100, stack=0x2000_1000, thumb=True)
MAP = b"""<?xml version="1.0"?>
<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" "memory-map.dtd">
<memory-map>
  <memory type="flash" start="0x08000000" length="0x10000">
    <property name="blocksize">0x800</property>
  </memory>
  <memory type="ram" start="0x20000000" length="0x8000"/>
</memory-map>"""


class Server:
    """A GDB server with memory. options: what it can; answers: overrides, request -> reply."""

    def __init__(self, features: bytes = b"PacketSize=400", binary: bool = True, points: str = "10") -> None:
        self.features, self.binary, self.points = features, binary, points
        self.memory: dict[int, int] = {}
        self.answers: dict[bytes, bytes] = {}
        self.seen: list[bytes] = []
        self.pc = 0x100
        self.flash: dict[int, int] = {}
        self.before: Callable[[bytes], list[bytes]] = lambda body: []

    def reply(self, body: bytes) -> bytes | None:
        self.seen.append(body)
        if body in self.answers:
            return self.answers[body]
        if body.startswith(b"qSupported"):
            return self.features
        if body == b"?":
            return b"T05thread:01;"
        if body.startswith(b"qXfer:memory-map:read::"):
            offset, length = (int(n, 16) for n in body.split(b":")[-1].split(b","))
            piece = MAP[offset : offset + length]
            return (b"m" if offset + length < len(MAP) else b"l") + piece
        if body[:1] == b"m":
            address, nbytes = (int(n, 16) for n in body[1:].split(b","))
            return bytes(self.memory.get(address + i, 0) for i in range(nbytes)).hex().encode()
        if body[:1] in (b"X", b"M"):
            return self._write(body)
        if body.startswith(b"vFlash"):
            return self._flash(body)
        if body[:2] in (b"Z1", b"Z0", b"z1", b"z0"):
            return b"OK" if chr(body[1]) in self.points else b""
        if body[:1] == b"p":
            return self.pc.to_bytes(4, "little").hex().encode()
        if body[:1] == b"P" or body == b"D":
            return b"OK"
        if body in (b"s", b"c"):
            self.pc = 0x200
            return b"T05"
        return b""

    def _write(self, body: bytes) -> bytes:
        head, _, data = body.partition(b":")
        if head[:1] == b"X" and not self.binary:
            return b""
        data = expand(data) if head[:1] == b"X" else bytes.fromhex(data.decode())
        address, nbytes = (int(n, 16) for n in head[1:].split(b","))
        assert len(data) == nbytes
        self.memory |= {address + i: b for i, b in enumerate(data)}
        return b"OK"

    def _flash(self, body: bytes) -> bytes:
        if body.startswith(b"vFlashErase:"):
            start, length = (int(n, 16) for n in body[12:].split(b","))
            assert start % 0x800 == length % 0x800 == 0
            self.flash |= dict.fromkeys(range(start, start + length), 0xFF)
        elif body.startswith(b"vFlashWrite:"):
            address, data = body[12:].split(b":", 1)
            for i, byte in enumerate(expand(data)):
                assert self.flash[int(address, 16) + i] == 0xFF, "not erased"
                self.flash[int(address, 16) + i] = byte
        else:
            self.memory |= self.flash
        return b"OK"

    def serve(self, peer: socket.socket) -> None:
        pending = b""
        with peer:
            while chunk := peer.recv(65536):
                pending += chunk
                while (at := pending.find(b"#")) >= 0 and len(pending) >= at + 3:
                    body, pending = pending[pending.find(b"$") + 1 : at], pending[at + 3 :]
                    extra = self.before(body)
                    for item in extra or [b"+" + frame(self.reply(body) or b"")]:
                        peer.sendall(item)


@contextmanager
def connected(server: Server, reset: str = "") -> Iterator[GdbAccess]:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=server.serve, args=(theirs,), daemon=True)
    thread.start()
    access = GdbAccess(SocketStream(ours, "scripted"), CORE, "board", reset)
    try:
        yield access
    finally:
        access.close()
        thread.join(5)


def test_flash_is_erased_by_blocks_written_and_read_back() -> None:
    server = Server(b"PacketSize=200;qXfer:memory-map:read+")
    code, data = bytes(range(256)) * 9, b"$#}*" * 50
    steps: list[tuple[int, int]] = []
    with connected(server) as access:
        load(
            access,
            [(0x0800_0400, code), (0x2000_0000, data)],
            lambda done, total: steps.append((done, total)),
        )
        assert access.read(0x0800_0400, len(code)) == code
    assert [s for s in server.seen if s.startswith(b"vFlashErase")] == [b"vFlashErase:8000000,1000"]
    assert server.seen.count(b"vFlashDone") == 1
    assert bytes(server.memory[0x2000_0000 + i] for i in range(len(data))) == data
    assert steps[-1] == (2 * (len(code) + len(data)),) * 2


def test_flash_that_does_not_hold_is_named() -> None:
    server = Server(b"PacketSize=400;qXfer:memory-map:read+")
    server.answers[b"m8000000,4"] = b"00000003"
    with (
        connected(server) as access,
        pytest.raises(BoardFaultError, match=r"0x08000003 holds 0x03 after 0x04"),
    ):
        load(access, [(0x0800_0000, b"\0\0\0\x04")])


def test_without_binary_writes() -> None:
    server = Server(binary=False)
    with connected(server) as access:
        access.write(0x2000_0000, bytes(range(256)) * 4)
        assert access.read(0x2000_0000, 1024) == bytes(range(256)) * 4
    assert sum(s[:1] == b"X" for s in server.seen) == 1 + 2  # asked again before it is believed


@pytest.mark.parametrize("points", ["10", "0", ""])
def test_breakpoints_or_what_there_is_instead(points: str) -> None:
    """Hardware, else software, else looking now and then."""
    server = Server(points=points)
    with connected(server) as access:
        access.resume(0x200)
        assert access.wait(2)
        access.resume(0x200)
        assert access.wait(2)
    assert (b"Z1,200,2" in server.seen) and (b"Z0,200,2" in server.seen) == ("1" not in points)


def test_packets_are_no_bigger_than_the_server_wants() -> None:
    server = Server(b"PacketSize=80")
    with connected(server) as access:
        access.write(0, bytes(range(256)) * 2)
        access.read(0, 512)
    assert max(map(len, server.seen)) <= 0x80


def test_a_memory_that_is_not_there() -> None:
    server = Server()
    server.answers[b"m60000000,4"] = b"E14"
    with (
        connected(server) as access,
        pytest.raises(BoardFaultError, match="reading 4 bytes at 0x60000000 failed: E14"),
    ):
        access.read(0x6000_0000, 4)


def test_monitor_says_what_it_printed() -> None:
    server = Server()

    def talk(body: bytes) -> list[bytes]:
        if not body.startswith(b"qRcmd,"):
            return []
        return [
            b"+" + frame(b"O" + b"halted ".hex().encode()),
            frame(b"O" + b"at 0".hex().encode()),
            frame(b"OK"),
        ]

    server.before = talk
    with connected(server) as access:
        assert access.monitor("reset halt") == "halted at 0"


def test_spoiled_packets_are_asked_for_again() -> None:
    server, spoiled = Server(), [b"+$3030#00", b"+$30", b"-"]

    def talk(body: bytes) -> list[bytes]:
        return [spoiled.pop()] if body[:1] == b"m" and spoiled else []

    server.before = talk
    with connected(server) as access:
        access.write(0, b"\x12\x34")
        assert access.read(0, 2) == b"\x12\x34"


def test_a_server_that_says_nothing() -> None:
    server = Server()
    server.before = lambda body: [b"+"] if body[:1] == b"m" else []
    with connected(server) as access:
        start = time.monotonic()
        with pytest.raises(LinkError, match="no answer to 'm0,4' within"):
            access.read(0, 4)
        assert time.monotonic() - start < 8


def test_a_core_that_is_gone() -> None:
    server = Server()
    server.answers[b"c"] = b"W00"
    with connected(server) as access:
        access.resume(0x200)
        with pytest.raises(LinkError, match="lost the core"):
            access.wait(1)
        access._running = False  # so that closing does not wait for it


def test_run_length_and_escapes() -> None:
    assert expand(b"0* ") == b"0000"  # the manual's own example
    assert expand(b"}\x03}]") == b"#}"
    for broken in (b"*!", b"a*", b"}", b"a*\x01"):
        with pytest.raises(LinkError, match="broken"):
            expand(broken)


@given(st.binary(max_size=300))
def test_escapes_round_trip(data: bytes) -> None:
    assert expand(escape(data)) == data


@pytest.mark.parametrize(
    "text",
    [b"", b"<memory-map>", b"<!DOCTYPE a [<!ENTITY x 'y'>]><memory-map/>", b"<m><memory type='flash'/></m>",
     b"<m><memory type='flash' start='0' length='9'><property name='blocksize'>0</property></memory></m>"],
)  # fmt: skip
def test_memory_maps_that_are_none(text: bytes) -> None:
    with pytest.raises(LinkError):
        parse_memory_map(text)


@given(st.binary(max_size=1200))
def test_cobs_round_trips(data: bytes) -> None:
    assert b"\0" not in stuff(data)
    assert unstuff(stuff(data)) == data


@given(st.lists(st.binary(max_size=40), max_size=4), st.binary(max_size=60), st.integers(1, 30))
def test_frames_come_through_noise(payloads: list[bytes], noise: bytes, step: int) -> None:
    """However the bytes are cut, whatever is before them."""
    frames = [Frame(7, i, 2, 1, 0, len(data), 3, data) for i, data in enumerate(payloads)]
    line = noise + b"".join(f.encode() for f in frames)
    splitter, found = Splitter(), list[Frame]()
    for at in range(0, len(line), step):
        found += splitter.feed(line[at : at + step])
    assert found == frames
