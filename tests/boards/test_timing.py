"""One instruction class at a time, against the Cortex-M4 manual's table of instruction timings."""

from __future__ import annotations

import pytest

from edgert.drivers.timing import CostModel, count_instructions
from edgert.target import load_target

# (code, instructions, cycles on a Cortex-M4 with a branch not taken)
M4 = {
    "adds r0, r0, r1": ("4018", 1, 1),
    "ldr r0, [r1]": ("0868", 1, 2),
    "two loads pipeline": ("08684a68", 2, 3),
    "str r0, [r1]": ("0860", 1, 1),
    "push {r4, r5, lr}": ("30b5", 1, 4),
    "pop {r4, r5, pc}": ("30bd", 1, 4),
    "muls r0, r1, r0": ("4843", 1, 1),
    "smlad r0, r1, r2, r3": ("21fb0230", 1, 1),
    "smull r0, r1, r2, r3": ("82fb0301", 1, 1),
    "sdiv r0, r1, r2": ("91fbf2f0", 1, 7),
    "sxtb16 r0, r1": ("2ffa81f0", 1, 1),
    "ldrd r0, r1, [r2]": ("d2e90001", 1, 3),
    "strd r0, r1, [r2]": ("c2e90001", 1, 3),
    "bl": ("00f000f8", 1, 1),  # and two more, as it is always taken
    "vmla.f32 s0, s1, s2": ("00ee810a", 1, 3),
    "vdiv.f32 s0, s1, s2": ("80ee810a", 1, 14),
    "vadd.f32 s0, s1, s2": ("30ee810a", 1, 1),
    "nop": ("00bf", 1, 1),
}


@pytest.mark.parametrize("name", M4)
def test_cortex_m4(name: str) -> None:
    code, instructions, cycles = M4[name]
    cost = CostModel(load_target("cortex-m4")).cost(bytes.fromhex(code), 0x0800_0000)
    assert (cost.instructions, cost.cycles) == (instructions, cycles)


def test_lengths() -> None:
    assert count_instructions(bytes.fromhex("00bf" + "21fb0230" + "00bf"), riscv=False) == 3
    assert count_instructions(bytes.fromhex("0100" + "13000000" + "0100"), riscv=True) == 3


def test_riscv() -> None:
    model = CostModel(load_target("rv32imc"))
    each = load_target("rv32imc").timing
    assert each is not None
    assert model.cost(bytes.fromhex("03250500"), 0).cycles == each.cycles["load"]  # lw a0, 0(a0)
    assert model.cost(bytes.fromhex("3305b502"), 0).cycles == each.cycles["multiply"]  # mul a0, a0, a1
    assert model.cost(bytes.fromhex("3345b502"), 0).cycles == each.cycles["divide"]  # div a0, a0, a1
