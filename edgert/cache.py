"""Compiled artifacts on disk, keyed by content: the same input is never compiled twice.

Folder: $EDGERT_CACHE, else $XDG_CACHE_HOME/edgert, else ~/.cache/edgert. Safe to delete at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from edgert.errors import UsageError

MAX_ENTRIES = 200
_TOOLS = ("apache-tvm", "ziglang", "numpy", "tflite")
_SOURCES = ("edgert.codegen", "edgert.csrc", "edgert.targets", "edgert.boards")


def root() -> Path:
    """The cache folder; created on demand by what writes into it."""
    explicit = os.environ.get("EDGERT_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgert"


def key(*parts: str | bytes) -> str:
    """A name for what these parts, our own sources and the tools' versions determine."""
    digest = hashlib.sha256(_fingerprint().encode())
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:40]


def lookup(entry: str) -> Path | None:
    """The folder of a finished entry, or None. Marks it as used."""
    folder = root() / "artifacts" / entry
    if not (folder / "report.json").is_file():
        return None
    os.utime(folder)
    return folder


@contextmanager
def publish(entry: str, *, replace: bool = True) -> Iterator[Path]:
    """A folder to write into; it becomes the entry only if the block ends without an exception.

    replace: False leaves an entry that another process finished meanwhile: somebody may be reading it.
    Raises UsageError if the cache cannot be written.
    """
    home = root() / "artifacts"
    try:
        home.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".making-", dir=home))
    except OSError as error:
        raise UsageError(
            f"cannot write the cache {home}: {error.strerror}",
            hint="set EDGERT_CACHE to a folder that can be written",
        ) from error
    try:
        yield aside
        if replace or lookup(entry) is None:
            replace_folder(aside, home / entry)
        _forget_old(home)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_aside(path: Path, data: bytes) -> Path:
    """Write a file of the user's: whole, or not at all. Raises UsageError."""
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.write_bytes(data)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    return path


def replace_folder(made: Path, final: Path) -> None:
    """Rename `made` to `final`; what was there goes only once the new one is complete."""
    old = final.with_name(f".old-{final.name}-{os.getpid()}")
    if final.exists():
        final.rename(old)
    try:
        made.rename(final)
    except OSError:
        if not final.exists() and old.exists():
            old.rename(final)
        if not final.exists():
            raise
        # somebody else finished the same entry first: theirs is as good as ours
    shutil.rmtree(old, ignore_errors=True)


def _forget_old(home: Path) -> None:
    """Keep the MAX_ENTRIES last used. Another process may be doing the same: what is gone is gone."""
    used = []
    for folder in home.iterdir():
        with suppress(FileNotFoundError):
            if not folder.name.startswith("."):
                used.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(used)[:-MAX_ENTRIES]:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _fingerprint() -> str:
    """Hash of our sources (an edit must not be served an old result) and of the tools' versions."""
    digest = hashlib.sha256()
    for tool in _TOOLS:
        digest.update(f"{tool}={_version(tool)};".encode())
    for package in _SOURCES:
        for path, data in sorted(sources(package)):
            digest.update(path.encode() + b"\0" + data)
    for module in ("toolchain.py", "api.py", "artifact.py", "circuit.py", "rtl/circuit.cpp"):
        digest.update(files("edgert").joinpath(module).read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def sources(package: str) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every file of a package of ours."""
    return _walk(files(package), package)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{prefix}/{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry, name)
        elif not entry.name.endswith(".pyc"):
            yield name, entry.read_bytes()
