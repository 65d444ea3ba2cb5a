"""The memory map of a GDB server. Source: the GDB manual, E.14 "Memory Map Format"."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from edgert.errors import LinkError


@dataclass(frozen=True)
class MemoryRegion:
    """kind: "ram", "rom" or "flash"; start <= address < end; block_bytes: what flash is erased by."""

    kind: str
    start: int
    end: int
    block_bytes: int = 1


def parse_memory_map(text: bytes) -> list[MemoryRegion]:
    """Raises LinkError if it is no memory map. A document type is allowed, definitions in it are not."""
    if b"<!ENTITY" in text or b"[" in text.split(b">")[0]:
        raise LinkError("the GDB server's memory map has definitions of its own")
    try:
        root = ElementTree.fromstring(text)
        return [_region(item) for item in root.iter("memory")]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise LinkError(f"the GDB server's memory map cannot be read: {error}") from error


def _region(item: ElementTree.Element) -> MemoryRegion:
    start, length = int(item.attrib["start"], 0), int(item.attrib["length"], 0)
    block = next((int(p.text or "1", 0) for p in item.iter("property") if p.get("name") == "blocksize"), 1)
    if block < 1:
        raise ValueError("a block size of 0")
    return MemoryRegion(item.attrib["type"], start, start + length, block)
