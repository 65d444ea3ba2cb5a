"""The circuit of a Design in Verilog: its top module, and the fields of commands for csrc/verilog."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from edgert.codegen.hls.design import Design
from edgert.codegen.hls.isa import PARTS, Machine, Memory, Mode, Op

HEADER = "ert_isa.vh"
TOP = "top"
ROM_WORDS = (1 << 16) - 1  # of a core's list at most: READ_DEPTHS and the others have 16 bits for each
OUT_FIFO = 8  # a pixel is on its way for 32 cycles, and one may come every 8
_BUS = (
    ("output", 1, "ext_rd_valid"), ("input", 1, "ext_rd_ready"), ("output", 24, "ext_rd_addr"),
    ("output", 16, "ext_rd_more"), ("input", 1, "ext_rd_data_valid"), ("output", 1, "ext_rd_data_ready"),
    ("input", 64, "ext_rd_data"), ("output", 1, "ext_wr_valid"), ("input", 1, "ext_wr_ready"),
    ("output", 24, "ext_wr_addr"), ("output", 20, "ext_wr_more"), ("output", 1, "ext_wr_data_valid"),
    ("input", 1, "ext_wr_data_ready"), ("output", 64, "ext_wr_data"),
)  # fmt: skip


@cache
def library() -> dict[str, str]:
    """File name -> text of csrc/verilog: the modules, and the fields of commands that they include."""
    return shipped("verilog", ".v", ".vh")


def shipped(folder: str, *suffixes: str) -> dict[str, str]:
    """File name -> text of the files of csrc/`folder` that end so, by name."""
    found = files("edgert.csrc") / folder
    return {
        entry.name: entry.read_text(encoding="ascii")
        for entry in sorted(found.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(suffixes)
    }


def isa_header() -> str:
    """The text of csrc/verilog/ert_isa.vh: where the fields of a command lie, and what their codes mean."""
    lines = [
        "// Written by codegen/hls/verilog.py from codegen/hls/isa.py.",
        "`ifndef ERT_ISA_VH",
        "`define ERT_ISA_VH",
    ]
    for part in PARTS:
        lines.append(f"`define ERT_{part.NAME.upper()}_BITS {part.bits()}")
        for name, at, bits, _, _ in part.layout():
            lines.append(f"`define ERT_{part.NAME.upper()}_{name.upper()} {at + bits - 1}:{at}")
    for codes, bits in ((Op, 4), (Mode, 3), (Memory, 2)):
        prefix = codes.__name__.upper()
        lines += [f"`define ERT_{prefix}_{code.name} {bits}'d{code.value}" for code in codes]
    return "\n".join([*lines, "`endif", ""])


def parameters(machine: Machine, depth: int, out_fifo: int) -> dict[str, str]:
    """Of ert_circuit, as Verilog constants, with all ROMs of one depth."""
    depths = f"{16 * machine.all_cores}'h" + f"{depth:04x}" * machine.all_cores
    numbers = {
        "CORES": machine.cores,
        "BINARY_CORES": machine.binary_cores,
        "SOFTMAX": machine.softmax,
        "SCRATCH_WORDS": machine.scratch_bytes // 8,
        "WEIGHT_WORDS": machine.weight_words,
        "PARAM_ENTRIES": machine.param_entries,
        "BANKS": machine.banks,
        "FIFO": machine.fifo,
        "OUT_FIFO": out_fifo,
        "LOAD_DEPTH": depth,
        "STORE_DEPTH": depth,
        "SOFTMAX_DEPTH": depth,
    }
    found = {name: str(value) for name, value in numbers.items()}
    return {**found, "READ_DEPTHS": depths, "MAC_DEPTHS": depths, "OUT_DEPTHS": depths}


def top(design: Design, provenance: str) -> str:
    """The module `top` of one design: ert_circuit with its sizes, the depths of its ROMs, its counts."""
    machine = design.machine
    sizes = {**parameters(machine, 1, OUT_FIFO), **_depths(design)}
    counts = "".join(f"{len(commands):03x}" for commands in reversed(design.agents))
    holds = 2 * machine.all_cores + 3 + 2 * machine.softmax
    inputs = ("clk", "rst", "start")
    lines = [
        f"// {design.name}: {provenance}",
        "// `start` for one cycle; `done` when the outputs are in the external memory. ext_*: a bus of",
        "// 64-bit words, a request and then its words (ert_load.v, ert_store.v). begun, finished, working:",
        "// for a test bench.",
        f"module {TOP} (",
        *(f"    input wire {name}," for name in inputs),
        "    output wire done,",
        *(f"    {way} wire {f'[{bits - 1}:0] ' if bits > 1 else ''}{name}," for way, bits, name in _BUS),
        f"    output wire [{machine.agents - 1}:0] begun,",
        f"    output wire [{machine.agents - 1}:0] finished,",
        f"    output wire [{machine.all_cores - 1}:0] working",
        ");",
        "    ert_circuit #(",
        ",\n".join(f"        .{name}({value})" for name, value in sizes.items()),
        "    ) circuit (",
        f"        .counts({12 * machine.agents}'h{counts}), .hold({holds}'d0),",
    ]
    names = [*inputs, "done", *(name for _, _, name in _BUS), "begun", "finished", "working"]
    lines.append(",\n".join(f"        .{name}({name})" for name in names))
    return "\n".join([*lines, "    );", "endmodule", ""])


def _depths(design: Design) -> dict[str, str]:
    """Of each ROM its own."""
    machine, words = design.machine, {name: max(1, len(rom)) for name, rom in design.roms().items()}
    cores = [machine.agent_name(Machine.FIRST_CORE + core) for core in range(machine.all_cores)]
    found = {
        f"{what}_DEPTHS": f"{16 * len(cores)}'h"
        + "".join(f"{words[f'{c}_{rom}.hex']:04x}" for c in reversed(cores))
        for what, rom in (("READ", "rd"), ("MAC", "mac"), ("OUT", "out"))
    }
    single = {
        "LOAD_DEPTH": "loader_ld.hex",
        "STORE_DEPTH": "storer_st.hex",
        "SOFTMAX_DEPTH": "softmax_sm.hex",
    }
    return {**{name: str(words.get(rom, 1)) for name, rom in single.items()}, **found}


def makefile(design: Design, provenance: str) -> str:
    """`make run` simulates the example in external.bin, and compares the outputs with expected.bin."""
    machine = design.machine
    counts = " ".join(str(len(commands)) for commands in design.agents)
    lines = [
        f"# {design.name}: {provenance}",
        "# make run: the example of ../external.bin in Verilator, its outputs compared.",
        "# Needs verilator, g++, make, cmp. Of the external memory: bytes a cycle, cycles until its first",
        "# word, the share of cycles in which it does not answer, drawn from SEED.",
        f"BUS_BYTES = {machine.bus_bytes!r}",
        f"LATENCY = {machine.latency_cycles}",
        "STALL = 0",
        "SEED = 0",
        "",
        "obj/circuit: $(wildcard *.v *.vh) tb.cpp",
        "\tverilator --cc --exe --build --default-language 1364-2005 --top-module top -O3 -fno-inline \\",
        "\t\t--x-assign fast --x-initial fast --noassert -Wno-fatal -CFLAGS -DERT_TOP \\",
        "\t\t-MAKEFLAGS 'OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1' --Mdir obj -o circuit \\",
        "\t\t$(wildcard *.v) tb.cpp",
        "",
        ".PHONY: run",
        "run: obj/circuit",
        "\tobj/circuit ../external.bin obj/after.bin $(BUS_BYTES) $(LATENCY) $(STALL) $(SEED) 2000000000 \\",
        f"\t\t{counts} > obj/cycles.txt",
        "\t@tail -n 1 obj/cycles.txt",
    ]
    return "\n".join([*lines, *compared(design, "obj/after.bin"), ""])


def compared(design: Design, after: str) -> list[str]:
    """Lines of a Makefile: the outputs in the external memory `after` the run are those of expected.bin."""
    lines, at = [], 0
    for port in design.outputs:
        nbytes = port.rows * port.row_stride
        lines.append(f"\tcmp -i {port.offset}:{at} -n {nbytes} {after} ../expected.bin")
        at += nbytes
    return [*lines, "\t@echo the outputs are as expected"]
