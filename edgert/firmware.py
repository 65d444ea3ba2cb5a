"""What a firmware is made of beside the model's own C: its identity, and the runtime for its board."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgert.board import Board
from edgert.target import Target

HEADER = "ert_firmware.h"
FRAME_DATA_BYTES = 240  # with header and CRC still one run of COBS
HOSTED_FRAME_DATA_BYTES = 16384
_NAME_BYTES = 31
_DTYPE_BYTES = {
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "int16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
}


def source_digest(folder: Path) -> str:
    """SHA-256 of the C in `folder`, names and contents: what a build is, on every machine the same."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".h")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def header(report: Mapping[str, Any], *, hosted: bool = False) -> str:
    """ert_firmware.h: what csrc/runtime/ert_mailbox.c has to know of the model.

    report: of the artifact; name, the two hashes, arena_bytes, inputs, outputs and layers are used.
    """
    name = report["name"]
    defines = {
        "ERT_INVOKE": f"{name}_invoke",
        "ERT_STEPS": f"{name}_steps",
        "ERT_LAYERS": len(report["layers"]),
        "ERT_ARENA_BYTES": report["arena_bytes"],
        "ERT_FRAME_DATA_BYTES": f"{HOSTED_FRAME_DATA_BYTES if hosted else FRAME_DATA_BYTES}u",
        "ERT_BUILD": _bytes(report.get("build_sha256", "")),
        "ERT_MODEL_SHA256": _bytes(report.get("model_sha256", "")),
        "ERT_MODEL_NAME": f'"{name[:_NAME_BYTES]}"',
        "ERT_SHAPES": f'"{shapes(report)}"',
        "ERT_INPUTS": _places(report["inputs"]),
        "ERT_OUTPUTS": _places(report["outputs"]),
    }
    lines = "\n".join(f"#define {key} {value}" for key, value in defines.items())
    return f'/* {name}: what its firmware says of itself */\n#include "model.h"\n{lines}\n'


def shapes(report: Mapping[str, Any]) -> str:
    """`int8[1,49,10,1] -> int8[1,12]`"""
    sides = [", ".join(_shape(port) for port in report[side]) for side in ("inputs", "outputs")]
    return " -> ".join(sides)


def runtime_sources(board: Board, target: Target) -> list[str]:
    """Paths below csrc/ of what drives the model, compiled small whatever the model is compiled for."""
    common = ["runtime/runner.c", "runtime/ert_mailbox.c", "runtime/ert_crc.c"]
    frames = ["runtime/ert_frames.c"]
    if board.linux is not None:
        return [*common, *frames, "port/linux.c"]
    core = "riscv" if target.arch.startswith("rv") else "cortex_m"
    serial = [*frames, f"port/uart_{board.uart.driver}.c"] if board.uart else []
    return [*common, *serial, f"runtime/startup_{core}.c", f"port/core_{core}.c"]


def library_sources(board: Board) -> list[str]:
    """Paths below csrc/ of what the model itself may call: compiled as it is."""
    return [] if board.linux is not None else ["runtime/ert_libc.c"]


def defines(board: Board) -> list[str]:
    """What the compiler has to be told about the board."""
    serial = ["-DERT_SERIAL"] if board.uart or board.linux else []
    hosted = ["-DERT_HOSTED"] if board.linux else []
    return [*serial, *hosted, *([f"-DERT_UART_BASE={board.uart.base:#x}u"] if board.uart else [])]


def _shape(port: Mapping[str, Any]) -> str:
    return f"{port['dtype']}[{','.join(map(str, port['shape']))}]"


def _places(ports: Sequence[Mapping[str, Any]]) -> str:
    places = [
        f"{{{port['offset']}, {math.prod(port['shape']) * _DTYPE_BYTES[port['dtype']]}}}" for port in ports
    ]
    return f"{{ {', '.join(places)} }}"


def _bytes(digest: str) -> str:
    return f"{{ {', '.join(f'{byte:#04x}' for byte in bytes.fromhex(digest)) or '0'} }}"
