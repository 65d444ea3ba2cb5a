"""edgert: trained networks to plain C on microcontrollers, measured there, driven from Python.

`import edgert` is light: neither TVM nor torch nor numpy is loaded until a name below is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from edgert.api import compile, connect
    from edgert.artifact import Artifact
    from edgert.board import Board, load_board
    from edgert.drivers.session import LayerProfile, Profile, Session
    from edgert.errors import EdgertError
    from edgert.network import Network, load
    from edgert.target import Target, load_target

_HOMES = {
    "compile": "edgert.api",
    "connect": "edgert.api",
    "load": "edgert.network",
    "Network": "edgert.network",
    "Artifact": "edgert.artifact",
    "Board": "edgert.board",
    "load_board": "edgert.board",
    "Target": "edgert.target",
    "load_target": "edgert.target",
    "Session": "edgert.drivers.session",
    "Profile": "edgert.drivers.session",
    "LayerProfile": "edgert.drivers.session",
    "EdgertError": "edgert.errors",
}

__all__ = [
    "Artifact",
    "Board",
    "EdgertError",
    "LayerProfile",
    "Network",
    "Profile",
    "Session",
    "Target",
    "__version__",
    "compile",
    "connect",
    "load",
    "load_board",
    "load_target",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgert' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
