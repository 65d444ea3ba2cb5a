"""--input: files, images and seeds to arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgert.cli.inputs import load_inputs, random_input
from edgert.cli.png import read_png
from edgert.errors import InputError

Image = pytest.importorskip("PIL.Image", reason="Pillow writes the test pictures")


def port(shape: tuple[int, ...], dtype: str = "int8", scale: float | None = 0.5) -> dict[str, Any]:
    return {"name": "x", "shape": list(shape), "dtype": dtype, "scale": scale, "zero_point": 3}


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 16)])
def test_png_as_pillow_reads_it(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    """Smooth and noisy parts, so that the writer chooses every row filter."""
    generator = np.random.default_rng(5)
    base = np.add.outer(np.arange(size[1]) * 7, np.arange(size[0]) * 3)[:, :, None] + np.arange(4) * 40
    noise = generator.integers(0, 40, base.shape) * (np.arange(size[1]) % 2)[:, None, None]
    picture = Image.fromarray(((base + noise) % 256).astype(np.uint8), "RGBA").convert(mode)
    picture.save(tmp_path / "x.png")
    expected = np.asarray(picture.convert("RGB" if mode in ("RGB", "RGBA", "P") else "L"))
    if mode == "RGBA":
        expected = np.asarray(picture)[:, :, :3]
    if mode == "LA":
        expected = np.asarray(picture)[:, :, 0]
    ours = read_png(tmp_path / "x.png")
    assert ours.reshape(expected.shape).tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("keep", [0, 4, 8, 20, 40, 60, -1, -12, -20])
def test_cut_png_is_an_input_error(tmp_path: Path, keep: int) -> None:
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()[:keep]
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(InputError, match="not a PNG"):
        read_png(tmp_path / "x.png")


@pytest.mark.parametrize(
    ("dtype", "expected"), [("int8", [-128, 127]), ("uint8", [0, 255]), ("float32", [0.0, 1.0])]
)
def test_image_to_dtype(tmp_path: Path, dtype: str, expected: list[float]) -> None:
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "x.png")
    (array,) = load_inputs([str(tmp_path / "x.png")], [port((1, 1, 2, 1), dtype)])
    assert array.dtype == dtype
    assert array.reshape(-1).tolist() == expected


def test_colour_becomes_grey_by_luma(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).save(tmp_path / "x.png")
    (array,) = load_inputs([str(tmp_path / "x.png")], [port((1, 1, 3, 1), "uint8")])
    assert array.reshape(-1).tolist() == [76, 150, 29]


def test_image_of_another_size_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(InputError, match=r"5x4, 3 channels.*\[1, 4, 4, 3\]"):
        load_inputs([str(tmp_path / "x.png")], [port((1, 4, 4, 3))])


def test_batch_of_one_may_be_left_out(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.int8))
    (array,) = load_inputs([str(tmp_path / "x.npy")], [port((1, 2, 3))])
    assert array.shape == (1, 2, 3)


def test_float_for_an_int8_input_says_how_to_quantize(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 2), np.float32))
    with pytest.raises(InputError) as caught:
        load_inputs([str(tmp_path / "x.npy")], [port((1, 2))])
    assert "round(real / 0.5) + 3" in caught.value.hint


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "bool", "float32"])
def test_random_inputs_are_seeded(dtype: str) -> None:
    first, again = (random_input(port((1, 500), dtype), 7) for _ in range(2))
    assert first.dtype == dtype
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != random_input(port((1, 500), dtype), 8).tobytes()
    if dtype == "int8":
        assert (first.min(), first.max()) == (-128, 127)
