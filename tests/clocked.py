"""A Verilog module under a clock, driven with what is decided before: every input in every cycle."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

VERILOG = Path(__file__).parents[1] / "csrc" / "verilog"
MAKEFLAGS = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0"  # compiling takes longer than running
LINT = ("--default-language", "1364-2005", "-Wall")
Words = npt.NDArray[np.uint32]

# Every port is whole 32-bit words in a record; what is read of the outputs is their value before the edge.
_HARNESS = """
#include <cstdio>
#include <cstdint>
#include <cstring>
#include "V{top}.h"
#include "verilated.h"
int main()
{{
    static V{top} top;
    static uint32_t in[{in_words}], out[{out_words}];
    while (std::fread(in, sizeof in, 1, stdin) == 1) {{
{set}
        top.clk = 0;
        top.eval();
{get}
        std::fwrite(out, sizeof out, 1, stdout);
        top.clk = 1;
        top.eval();
    }}
    return 0;
}}
"""


def verilated(
    folder: Path, top: str, main: str, sources: Sequence[str], parameters: Mapping[str, int] | None = None
) -> Path:
    """The executable of C++ text `main` and the module `top` of csrc/verilog, free of lint."""
    verilator = shutil.which("verilator")
    assert verilator is not None
    (folder / "main.cpp").write_text(main, encoding="ascii")
    flags = [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    if Path(sources[0]).is_absolute():
        flags += ["-Wno-WIDTH", "-Wno-UNUSED"]  # generated
    command = [
        verilator, "--cc", "--exe", "--build", *LINT, *flags, "-O3", "-MAKEFLAGS", MAKEFLAGS,
        "--top-module", top, "--Mdir", "obj", "-o", "simulate",
        *(str(VERILOG / name) for name in sources), "main.cpp",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder / "obj" / "simulate"


class Clocked:
    """inputs, outputs: name -> bits. Input `rst` is driven like the others. source: of a generated `top`."""

    def __init__(
        self,
        folder: Path,
        top: str,
        inputs: Mapping[str, int],
        outputs: Mapping[str, int],
        sources: Sequence[str] = (),
        parameters: Mapping[str, int] | None = None,
        source: Path | None = None,
    ) -> None:
        self.inputs, self.outputs = dict(inputs), dict(outputs)
        set_lines, in_words = _copies(self.inputs, "std::memcpy(&top.{name}, in + {at}, {size});")
        get_lines, out_words = _copies(self.outputs, "std::memcpy(out + {at}, &top.{name}, {size});")
        main = _HARNESS.format(top=top, in_words=in_words, out_words=out_words, set=set_lines, get=get_lines)
        self.in_words, self.out_words = in_words, out_words
        self.binary = verilated(folder, top, main, (str(source or f"{top}.v"), *sources), parameters)

    def run(self, values: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.int64] | Words]:
        """values: [cycles] integers, or [cycles, words] uint32 where a port has more than 32 bits; so are the
        results, integers unsigned."""
        cycles = len(next(iter(values.values())))
        record = np.zeros((cycles, self.in_words), "<u4")
        at = 0
        for name, bits in self.inputs.items():
            size = -(-bits // 32)
            value = np.asarray(values[name]).reshape(cycles, size)
            record[:, at : at + size] = value.astype(np.int64) & 0xFFFFFFFF
            record[:, at + size - 1] &= 0xFFFFFFFF >> (-bits % 32)  # Verilator wants clean bits
            at += size
        done = subprocess.run([str(self.binary)], input=record.tobytes(), capture_output=True, check=True)
        found = np.frombuffer(done.stdout, "<u4").reshape(cycles, self.out_words)
        result: dict[str, npt.NDArray[np.int64] | Words] = {}
        at = 0
        for name, bits in self.outputs.items():
            size = -(-bits // 32)
            part = found[:, at : at + size]
            result[name] = part[:, 0].astype(np.int64) if size == 1 else part.astype(np.uint32)
            at += size
        return result


def _copies(ports: Mapping[str, int], line: str) -> tuple[str, int]:
    """Lines for all ports, and the words of a record. Verilator holds a port in 1, 2, 4, 8 or 4*n bytes."""
    lines, at = [], 0
    for name, bits in ports.items():
        size = 1 if bits <= 8 else 2 if bits <= 16 else -(-bits // 32) * 4
        lines.append(" " * 8 + line.format(name=name, at=at, size=size))
        at += -(-bits // 32)
    return "\n".join(lines), at
