"""Verilog in open tools: a module without a clock, simulated by Verilator. synth.py synthesises."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgert.errors import ToolError

TIMEOUT_S = 1800
_VERILATOR = (
    "--cc", "--exe", "--build", "--default-language", "1364-2005", "-Wall", "-Wno-WIDTH", "-Wno-DECLFILENAME",
    "-Wno-UNUSED", "-MAKEFLAGS", "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0",
)  # fmt: skip
Bits = npt.NDArray[np.bool_]

# One line of ones and zeros in, one out: `window` as it is written, its bit 0 first, and so y.
_HARNESS = """
#include <cstdio>
#include <cstring>
#include "V{name}.h"
#include "verilated.h"
static char line[{inputs} + 16];
int main()
{{
    V{name} top;
    auto *const in = reinterpret_cast<uint8_t *>(&top.window);
    auto *const out = reinterpret_cast<uint8_t *>(&top.y);
    while (std::fgets(line, sizeof line, stdin)) {{
        std::memset(in, 0, sizeof top.window);
        for (int k = 0; k < {inputs}; k++) {{
            in[k / 8] |= static_cast<uint8_t>((line[k] - '0') << (k % 8));
        }}
        top.eval();
        for (int k = 0; k < {outputs}; k++) {{
            std::putchar('0' + (out[k / 8] >> (k % 8) & 1));
        }}
        std::putchar('\\n');
    }}
    return 0;
}}
"""


def simulate(verilog: str, name: str, windows: Bits, outputs: int) -> Bits:
    """A module without a clock: windows [count, n] of its input `window` -> [count, outputs] of its output
    `y`.

    Raises ToolError.
    """
    verilator = shutil.which("verilator")
    if verilator is None:
        raise ToolError("verilator is missing", hint="apt-get install verilator g++ make")
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        (build / f"{name}.v").write_text(verilog, encoding="ascii")
        harness = _HARNESS.format(name=name, inputs=windows.shape[1], outputs=outputs)
        (build / "main.cpp").write_text(harness, encoding="ascii")
        flags = (*_VERILATOR, "--top-module", name, "--Mdir", "obj", "-o", "simulate")
        run_tool([verilator, *flags, f"{name}.v", "main.cpp"], build)
        lines = "\n".join("".join("1" if bit else "0" for bit in window) for window in windows) + "\n"
        out = run_tool([str(build / "obj" / "simulate")], build, lines)
    return np.array([[c == "1" for c in line] for line in out.split()], bool)


class ToolTimeoutError(ToolError):
    """A tool did not end in time."""


def run_tool(
    command: Sequence[str], folder: Path, stdin: str = "", *, name: str = "", timeout_s: float = TIMEOUT_S
) -> str:
    """The standard output. Raises ToolError with the first line that says error, and the tool's name."""
    name = name or Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, input=stdin, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ToolTimeoutError(f"{name} does not get done within {timeout_s:g} s") from error
    except OSError as error:
        raise ToolError(f"{name} does not get done: {error}") from error
    if done.returncode != 0:
        said = done.stderr + done.stdout
        first = next((line for line in said.splitlines() if "rror" in line), said[-300:])
        raise ToolError(f"{name} failed: {first.strip()}")
    return done.stdout
