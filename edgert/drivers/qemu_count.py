"""Instructions of every layer, counted by QEMU itself: a second, independent count beside Unicorn's."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from edgert import cache, toolchain
from edgert.board import Board
from edgert.drivers.elf import Elf
from edgert.drivers.link import Link
from edgert.drivers.mailbox_session import MailboxSession
from edgert.drivers.session import Profile
from edgert.errors import BoardFaultError

_OUTSIDE, _INSIDE = -2, -1


def can_count(board: Board) -> bool:
    """Whether the board is a QEMU that we start, of a machine or of a program."""
    if board.linux is not None:
        return board.linux.run[0].startswith("qemu-")
    return board.gdb is not None and bool(board.gdb.server) and board.gdb.server[0].startswith("qemu-system")


def with_plugin(board: Board, report: Mapping[str, Any], elf: Elf, out: Path) -> Board:
    """The same board, its QEMU started with the plugin, which writes its counts to `out`."""
    arguments = ",".join([str(_plugin()), f"out={out}", *_ranges(report, elf)])
    if board.linux is not None:
        emulator, *program = board.linux.run
        return replace(board, linux=replace(board.linux, run=(emulator, "-plugin", arguments, *program)))
    assert board.gdb is not None
    server = (*board.gdb.server, "-plugin", arguments)
    return replace(board, gdb=replace(board.gdb, server=server))


def read_counts(out: Path, layers: int) -> list[int]:
    """Instructions of layer 0, 1, ..., and last of what is between them. Raises BoardFaultError."""
    try:
        rows = [line.split() for line in out.read_text(encoding="ascii").splitlines()]
        counts = {int(mark): int(count) for mark, count in rows}
        return [*(counts[i] for i in range(layers)), counts[_INSIDE]]
    except (OSError, ValueError, KeyError) as error:
        raise BoardFaultError(f"QEMU's counting plugin wrote no counts: {error}") from error


def count(
    session: MailboxSession, elf: Elf, board: Board, link: Callable[[Board], Link], inputs: Sequence[bytes],
    timeout_s: float,
) -> list[int]:  # fmt: skip
    """One run in a second QEMU that counts; as read_counts. link: a way to such a board."""
    out = scratch_file()
    try:
        counting = with_plugin(board, session.report, elf, out)
        with MailboxSession(session.report, link(counting), counting) as second:
            second.run_bytes(inputs, timeout_s)
            return read_counts(out, len(session.report["layers"]))
    finally:
        out.unlink()


def with_counts(profile: Profile, counts: Sequence[int]) -> Profile:
    """A profile with QEMU's instructions."""
    rows = (replace(row, instructions=n) for row, n in zip(profile.layers, counts, strict=True))
    return replace(profile, layers=tuple(rows))


def without_cycles(profile: Profile) -> Profile:
    """QEMU models no time, so whatever a machine's counters say is no cycle."""
    rows = (replace(row, cycles=None, spread=None) for row in profile.layers)
    return replace(profile, layers=tuple(rows), cycles_kind="none: QEMU models no time")


def scratch_file() -> Path:
    """A new empty file; the caller removes it."""
    handle, name = tempfile.mkstemp(prefix="edgert-count-")
    os.close(handle)
    return Path(name)


def _ranges(report: Mapping[str, Any], elf: Elf) -> list[str]:
    """The plugin's arguments: the model and its layers by their symbols, the runtime as outside."""
    marks = {f"{report['name']}_invoke": _INSIDE, "ert_mailbox_answer": _OUTSIDE}
    found = [(elf.function_at(elf.symbols[name] & ~1), mark) for name, mark in marks.items()]
    ranges = [f"r={f.start:x}-{f.end:x}:{mark}" for f, mark in found if f]
    entries = [(elf.symbols[layer["symbol"]] & ~1, layer["index"]) for layer in report["layers"]]
    return [*ranges, *(f"r={start:x}-{start + 1:x}:{index}" for start, index in entries)]


def _plugin() -> Path:
    """Compile the plugin for this machine, or find it in the cache. Raises ToolError."""
    with as_file(files("edgert.csrc") / "host" / "qemu_count.c") as source:
        key = hashlib.sha256(source.read_bytes()).hexdigest()[:40]
        library = cache.root() / "host" / f"{key}.so"
        if not library.is_file():
            library.parent.mkdir(parents=True, exist_ok=True)
            aside = library.with_name(f".{library.name}-{os.getpid()}")
            try:
                toolchain.compile_shared([source], aside)
                aside.rename(library)
            finally:
                aside.unlink(missing_ok=True)
    return library
