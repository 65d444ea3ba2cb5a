"""boards, boards new, flash, check, --link: the commands around a board."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_models import dense

from edgert.board import SEARCH_PATH, load_board

Cli = Callable[..., Any]
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense())
    return path


def test_boards_says_how_far_each_was_seen_to_work(cli: Cli) -> None:
    rows = {row["id"]: row for row in json.loads(cli("boards", "--json").out)}
    assert rows["nucleo-l4r5zi"]["verified"] == "linked"
    assert rows["mps2-an386"]["verified"] == "emulated"
    assert rows["mps2-an386"]["links"] == ["gdb", "serial"]
    assert "RM0432" in cli("boards", "nucleo-l4r5zi").out
    assert json.loads(cli("boards", "nucleo-l4r5zi", "--json").out)["ram"]["start"] == 0x2000_0000


def test_a_new_board(cli: Cli, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, checked, found and used; a second of the same id is refused."""
    home = tmp_path / "mine"
    new = ("boards", "new", "my-board", "--target", "cortex-m4", "--flash", "0x08000000:512K",
           "--ram", "0x20000000:64K", "--clock", "16", "-o", home)  # fmt: skip
    assert cli(*new).code == 0
    assert "there is a board 'my-board'" in cli(*new).err
    assert cli("compile", model, "--board", "my-board").code == 7
    monkeypatch.setenv(SEARCH_PATH, str(home))
    assert load_board("my-board").ram_bytes == 65536
    assert cli("compile", model, "--board", "my-board").code == 0
    made = cli(
        "boards", "new", "other", "--from", "my-board", "--ram", "0x20000000:16K", "-o", home, "--json"
    )
    assert json.loads(made.out)["flash_bytes"] > 0
    assert load_board("other").ram_bytes == 16384
    assert load_board("other").clock_hz == 16_000_000


def test_a_new_fpga_board_and_its_part(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy needs no firmware to link; its part is listed, and is no CPU to compile C for."""
    made = cli("boards", "new", "mine", "--from", "ulx3s", "--clock", "50", "-o", tmp_path)
    assert made.code == 0 and "firmware" not in made.err
    monkeypatch.setenv(SEARCH_PATH, str(tmp_path))
    board = load_board("mine")
    assert board.fpga is not None and board.clock_hz == 50_000_000
    assert board.target in cli("targets").out
    assert "ecp5-85" in [row["id"] for row in json.loads(cli("targets", "--json").out)]
    memory = ("--flash", "0:64K", "--ram", "0x20000000:16K", "--clock", "8")
    refused = cli("boards", "new", "cpu", "--target", "ecp5-85", *memory, "-o", tmp_path)
    assert refused.code == 7 and "ecp5-85 is an FPGA, not a CPU" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "cortex-m4"), "--flash, --ram, --clock missing"),
        (("--from", "nucleo-l4r5z"), "did you mean 'nucleo-l4r5zi'"),
        (("--from", "nucleo-l4r5zi", "--ram", "0x08000000:64K"), "flash and RAM do not overlap"),
        (("--from", "nucleo-l4r5zi", "--ram", "0x20000000:1K"), "no firmware links for it"),
        (("--from", "nucleo-l4r5zi", "--ram", "64K"), "invalid range START:SIZE"),
    ],
)
def test_a_new_board_that_cannot_be(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = cli("boards", "new", "bad", *arguments, "-o", tmp_path / "mine")
    assert done.code != 0
    assert message in done.err
    assert not (tmp_path / "mine").exists()


@needs_qemu
def test_the_walk_through_of_the_documentation(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/add-a-board.md: its edgert commands, one after the other, as they stand there."""
    root = Path(__file__).parents[2]
    monkeypatch.chdir(tmp_path)
    shutil.copy(root / "edgert" / "demo" / "cifar10_small.tflite", tmp_path / "model.tflite")
    monkeypatch.setenv(SEARCH_PATH, "boards")
    text = (root / "docs" / "add-a-board.md").read_text()
    commands = [line.split("#")[0].split() for line in text.splitlines() if line.startswith("edgert ")]
    assert len(commands) >= 6
    for command in commands:
        done = cli(*command[1:])
        assert done.code == 0, (command, done.err)


@needs_qemu
def test_check(cli: Cli, model: Path) -> None:
    found = json.loads(cli("check", model, "--board", "mps2-an386", "--json").out)
    assert found["model"] == "dense"
    assert found["shapes"].startswith("int8[")
    assert found["flash_crc"].startswith("0x")
    assert 0 < found["stack_bytes"] < 1024
    assert "runs no firmware" in cli("check", model, "--board", "host").err


@needs_qemu
def test_run_and_profile_by_another_link(cli: Cli, model: Path) -> None:
    outputs = [
        json.loads(cli("run", model, "--board", "mps2-an386", "--link", link, "--json").out)["outputs"]
        for link in ("gdb", "serial", "unicorn")
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    profile = json.loads(
        cli("profile", model, "-b", "mps2-an386", "--link", "serial", "-n", "3", "--json").out
    )
    assert profile["cycles_kind"] == "emulated: SysTick"
    assert profile["repetitions"] == 3
    assert "drivers are" in cli("run", model, "--board", "mps2-an386", "--link", "telepathy").err


# ---- flash


@pytest.mark.parametrize(
    ("board", "tool", "wanted"),
    [
        ("nucleo-l4r5zi", "openocd", "openocd -f board/st_nucleo_l4.cfg -c 'program {"),
        ("nucleo-l4r5zi", "pyocd", "-m pyocd flash --target stm32l4r5zitx "),
        ("nucleo-l4r5zi", "gdb", "# as gdb would: target remote stdio; load "),
        ("raspberry-pi-pico2", "uf2", "cp "),
    ],
)
def test_flash_says_what_it_would_do(cli: Cli, model: Path, board: str, tool: str, wanted: str) -> None:
    assert wanted in cli("flash", model, "--board", board, "--tool", tool, "--dry-run").out


def test_esptool_for_a_board_of_ones_own(
    cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("boards", "new", "c3", "--from", "rv32imc-emulated", "-o", tmp_path / "mine")
    descriptor = tmp_path / "mine" / "c3" / "board.toml"
    descriptor.write_text(descriptor.read_text() + '\n[flash.esptool]\nchip = "esp32c3"\n')
    monkeypatch.setenv(SEARCH_PATH, str(tmp_path / "mine"))
    out = cli("flash", model, "--board", "c3", "--port", "/dev/ttyACM7", "--dry-run").out
    assert "--chip esp32c3 --port /dev/ttyACM7 --baud 460800 write_flash 0x0 " in out
    assert "firmware.bin" in out


@pytest.mark.parametrize("kind", ["elf", "bin", "hex", "uf2"])
def test_image_files(cli: Cli, model: Path, tmp_path: Path, kind: str) -> None:
    done = cli("flash", model, "--board", "raspberry-pi-pico2", "--image", tmp_path / f"x.{kind}")
    assert done.code == 0
    assert (tmp_path / f"x.{kind}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--board", "nucleo-l4r5zi", "--image", "x.uf2"), "UF2 needs the family id"),
        (("--board", "nucleo-l4r5zi", "--image", "x.exe"), "no image format 'exe'"),
        (
            ("--board", "nucleo-l4r5zi", "--tool", "uf2"),
            "is not flashed by 'uf2' - it is by openocd, pyocd, gdb",
        ),
        (("--board", "cortex-m4-emulated"), "is not flashed"),
        (("--board", "mps2-an386"), "is started for every session, and loaded then"),
        (("--board", "raspberry-pi-pico2", "--tool", "uf2", "--volume", "."), "is no UF2 drive"),
    ],
)
def test_what_cannot_be_flashed(
    cli: Cli,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("flash", model, *arguments)
    assert done.code == 2
    assert message in done.err


def test_a_uf2_drive(cli: Cli, model: Path, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / "INFO_UF2.TXT").write_text("UF2 Bootloader")
    assert cli("flash", model, "--board", "raspberry-pi-pico2", "--tool", "uf2", "--volume", drive).code == 0
    assert (drive / "firmware.uf2").read_bytes()[:4] == b"UF2\n"


def test_a_missing_tool(cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = cli("flash", model, "--board", "nucleo-l4r5zi", "--tool", "openocd")
    assert done.code == 8
    assert "openocd is missing" in done.err
    assert "apt-get install openocd" in done.err


@needs_qemu
def test_flash_by_gdb_and_run_what_was_flashed(cli: Cli, model: Path) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [
        "qemu-system-arm",
        "-M",
        "mps2-an386",
        "-display",
        "none",
        "-serial",
        "none",
        "-monitor",
        "none",
    ]
    with subprocess.Popen([*command, "-S", "-gdb", f"tcp:localhost:{port}"]) as server:
        try:
            time.sleep(0.5)
            link = ("--link", f"gdb:localhost:{port}")
            assert cli("flash", model, "--board", "mps2-an386", *link).code == 0
            assert cli("run", model, "--board", "mps2-an386", *link, "--compare-reference").code == 0
        finally:
            server.kill()
