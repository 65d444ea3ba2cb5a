"""Boards that show up as a drive: copy a UF2 file onto it. Source: Microsoft, USB Flashing Format (UF2)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgert.errors import UsageError

INFO = "INFO_UF2.TXT"
_MOUNTS = ("/media/*/*", "/run/media/*/*", "/media/*", "/Volumes/*", "/mnt/*")


def find_volume(label: str, given: str = "") -> Path:
    """The drive of a board in its boot loader. Raises UsageError if there is none, or more than one."""
    if given:
        candidates = [Path(given)]
    else:
        candidates = [p for pattern in _MOUNTS for p in Path("/").glob(pattern[1:]) if p.name == label]
    found = [path for path in candidates if (path / INFO).is_file()]
    if len(found) != 1:
        what = f"{len(found)} drives named {label!r}" if not given else f"{given} is no UF2 drive: no {INFO}"
        raise UsageError(
            what, rule=f"the drive of a board in its boot loader has a file {INFO}",
            hint="hold the board's boot button while you plug it in, or say where it is: --volume DIR",
        )  # fmt: skip
    return found[0]


def copy(image: Path, volume: Path) -> None:
    """Copy, and wait until it is there: the board resets as soon as it has it all. Raises UsageError."""
    try:
        shutil.copyfile(image, volume / image.name)
        os.sync()
    except OSError as error:
        raise UsageError(f"cannot copy to {volume}: {error.strerror}") from error
