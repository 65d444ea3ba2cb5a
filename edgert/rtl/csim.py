"""The HLS C++ of a circuit, compiled by g++ and run: its outputs, and its time in cycles.

C-simulated, not synthesised by us: the cycles are those of csrc/hls/ert_stream_timed.h, with the latencies of
the circuit in Verilog (csrc/hls/ert_timing.h).
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edgert.codegen.hls.cpp import sources
from edgert.codegen.hls.design import Design
from edgert.codegen.program import Array
from edgert.errors import ToolError
from edgert.rtl.circuit import Run, parsed
from edgert.rtl.tools import run_tool

FLAGS = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror")


def build_and_run(
    design: Design,
    inputs: Sequence[Array],
    folder: Path,
    *,
    bus_bytes: float | None = None,
    latency_cycles: int | None = None,
    stall: float = 0.0,
    seed: int = 0,
    flags: Sequence[str] = FLAGS,
) -> Run:
    """folder: sources and program; a program of the same sources is not compiled again.

    bus_bytes, latency_cycles: of the external memory, if not those of the machine. stall: the share of cycles
    in which a stream stands still; above 0, the depths of streams are drawn, too, by `seed`.
    Raises ToolError.
    """
    machine = design.machine
    program = build(design, folder, flags=flags)
    return run(
        design, inputs, program,
        bus_bytes=machine.bus_bytes if bus_bytes is None else bus_bytes,
        latency_cycles=machine.latency_cycles if latency_cycles is None else latency_cycles,
        stall=stall, seed=seed,
    )  # fmt: skip


def write(design: Design, folder: Path) -> None:
    """The sources alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sources(design).items():
        (folder / name).write_text(text, encoding="ascii")


def build(design: Design, folder: Path, *, flags: Sequence[str] = FLAGS) -> Path:
    """Sources in `folder`, and the program made of them. Raises ToolError."""
    write(design, folder)
    program = folder / f"tb-{_key(sources(design), flags)}"
    if program.is_file():
        return program
    compiler = shutil.which("g++")
    if compiler is None:
        raise ToolError("g++ is missing", hint="apt-get install g++")
    aside = program.with_suffix(".making")
    run_tool([compiler, *flags, "-o", str(aside), "top.cpp", "tb.cpp"], folder)
    aside.rename(program)
    return program


def run(
    design: Design,
    inputs: Sequence[Array],
    program: Path,
    *,
    bus_bytes: float,
    latency_cycles: int,
    stall: float = 0.0,
    seed: int = 0,
) -> Run:
    """Raises ToolError: a deadlock, or what the program says."""
    with tempfile.TemporaryDirectory() as folder:
        image, result = Path(folder, "image"), Path(folder, "result")
        image.write_bytes(design.image(inputs).tobytes())
        said = run_tool(
            [
                str(program), str(image), str(result), str(bus_bytes), str(latency_cycles),
                str(int(np.ceil(stall * 256))), str(seed),
            ],
            Path(folder), name="csim",
        )  # fmt: skip
        memory = np.frombuffer(result.read_bytes(), np.uint8).copy()
    return parsed(said, [port.get(memory) for port in design.outputs])


def _key(texts: Mapping[str, str], flags: Sequence[str]) -> str:
    digest = hashlib.sha256(" ".join(flags).encode())
    for name, text in sorted(texts.items()):
        digest.update(f"{name} {len(text)} {text}".encode())
    return digest.hexdigest()[:16]
