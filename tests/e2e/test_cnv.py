"""A trained binary network, CNV-W1A1: known scores on every board, an integer oracle on all images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from integer_cnv import scores

import edgert

pytestmark = pytest.mark.shared_models
BOARDS = ("host", "cortex-m4-emulated", "rv32imc-emulated")


@pytest.fixture(scope="module")
def golden(shared_models_dir: Path) -> Any:
    with np.load(shared_models_dir / "cnv_w1a1_golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def cnv(shared_models_dir: Path) -> Path:
    return shared_models_dir / "cnv_w1a1.npz"


@pytest.mark.parametrize("board", [*BOARDS, "aarch64-user", "cortex-m0plus-emulated"])
def test_golden_scores(board: str, cnv: Path, golden: Any) -> None:
    """The two boards that are not asked for run a tenth of the images."""
    images = golden["images"] if board in BOARDS else golden["images"][::10]
    wanted = golden["scores"] if board in BOARDS else golden["scores"][::10]
    with edgert.connect(edgert.compile(cnv, board=board)) as session:
        got = [session.run(image[None])[0][0] for image in images]
    np.testing.assert_array_equal(got, wanted)


def test_all_test_images_on_the_host(cnv: Path, golden: Any, shared_models_dir: Path) -> None:
    archive = shared_models_dir.parent / "data" / "cifar10_jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    data = pytest.importorskip("edgert.models.data").load(archive)
    with np.load(cnv) as arrays:
        network = dict(arrays)
    np.testing.assert_array_equal(scores(network, golden["images"]), golden["scores"])  # the oracle itself
    right = 0
    with edgert.connect(edgert.compile(cnv, board="host")) as session:
        for at in range(0, len(data.test_images), 500):
            images = data.test_images[at : at + 500]
            got = np.concatenate([session.run(image[None])[0] for image in images])
            np.testing.assert_array_equal(got, scores(network, images))
            right += int((got.argmax(1) == data.test_labels[at : at + 500]).sum())
    assert len(data.test_images) == 10_000 and right > 7_000, right


def test_arena(cnv: Path) -> None:
    artifact = edgert.compile(cnv, board="cortex-m4-emulated")
    assert artifact.arena_bytes <= 8_192  # asked for: 12 KB
