"""Bad input: one line that says what, one hint, a stable exit code, no traceback, nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import e2e_models as models
import numpy as np
import pytest

Cli = Callable[..., Any]
BOARD = "cortex-m4-emulated"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def to_file(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return to_file


def check(outcome: Any, code: int, *words: str) -> None:
    """One message line, naming each of `words`, and a hint; nothing on stdout."""
    lines = outcome.err.strip().splitlines()
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert len(lines) <= 2, outcome.err
    assert lines[0].startswith("edgert: ")
    assert all(line.startswith("  hint: ") for line in lines[1:])
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err, f"{word!r} not in {outcome.err!r}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        models.dense()[:8],
        models.dense()[:-100],
        models.dense()[: len(models.dense()) // 2],
        np.random.default_rng(0).bytes(4096),
        b"\x1c\0\0\0TFL3" + np.random.default_rng(1).bytes(4096),
        b"#!/bin/sh\necho this is not a model\n",
        b"\0" * 1000,
    ],
    ids=["empty", "header", "cut", "half", "random", "random-TFL3", "text", "zeros"],
)
def test_not_a_model(cli: Cli, write: Callable[[str, bytes], Path], tmp_path: Path, data: bytes) -> None:
    outcome = cli("compile", write("m.tflite", data), "--board", BOARD, "-o", tmp_path / "out")
    check(outcome, 3, "m")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.tflite"]


@pytest.mark.parametrize("seed", range(40))
def test_damaged_models_are_never_our_bug(cli: Cli, write: Callable[[str, bytes], Path], seed: int) -> None:
    """Bytes flipped anywhere: refused, or compiled because the damage was in a weight."""
    generator = np.random.default_rng(seed)
    damaged = bytearray(models.dense())
    for at in generator.integers(0, len(damaged), size=1 + seed % 4):
        damaged[at] ^= int(generator.integers(1, 256))
    outcome = cli("compile", write("m.tflite", bytes(damaged)), "--target", "cortex-m4", "--no-cache")
    assert outcome.code in (0, 3, 4), outcome.err
    if outcome.code:
        check(outcome, outcome.code)


def test_unsupported_operator(cli: Cli, write: Callable[[str, bytes], Path], tmp_path: Path) -> None:
    outcome = cli(
        "compile", write("m.tflite", models.unsupported()), "--board", BOARD, "-o", tmp_path / "out"
    )
    check(outcome, 4, "RANDOM_UNIFORM")
    assert not (tmp_path / "out").exists()


def test_no_such_file(cli: Cli) -> None:
    check(cli("compile", "nowhere/m.tflite", "--board", BOARD), 2, "nowhere/m.tflite")


def test_unknown_board_names_the_nearest(cli: Cli, write: Callable[[str, bytes], Path]) -> None:
    model = write("m.tflite", models.dense())
    check(cli("compile", model, "--board", "cortex-m4-emulate"), 7, BOARD)
    check(cli("compile", model, "--target", "cortex-m44"), 7, "cortex-m4")


def test_board_or_target_is_never_guessed(cli: Cli, write: Callable[[str, bytes], Path]) -> None:
    model = write("m.tflite", models.dense())
    check(cli("compile", model), 2, "board")
    check(cli("compile", model, "--board", BOARD, "--target", "cortex-m4"), 2, "not both")
    check(cli("run", model), 2, "--board")


def test_too_big_for_ram_says_by_how_much_and_where(
    cli: Cli, write: Callable[[str, bytes], Path], tmp_path: Path
) -> None:
    model = write("m.tflite", models.image(1024, 1024, 3))
    outcome = cli("compile", model, "--board", BOARD, "-o", tmp_path / "out")
    check(outcome, 6, "RAM", "too many", "layer 0")
    assert not (tmp_path / "out").exists()


def test_too_big_for_flash_says_by_how_much(
    cli: Cli, write: Callable[[str, bytes], Path], tmp_path: Path
) -> None:
    model = write("m.tflite", models.dense(2048, 1280))
    outcome = cli("compile", model, "--board", BOARD, "-o", tmp_path / "out")
    check(outcome, 6, "flash")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((1, 17), np.int8), "[1, 16]"),
        (np.zeros((1, 16), np.float32), "int8"),
        (np.zeros((1, 16), np.uint8), "int8"),
    ],
    ids=["shape", "float", "unsigned"],
)
def test_wrong_input(
    cli: Cli,
    write: Callable[[str, bytes], Path],
    tmp_path: Path,
    array: np.ndarray[Any, Any],
    word: str,
) -> None:
    np.save(tmp_path / "x.npy", array)
    model = write("m.tflite", models.dense())
    check(cli("run", model, "--board", "host", "--input", tmp_path / "x.npy"), 5, word)


def test_input_files_that_are_not_inputs(cli: Cli, write: Callable[[str, bytes], Path]) -> None:
    model = write("m.tflite", models.image())
    for name, data in (("x.npy", b"nonsense"), ("x.png", b"nonsense"), ("cut.png", b"\x89PNG\r\n\x1a\n123")):
        check(cli("run", model, "--board", "host", "--input", write(name, data)), 5, name)
    check(cli("run", model, "--board", "host", "--input", "nowhere.npy"), 5, "nowhere.npy")
    check(cli("run", model, "--board", "host", "--input", "random:x"), 5, "random:x")
    check(cli("run", model, "--board", "host", "-i", "random:1", "-i", "random:2"), 5, "picture")


def test_a_folder_of_someone_else_is_not_replaced(
    cli: Cli, write: Callable[[str, bytes], Path], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("ten years of work")
    model = write("m.tflite", models.dense())
    check(cli("compile", model, "--board", BOARD, "-o", mine), 2, "mine")
    assert [p.name for p in mine.iterdir()] == ["thesis.txt"]
    check(cli("run", mine), 2, "report.json")


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["compil"], "compile"),
        (["bench", "mlperf-tin", "--models", ".", "--board", BOARD], "mlperf-tiny"),
        (["bench", "mlperf-tiny", "--models", "nowhere", "--board", BOARD], "kws_int8.tflite"),
        (["compile"], "MODEL"),
        (["run", "m.tflite", "--board", "host", "--timeout", "0"], "number of seconds"),
        (["compile", "m.tflite", "--optimise", "speed"], "--optimise"),
        (["profile", "m.tflite", "--board", BOARD, "--optimize", "fast"], "speed"),
    ],
)
def test_wrong_arguments(cli: Cli, argv: list[str], word: str) -> None:
    check(cli(*argv), 2, word)


def test_cache_that_cannot_be_written(
    cli: Cli, write: Callable[[str, bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write("m.tflite", models.dense())
    monkeypatch.setenv("EDGERT_CACHE", str(model / "cache"))
    check(cli("compile", model, "--board", BOARD), 2, "cache", "EDGERT_CACHE")


def test_missing_compiler(
    cli: Cli, write: Callable[[str, bytes], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No zig package and no gcc on PATH."""
    import sys

    monkeypatch.setitem(sys.modules, "ziglang", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    model = write("m.tflite", models.dense(20, 3))
    outcome = cli("compile", model, "--board", BOARD, "--no-cache", "-o", tmp_path / "out")
    check(outcome, 8, "ziglang")
    assert not (tmp_path / "out").exists()


def test_our_own_bug_is_said_to_be_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import edgert.cli.boards

    def broken(args: object) -> int:
        raise ValueError("a\nb")

    monkeypatch.setattr(edgert.cli.boards, "main", broken)
    monkeypatch.delenv("EDGERT_DEBUG", raising=False)
    check(cli("boards"), 70, "ValueError: a b", "bug in edgert", "EDGERT_DEBUG=1")
    monkeypatch.setenv("EDGERT_DEBUG", "1")
    assert "Traceback" in cli("boards").err
