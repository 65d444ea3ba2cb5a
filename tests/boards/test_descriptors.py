"""Every shipped board and target obeys the rules; what breaks one is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgert import board as boards
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


@pytest.mark.parametrize("name", boards.list_boards())
def test_every_board(name: str) -> None:
    board = boards.load_board(name)
    assert board.id == name
    assert board.source
    targets.load_target(board.target)


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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clock_hz", "clock_mhz", "unknown key 'clock_mhz', did you mean 'clock_hz'"),
        ('source = "a datasheet"\n', "", "the key 'source' is missing"),
        ('id = "b"', 'id = "c"', "the id is the folder's name"),
        ("cortex-m4", "cortex-m5", "no target 'cortex-m5'"),
        ("0x2000_0000", "0x0800_8000", "do not overlap"),
        ("0x2000_8000", "0x2000_0000", "not empty"),
        ('"emulated"', '"maybe"', "verified is one of"),
        ('"unicorn"', '"magic"', "driver is one of"),
        ("clock_hz = 1_000_000\n", "", "has memory and a clock"),
        ("wait_states = 2", "wait_states = -1", "wait states are 0 or more"),
        ("read_bytes = 8", "read_bytes = 12", "a power of 2"),
        ("data_cache_bytes = 8", "data_cache_bytes = 4", "each cache holds a read"),
        ("wait_states", "waitstates", "unknown key 'waitstates', did you mean 'wait_states'"),
        ("id", "[", "cannot read the descriptor"),
    ],
)
def test_a_broken_board_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "board.toml").write_text(GOOD.replace(old, new, 1))

    monkeypatch.setenv(boards.SEARCH_PATH, str(tmp_path))
    with pytest.raises(DescriptorError, match=message):
        boards.load_board("b")
