"""A Design as files, and back: command ROMs beside the Verilog that reads them, external memory, the rest.

rtl/           the circuit: top.v, the modules, one *.hex for each command ROM, a test bench and its Makefile
hls/           the same in HLS C++
external.bin   the external memory as it starts: an example input, weights
expected.bin   the outputs for the example, one after the other, as the external memory has them
circuit.json   machine, ports, where each command is from
README.md      the same in a few words, for whom the folder is given to
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from edgert.codegen.hls import cpp
from edgert.codegen.hls.design import Command, Design, Port, Tag, parts_of
from edgert.codegen.hls.isa import NEED_BITS, ROM_BITS, Machine, Part
from edgert.codegen.hls.verilog import TOP, library, makefile, top
from edgert.codegen.program import Array
from edgert.errors import UsageError

RTL, HLS, EXTERNAL, EXPECTED, CIRCUIT = "rtl", "hls", "external.bin", "expected.bin", "circuit.json"
_README = """# {name}

A circuit, {provenance}. How it works: docs/fpga.md of edgert.

| | |
| --- | --- |
| `rtl/` | Verilog-2005: `top.v` and its modules; a `.hex` for each list of commands, read by `$readmemh` |
| `make -C rtl run` | simulates the example with Verilator and compares its outputs |
| `hls/` | the same in HLS C++, C-simulated, not synthesised by us |
| `make -C hls run` | runs the example with g++; what Vitis HLS and TAPA need is in its Makefile |
| `external.bin` | the external memory before a run: an example input, the weights |
| `expected.bin` | the outputs for that input, one after the other |
| `schedule.txt`, `schedule.svg` | what every unit does when; cycles are modelled |
| `host/` | C of the layers that the host computes, if there are any |
| `report.json`, `circuit.json` | for edgert: `edgert run`, `profile`, `synth` take this folder |
"""
_NO_COMMAND = "0" * (ROM_BITS // 4)


def write(design: Design, folder: Path, provenance: str, expected: bytes) -> list[str]:
    """Everything but reports. The Verilog sources, relative to `folder`, the top first."""
    modules = library()
    texts = {f"{RTL}/{name}": text for name, text in modules.items()}
    texts[f"{RTL}/{TOP}.v"] = top(design, provenance)
    texts[f"{RTL}/tb.cpp"] = (files("edgert.rtl") / "circuit.cpp").read_text(encoding="ascii")
    texts[f"{RTL}/Makefile"] = makefile(design, provenance)
    for name, lines in design.roms().items():
        texts[f"{RTL}/{name}"] = "\n".join(lines or [_NO_COMMAND]) + "\n"
    texts |= {f"{HLS}/{name}": text for name, text in cpp.sources(design).items()}
    texts[f"{HLS}/Makefile"] = cpp.makefile(design, provenance)
    texts["README.md"] = _README.format(name=design.name, provenance=provenance)
    texts[CIRCUIT] = _circuit(design)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / EXTERNAL).write_bytes(design.external.tobytes())
    (folder / EXPECTED).write_bytes(expected)
    return [f"{RTL}/{TOP}.v", *(f"{RTL}/{name}" for name in modules if name.endswith(".v"))]


def read(folder: Path) -> Design:
    """The Design that `write` wrote. Raises UsageError: it is not whole."""
    try:
        return _read(folder)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(
            f"{folder} holds a damaged circuit: {error}",
            hint="compile the model again: edgert compile MODEL --board BOARD -o DIR",
        ) from error


def _read(folder: Path) -> Design:
    circuit = json.loads((folder / CIRCUIT).read_text(encoding="utf-8"))
    machine = Machine(**circuit["machine"])
    steps = circuit["steps"]
    agents = tuple(
        _commands(folder, machine, agent, [Tag(s, steps[n], tile, macs) for s, n, tile, macs in tags])
        for agent, tags in enumerate(circuit["agents"])
    )
    external = np.fromfile(folder / EXTERNAL, np.uint8)
    ports = {side: tuple(_port(p) for p in circuit[side]) for side in ("inputs", "outputs")}
    return Design(circuit["name"], machine, agents, external, ports["inputs"], ports["outputs"])


def port_bytes(design: Design, memory: Array) -> bytes:
    """The words of all outputs, one output after the other, as the external memory has them."""
    return b"".join(memory[slice(*span(port))].tobytes() for port in design.outputs)


def span(port: Port) -> tuple[int, int]:
    """Bytes of the external memory, first and behind the last."""
    return port.offset, port.offset + port.rows * port.row_stride


def _circuit(design: Design) -> str:
    """The layers' names once; of each command (stage, number of the layer, tile, macs)."""
    steps = list(dict.fromkeys(c.tag.step for commands in design.agents for c in commands))
    number = {name: i for i, name in enumerate(steps)}
    agents = [
        [[c.tag.stage, number[c.tag.step], c.tag.tile, c.tag.macs] for c in commands]
        for commands in design.agents
    ]
    head: Mapping[str, Any] = {
        "name": design.name,
        "machine": asdict(design.machine),
        "inputs": [asdict(port) for port in design.inputs],
        "outputs": [asdict(port) for port in design.outputs],
        "steps": steps,
        "agents": agents,
    }
    return (
        "{\n"
        + ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
        + "\n}\n"
    )


def _port(described: Mapping[str, Any]) -> Port:
    return Port(**{**described, "shape": tuple(described["shape"])})


def _commands(folder: Path, machine: Machine, agent: int, tags: list[Tag]) -> tuple[Command, ...]:
    """One list for each of the agent's ROMs, read together."""
    columns: list[list[Part]] = []
    needs: list[tuple[int, ...]] = []
    for at, kind in enumerate(parts_of(machine, agent)):
        name = f"{machine.agent_name(agent)}_{kind.NAME}.hex"
        lines = (folder / RTL / name).read_text(encoding="ascii").split()
        counts = machine.agents if at == 0 else 0
        each = -(-(kind.bits() + NEED_BITS * counts) // ROM_BITS)
        if len(lines) != max(1, each * len(tags)):
            raise ValueError(f"{name} has {len(lines)} words, not {max(1, each * len(tags))}")
        words = [
            sum(int(line, 16) << ROM_BITS * i for i, line in enumerate(lines[each * n : each * (n + 1)]))
            for n in range(len(tags))
        ]
        columns.append([kind.unpack(word) for word in words])
        if at == 0:
            needs = [_need(word >> kind.bits(), counts) for word in words]
    parts = zip(*columns, strict=True)
    return tuple(Command(p, need, tag) for p, need, tag in zip(parts, needs, tags, strict=True))


def _need(word: int, agents: int) -> tuple[int, ...]:
    return tuple(word >> NEED_BITS * a & (1 << NEED_BITS) - 1 for a in range(agents))
