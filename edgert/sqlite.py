"""Our SQLite files: one transaction at a time, safe to use from several processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgert.errors import UsageError

_BUSY_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Schema:
    """what: the file is called. rule: what it has to be. option: of the command line, for another file."""

    version: int
    tables: tuple[str, ...]
    what: str
    rule: str
    option: str


@contextmanager
def transaction(path: Path, schema: Schema) -> Iterator[sqlite3.Connection]:
    """The file, made where it is missing; what is done in the block is kept whole or not at all.

    Raises UsageError if it cannot be opened, is no database of ours, or is of another version.
    """
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)
        try:
            with connection:
                _check(connection, path, schema)
                yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UsageError(
            f"cannot use the {schema.what} {path}: {error}", rule=schema.rule,
            hint=f"remove it, or give another with {schema.option}",
        ) from error  # fmt: skip


def _check(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == 0:
        connection.execute("PRAGMA journal_mode = WAL")
        for table in schema.tables:
            connection.execute(table)
        connection.execute(f"PRAGMA user_version = {schema.version}")
    elif found != schema.version:
        raise UsageError(
            f"the {schema.what} {path} has schema {found}", rule=f"this edgert reads schema {schema.version}",
            hint=f"give another with {schema.option}, or remove it",
        )  # fmt: skip
