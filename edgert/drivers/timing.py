"""Modelled cycles of a basic block: the target's [timing] table and the rules of an in-order pipeline.

An instruction costs its class. Three rules look one instruction back, within the block: a load or store
right after a load shares its cycle (`load_next`, `store_next`) unless its address is what was loaded, and
an address that the instruction before computed costs `address_stall`. A branch costs `branch_taken` more
when it is taken. What flash makes the core wait: edgert/drivers/flash.py. Sources, limits: docs/timing.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edgert.target import Target, Timing

_ARM_CLASSES: tuple[tuple[str, str], ...] = (
    ("ldrd strd ldm stm push pop vldm vstm vpush vpop", "many"),
    ("vldr", "float_load"),
    ("vstr", "float_store"),
    ("ldr", "load"),
    ("str", "store"),
    ("tbb tbh", "table_branch"),
    ("sdiv udiv", "divide"),
    ("vmla vmls vfma vfms vnmla vnmls vfnma vfnms", "float_fused"),
    ("vdiv vsqrt", "float_divide"),
    ("smlal umlal umaal smlsld", "multiply_long_accumulate"),
    ("smull umull", "multiply_long"),
    ("mla mls smla smlsd smmla smmls", "multiply_accumulate"),
    ("mul smul smmul smuad smusd", "multiply"),
)  # prefixes, as conditions and widths follow; the first line that fits counts
_PREFIXES = tuple((tuple(prefixes.split()), name) for prefixes, name in _ARM_CLASSES)
_MEMORY = frozenset({"load", "store", "float_load", "float_store", "many"})
_NO_RESULT = ("cmp", "cmn", "tst", "teq", "cb", "tbb", "tbh", "bx", "blx")
RV_LOADS = frozenset({"lb", "lh", "lw", "lbu", "lhu", "c.lw", "c.lwsp"})
RV_STORES = frozenset({"sb", "sh", "sw", "c.sw", "c.swsp"})
_REGISTER = re.compile(r"\b(?:r\d+|s[lbp]|fp|ip|lr|pc)\b")
_ADDRESS = re.compile(r"\[([^\]]*)\]|^([^{\[]*)\{")  # in brackets, or before the list of registers


@dataclass(frozen=True)
class BlockCost:
    """instructions: exactly; cycles: modelled. taken, passed: what it costs more where the block ends in a
    branch that is taken, and where the next block just follows."""

    instructions: int
    cycles: float
    taken: float = 0.0
    passed: float = 0.0


class _Before(NamedTuple):
    """The instruction before: its class and the registers it wrote."""

    kind: str
    written: frozenset[str]


_NOTHING = _Before("default", frozenset())


class Model(Protocol):
    """What costs a block of machine code that starts at `address`."""

    def cost(self, code: bytes, address: int) -> BlockCost: ...


class CostModel:
    """Costs blocks of machine code for one target, flash answering at once."""

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

    def cost(self, code: bytes, address: int) -> BlockCost:
        cycles, before = 0.0, _NOTHING
        for _, _, mnemonic, operands in self._decoder.disasm_lite(code, address):
            kind = self.classify(mnemonic)
            cycles += self._cycles(kind, mnemonic, operands, before)
            before = _Before(kind, _written(kind, mnemonic, operands))
        instructions = count_instructions(code, riscv=self._riscv)
        return BlockCost(instructions, cycles, self._timing.cycles["branch_taken"])

    def classify(self, mnemonic: str) -> str:
        """The timing class of an instruction; "many" for load and store multiple, pairs among them."""
        return _riscv_class(mnemonic) if self._riscv else _arm_class(mnemonic)

    def _cycles(self, kind: str, mnemonic: str, operands: str, before: _Before) -> float:
        each = self._timing.cycles
        if kind == "call":
            return each["default"] + each["call"]
        if kind not in _MEMORY:
            return each[kind]
        address = _address(mnemonic, operands)
        depends = not before.written.isdisjoint(address)
        stall = each["address_stall"] if depends and before.kind not in _MEMORY else 0
        if kind == "many":
            back = each["pop_return"] if mnemonic.startswith("pop") and "pc" in operands else 0
            count = _registers(mnemonic, operands)
            return stall + each["load_many_base"] + each["load_many_each"] * count + back
        if before.kind == "load" and not depends and kind in ("load", "store"):
            return each[f"{kind}_next"]
        return stall + each["store_indexed" if kind == "store" and len(address) > 1 else kind]


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
    if mnemonic == "bl":  # `ble` and its like are plain branches
        return "call"
    return next((name for prefixes, name in _PREFIXES if mnemonic.startswith(prefixes)), "default")


def _riscv_class(mnemonic: str) -> str:
    if mnemonic in RV_LOADS:
        return "load"
    if mnemonic in RV_STORES:
        return "store"
    if mnemonic.startswith(("div", "rem")):
        return "divide"
    if mnemonic.startswith("mul"):
        return "multiply" if mnemonic == "mul" else "multiply_long"
    return "call" if mnemonic in ("jal", "jalr", "c.jal", "c.jalr") else "default"


def _address(mnemonic: str, operands: str) -> list[str]:
    """The registers an Arm load or store computes its address from."""
    if mnemonic.startswith(("push", "pop", "vpush", "vpop")):
        return ["sp"]
    found = _ADDRESS.search(operands)
    return _REGISTER.findall(found[1] or found[2] or "") if found else []


def _written(kind: str, mnemonic: str, operands: str) -> frozenset[str]:
    """The registers that an Arm instruction other than a store or a load multiple writes its result to.

    A base that a load or store counts up is not among them: it is ready for the next address.
    """
    if kind == "load" or (kind not in _MEMORY and not mnemonic.startswith(_NO_RESULT)):
        results: Iterable[str] = operands.split(",")[: 2 if kind.startswith("multiply_long") else 1]
        return frozenset(name.strip() for name in results)
    return frozenset()


def _registers(mnemonic: str, operands: str) -> int:
    """How many registers `r0!, {r1, r2, r3-r5}` names; a pair has two."""
    if mnemonic.startswith(("ldrd", "strd")):
        return 2
    inside = operands[operands.find("{") + 1 : operands.find("}")].split(",")
    return sum(_span(item.strip()) for item in inside)


def _span(item: str) -> int:
    first, _, last = item.partition("-")
    return int(last[1:]) - int(first[1:]) + 1 if last else 1
