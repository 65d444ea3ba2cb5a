"""edgert quantize and edgert search, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Cli

torch = pytest.importorskip("torch", reason="needs edgert[train]")
nn = torch.nn


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("float") / "net.pt2"
    torch.export.save(torch.export.export(net.eval(), (torch.zeros(1, 3, 8, 8),)), path)
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = pytest.importorskip("PIL.Image")
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(12):
        image.fromarray(rng.integers(0, 256, (10, 14, 3)).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def test_quantize_with_photos_then_compile(cli: Cli, model: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "net_int8.tflite"
    done = cli("quantize", str(model), "--data", str(photos), "--channels-last", "-o", str(out))
    assert done.code == 0 and "signal/noise dB" in done.out and "from 12 inputs" in done.err
    compiled = cli("compile", str(out), "--board", "cortex-m4-emulated", "--json")
    report = json.loads(compiled.out)
    assert report["inputs"][0]["shape"] == [1, 8, 8, 3] and report["inputs"][0]["dtype"] == "int8"
    assert {layer["op"] for layer in report["layers"]} >= {"conv2d_s8", "fully_connected_s8"}


def test_quantize_with_an_array_as_json(cli: Cli, model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(9, 3, 8, 8)).astype(np.float32))
    out = tmp_path / "int8.tflite"
    done = cli(
        "quantize", str(model), "--data", str(tmp_path / "x.npy"), "--count", "5", "--ranges", "minmax",
        "--equalize", "--json", "-o", str(out),
    )  # fmt: skip
    document = json.loads(done.out)
    assert document["inputs"] == 5 and out.is_file()
    assert all(row["lost_db"] >= 0 for row in document["layers"])


def test_quantize_says_what_is_wrong(cli: Cli, model: Path, photos: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "never.tflite")
    np.save(tmp_path / "x.npy", np.zeros((4, 5), np.float32))
    (tmp_path / "empty").mkdir()
    for data, message in (
        ("nothing", "no calibration data"), (str(tmp_path / "x.npy"), "has shape [4, 5]"),
        (str(tmp_path / "empty"), "no image below"),
    ):  # fmt: skip
        done = cli("quantize", str(model), "--data", data, "-o", out)
        assert done.code != 0 and message in done.err and "Traceback" not in done.err
    done = cli("quantize", str(model), "--data", str(photos), "--std", "0", "-o", out)
    assert done.code != 0 and "std" in done.err
    assert not Path(out).exists()


def test_search_from_data_to_firmware(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    pytest.importorskip("matplotlib")
    image = pytest.importorskip("PIL.Image")
    from coloured import CLASSES, TINY, coloured

    from edgert.search import space

    monkeypatch.setitem(space.SPACES, "tiny", TINY)
    for split, count in (("train", 192), ("test", 30)):
        images, labels = coloured(count)
        for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            folder = tmp_path / "data" / split / CLASSES[label]
            folder.mkdir(parents=True, exist_ok=True)
            image.fromarray(pixels).save(folder / f"{number}.jpg")
    arguments = [
        "search", "--board", "cortex-m4-emulated", "--data", str(tmp_path / "data"), "--space", "tiny",
        "--max-ms", "40", "--max-sram", "64KB", "--max-flash", "1MB", "--candidates", "2",
        "--evaluations", "4", "--epochs", "1", "--candidate-epochs", "1", "--supernet-epochs", "1",
        "-o", str(tmp_path / "found"),
    ]  # fmt: skip
    done = cli(*arguments)
    assert done.code == 0 and "% in int8" in done.out and "modelled" in done.out, done.err
    for name in ("model.tflite", "c/model.c", "card.json", "pareto.png", "pareto.html", "costs.sqlite"):
        assert (tmp_path / "found" / name).is_file(), name
    again = cli(*arguments, "--json")
    document: dict[str, Any] = json.loads(again.out)
    assert document["best"]["choice"] in done.out and "measuring blocks" not in again.err


def test_search_says_what_is_wrong(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    start = [
        "search",
        "--board",
        "cortex-m4-emulated",
        "--data",
        str(tmp_path / "none"),
        "-o",
        str(tmp_path / "o"),
    ]
    for more, message in (
        ([], "no data at"), (["--max-sram", "many"], "is no size"), (["--candidates", "0"], "at least 1"),
    ):  # fmt: skip
        done = cli(*start, *more)
        assert done.code != 0 and message in done.err and "Traceback" not in done.err
