"""The cost models of the circuit, as docs/fpga_costs.json has them; a circuit as the sum of its modules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgert.codegen.hls.cost import CIRCUIT, MODULES, Ram, block_rams, estimate, module_cost, parts
from edgert.codegen.hls.design import parts_of
from edgert.codegen.hls.isa import Machine
from edgert.errors import UsageError

MEASURED = json.loads((Path(__file__).parents[2] / "docs" / "fpga_costs.json").read_text("utf-8"))
MACHINE = Machine(cores=2, scratch_bytes=65536, weight_words=2048, param_entries=512, banks=2)


def points() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for family, modules in MEASURED.items():
        for top, found in modules.items():
            yield from ((family, top, point) for point in found["points"])


def roms(machine: Machine, words: int = 300) -> dict[str, list[str]]:
    return {
        f"{machine.agent_name(agent)}_{kind.NAME}.hex": ["0"] * words
        for agent in range(machine.agents)
        for kind in parts_of(machine, agent)
    }


@pytest.mark.parametrize(("family", "top", "point"), list(points()))
def test_model_of_a_module(family: str, top: str, point: dict[str, Any]) -> None:
    """The coefficients are those that docs/fpga_costs.json was written with, and as good as promised."""
    there = point["synthesised"]
    if top == CIRCUIT:
        machine = Machine(**point["sizes"])
        found = estimate(machine, roms(machine, 512), family)
    else:
        found = module_cost(family, top, point["sizes"])
    assert round(found.luts) == point["model"]["luts"]
    assert round(found.flip_flops) == point["model"]["flip_flops"]
    assert found.dsps == there["dsps"] and -(-found.block_rams // 1) == there["block_rams"]
    if point["held_out"]:
        assert abs(found.luts - there["luts"]) <= 0.15 * there["luts"]
        assert abs(found.flip_flops - there["flip_flops"]) <= 0.15 * there["flip_flops"]


def test_a_circuit_is_the_sum_of_its_modules() -> None:
    found = estimate(MACHINE, roms(MACHINE))
    tops = [top for top, _ in parts(MACHINE, roms(MACHINE))]
    assert set(tops) <= set(MODULES) and tops.count("ert_mac") == 2
    assert found.dsps == 2 * (8 + 4)
    more = estimate(replace(MACHINE, cores=3), roms(replace(MACHINE, cores=3)))
    assert more.dsps == 3 * (8 + 4) and more.luts > found.luts and more.block_rams > found.block_rams
    soft = replace(MACHINE, softmax=1)
    assert estimate(soft, roms(soft)).dsps == found.dsps + 4


def test_block_rams_take_the_shape_that_is_best() -> None:
    assert block_rams("ecp5", Ram(64, 512)) == 2
    assert block_rams("ecp5", Ram(64, 513)) == 4
    assert block_rams("ecp5", Ram(64, 16384, bytewise=True)) == 64
    assert block_rams("xc7", Ram(36, 512)) == 0.5
    assert block_rams("xc7", Ram(64, 512, bytewise=True)) == 1


def test_a_family_without_costs() -> None:
    with pytest.raises(UsageError, match="no costs"):
        module_cost("gowin", "ert_load", {})
