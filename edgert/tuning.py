"""What kernels were measured to cost: a small SQLite database that `edgert tune` fills and `compile` reads.

One row per layer and kernel variant. A layer is known by its contract and attrs, the board, the level of
optimization, and what the machine code follows from: our kernels and the compiler's version.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache as once
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from edgert import cache
from edgert.sqlite import Schema, transaction

if TYPE_CHECKING:
    from edgert.codegen.program import Step

WORTH = 0.05
OBJECTIVES = ("cycles", "instructions", "flash")
_COLUMNS = {"cycles": "cycles", "instructions": "instructions", "flash": "flash_bytes"}
_CREATE = """
CREATE TABLE IF NOT EXISTS measured (
    layer TEXT NOT NULL, label TEXT NOT NULL, cycles INTEGER NOT NULL, instructions INTEGER NOT NULL,
    flash_bytes INTEGER NOT NULL, scratch_bytes INTEGER NOT NULL,
    op TEXT NOT NULL, attrs TEXT NOT NULL, board TEXT NOT NULL, optimize TEXT NOT NULL, tools TEXT NOT NULL,
    PRIMARY KEY (layer, label)
)
"""
_CREATE_VERDICTS = """
CREATE TABLE IF NOT EXISTS verdicts (
    model TEXT NOT NULL, board TEXT NOT NULL, optimize TEXT NOT NULL, tools TEXT NOT NULL,
    default_cycles INTEGER NOT NULL, tuned_cycles INTEGER NOT NULL,
    PRIMARY KEY (model, board, optimize, tools)
)
"""


_SCHEMA = Schema(1, (_CREATE, _CREATE_VERDICTS), "tuning database", "a file that edgert tune made", "--db")


@dataclass(frozen=True)
class Place:
    """Where and how a layer is to run: board id, level of optimization."""

    board: str
    optimize: str

    def layer_key(self, step: Step) -> str:
        """Equal for two Steps that run the same machine code on the same geometry."""
        parts = [step.op, dict(sorted(step.attrs.items())), self.board, self.optimize, tools()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Measurement:
    """One run of a layer: cycles as the board gives them; flash: code, weights and tables; all in bytes."""

    cycles: int
    instructions: int
    flash_bytes: int
    scratch_bytes: int

    def cost(self, objective: str) -> int:
        return int(getattr(self, _COLUMNS[objective]))


class TuningDatabase:
    """Safe to use from several processes at once: every write is one transaction.

    path: by default `tuning.sqlite` in the cache folder; it is created on the first write.
    Raises UsageError if it cannot be opened, is no database of ours, or is of a newer edgert.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache.root() / "tuning.sqlite"

    def measurements(self, layer: str) -> dict[str, Measurement]:
        """Variant label -> what it was measured to cost."""
        if not self.path.exists():
            return {}
        with self._open() as connection:
            rows = connection.execute(
                "SELECT label, cycles, instructions, flash_bytes, scratch_bytes FROM measured"
                " WHERE layer = ?",
                (layer,),
            ).fetchall()
        return {label: Measurement(*numbers) for label, *numbers in rows}

    def store(self, place: Place, step: Step, label: str, found: Measurement) -> None:
        """Keep one measurement; a new one of the same layer and variant replaces it."""
        row = (
            place.layer_key(step), label, found.cycles, found.instructions, found.flash_bytes,
            found.scratch_bytes, step.op, json.dumps(dict(step.attrs)), place.board, place.optimize, tools(),
        )  # fmt: skip
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute(f"INSERT OR REPLACE INTO measured VALUES ({','.join('?' * len(row))})", row)

    def judge(self, place: Place, model: str, cycles: tuple[int, int] | None) -> None:
        """Keep what a whole model (its SHA-256) took with the defaults and tuned; None: forget it."""
        key = (model, place.board, place.optimize, tools())
        with self._open() as connection:
            connection.execute(
                "DELETE FROM verdicts WHERE (model, board, optimize, tools) = (?, ?, ?, ?)", key
            )
            if cycles is not None:
                connection.execute("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?)", (*key, *cycles))

    def trusts(self, place: Place, model: str) -> bool:
        """Whether the tuned kernels may be used: not where the whole model was slower with them."""
        if not self.path.exists():
            return False
        with self._open() as connection:
            worse = connection.execute(
                "SELECT 1 FROM verdicts WHERE (model, board, optimize, tools) = (?, ?, ?, ?)"
                " AND tuned_cycles > default_cycles",
                (model, place.board, place.optimize, tools()),
            ).fetchone()
        return worse is None

    def stamp(self, place: Place) -> str:
        """Changes whenever a choice for this place may change."""
        if not self.path.exists():
            return ""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT layer, label, cycles, flash_bytes FROM measured"
                " WHERE board = ? AND optimize = ? AND tools = ? ORDER BY layer, label",
                (place.board, place.optimize, tools()),
            ).fetchall()
            rows += connection.execute("SELECT * FROM verdicts ORDER BY model").fetchall()
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest() if rows else ""

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, _SCHEMA)


@once
def tools() -> str:
    """What the machine code of a kernel follows from: our sources and the compiler."""
    digest = hashlib.sha256()
    for package in ("edgert.csrc", "edgert.codegen.kernels", "edgert.codegen.c"):
        for path, data in sorted(cache.sources(package)):
            digest.update(path.encode() + b"\0" + data)
    digest.update(files("edgert").joinpath("toolchain.py").read_bytes())
    return f"{digest.hexdigest()[:16]} ziglang {version('ziglang')}"


def choices(
    database: TuningDatabase, place: Place, steps: Mapping[str, Step], defaults: Mapping[str, str]
) -> dict[str, str]:
    """Layer name -> the label measured to be the fastest, for the layers that were tuned.

    defaults: layer name -> the label that is used untuned; it stays unless another gains WORTH or more:
    layers are measured alone, and less than that is lost again where several share a kernel.
    """
    found = {}
    for name, step in steps.items():
        known = database.measurements(place.layer_key(step))
        default = known.get(defaults.get(name, ""))
        best = min(known, key=lambda label: (known[label].cycles, known[label].flash_bytes), default=None)
        if best is not None:
            gains = default is None or known[best].cycles <= (1 - WORTH) * default.cycles
            found[name] = best if gains else defaults[name]
    return found
