"""Calibration data from files: a folder of images, or an array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgert.errors import InputError, ToolError

Array = npt.NDArray[np.float32]
_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp")


def read(
    source: str | Path, shape: Sequence[int], *, count: int = 200, seed: int = 0,
    mean: Sequence[float] = (0.0,), std: Sequence[float] = (255.0,),
) -> list[Array]:  # fmt: skip
    """Up to `count` inputs of `shape` (with its batch of one), chosen by `seed`.

    source: a folder of images, searched below as well, or an .npy file of float32 inputs as the network reads
    them. mean, std: a pixel p of 0 to 255 becomes (p - mean) / std, one number for all channels or one each.
    Raises InputError, ToolError (no pillow).
    """
    path = Path(source)
    if count < 1 or not all(s > 0 for s in std):
        raise InputError(f"count {count}, std {list(std)}", rule="a count of at least 1, a std above 0")
    if path.is_dir():
        return list(
            _images(path, shape, count, seed, np.asarray(mean, np.float32), np.asarray(std, np.float32))
        )
    if path.suffix != ".npy" or not path.is_file():
        raise InputError(f"no calibration data in {path}", rule="a folder of images, or an .npy file")
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if values.shape[1:] not in (tuple(shape), tuple(shape[1:])):
        raise InputError(
            f"{path} has shape {list(values.shape)}", rule=f"[n, {', '.join(map(str, shape[1:]))}]"
        )
    chosen = np.random.default_rng(seed).permutation(len(values))[:count]
    return [values[i].astype(np.float32).reshape(shape) for i in sorted(chosen)]


def _images(
    folder: Path, shape: Sequence[int], count: int, seed: int, mean: Array, std: Array
) -> Iterator[Array]:
    if len(shape) != 4 or not {1, 3} & {shape[1], shape[3]}:
        raise InputError(
            f"images for an input of shape {list(shape)}", rule="[1, h, w, c] or [1, c, h, w], c 1 or 3"
        )
    try:
        from PIL import Image
    except ImportError as error:
        raise ToolError("reading images needs pillow", hint="pip install 'edgert[train]'") from error
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGES)
    if not paths:
        raise InputError(f"no image below {folder}", rule=f"files that end in {', '.join(_IMAGES)}")
    last = shape[3] in (1, 3)
    height, width, channels = (shape[1], shape[2], shape[3]) if last else (shape[2], shape[3], shape[1])
    for index in sorted(np.random.default_rng(seed).permutation(len(paths))[:count]):
        try:
            image = Image.open(paths[index]).convert("RGB" if channels == 3 else "L")
        except OSError as error:
            raise InputError(f"cannot read {paths[index]}: {error}") from error
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(image, np.float32).reshape(height, width, channels)
        scaled = (pixels - mean) / std
        yield np.ascontiguousarray(scaled if last else scaled.transpose(2, 0, 1), np.float32)[None]
