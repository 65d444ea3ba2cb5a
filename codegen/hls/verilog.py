"""The circuit of a Design in Verilog: its top module, and the fields of commands for the modules of csrc/verilog."""

from __future__ import annotations

from edgert.codegen.hls.isa import PARTS, Memory, Mode, Op

HEADER = "ert_isa.vh"


def isa_header() -> str:
    """The text of csrc/verilog/ert_isa.vh: where the fields of a command lie, and what their codes mean."""
    lines = ["// Written by codegen/hls/verilog.py from codegen/hls/isa.py.", "`ifndef ERT_ISA_VH", "`define ERT_ISA_VH"]
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
