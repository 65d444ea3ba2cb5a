"""Modelled cycles of a basic block on a simple RISC-V pipeline: in order, one instruction a cycle.

An instruction waits until its operands are there; a result is `use` cycles later than the next instruction
would want it. How a block ends costs what its branch was predicted to do. Caches: edgert/drivers/flash.py.
Sources and limits: docs/timing.md.
"""

from __future__ import annotations

import re

from edgert.drivers.timing import RV_LOADS, RV_STORES, BlockCost, CostModel, Model, count_instructions
from edgert.target import Pipeline, Target

_REGISTER = re.compile(r"\b(?:zero|ra|sp|gp|tp|s1[01]|[ast]\d)\b")
_CONDITIONAL = re.compile(r"(?:c\.)?b(?:eq|ne|lt|ge)\w*")
_SHIFTS = ("sll", "srl", "sra", "c.slli", "c.srli", "c.srai")
_JUMPS, _JUMPS_BY_REGISTER = ("j", "jal", "c.j", "c.jal"), ("jr", "jalr", "ret", "c.jr", "c.jalr")


class PipelineModel:
    """Costs blocks of machine code for one target, memory answering at once."""

    def __init__(self, target: Target) -> None:
        import capstone

        assert target.pipeline is not None
        self._pipeline: Pipeline = target.pipeline
        self._decoder = capstone.Cs(
            capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC
        )
        self._decoder.skipdata = True

    def cost(self, code: bytes, address: int) -> BlockCost:
        now, ready = 0, dict[str, int]()
        mnemonic = operands = ""
        for _, _, mnemonic, operands in self._decoder.disasm_lite(code, address):
            registers = _REGISTER.findall(operands)
            reads_all = mnemonic in RV_STORES or _CONDITIONAL.fullmatch(mnemonic) is not None
            read = registers if reads_all else registers[1:]
            start = max([now, *(ready.get(r, 0) for r in read)])
            now = start + (self._pipeline.divide if mnemonic.startswith(("div", "rem")) else 1)
            if registers and not reads_all:
                ready[registers[0]] = now + self._use(mnemonic)
        return BlockCost(count_instructions(code, riscv=True), now, *self._exit(mnemonic, operands))

    def _use(self, mnemonic: str) -> int:
        if mnemonic in RV_LOADS:
            return self._pipeline.load_use
        if mnemonic.startswith("mul"):
            return self._pipeline.multiply_use
        return self._pipeline.shift_use if mnemonic.startswith(_SHIFTS) else 0

    def _exit(self, mnemonic: str, operands: str) -> tuple[int, int]:
        """What it costs more if the last instruction goes elsewhere, and if not."""
        each = self._pipeline
        if _CONDITIONAL.fullmatch(mnemonic):
            backward = operands.split(",")[-1].strip().startswith("-")
            return (each.jump, each.mispredicted) if backward else (each.mispredicted, 0)
        if mnemonic in _JUMPS_BY_REGISTER:
            return (each.mispredicted, 0)
        return (each.jump if mnemonic in _JUMPS else 0, 0)


def cost_model(target: Target) -> Model:
    """The target's: by its pipeline where it is described, else by classes."""
    return PipelineModel(target) if target.pipeline is not None else CostModel(target)
