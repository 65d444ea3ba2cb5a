"""Put a firmware into a board's memory through a GDB server. Source: the GDB manual, E.2 (vFlash packets)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgert.drivers.gdb import GdbAccess
from edgert.drivers.gdb_memory import MemoryRegion
from edgert.drivers.gdb_packets import escape
from edgert.errors import BoardFaultError

Segment = tuple[int, bytes]
Progress = Callable[[int, int], None]


def load(
    access: GdbAccess, segments: Sequence[Segment], progress: Progress = lambda done, total: None
) -> None:
    """Write (address, bytes) into flash or RAM, as the server's memory map says, and read it all back.

    Without a map, all is written as RAM. progress: called with bytes done and in all.

    Raises BoardFaultError, which names a byte that differs; LinkError.
    """
    flash = [region for region in access.memory_map() if region.kind == "flash"]
    total, done = 2 * sum(len(data) for _, data in segments), 0
    _erase(access, flash, segments)
    for address, data in segments:
        in_flash = any(r.start <= address < r.end for r in flash)
        for at in range(0, len(data), access.payload_bytes):
            piece = data[at : at + access.payload_bytes]
            _write(access, in_flash, address + at, piece)
            done += len(piece)
            progress(done, total)
    if flash:
        access.program(b"vFlashDone", "finishing the flash")
    for address, data in segments:
        _verify(access, address, data)
        done += len(data)
        progress(done, total)


def _erase(access: GdbAccess, flash: Sequence[MemoryRegion], segments: Sequence[Segment]) -> None:
    """The blocks that are written to, of each flash."""
    for region in flash:
        touched = [(a, a + len(d)) for a, d in segments if a < region.end and a + len(d) > region.start]
        if not touched:
            continue
        block = region.block_bytes
        start = region.start + (min(t[0] for t in touched) - region.start) // block * block
        end = region.start + -(-(max(t[1] for t in touched) - region.start) // block) * block
        doing = f"erasing {end - start:,} bytes of flash at {start:#010x}"
        access.program(b"vFlashErase:%x,%x" % (start, end - start), doing)


def _write(access: GdbAccess, in_flash: bool, address: int, data: bytes) -> None:
    if in_flash:
        access.program(b"vFlashWrite:%x:%s" % (address, escape(data)), f"writing flash at {address:#010x}")
    else:
        access.write(address, data)


def _verify(access: GdbAccess, address: int, data: bytes) -> None:
    found = access.read(address, len(data))
    if found != data:
        at = next(i for i, (a, b) in enumerate(zip(found, data, strict=True)) if a != b)
        raise BoardFaultError(
            f"{address + at:#010x} holds {found[at]:#04x} after {data[at]:#04x} was written",
            where=access.name,
            hint="is it flash that the GDB server does not know, or the wrong board?",
        )
