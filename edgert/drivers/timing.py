"""Modelled cycles of a basic block: one static cost per instruction class, from the target's [timing] table.

The model, for cores that issue in order: every instruction costs its class; a load right after a load
costs `load_next` (the pipelined runs of the Cortex-M3 and M4); load and store multiple cost a base and
so much per register; a taken branch adds `branch_taken` when it is taken. Memory answers at once: no
wait states, no caches, no bus contention. Sources: the `source` of each table in targets/*.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgert.target import Target, Timing

_PAIRS = ("ldrd", "strd")
_FLOAT_LONG = {
    "vmla": "float_fused", "vmls": "float_fused", "vfma": "float_fused", "vfms": "float_fused",
    "vdiv": "float_divide", "vsqrt": "float_divide",
}  # fmt: skip
_MULTIPLE = ("ldm", "stm", "push", "pop", "vldm", "vstm", "vpush", "vpop")
_LONG = ("smull", "umull", "smlal", "umlal", "umaal", "smlald", "smlsld")
_MULTIPLY = ("mul", "mla", "mls", "smla", "smul", "smml", "smmul", "smmls", "smuad", "smusd", "smlsd")
_RV_LOADS = frozenset({"lb", "lh", "lw", "lbu", "lhu", "c.lw", "c.lwsp"})
_RV_STORES = frozenset({"sb", "sh", "sw", "c.sw", "c.swsp"})


@dataclass(frozen=True)
class BlockCost:
    """instructions: exactly; cycles: modelled, without the branch at the end being taken."""

    instructions: int
    cycles: float


class CostModel:
    """Costs blocks of machine code for one target."""

    def __init__(self, target: Target) -> None:
        import capstone

        assert target.timing is not None
        self._timing: Timing = target.timing
        self._riscv = target.arch == "rv32"
        if self._riscv:
            self._decoder = capstone.Cs(
                capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC
            )
        else:
            mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
            self._decoder = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        self._decoder.skipdata = True

    @property
    def branch_taken(self) -> float:
        return self._timing.cycles["branch_taken"]

    def cost(self, code: bytes, address: int) -> BlockCost:
        cycles, after_load = 0.0, False
        decoded = list(self._decoder.disasm_lite(code, address))
        for _, _, mnemonic, operands in decoded:
            kind = self.classify(mnemonic)
            each = self._timing.cycles
            if kind == "many":
                count = 2 if mnemonic.startswith(_PAIRS) else _registers(operands)
                cycles += each["load_many_base"] + each["load_many_each"] * count
            elif kind == "load" and after_load:
                cycles += each["load_next"]
            else:
                cycles += each["default"] + each["call"] if kind == "call" else each[kind]
            after_load = kind == "load"
        return BlockCost(count_instructions(code, riscv=self._riscv), cycles)

    def classify(self, mnemonic: str) -> str:
        """The timing class of an instruction; "many" for load and store multiple."""
        return _riscv_class(mnemonic) if self._riscv else _arm_class(mnemonic)


def count_instructions(code: bytes, *, riscv: bool) -> int:
    """Instructions in a block, by their length encoding alone.

    Source: Armv7-M ARM A5.1 (a halfword that starts 0b11101, 0b11110 or 0b11111 is the first of two);
    The RISC-V Instruction Set Manual, volume I, 1.5 (the low bits 0b11 mark 32 bits).
    """
    count, at = 0, 0
    while at < len(code):
        half = int.from_bytes(code[at : at + 2], "little")
        wide = (half & 3) == 3 if riscv else (half >> 11) >= 0b11101
        at += 4 if wide else 2
        count += 1
    return count


def _arm_class(mnemonic: str) -> str:
    if mnemonic.startswith((*_MULTIPLE, *_PAIRS)):
        return "many"
    if mnemonic.startswith(("ldr", "vldr")):
        return "load"
    if mnemonic.startswith(("str", "vstr")):
        return "store"
    if mnemonic in ("bl", "blx"):
        return "call"
    if mnemonic.startswith(("sdiv", "udiv")):
        return "divide"
    if mnemonic[:4] in _FLOAT_LONG or mnemonic[:5] in _FLOAT_LONG:
        return _FLOAT_LONG.get(mnemonic[:4]) or _FLOAT_LONG[mnemonic[:5]]
    if mnemonic.startswith(_LONG):
        return "multiply_long"
    return "multiply" if mnemonic.startswith(_MULTIPLY) else "default"


def _riscv_class(mnemonic: str) -> str:
    if mnemonic in _RV_LOADS:
        return "load"
    if mnemonic in _RV_STORES:
        return "store"
    if mnemonic.startswith(("div", "rem")):
        return "divide"
    if mnemonic.startswith("mul"):
        return "multiply" if mnemonic == "mul" else "multiply_long"
    return "call" if mnemonic in ("jal", "jalr", "c.jal", "c.jalr") else "default"


def _registers(operands: str) -> int:
    """How many registers `r0!, {r1, r2, r3-r5}` names."""
    inside: Sequence[str] = operands[operands.find("{") + 1 : operands.find("}")].split(",")
    return sum(_span(item.strip()) for item in inside)


def _span(item: str) -> int:
    first, _, last = item.partition("-")
    return int(last[1:]) - int(first[1:]) + 1 if last else 1
