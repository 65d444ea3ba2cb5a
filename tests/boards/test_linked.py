"""Every board's firmware links: where its memory is, and starting where its core looks."""

from __future__ import annotations

import pytest
from tiny import Bench

from edgert.board import list_boards, load_board
from edgert.drivers.elf import Elf
from edgert.flash.flash import check_tables
from edgert.target import load_target

BARE = [name for name in list_boards() if load_board(name).flash is not None]
HOSTED = [name for name in list_boards() if load_board(name).linux is not None]


@pytest.mark.parametrize("name", BARE)
def test_links_where_its_memory_is(name: str, bench: Bench) -> None:
    board = load_board(name)
    assert board.flash is not None and board.ram is not None
    bench.build(board)
    elf = Elf(bench.folder / "firmware.elf")
    for address, data in elf.segments:
        assert board.flash.start <= address < address + len(data) <= board.flash.end
    assert board.ram.start <= elf.symbols["ert_arena"] < elf.symbols["ert_stack_top"] <= board.ram.end
    start = min(address for address, _ in elf.segments)
    assert start == board.flash.start == elf.symbols["ert_flash_start"]
    image = next(data for address, data in elf.segments if address == start)
    if load_target(board.target).arch.startswith("rv"):
        assert elf.entry == start
        return
    stack, entry = (int.from_bytes(image[i : i + 4], "little") for i in (0, 4))
    assert stack == elf.symbols["ert_stack_top"]
    assert entry == elf.symbols["_start"] == elf.symbols["_start"] | 1  # Thumb


@pytest.mark.parametrize("name", HOSTED)
def test_a_linux_program_links(name: str, bench: Bench) -> None:
    bench.build(load_board(name))
    assert Elf(bench.folder / "firmware.elf").symbols["ert_mailbox"]


@pytest.mark.parametrize("name", list_boards())
def test_its_flash_tools_exist(name: str) -> None:
    check_tables(load_board(name), name)


@pytest.mark.parametrize("name", ["raspberry-pi-pico2", "raspberry-pi-pico2-riscv"])
def test_an_image_definition_is_where_the_boot_loader_looks(name: str, bench: Bench) -> None:
    """RP2350 datasheet, 5.9: within the first 4 KB."""
    bench.build(load_board(name))
    _, image = Elf(bench.folder / "firmware.elf").segments[0]
    at = image.find((0xFFFFDED3).to_bytes(4, "little"))
    assert 0 < at < 4096
    assert image[at + 16 : at + 20] == (0xAB123579).to_bytes(4, "little")


def test_the_boards_that_the_documentation_names() -> None:
    named = {
        "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547", "microbit", "virt-rv32",
        "virt-rv64", "aarch64-user", "vexriscv-rtl", "nucleo-l4r5zi", "nucleo-f767zi", "nucleo-h743zi",
        "stm32f746g-disco", "nrf52840dk", "raspberry-pi-pico", "raspberry-pi-pico2", "esp32-c3",
        "raspberry-pi-4", "android-arm64",
    }  # fmt: skip
    assert named <= set(list_boards())
