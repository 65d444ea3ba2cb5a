"""Whole networks: the bytes of the reference interpreter on every board, within size and speed limits."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgert
from edgert.cli.inputs import random_input
from edgert.cli.reference import Reference

pytestmark = pytest.mark.shared_models

BOARDS = ("host", "cortex-m4-emulated", "rv32imc-emulated")
RANDOM_INPUTS = 100


@dataclass(frozen=True)
class Network:
    """Limits: the arena in bytes, and the instructions per inference on the emulated Cortex-M4."""

    file: str
    arena_bytes: int
    instructions: int


NETWORKS = (
    Network("kws_int8.tflite", 17_000, 7_700_000),
    Network("ic_resnet8_int8.tflite", 50_000, 29_900_000),
    Network("vww_int8.tflite", 56_000, 24_100_000),
    Network("ad01_int8.tflite", 1_500, 583_000),
)
each_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.file.split("_")[0])


def first_difference(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> str:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    where = np.argwhere(ours != theirs)
    return f"{len(where)} differ, first at {where[0].tolist()}" if len(where) else ""


@pytest.mark.parametrize("board", BOARDS)
@each_network
def test_same_bytes_as_the_reference(network: Network, board: str, shared_models_dir: Path) -> None:
    data = (shared_models_dir / network.file).read_bytes()
    reference = Reference(data)
    artifact = edgert.compile(shared_models_dir / network.file, board=board)
    with edgert.connect(artifact) as session:
        for seed in range(RANDOM_INPUTS):
            inputs = [random_input(port, seed) for port in artifact.report["inputs"]]
            pairs = zip(session.run(*inputs), reference.run(inputs), strict=True)
            for index, (ours, theirs) in enumerate(pairs):
                found = first_difference(ours, theirs)
                assert not found, f"seed {seed}, output {index}: {found}"


@each_network
def test_arena_and_instructions_within_limits(network: Network, shared_models_dir: Path) -> None:
    artifact = edgert.compile(shared_models_dir / network.file, board="cortex-m4-emulated")
    assert artifact.report["arena_lower_bound_bytes"] <= artifact.arena_bytes <= network.arena_bytes
    inputs = [random_input(port, 0) for port in artifact.report["inputs"]]
    with edgert.connect(artifact) as session:
        profile = session.profile(*inputs)
    assert profile.instructions <= network.instructions
    assert sum(layer.macs for layer in profile.layers) == artifact.report["macs"]
    assert sum(layer.instructions for layer in profile.layers) <= profile.instructions
    assert profile.cycles_kind == "modelled"
    assert profile.stack_bytes > 0


def cifar10_test_images(archive: Path) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """(class, image [32,32,3] uint8) of the test set; classes are the folders in alphabetical order."""
    image = pytest.importorskip("PIL.Image", reason="reading JPEG needs Pillow")
    with tarfile.open(archive, "r:xz") as tar:
        files = [(m.name, tar.extractfile(m)) for m in tar if m.isfile() and m.name.startswith("test/")]
        pictures = [(name, file.read()) for name, file in files if file]
    classes = sorted({name.split("/")[1] for name, _ in pictures})
    for name, data in sorted(pictures):
        yield classes.index(name.split("/")[1]), np.asarray(image.open(io.BytesIO(data)))


def test_every_cifar10_test_image_on_the_host(shared_models_dir: Path) -> None:
    """All 10,000 images: the same bytes as the reference, and so its accuracy, 75.55 %."""
    archive = shared_models_dir.parent / "data" / "cifar10_jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    model = shared_models_dir / "ic_resnet8_int8.tflite"
    reference = Reference(model.read_bytes())
    right = total = 0
    with edgert.connect(edgert.compile(model, board="host")) as session:
        for label, pixels in cifar10_test_images(archive):
            quantized = (pixels.astype(np.int16) - 128).astype(np.int8)[None]
            (ours,), (theirs,) = session.run(quantized), reference.run([quantized])
            assert ours.tobytes() == theirs.tobytes(), f"image {total}"
            total += 1
            right += int(np.argmax(ours)) == label
    assert (right, total) == (7_555, 10_000)
