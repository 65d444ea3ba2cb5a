"""The circuit under Verilator: a Design run cycle by cycle, with a memory of stated bandwidth and latency.

One simulator serves every design of a machine: ROMs are files that it reads when it starts. It is built when
first asked for, and kept in the cache.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache as once
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from edgert import cache
from edgert.codegen.hls.cycles import Span
from edgert.codegen.hls.design import Design
from edgert.codegen.hls.isa import Machine
from edgert.codegen.hls.verilog import OUT_FIFO, ROM_WORDS, library, parameters
from edgert.codegen.program import Array
from edgert.errors import ToolError
from edgert.rtl.tools import TIMEOUT_S, run_tool

_LEAST_WORDS = 4096  # of a simulator's memories and ROMs: so few machines and designs need one of their own
_LIMIT_CYCLES = 2_000_000_000
# Not inlined, the cores' code is compiled once: 8 cores are built in half the time, and run a quarter longer.
_FLAGS = (
    "--cc", "--exe", "--build", "--default-language", "1364-2005", "--top-module", "ert_circuit", "-O3",
    "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal",
    "-fno-inline",
    "-MAKEFLAGS", "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Run:
    """outputs: of the design. spans: in the order of completion. busy: cycles in which a core multiplied."""

    outputs: list[Array]
    cycles: int
    spans: tuple[Span, ...]
    busy: tuple[int, ...]


@dataclass(frozen=True)
class Simulator:
    """program: for this machine and designs whose ROMs have at most `depth` words."""

    program: Path
    machine: Machine
    depth: int

    def run(
        self,
        design: Design,
        inputs: Sequence[Array],
        *,
        bus_bytes: float | None = None,
        latency_cycles: int | None = None,
        stall: float = 0.0,
        seed: int = 0,
        timeout_s: float = TIMEOUT_S,
    ) -> Run:
        """One inference. bus_bytes, latency_cycles: the machine's, if not given. stall: how likely any valid
        or ready is held back in a cycle, drawn from seed. Raises ToolError: a deadlock, say;
        ToolTimeoutError: not within timeout_s of this machine.
        """
        machine = design.machine
        bus = machine.bus_bytes if bus_bytes is None else bus_bytes
        latency = machine.latency_cycles if latency_cycles is None else latency_cycles
        image = design.image(inputs)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for rom, lines in design.roms().items():
                if len(lines) > self.depth:
                    raise ToolError(f"{rom} has {len(lines)} words, the simulator room for {self.depth}")
                (folder / rom).write_text("\n".join(lines) + "\n", encoding="ascii")
            image.tofile(folder / "in.bin")
            numbers = [f"{bus!r}", str(latency), f"{stall!r}", str(seed), str(_LIMIT_CYCLES)]
            counts = [str(len(commands)) for commands in design.agents]
            command = [str(self.program), "in.bin", "out.bin", *numbers, *counts]
            said = run_tool(command, folder, name="circuit", timeout_s=timeout_s)
            after = np.fromfile(folder / "out.bin", np.uint8)
        return parsed(said, [port.get(after) for port in design.outputs])


def build(machine: Machine, rom_depths: Mapping[str, int], *, out_fifo: int = OUT_FIFO) -> Simulator:
    """The simulator for designs of this machine, and of those with smaller memories.

    rom_depths: words of each ROM file. out_fifo: pixels that a core may have ahead of its writes.
    Raises ToolError.
    """
    verilator = shutil.which("verilator")
    if verilator is None:
        raise ToolError("verilator is missing", hint="apt-get install verilator g++ make")
    depth = min(ROM_WORDS, _roomy(max(rom_depths.values(), default=0)))
    roomy = replace(
        machine,
        scratch_bytes=8 * _roomy(machine.scratch_bytes // 8),
        weight_words=_roomy(machine.weight_words),
        param_entries=_roomy(machine.param_entries),
    )
    fixed = [f"-G{name}={value}" for name, value in parameters(roomy, depth, out_fifo).items()]
    flags = [*_FLAGS, *fixed]
    program = cache.root() / "rtl" / _key(flags) / "circuit"
    if not program.is_file():
        _build(verilator, flags, program)
    return Simulator(program, machine, depth)


def _roomy(words: int) -> int:
    """A power of two."""
    return max(_LEAST_WORDS, 1 << (words - 1).bit_length())


def simulator(design: Design) -> Simulator:
    """The simulator that this design can run on. Raises ToolError."""
    return build(design.machine, {name: len(lines) for name, lines in design.roms().items()})


def _build(verilator: str, flags: Sequence[str], program: Path) -> None:
    """Aside, then renamed: half a simulator is never seen."""
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as name:
        scratch = Path(name)
        for file, text in library().items():
            (scratch / file).write_text(text, encoding="ascii")
        with as_file(files("edgert.rtl") / "circuit.cpp") as harness:
            (scratch / "circuit.cpp").write_bytes(harness.read_bytes())
        modules = sorted(file for file in library() if file.endswith(".v"))
        command = [verilator, *flags, "--Mdir", "obj", "-o", "circuit", *modules, "circuit.cpp"]
        run_tool(command, scratch)
        (scratch / "obj" / "circuit").rename(program)


def _key(flags: Sequence[str]) -> str:
    return hashlib.sha256((_fingerprint() + "\0".join(flags)).encode()).hexdigest()[:40]


@once
def _fingerprint() -> str:
    """Of the modules, the harness and the tool."""
    digest = hashlib.sha256((files("edgert.rtl") / "circuit.cpp").read_bytes())
    for name, text in library().items():
        digest.update(f"{name}\0{text}\0".encode())
    said = subprocess.run(["verilator", "--version"], capture_output=True, check=False, timeout=60).stdout
    return digest.hexdigest() + said.decode(errors="replace")


def parsed(said: str, outputs: list[Array]) -> Run:
    """What a simulator says of a run, in Verilog or in C++."""
    spans = sorted(
        (Span(*numbers) for kind, *numbers in _numbers(said) if kind == "span"), key=lambda span: span.end
    )
    busy = {numbers[0]: numbers[1] for kind, *numbers in _numbers(said) if kind == "busy"}
    cycles = next(numbers[0] for kind, *numbers in _numbers(said) if kind == "cycles")
    return Run(outputs, cycles, tuple(spans), tuple(busy[core] for core in sorted(busy)))


def _numbers(said: str) -> Iterator[tuple[str, *tuple[int, ...]]]:
    for line in said.splitlines():
        kind, *rest = line.split()
        yield (kind, *(int(number) for number in rest))
