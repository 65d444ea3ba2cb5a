"""Descriptors (targets, boards) are TOML: read, and checked key by key; unknown keys are rejected."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from typing import Any

from edgert.errors import DescriptorError


def read(path: Traversable, where: str) -> dict[str, Any]:
    """The file's tables. Raises DescriptorError if it is missing or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DescriptorError(f"cannot read the descriptor: {error}", where=where) from error


def check_keys(
    table: Mapping[str, Any], required: Iterable[str], optional: Iterable[str], where: str
) -> None:
    """Raise DescriptorError for a missing or an unknown key, naming the nearest known one."""
    needed, known = set(required), {*required, *optional}
    for key in sorted(set(table) - known):
        near = get_close_matches(key, known, 1)
        raise DescriptorError(
            f"unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""),
            where=where,
            rule=f"keys are {', '.join(sorted(known))}",
        )
    for key in sorted(needed - set(table)):
        raise DescriptorError(f"the key {key!r} is missing", where=where)


def unknown(kind: str, name: str, known: Iterable[str]) -> DescriptorError:
    """The error for an id that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = get_close_matches(name, names, 1, cutoff=0.4)
    return DescriptorError(
        f"no {kind} {name!r}" + (f", did you mean {near[0]!r}?" if near else ""),
        rule=f"{kind}s are {', '.join(names)}",
        hint=f"see: edgert {kind}s",
    )
