"""Firmware images: ELF segments as raw binary, Intel HEX or UF2.

Sources: Intel, Hexadecimal Object File Format Specification, revision A, 1988; Microsoft, USB Flashing Format
(UF2), "File format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgert.drivers.elf import Elf
from edgert.errors import UsageError

FORMATS = ("elf", "bin", "hex", "uf2")
Segment = tuple[int, bytes]
ERASED = 0xFF
_LARGEST_GAP_BYTES = 1 << 20
_HEX_BYTES = 16
_UF2_PAYLOAD, _UF2_BLOCK = 256, 512
_UF2_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
_UF2_FAMILY_PRESENT = 0x2000


def write_image(elf: Elf, kind: str, path: Path, family: int | None = None) -> Path:
    """Write `elf` as `kind`; aside, then renamed. family: the UF2 family id of the chip.

    Raises UsageError: an unknown kind, a UF2 without a family, segments too far apart for raw binary.
    """
    if kind not in FORMATS:
        raise UsageError(f"no image format {kind!r}", rule=f"formats are {', '.join(FORMATS)}")
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_bytes(image(elf, kind, family))
        aside.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)
    return path


def image(elf: Elf, kind: str, family: int | None = None) -> bytes:
    """The bytes of an image."""
    if kind == "elf":
        return elf.path.read_bytes()
    if kind == "hex":
        return intel_hex(elf.segments, elf.entry)
    if kind == "bin":
        return binary(elf.segments)[1]
    if family is None:
        raise UsageError("UF2 needs the family id of the chip", hint="a board's [flash.uf2] has it: --board")
    return uf2(elf.segments, family)


def binary(segments: Sequence[Segment]) -> Segment:
    """(address of the first byte, everything from there on); what is between segments as erased flash."""
    ordered = sorted(segments)
    start = ordered[0][0]
    out = bytearray()
    for address, data in ordered:
        gap = address - start - len(out)
        if not 0 <= gap <= _LARGEST_GAP_BYTES:
            raise UsageError(
                f"segments at {start:#010x} and {address:#010x} make no raw binary",
                rule=f"at most {_LARGEST_GAP_BYTES:,} bytes between segments",
                hint="use hex or elf",
            )
        out += bytes([ERASED]) * gap + data
    return start, bytes(out)


def intel_hex(segments: Sequence[Segment], entry: int) -> bytes:
    """Data records of 16 bytes, extended linear addresses, the entry point."""
    lines, upper = [], 0
    for address, data in sorted(segments):
        for at, piece in _pieces(address, data, _HEX_BYTES):
            if at >> 16 != upper:
                upper = at >> 16
                lines.append(_record(0, 4, struct.pack(">H", upper)))
            lines.append(_record(at & 0xFFFF, 0, piece))
    lines.append(_record(0, 5, struct.pack(">I", entry)))
    lines.append(_record(0, 1, b""))
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _record(address: int, kind: int, data: bytes) -> str:
    body = struct.pack(">BHB", len(data), address, kind) + data
    return f":{(body + bytes([-sum(body) & 0xFF])).hex().upper()}"


def uf2(segments: Sequence[Segment], family: int) -> bytes:
    """Blocks of 256 bytes at multiples of 256, what is not ours in them as erased flash."""
    pages: dict[int, bytearray] = {}
    for address, data in sorted(segments):
        for at, piece in _pieces(address, data, _UF2_PAYLOAD):
            page = pages.setdefault(at & -_UF2_PAYLOAD, bytearray([ERASED]) * _UF2_PAYLOAD)
            page[at % _UF2_PAYLOAD : at % _UF2_PAYLOAD + len(piece)] = piece
    return b"".join(
        struct.pack(
            "<8I", *_UF2_MAGIC[:2], _UF2_FAMILY_PRESENT, address, _UF2_PAYLOAD, number, len(pages), family
        )
        + bytes(page).ljust(_UF2_BLOCK - 36, b"\0")
        + struct.pack("<I", _UF2_MAGIC[2])
        for number, (address, page) in enumerate(sorted(pages.items()))
    )


def _pieces(address: int, data: bytes, step: int) -> Iterator[Segment]:
    """Cut at multiples of `step`."""
    at = 0
    while at < len(data):
        length = min(step - (address + at) % step, len(data) - at)
        yield address + at, data[at : at + length]
        at += length
