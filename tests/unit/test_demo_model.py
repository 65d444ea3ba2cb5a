"""The bundled model is what its card says."""

from __future__ import annotations

import io
import json
import tarfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_builder import reference

import edgert

DEMO = files("edgert").joinpath("demo")
CARD: dict[str, Any] = json.loads(DEMO.joinpath("card.json").read_text(encoding="utf-8"))
MODEL = DEMO.joinpath(CARD["file"]).read_bytes()


@pytest.fixture(scope="module")
def session() -> Any:
    with edgert.connect(edgert.compile(MODEL, board="host", name="demo")) as opened:
        yield opened


def _input(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (image.astype(np.int16) - 128).astype(np.int8)[None]


def test_it_is_small() -> None:
    assert len(MODEL) == CARD["file_bytes"] < 150_000


def test_same_bytes_as_the_reference_and_as_many_right_as_the_card_says(session: Any) -> None:
    with np.load(io.BytesIO(DEMO.joinpath("images.npz").read_bytes())) as archive:
        images, labels = archive["images"], archive["labels"]
    right = 0
    for image, label in zip(images, labels, strict=True):
        (scores,) = session.run(_input(image))
        np.testing.assert_array_equal(scores, reference(MODEL, _input(image))[0])
        right += int(scores.argmax() == label)
    assert (right, len(images)) == (CARD["drawn_right"], CARD["drawn"])


@pytest.mark.shared_models
def test_accuracy_on_the_first_thousand_test_images(session: Any, shared_models_dir: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    archive = shared_models_dir.parent / "data" / "cifar10_jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    with tarfile.open(archive) as tar:
        found = {
            m.name: tar.extractfile(m).read()  # type: ignore[union-attr]
            for m in tar
            if m.isfile() and "/test/" in f"/{m.name}" and m.name.endswith((".jpg", ".jpeg"))
        }
    names = sorted(found)[:1000]
    right = 0
    for name in names:
        picture = np.asarray(image_module.open(io.BytesIO(found[name])).convert("RGB"))
        right += int(session.run(_input(picture))[0].argmax() == CARD["classes"].index(name.split("/")[-2]))
    assert right == CARD["int8_right_of_first_1000"]
