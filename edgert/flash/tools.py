"""Flash tools that are programs: what each wants to know of a board, and the command that it makes of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgert.errors import ToolError

TIMEOUT_S = 300


@dataclass(frozen=True)
class Tool:
    """keys: of the board's table [flash.<name>], with defaults; None: required. image: the format it takes.

    command: {image}, {python}, the keys and {port} (--port, else `port`) are put in. install: for the hint.
    """

    name: str
    keys: Mapping[str, str | int | None]
    image: str
    command: tuple[str, ...]
    install: str
    port: str = ""


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "pyocd", {"target": None}, "elf",
            ("{python}", "-m", "pyocd", "flash", "--target", "{target}", "{image}"),
            "pip install pyocd",
        ),
        Tool(
            "openocd", {"config": None}, "elf",
            ("openocd", "-f", "{config}", "-c", "program {{{image}}} verify reset exit"),
            "apt-get install openocd",
        ),
        Tool(
            "esptool", {"chip": None, "offset": 0, "baud": 460800}, "bin",
            ("{python}", "-m", "esptool", "--chip", "{chip}", "--port", "{port}", "--baud", "{baud}",
             "write_flash", "{offset:#x}", "{image}"),
            "pip install esptool", port="/dev/ttyUSB0",
        ),
    )
}  # fmt: skip


def command(tool: Tool, table: Mapping[str, str | int], image: str, port: str = "") -> list[str]:
    """The command line that flashes `image`."""
    known = {**tool.keys, **table, "image": image, "port": port or tool.port, "python": sys.executable}
    return [part.format_map(known) for part in tool.command]


def run(tool: Tool, argv: Sequence[str]) -> None:
    """Raises ToolError: the tool is missing, fails (its last lines), or does not get done."""
    if shutil.which(argv[0]) is None:
        raise ToolError(f"{tool.name} is missing", hint=tool.install)
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{tool.name} does not get done within {TIMEOUT_S} s") from error
    if done.returncode != 0:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        missing = any("No module named" in line for line in said[-1:])
        raise ToolError(
            f"{tool.name} failed: {' / '.join(said[-3:])}",
            hint=tool.install if missing else "is the board plugged in, and no other program at its probe?",
        )
