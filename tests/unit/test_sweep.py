"""tools/sweep.py: the shapes are many, distinct and small enough; one layer of each kind runs and agrees."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import sweep
import sweep_peer
from sweep_shapes import MAX_WEIGHTS, Layer, layers

WANTED, LEFT_OUT = layers()
SMALL = [
    Layer("conv", 5, 6, 3, 5, (3, 3), (2, 2)),
    Layer("depthwise", 6, 5, 7, 7, (3, 3), (2, 2)),
    Layer("dense", 1, 1, 33, 6),
]


def test_at_least_200_distinct_shapes_of_every_kind() -> None:
    assert len({layer.name for layer in WANTED}) == len(WANTED) >= 200
    assert all(layer.weights <= MAX_WEIGHTS for layer in WANTED)
    assert all(layer.weights > MAX_WEIGHTS for layer in LEFT_OUT)
    seen = {(layer.kind, layer.kernel, layer.stride[0]) for layer in WANTED}
    assert seen >= {("depthwise", (k, k), s) for k in (3, 5, 7) for s in (1, 2)}
    assert seen >= {("conv", (k, k), s) for k in (1, 3) for s in (1, 2)}
    assert {1, 3} <= {layer.in_c for layer in WANTED if layer.kind == "conv"}


@pytest.mark.parametrize("layer", SMALL, ids=lambda layer: layer.name)
def test_a_layer_is_measured_and_agrees(layer: Layer, tmp_path: Path) -> None:
    sweep.compile_reference(tmp_path / "reference")
    record = sweep.measure(tmp_path, sweep.BOARD, [], layer)
    assert record["same_as_reference"]
    assert 0.5 < record["instructions_per_mac"] < 40
    assert sweep.summary([record])["all"]["layers"] == 1


def test_the_table_has_a_row_for_each_kind() -> None:
    made = [_record("conv", 0.4), _record("conv", 0.2), _record("dense", 0.5)]
    groups = sweep.summary(made)
    assert groups["conv"]["mean_ratio"] == pytest.approx(0.283, abs=5e-4)
    assert groups["all"]["worst"][0] == ["dense 0.5", 0.5]
    result = {"board": "b", "summary": groups, "layers": made, "left_out": []}
    assert json.loads(sweep.to_json(result)) == result
    text = sweep.markdown(result)
    assert "| conv | 2 | all |" in text and "| dense 0.5 | 0.500 |" in text


def test_the_library_asks_for_two_columns_of_a_convolution() -> None:
    assert sweep_peer.buffer_bytes(Layer("conv", 8, 8, 16, 32, (3, 3))) == 2 * 2 * 9 * 16
    assert sweep_peer.buffer_bytes(Layer("conv", 8, 8, 16, 32)) == 0
    assert sweep_peer.buffer_bytes(Layer("depthwise", 8, 8, 16, 16, (5, 5))) == 2 * 25 * 16


def _record(kind: str, ratio: float) -> sweep.Record:
    peer = {"modelled_cycles": 1000, "buffer_bytes": 4, "ram_bytes": 100, "same_as_reference": True}
    return {
        "name": f"{kind} {ratio}", "kind": kind, "ratio": ratio, "modelled_cycles": 400, "scratch_bytes": 0,
        "arena_bytes": 50, "instructions_per_mac": 1.0, "same_as_reference": True, "shrunk_from": None,
        "peer": peer,
    }  # fmt: skip
