"""The circuit as HLS C++: the tasks are in csrc/hls/; here is written what they are told, and how they are
connected (docs/fpga.md). C-simulated, not synthesised by us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from enum import IntEnum
from typing import Any

from edgert import __version__
from edgert.codegen.hls.design import Command, Design, parts_of
from edgert.codegen.hls.isa import (
    ADDRESS_BITS,
    EXTERNAL_BITS,
    LANES,
    NEED_BITS,
    PARTS,
    ROM_BITS,
    Machine,
    Memory,
    Mode,
    Op,
    Part,
)
from edgert.codegen.hls.verilog import compared, shipped

NOTE = "// C-simulated, not synthesised by us.\n"
_CONSTANTS = {
    "LANES": LANES, "ADDRESS_BITS": ADDRESS_BITS, "EXTERNAL_BITS": EXTERNAL_BITS, "NEED_BITS": NEED_BITS,
    "ROM_BITS": ROM_BITS,
}  # fmt: skip
_ENUMS: Sequence[type[IntEnum]] = (Op, Mode, Memory)


def sources(design: Design) -> dict[str, str]:
    """File name -> text: config.h, top.cpp, tb.cpp and the headers of csrc/hls/."""
    generated = {"config.h": _config(design), "top.cpp": _top(design)}
    return {**generated, **library()}


def makefile(design: Design, provenance: str) -> str:
    """`make run` runs the example in external.bin, and compares the outputs with expected.bin."""
    machine = design.machine
    return "\n".join([
        f"# {design.name}: {provenance}. C-simulated, not synthesised by us.",
        "# make run: the example of ../external.bin, its outputs compared. Needs g++, make, cmp.",
        "# Vitis HLS: top.cpp, top function `circuit`, -DERT_HLS -DERT_SYNTHESIS; TAPA: -DERT_TAPA as well.",
        f"BUS_BYTES = {machine.bus_bytes!r}",
        f"LATENCY = {machine.latency_cycles}",
        "# of 256 cycles, in how many a stream stands still, drawn from SEED",
        "STALL = 0",
        "SEED = 0",
        "",
        "tb: $(wildcard *.h *.cpp)",
        "\tg++ -std=c++17 -O2 -o $@ top.cpp tb.cpp",
        "",
        ".PHONY: run",
        "run: tb",
        "\t./tb ../external.bin after.bin $(BUS_BYTES) $(LATENCY) $(STALL) $(SEED) > cycles.txt",
        "\t@tail -n 1 cycles.txt",
        *compared(design, "after.bin"),
        "",
    ])  # fmt: skip


def library() -> dict[str, str]:
    """The files of csrc/hls/."""
    return shipped("hls", ".h", ".cpp")


def isa_header() -> str:
    """csrc/hls/ert_isa.h, from codegen/hls/isa.py."""
    lines = [
        NOTE.rstrip(), "//",
        "// The fields of every command, as codegen/hls/isa.py declares and explains them; made from it.",
        "#ifndef ERT_ISA_H", "#define ERT_ISA_H", "", '#include "ert_types.h"', "", "namespace ert {", "",
    ]  # fmt: skip
    lines += [f"constexpr int {name} = {value};" for name, value in _CONSTANTS.items()]
    lines += [f"constexpr int {kind.__name__.upper()}_BITS = {kind.bits()};" for kind in PARTS]
    for enum in _ENUMS:
        members = ", ".join(f"{member.name} = {member.value}" for member in enum)
        lines += ["", f"struct {enum.__name__} {{", f"    enum {{ {members} }};", "};"]
    for kind in PARTS:
        lines += ["", f"struct {kind.__name__} {{", *_members(kind), "};"]
    return "\n".join([*lines, "", "} // namespace ert", "", "#endif", ""])


def _members(kind: type[Part]) -> Iterator[str]:
    """A count has a bit more than in its ROM, where one less is stored."""
    for f in fields(kind):
        bits = f.metadata["bits"] + (f.metadata["minus"] > 0)
        sign = "ert_int" if f.metadata["signed"] else "ert_uint"
        default: Any = f.default
        yield f"    {sign}<{bits}> {f.name} = {int(default)};"


def _config(design: Design) -> str:
    machine, agents = design.machine, design.agents
    names = ", ".join(f'"{machine.agent_name(a)}"' for a in range(machine.agents))
    lines = [
        f"// Made by edgert {__version__}.", NOTE.rstrip(), "//",
        f"// {design.name}: the machine, and what each of its agents is told.",
        "#ifndef CONFIG_H", "#define CONFIG_H", "", '#include "ert_commands.h"', "",
        f"constexpr int AGENTS = {machine.agents};",
        f"static const char *const agent_names[] = {{{names}}};",
        f"static const ert::Counts<AGENTS> all_commands = {_counts([len(c) for c in agents])};",
    ]  # fmt: skip
    for agent, commands in enumerate(agents):
        lines += ["", *_lists(machine, agent, commands)]
    lines += ["", *_machine(design)]
    for core in range(machine.all_cores):
        lines += ["", *_core(design, core)]
    if machine.softmax:
        lines += ["", *_softmax(design)]
    return "\n".join([*lines, "", "#endif", ""])


def _counts(values: Sequence[int]) -> str:
    return "{{" + ", ".join(map(str, values)) + "}}"


def _lists(machine: Machine, agent: int, commands: Sequence[Command]) -> Iterator[str]:
    """Static data of one agent; a list without commands has one that nobody executes."""
    name = machine.agent_name(agent)
    for at, kind in enumerate(parts_of(machine, agent)):
        yield f"static const ert::{kind.__name__} {name}_{kind.NAME}[] = {{"
        for n, command in enumerate(commands):
            yield f"    // {n}{_comment(command)}"
            yield f"    {_initializer(command.parts[at])},"
        yield from () if commands else ("    {},",)
        yield "};"
    yield f"static const ert::Counts<AGENTS> {name}_need[] = {{"
    needs = [command.need for command in commands] or [(0,) * machine.agents]
    yield from (f"    {_counts(need)}," for need in needs)
    yield "};"


def _comment(command: Command) -> str:
    tag = command.tag
    text = f" {tag.step}" + (f", {tag.tile}" if tag.tile else "") if tag.step else ""
    return text + (f": {tag.macs:,} MACs" if tag.macs else "")


def _initializer(part: Part) -> str:
    """Fields that differ from their defaults, by name."""
    values = [(f.name, int(getattr(part, f.name)), f.default) for f in fields(part)]
    return "{" + ", ".join(f".{name} = {value}" for name, value, usual in values if value != usual) + "}"


def _machine(design: Design) -> Iterator[str]:
    machine = design.machine
    loads, stores = design.agents[Machine.LOADER], design.agents[Machine.STORER]
    yield from _struct(
        "Machine",
        {
            "AGENTS": machine.agents,
            "CORES": machine.all_cores,
            "BANKS": machine.banks,
            "SCRATCH_WORDS": machine.scratch_bytes // LANES,
            "LOADS": len(loads),
            "STORES": len(stores),
            "BURSTS": sum(c.load.rows for c in loads if not c.load.scratch),
            "STORED_WORDS": sum(c.store.words for c in stores),
        },
        {
            "const ert::Load &load": "loader_ld[n]",
            "const ert::Counts<AGENTS> &load_need": "loader_need[n]",
            "const ert::Store &store": "storer_st[n]",
            "const ert::Counts<AGENTS> &store_need": "storer_need[n]",
        },
    )


def _core(design: Design, core: int) -> Iterator[str]:
    machine = design.machine
    agent = Machine.FIRST_CORE + core
    name = machine.agent_name(agent)
    loads = [c.load for c in design.agents[Machine.LOADER] if c.load.mask >> core & 1]
    yield from _struct(
        _title(name),
        {
            "AGENT": agent,
            "AGENTS": machine.agents,
            "COMMANDS": len(design.agents[agent]),
            "BINARY": int(core >= machine.cores),
            "WEIGHT_WORDS": machine.weight_words,
            "PARAM_ENTRIES": machine.param_entries,
            "WEIGHT_LOADS": sum(load.dst == Memory.WEIGHTS for load in loads),
            "PARAM_LOADS": sum(load.dst == Memory.PARAMS for load in loads),
        },
        {
            "const ert::Read &read": f"{name}_rd[n]",
            "const ert::Mac &mac": f"{name}_mac[n]",
            "const ert::Out &out": f"{name}_out[n]",
            "const ert::Counts<AGENTS> &need": f"{name}_need[n]",
        },
    )


def _softmax(design: Design) -> Iterator[str]:
    agent = design.machine.agents - 1
    loads = [c.load for c in design.agents[Machine.LOADER]]
    yield from _struct(
        "Softmax",
        {
            "AGENT": agent,
            "AGENTS": design.machine.agents,
            "COMMANDS": len(design.agents[agent]),
            "TABLE_LOADS": sum(load.dst == Memory.TABLE for load in loads),
        },
        {
            "const ert::Softmax &command": "softmax_sm[n]",
            "const ert::Counts<AGENTS> &need": "softmax_need[n]",
        },
    )


def _title(name: str) -> str:
    return name.capitalize()


def _struct(name: str, constants: Mapping[str, int], lists: Mapping[str, str]) -> Iterator[str]:
    yield f"struct {name} {{"
    yield from (f"    static constexpr int {key} = {value};" for key, value in constants.items())
    yield from (f"    static {declared}(int n) {{ return {value}; }}" for declared, value in lists.items())
    yield "    static const ert::Counts<::AGENTS> &totals() { return all_commands; }"
    yield "};"


def _top(design: Design) -> str:
    machine = design.machine
    cores = machine.all_cores
    lines = [
        f"// Made by edgert {__version__}.", NOTE.rstrip(), "//",
        f"// {design.name}: tasks and the streams between them. A stream with a bracket is one of an array.",
        '#include "config.h"', '#include "ert_top.h"', "", "typedef ert::Counts<AGENTS> Counts;",
        "using namespace ert::timing;", "",
        "#if !defined(ERT_HLS) && !defined(ERT_TAPA)",
        f"static constexpr bool is_core(int i) {{ return i >= 2 && i < {2 + cores}; }}",
        "#endif", "", "ERT_TOP(circuit)", "{",
        "    ERT_PRAGMA(HLS interface m_axi port = external_in bundle = in offset = slave)",
        "    ERT_PRAGMA(HLS interface m_axi port = external_out bundle = out offset = slave)",
        "    ERT_PRAGMA(HLS dataflow)",
    ]  # fmt: skip
    lines += [f"    {line};" for line in _streams(machine)]
    lines += ["", "    ERT_TASKS", *(f"    {line}" for line in _tasks(machine)), "    ERT_END", "}", ""]
    return "\n".join(lines)


def _streams(machine: Machine) -> Iterator[str]:
    agents, cores, units, fifo = machine.agents, machine.all_cores, machine.agents - 2, machine.fifo
    answer = "ANSWER" if machine.banks == 1 else "ANSWER + 1"
    yield "ERT_STREAM(ert::Burst, burst, 2, 1)"
    yield "ERT_STREAM(ert::Word, external_word, 2, 1)"
    yield "ERT_STREAM(ert::ExternalWrite, external_write, 2, 1)"
    yield "ERT_STREAM(ert::Token, stored, 2, 1)"
    yield f"ERT_STREAMS(Counts, counted, {agents + 1}, 2, COUNT)"
    yield f"ERT_STREAMS(ert::At, read_at, {agents}, {fifo} + WALK, is_core(i) ? WALK + ASK : 1)"
    yield f"ERT_STREAMS(ert::Word, read_word, {agents}, {fifo}, is_core(i) ? {answer} : {answer} - 2)"
    yield f"ERT_STREAMS(ert::ScratchWrite, written, {agents - 1}, 2, WRITE)"
    yield f"ERT_STREAMS(ert::Fill, fill, {2 * cores + 1}, 2, 1)"
    yield f"ERT_STREAMS(ert::Token, filled, {2 * cores + 1}, 2, 1)"
    yield "ERT_STREAM(ert::Token, scratch_filled, 2, 1)"
    yield "ERT_STREAM(ert::Token, loaded, 2, 1)"
    yield "ERT_STREAM(ert::Token, stores, 2, 1)"
    yield f"ERT_STREAMS(ert::Token, done, {units}, 2, 1)"
    yield f"ERT_STREAMS(ert::Piece, piece, {cores}, {fifo} + WALK, WALK + PIECE)"
    yield f"ERT_STREAMS(ert::Pixel, pixel, {cores}, OUT_FIFO, SUM_TO_BYTES)"


def _tasks(machine: Machine) -> Iterator[str]:
    agents, cores = machine.agents, machine.all_cores
    yield "ERT_EXTERNAL(Machine, burst, external_word, external_write, stored)"
    yield (
        "ERT_TASK(Loader, Machine, counted[0], burst, external_word, read_at[0], read_word[0], fill, filled, "
        "written[0],"
    )
    yield "         scratch_filled, loaded)"
    yield "ERT_TASK(Storer, Machine, counted[1], read_at[1], read_word[1], external_write, stored, stores)"
    for core in range(cores):
        agent = Machine.FIRST_CORE + core
        name = _title(machine.agent_name(agent))
        yield f"ERT_TASK(Reader, {name}, counted[{agent}], read_at[{agent}], piece[{core}])"
        yield (
            f"ERT_TASK(Multiplier, {name}, fill[{core}], filled[{core}], piece[{core}], read_word[{agent}], "
            f"pixel[{core}])"
        )
        at = cores + core
        yield f"ERT_TASK(Writer, {name}, fill[{at}], filled[{at}], pixel[{core}], written[{core + 1}])"
    if machine.softmax:
        a, at = agents - 1, 2 * cores
        yield (
            f"ERT_TASK(SoftmaxUnit, Softmax, counted[{a}], fill[{at}], filled[{at}], read_at[{a}], "
            f"read_word[{a}], written[{a - 1}])"
        )
    yield "ERT_TASK(Scratchpad, Machine, read_at, read_word, written, scratch_filled, done,"
    yield f"         counted[{agents}])"
    yield "ERT_TASK(Counter, Machine, loaded, stores, done, counted)"
