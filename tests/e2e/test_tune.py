"""edgert tune on the bundled network: measures, goes on where it stopped, and compile takes what it found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgert
from edgert import tuner
from edgert.cli import main as cli
from edgert.tuning import TuningDatabase

MODEL = Path(edgert.__file__).parent / "demo" / "cifar10_small.tflite"
BOARD = "cortex-m4-emulated"


def tune(capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    assert cli.run(["tune", str(MODEL), "--board", BOARD, "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def cycles(artifact: edgert.Artifact) -> int:
    x = np.zeros(artifact.report["inputs"][0]["shape"], np.int8)
    with edgert.connect(artifact) as session:
        found = session.profile(x).cycles
    assert found is not None
    return found


def test_tune_resume_and_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGERT_CACHE", str(tmp_path))
    default = edgert.compile(MODEL, board=BOARD)
    assert not any(layer["tuned"] for layer in default.report["layers"])

    measure, count = tuner._measure, 0

    def stops_after_three(*args: Any) -> Any:
        nonlocal count
        count += 1
        if count > 3:
            raise KeyboardInterrupt
        return measure(*args)

    monkeypatch.setattr(tuner, "_measure", stops_after_three)
    with pytest.raises(KeyboardInterrupt):
        tuner.tune(MODEL, board=BOARD)
    monkeypatch.setattr(tuner, "_measure", measure)

    first = tune(capsys)
    total = sum(len(layer["measured"]) for layer in first["layers"])
    assert 0 < first["fresh_measurements"] <= total - 3
    assert first["tuned_total"] <= first["default_total"]
    again = tune(capsys)
    assert again["fresh_measurements"] == 0
    assert again["tuned_total"] == first["tuned_total"]

    tuned = edgert.compile(MODEL, board=BOARD)
    before, after = again["whole_model_cycles"]
    assert any(layer["tuned"] for layer in tuned.report["layers"]) == (after <= before)
    assert cycles(tuned) <= cycles(default)
    x = np.random.default_rng(0).integers(-128, 128, default.report["inputs"][0]["shape"]).astype(np.int8)
    with edgert.connect(tuned) as a, edgert.connect(default) as b:
        np.testing.assert_array_equal(a.run(x)[0], b.run(x)[0])
    ignored = edgert.compile(MODEL, board=BOARD, use_tuned=False)
    assert not any(layer["tuned"] for layer in ignored.report["layers"])


def test_wrong_database_and_board(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"no database" * 99)
    with pytest.raises(edgert.errors.UsageError, match="tuning database"):
        tuner.tune(MODEL, board=BOARD, database=TuningDatabase(path))
    with pytest.raises(edgert.errors.UsageError, match="does not measure"):
        tuner.tune(MODEL, board="host")
