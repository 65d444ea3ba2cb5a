"""Artifact: a compiled model as a folder, and the questions one asks it before flashing."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgert.cache import replace_folder
from edgert.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

REPORT = "report.json"
SCHEMA = 1


@dataclass(frozen=True)
class Artifact:
    """A folder: model.c, model.h, weights.h, kernel headers, report.json and, for a board, firmware.elf; or a
    circuit (codegen/hls/folder.py).

    Everything it knows is in the folder: `Artifact.load(folder)` is the whole of it.
    """

    folder: Path
    report: dict[str, Any]

    @classmethod
    def load(cls, folder: str | Path) -> Artifact:
        """Open a folder that `save` or `edgert compile -o` wrote.

        Raises UsageError if it is not one.
        """
        path = Path(folder) / REPORT
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            known = report["schema"] == SCHEMA
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{folder} is not an edgert output folder: no readable {REPORT}",
                hint="make one with: edgert compile MODEL --board BOARD -o DIR",
            ) from error
        if not known:
            raise UsageError(
                f"{path} has schema {report['schema']}, this edgert reads {SCHEMA}",
                hint="compile the model again",
            )
        return cls(Path(folder), report)

    @property
    def name(self) -> str:
        """The prefix of every C symbol of the model."""
        return str(self.report["name"])

    @property
    def arena_bytes(self) -> int:
        """RAM for all activations, inputs, outputs and scratch."""
        return int(self.report["arena_bytes"])

    @property
    def flash_bytes(self) -> int | None:
        """Flash of the whole linked firmware; None if it was compiled for a target without a board."""
        return _optional_int(self.report["flash_bytes"])

    @property
    def ram_bytes(self) -> int | None:
        """Static RAM of the firmware, arena included and stack not; None without a board."""
        return _optional_int(self.report["ram_bytes"])

    @property
    def elf(self) -> Path | None:
        path = self.folder / "firmware.elf"
        return path if path.is_file() else None

    def save(self, folder: str | Path) -> Artifact:
        """Copy to `folder`, which appears complete or not at all. An earlier output there is replaced.

        Raises UsageError if `folder` exists and is not an edgert output.
        """
        final = Path(folder)
        check_replaceable(final)
        try:
            final.absolute().parent.mkdir(parents=True, exist_ok=True)
            aside = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.absolute().parent))
            try:
                made = aside / "out"
                shutil.copytree(self.folder, made, ignore=shutil.ignore_patterns("host-*"))
                replace_folder(made, final)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        except OSError as error:
            raise UsageError(
                f"cannot write {final}: {error.strerror}", hint="choose another folder with -o"
            ) from error
        return Artifact.load(final)

    def run_host(self, *inputs: npt.NDArray[np.generic]) -> list[npt.NDArray[np.generic]]:
        """Run the same C on this machine: one array per input, in the model's shapes and dtypes.

        Of a circuit: what its commands mean, in NumPy.

        Raises InputError for a wrong number, shape or dtype; ToolError if there is no compiler.
        """
        from edgert.api import connect

        with connect(self, board="host") as session:
            return session.run(*inputs)


def check_replaceable(folder: Path) -> None:
    """Raise UsageError where writing to `folder` would destroy something that we did not make."""
    if not folder.exists() or (
        folder.is_dir() and ((folder / REPORT).is_file() or not any(folder.iterdir()))
    ):
        return
    raise UsageError(
        f"{folder} exists and is not an edgert output",
        rule="only an empty folder or an earlier output is replaced",
        hint="choose another folder with -o, or remove that one",
    )


def _optional_int(value: Any) -> int | None:
    return None if value is None else int(value)
