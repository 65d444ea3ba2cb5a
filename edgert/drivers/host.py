"""The board that is always there: the same C as a shared library of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgert import cache, toolchain
from edgert.board import Board
from edgert.drivers.session import Array, Profile, Session, port_bytes, read_outputs
from edgert.errors import UsageError
from edgert.firmware import source_digest


def open_session(report: Mapping[str, Any], folder: Path, board: Board, address: str = "") -> Session:
    if "fpga" in report:
        from edgert.drivers.circuit_host import CircuitHostSession

        return CircuitHostSession(report, folder)
    return HostSession(report, folder)


class HostSession(Session):
    """Runs in this process; there is no time-out, and no profile: a PC's time says nothing of a board's."""

    def __init__(self, report: Mapping[str, Any], folder: Path) -> None:
        super().__init__(report)
        from cffi import FFI

        self._ffi = FFI()
        name = report["name"]
        self._ffi.cdef(f"void {name}_invoke(uint8_t *arena);")
        self._library = self._ffi.dlopen(str(shared_library(folder)))
        self._invoke = getattr(self._library, f"{name}_invoke")
        self._storage = self._ffi.new("uint8_t[]", report["arena_bytes"] + 16)
        address = int(self._ffi.cast("uintptr_t", self._storage))
        self._arena = self._storage + (-address % 16)

    def _run(self, inputs: Sequence[bytes], timeout_s: float) -> list[Array]:
        for port, data in zip(self.report["inputs"], inputs, strict=True):
            self._ffi.memmove(self._arena + port["offset"], data, len(data))
        self._invoke(self._arena)
        ports = self.report["outputs"]
        found = {p["offset"]: self._ffi.buffer(self._arena + p["offset"], port_bytes(p))[:] for p in ports}
        return read_outputs(ports, found)

    def _profile(self, inputs: Sequence[bytes], timeout_s: float, repetitions: int) -> Profile:
        raise UsageError(
            "the host has no profile",
            rule="its time is not the board's",
            hint="use --board cortex-m4-emulated",
        )


def shared_library(folder: Path) -> Path:
    """Compile the model in `folder` for this machine, or find it in the cache: keyed by the C itself."""
    library = cache.root() / "host" / f"{source_digest(folder)[:40]}.so"
    if not library.is_file():
        library.parent.mkdir(parents=True, exist_ok=True)
        aside = library.with_name(f".{library.name}-{os.getpid()}")
        try:
            toolchain.compile_host(folder, aside)
            aside.rename(library)
        finally:
            aside.unlink(missing_ok=True)
    return library
