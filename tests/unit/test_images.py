"""Image formats, against readers that are not ours where there are any."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgert.errors import UsageError
from edgert.flash.images import binary, intel_hex, uf2

SEGMENTS = [(0x0800_0000, bytes(range(200)) * 2), (0x0800_0200, b"\x01\x02\x03"), (0x0801_FFFE, b"abcdef")]


def read_hex(text: bytes) -> tuple[dict[int, int], int | None]:
    """Intel HEX, by the specification: address -> byte, and the entry."""
    memory, upper, entry = dict[int, int](), 0, None
    for line in text.decode("ascii").splitlines():
        assert line[0] == ":"
        record = bytes.fromhex(line[1:])
        assert sum(record) & 0xFF == 0
        assert len(record) == record[0] + 5
        address, kind, data = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == 0:
            memory |= {(upper << 16) + address + i: b for i, b in enumerate(data)}
        elif kind == 4:
            upper = int.from_bytes(data, "big")
        elif kind == 5:
            entry = int.from_bytes(data, "big")
        else:
            assert kind == 1
    return memory, entry


def read_uf2(data: bytes) -> dict[int, int]:
    """UF2, strictly."""
    assert len(data) % 512 == 0
    count = len(data) // 512
    memory: dict[int, int] = {}
    for number in range(count):
        block = data[512 * number : 512 * number + 512]
        magic0, magic1, flags, address, size, index, total, family = struct.unpack_from("<8I", block)
        assert (magic0, magic1) == (0x0A324655, 0x9E5D5157)
        assert struct.unpack_from("<I", block, 508) == (0x0AB16F30,)
        assert (flags, size, index, total, family) == (0x2000, 256, number, count, 0xE48BFF59)
        assert address % 256 == 0
        memory |= {address + i: b for i, b in enumerate(block[32 : 32 + size])}
    return memory


def as_memory(segments: list[tuple[int, bytes]]) -> dict[int, int]:
    return {address + i: byte for address, data in segments for i, byte in enumerate(data)}


def test_hex() -> None:
    memory, entry = read_hex(intel_hex(SEGMENTS, 0x0800_0101))
    assert memory == as_memory(SEGMENTS)
    assert entry == 0x0800_0101


def test_hex_is_what_objcopy_reads(tmp_path: Path) -> None:
    objcopy = shutil.which("objcopy") or shutil.which("arm-none-eabi-objcopy")
    if objcopy is None:
        pytest.skip("no objcopy")
    (tmp_path / "a.hex").write_bytes(intel_hex(SEGMENTS, 0x0800_0101))
    command = [objcopy, "-I", "ihex", "-O", "binary", "--gap-fill", "0xff", "a.hex", "a.bin"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "a.bin").read_bytes() == binary(SEGMENTS)[1]


def test_uf2() -> None:
    memory, wanted = read_uf2(uf2(SEGMENTS, 0xE48BFF59)), as_memory(SEGMENTS)
    assert {a: b for a, b in memory.items() if a in wanted} == wanted
    assert all(b == 0xFF for a, b in memory.items() if a not in wanted)


def test_binary() -> None:
    start, data = binary(SEGMENTS)
    assert start == 0x0800_0000
    assert {start + i: b for i, b in enumerate(data) if b != 0xFF} == {
        a: b for a, b in as_memory(SEGMENTS).items() if b != 0xFF
    }


def test_binary_has_no_absurd_gaps() -> None:
    with pytest.raises(UsageError, match="make no raw binary"):
        binary([(0, b"a"), (0x2000_0000, b"b")])


@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=700)), min_size=1, max_size=4))
def test_any_segments(pieces: list[tuple[int, bytes]]) -> None:
    segments, at = list[tuple[int, bytes]](), 0x1000_0000
    for gap, data in pieces:
        segments.append((at + gap, data))
        at += gap + len(data)
    wanted = as_memory(segments)
    assert read_hex(intel_hex(segments, 1))[0] == wanted
    assert wanted.items() <= read_uf2(uf2(segments, 0xE48BFF59)).items()
    start, data = binary(segments)
    assert wanted.items() <= {start + i: b for i, b in enumerate(data)}.items()
