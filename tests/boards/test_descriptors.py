"""Every shipped board and target obeys the rules; what breaks one is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgert import board as boards
from edgert import fpga, part
from edgert import target as targets
from edgert.errors import DescriptorError

GOOD = """id = "b"
name = "test"
target = "cortex-m4"
driver = "unicorn"
verified = "emulated"
source = "a datasheet"
clock_hz = 1_000_000

[memory.flash]
start = 0x0800_0000
end = 0x0801_0000

[memory.flash.timing]
source = "a manual"
wait_states = 2
read_bytes = 8
instruction_cache_bytes = 64
data_cache_bytes = 8

[memory.ram]
start = 0x2000_0000
end = 0x2000_8000
"""

FPGA = """id = "b"
name = "test"
target = "ecp5-25"
driver = "verilator"
verified = "emulated"
source = "a manual"
clock_hz = 50_000_000

[fpga]
cores = 2
banks = 2
scratch_bytes = 32_768
weight_words = 512
param_entries = 512

[external]
source = "a data sheet"
bytes_per_cycle = 0.5
latency_cycles = 10
"""


@pytest.mark.parametrize("name", boards.list_boards())
def test_every_board(name: str) -> None:
    board = boards.load_board(name)
    assert board.id == name
    assert board.source
    if board.fpga is None:
        targets.load_target(board.target)
    else:
        assert board.external is not None and board.external.source
        assert part.load_part(board.target).id == board.target


@pytest.mark.parametrize("name", [b for b in boards.list_boards() if boards.load_board(b).fpga])
def test_every_circuit_leaves_room(name: str) -> None:
    """All cores' memories and the scratchpad fill no more than three quarters of the part's block RAM, their
    multipliers nine tenths of the DSPs. So do the binary cores' beside one core."""
    board = boards.load_board(name)
    machine, chip = board.fpga, part.load_part(board.target)
    assert machine is not None
    for cores, binary_cores in ((machine.cores, 0), (1, machine.binary_cores)):
        weights = 8 * machine.weight_words * (cores + 8 * binary_cores)
        params = 8 * machine.param_entries * (cores + binary_cores)
        assert machine.scratch_bytes + weights + params <= 0.75 * chip.block_ram_bytes
    assert fpga.CORE_DSPS * machine.cores <= 0.9 * chip.dsps


@pytest.mark.parametrize("name", part.list_parts())
def test_every_part(name: str) -> None:
    chip = part.load_part(name)
    assert chip.id == name
    assert chip.source
    assert chip.nextpnr is None or chip.family == "ecp5"


@pytest.mark.parametrize("name", targets.list_targets())
def test_every_target(name: str) -> None:
    target = targets.load_target(name)
    assert target.source
    assert target.timing is None or target.timing.source


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(DescriptorError, match="did you mean 'cortex-m4-emulated'"):
        boards.load_board("cortex-m4-emulatd")
    with pytest.raises(DescriptorError, match="did you mean 'rv32imc'"):
        targets.load_target("rv32im")
    with pytest.raises(DescriptorError, match="did you mean 'ecp5-85'"):
        part.load_part("ecp5-58")


def test_a_part_is_no_cpu_and_a_cpu_no_part() -> None:
    assert not set(part.list_parts()) & set(targets.list_targets())
    with pytest.raises(DescriptorError, match="ecp5-85 is an FPGA, not a CPU"):
        targets.load_target("ecp5-85")
    with pytest.raises(DescriptorError, match="cortex-m4 is a CPU, not an FPGA"):
        part.load_part("cortex-m4")


@pytest.mark.parametrize(
    ("good", "old", "new", "message"),
    [
        (GOOD, "clock_hz", "clock_mhz", "unknown key 'clock_mhz', did you mean 'clock_hz'"),
        (GOOD, 'source = "a datasheet"\n', "", "the key 'source' is missing"),
        (GOOD, 'id = "b"', 'id = "c"', "the id is the folder's name"),
        (GOOD, "cortex-m4", "cortex-m5", "no target 'cortex-m5'"),
        (GOOD, "0x2000_0000", "0x0800_8000", "do not overlap"),
        (GOOD, "0x2000_8000", "0x2000_0000", "not empty"),
        (GOOD, '"emulated"', '"maybe"', "verified is one of"),
        (GOOD, '"unicorn"', '"magic"', "driver is one of"),
        (GOOD, "clock_hz = 1_000_000\n", "", "has memory and a clock"),
        (GOOD, "wait_states = 2", "wait_states = -1", "wait states are 0 or more"),
        (GOOD, "read_bytes = 8", "read_bytes = 12", "a power of 2"),
        (GOOD, "data_cache_bytes = 8", "data_cache_bytes = 4", "each cache holds a read"),
        (GOOD, "wait_states", "waitstates", "unknown key 'waitstates', did you mean 'wait_states'"),
        (GOOD, "id", "[", "cannot read the descriptor"),
        (GOOD, "cortex-m4", "ecp5-85", "ecp5-85 is an FPGA: driver 'verilator', .* are needed"),
        (GOOD, '"unicorn"', '"verilator"', "cortex-m4 is a CPU: no driver 'verilator'"),
        (FPGA, "ecp5-25", "cortex-m4", "cortex-m4 is a CPU: no driver 'verilator'"),
        (FPGA, '"verilator"', '"host"', "ecp5-25 is an FPGA: driver 'verilator'"),
        (FPGA, FPGA[FPGA.index("[external]") :], "", "ecp5-25 is an FPGA"),
        (FPGA, "[fpga]", "[fgpa]", "unknown key 'fgpa', did you mean 'fpga'"),
        (FPGA, "[fpga]", GOOD[GOOD.index("[memory.flash]") :] + "[fpga]", "no \\[memory\\]"),
        (FPGA, "clock_hz = 50_000_000\n", "", "clock_hz are needed"),
        (FPGA, "weight_words = 512\n", "", "the key 'weight_words' is missing"),
        (FPGA, "cores = 2", "cores = 3", "3 cores need 36 DSPs, ecp5-25 has 28"),
        (FPGA, "cores = 2", "cores = 0", "there is a core"),
        (FPGA, "banks = 2", "banks = 3", "a power of 2"),
        (FPGA, "banks = 2", "banks = 0", "a power of 2"),
        (FPGA, "banks = 2", "banks = 2\nsoftmax = 2", "softmax is 0 or 1"),
        (FPGA, "weight_words = 512", "weight_words = 500", "multiples of 64"),
        (FPGA, "bytes_per_cycle = 0.5", "bytes_per_cycle = 16", "at most 8"),
        (FPGA, "latency_cycles = 10", "latency_cycles = 0", "1 or more"),
    ],
)
def test_a_broken_board_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: str, old: str, new: str, message: str
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "board.toml").write_text(good.replace(old, new, 1))

    monkeypatch.setenv(boards.SEARCH_PATH, str(tmp_path))
    with pytest.raises(DescriptorError, match=message):
        boards.load_board("b")
