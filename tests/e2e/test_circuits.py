"""Whole networks as circuits: the reference's bytes, in the interpreter and in Verilator.

On 100 inputs, and in C++ as well: tools/measure_circuits.py.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgert
from edgert.cli.reference import Reference

pytestmark = pytest.mark.shared_models
BOARD = "ulx3s"
INPUTS = 25
SIMULATED = 2  # of them in Verilator, too
needs_verilator = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")
one_simulator = pytest.mark.xdist_group("ulx3s")  # one worker builds it


def circuit(model: Path) -> edgert.Artifact:
    return edgert.compile(model, board=BOARD)


@pytest.mark.parametrize("name", ["kws_int8", "ic_resnet8_int8"])
def test_random_inputs(name: str, shared_models_dir: Path) -> None:
    path = shared_models_dir / f"{name}.tflite"
    artifact, reference = circuit(path), Reference(path.read_bytes())
    draw = np.random.default_rng(len(name))
    shape = artifact.report["inputs"][0]["shape"]
    with edgert.connect(artifact, board="host") as session:
        for _ in range(INPUTS):
            x = draw.integers(-128, 128, shape).astype(np.int8)
            np.testing.assert_array_equal(session.run(x)[0], reference.run([x])[0])


@needs_verilator
@one_simulator
@pytest.mark.slow
@pytest.mark.parametrize("name", ["kws_int8", "ic_resnet8_int8"])
def test_in_verilator(name: str, shared_models_dir: Path) -> None:
    path = shared_models_dir / f"{name}.tflite"
    artifact, reference = circuit(path), Reference(path.read_bytes())
    draw = np.random.default_rng(len(name))
    shape = artifact.report["inputs"][0]["shape"]
    with edgert.connect(artifact) as session:
        for _ in range(SIMULATED):
            x = draw.integers(-128, 128, shape).astype(np.int8)
            np.testing.assert_array_equal(session.run(x, timeout_s=600)[0], reference.run([x])[0])
        profile = session.profile(x, timeout_s=600)
    whole = profile.cycles
    assert whole == pytest.approx(artifact.report["fpga"]["cycles_modelled"], rel=0.02)
    could = 8 * artifact.report["fpga"]["machine"]["cores"] * whole
    assert artifact.report["macs"] > 0.9 * could  # the multipliers are busy


def test_real_images(shared_models_dir: Path) -> None:
    archive = shared_models_dir.parent / "data" / "cifar10_jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    data = pytest.importorskip("edgert.models.data").load(archive)
    path = shared_models_dir / "ic_resnet8_int8.tflite"
    artifact, reference = circuit(path), Reference(path.read_bytes())
    right = 0
    with edgert.connect(artifact, board="host") as session:
        for image, label in zip(data.test_images[:INPUTS], data.test_labels[:INPUTS], strict=True):
            x = (image.astype(np.int16) - 128).astype(np.int8)[None]
            (y,) = session.run(x)
            np.testing.assert_array_equal(y, reference.run([x])[0])
            right += int(y.argmax() == label)
    assert right > INPUTS // 2, right  # the images went through JPEG


@pytest.fixture(scope="module")
def golden(shared_models_dir: Path) -> Any:
    with np.load(shared_models_dir / "cnv_w1a1_golden.npz") as arrays:
        return dict(arrays)


def test_bits(shared_models_dir: Path, golden: Any) -> None:
    """CNV-W1A1: its last layer, to float, is the host's."""
    artifact = circuit(shared_models_dir / "cnv_w1a1.npz")
    assert artifact.report["fpga"]["host_steps"] == ["layer_8", "scores"]
    assert artifact.report["fpga"]["machine"]["binary_cores"] == 1
    images, scores = golden["images"][:INPUTS], golden["scores"][:INPUTS]
    with edgert.connect(artifact, board="host") as session:
        got = [session.run(image[None])[0][0] for image in images]
    np.testing.assert_array_equal(got, scores)


@needs_verilator
@one_simulator
@pytest.mark.slow
def test_bits_in_verilator(shared_models_dir: Path, golden: Any) -> None:
    artifact = circuit(shared_models_dir / "cnv_w1a1.npz")
    with edgert.connect(artifact) as session:
        for image, score in zip(golden["images"][:SIMULATED], golden["scores"][:SIMULATED], strict=True):
            np.testing.assert_array_equal(session.run(image[None], timeout_s=600)[0][0], score)
