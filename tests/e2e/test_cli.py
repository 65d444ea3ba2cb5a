"""The commands doing what they are for."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import e2e_models as models
import numpy as np
import pytest
from tflite_builder import reference

import edgert

Cli = Callable[..., Any]
BOARD = "cortex-m4-emulated"
PORTABLE = ("stdint.h", "stddef.h")


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    (tmp_path / "dense.tflite").write_bytes(models.dense())
    return tmp_path / "dense.tflite"


def test_help_lists_every_command(cli: Cli) -> None:
    from edgert.cli.main import COMMANDS

    shown = cli("--help")
    assert shown.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in shown.out
        told = cli(name, "--help")
        assert (told.code, told.err) == (0, "")
        assert told.out.startswith(f"usage: edgert {name}")
    assert cli("--version").out == f"edgert {edgert.__version__}\n"


def test_compile_says_whether_it_fits(cli: Cli, dense: Path) -> None:
    done = cli("compile", dense, "--board", BOARD)
    assert done.code == 0, done.err
    assert done.out.startswith(f"dense for {BOARD} (cortex-m4, ")
    for word in ("fits", "RAM", "arena", "flash", "free", "fully_connected_s8", "64 MAC"):
        assert word in done.out


def test_compile_leaves_a_folder_for_any_firmware(cli: Cli, dense: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    done = cli("compile", dense, "--board", BOARD, "-o", out, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report == json.loads((out / "report.json").read_text())
    for name in ("model.c", "model.h", "example_main.c", "CMakeLists.txt", "firmware.elf"):
        assert (out / name).stat().st_size > 0
    for source in out.rglob("*.[ch]"):
        system = [line for line in source.read_text().splitlines() if line.startswith("#include <")]
        assert all(any(header in line for header in PORTABLE) for line in system), source
    assert [p.name for p in out.parent.iterdir()] == ["out"]
    assert cli("compile", dense, "--board", BOARD, "-o", out).code == 0, "an earlier output is replaced"


def test_output_is_the_same_bytes_every_time(cli: Cli, dense: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert cli("compile", dense, "--board", BOARD, "-o", tmp_path / name, "--no-cache").code == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.parametrize("board", ["host", BOARD])
def test_run_gives_the_models_bytes(cli: Cli, dense: Path, tmp_path: Path, board: str) -> None:
    x = np.random.default_rng(3).integers(-128, 128, (1, 16), dtype=np.int8)
    np.save(tmp_path / "x.npy", x)
    done = cli("run", dense, "--board", board, "-i", tmp_path / "x.npy", "--json", "--compare-reference")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["outputs"][0]["values"] == reference(models.dense(), x)[0].tolist()
    assert document["values_that_differ_from_reference"] == 0


def test_run_from_a_compiled_folder(cli: Cli, dense: Path, tmp_path: Path) -> None:
    cli("compile", dense, "--board", BOARD, "-o", tmp_path / "out")
    done = cli("run", tmp_path / "out")
    assert done.code == 0, done.err
    assert f"dense on {BOARD}" in done.out
    assert "argmax" in done.out


def test_run_says_when_the_reference_differs(cli: Cli, dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgert.cli.reference import Reference

    monkeypatch.setattr(Reference, "run", lambda self, inputs: [np.full((1, 4), 77, np.int8)])
    done = cli("run", dense, "--board", "host", "--compare-reference")
    assert done.code == 1
    assert "4 of 4 output values differ" in done.err


def test_run_reads_an_image(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(models.image())
    pixels = np.random.default_rng(4).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    (tmp_path / "x.png").write_bytes(png(pixels))
    done = cli("run", tmp_path / "m.tflite", "--board", "host", "-i", tmp_path / "x.png", "--json")
    assert done.code == 0, done.err
    expected = reference(models.image(), (pixels.astype(np.int16) - 128).astype(np.int8)[None])[0]
    assert json.loads(done.out)["outputs"][0]["values"] == expected.tolist()


def test_profile_adds_up(cli: Cli, dense: Path, tmp_path: Path) -> None:
    done = cli("profile", dense, "--board", BOARD, "--json", "--html", tmp_path / "p.html")
    assert done.code == 0, done.err
    profile = json.loads(done.out)
    assert profile["cycles_kind"] == "modelled"
    assert 64 <= sum(layer["instructions"] for layer in profile["layers"]) <= profile["instructions"]
    page = (tmp_path / "p.html").read_text()
    assert "<svg" in page
    assert "http" not in page, "opens without a network"
    text = cli("profile", dense, "--board", BOARD).out
    assert "counted exactly" in text
    assert "fully_connected dsp(" in text


@pytest.mark.parametrize(("command", "member"), [("boards", BOARD), ("targets", "cortex-m4")])
def test_lists(cli: Cli, command: str, member: str) -> None:
    assert member in cli(command).out
    rows = json.loads(cli(command, "--json").out)
    assert member in [row["id"] for row in rows]


def test_doctor_finds_what_is_needed(cli: Cli) -> None:
    done = cli("doctor", "--json")
    assert done.code == 0, done.err
    findings = {finding["what"]: finding for finding in json.loads(done.out)["findings"]}
    assert findings["zig cc"]["found"] == "works"


def test_demo(cli: Cli) -> None:
    done = cli("demo")
    assert done.code == 0, done.err
    assert BOARD in done.out
    assert "instructions" in done.out
    facts = json.loads(cli("demo", "--json").out)
    assert facts["same_bytes_on_this_machine"] is True
    assert facts["right"] == facts["card"]["drawn_right"]


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m edgert boards | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, 141)


@pytest.mark.parametrize("code", ["import edgert", "from edgert.cli.main import main; main(['boards'])"])
def test_starting_loads_nothing_heavy(code: str) -> None:
    script = f"import sys; {code}; print([m for m in ('tvm', 'torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """An RGB PNG that uses every row filter in turn. Source: PNG specification, section 9."""
    height, width, channels = pixels.shape
    above, rows = [0] * (width * channels), b""
    for y in range(height):
        line = pixels[y].reshape(-1).tolist()
        rows += bytes([y % 5, *filtered(y % 5, line, above, channels)])
        above = line
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def filtered(kind: int, line: list[int], above: list[int], step: int) -> list[int]:
    def guess(i: int) -> int:
        left = line[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        estimate = left + above[i] - corner
        paeth = min((left, above[i], corner), key=lambda v: abs(estimate - v))
        return (0, left, above[i], (left + above[i]) // 2, paeth)[kind]

    return [(line[i] - guess(i)) & 255 for i in range(len(line))]
