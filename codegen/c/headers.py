"""Which files of csrc a generated model needs: the headers it includes, and theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def read(path: str) -> str:
    """The text of csrc/<path>."""
    return files("edgert.csrc").joinpath(path).read_text(encoding="utf-8")


def closure(roots: Iterable[str]) -> dict[str, str]:
    """Path -> text of every csrc header reachable from `roots`; paths are relative to csrc."""
    found: dict[str, str] = {}
    todo = list(roots)
    while todo:
        path = todo.pop()
        if path not in found:
            found[path] = read(path)
            todo += _INCLUDE.findall(found[path])
    return dict(sorted(found.items()))
