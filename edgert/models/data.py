"""CIFAR-10: from a folder or a .tar of JPEGs, or torchvision's own copy, as arrays that are decoded once."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edgert import cache
from edgert.errors import InputError, ToolError

Array = np.ndarray[Any, Any]
SIDE = 32
MEAN, STD = 128.0, 64.0  # a pixel p becomes (p - 128) / 64: an int8 input is then the pixel less 128, exactly


@dataclass(frozen=True, eq=False)
class Data:
    """images: uint8 [n, 32, 32, 3]; labels: int64 [n]. classes: their names, in the order of the labels."""

    classes: tuple[str, ...]
    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array

    def part(self, images: int, seed: int = 0) -> Data:
        """As if the training set had only so many images, the same ones for the same seed."""
        if images >= len(self.train_images):
            return self
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self.train_images))[:images])
        return Data(
            self.classes,
            self.train_images[chosen],
            self.train_labels[chosen],
            self.test_images,
            self.test_labels,
        )

    def held_out(self, every: int) -> Data:
        """One training image in so many takes the place of the test images, and is not trained with."""
        held = np.arange(len(self.train_images)) % every == 0
        images, labels = self.train_images, self.train_labels
        return Data(self.classes, images[~held], labels[~held], images[held], labels[held])


def load(source: str | Path) -> Data:
    """source: "torchvision", or a folder or .tar(.gz, .xz) with train/<class>/*.jpg and test/<class>/*.jpg,
    32x32.

    Decoded images are kept in the cache. Raises InputError, ToolError (torchvision or pillow is missing).
    """
    if str(source) == "torchvision":
        return _torchvision()
    path = Path(source)
    if not path.exists():
        raise InputError(f"no data at {path}", hint='a folder or .tar of JPEGs, or "torchvision"')
    stamp = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {stamp.st_size} {stamp.st_mtime_ns}".encode()).hexdigest()[:24]
    kept = cache.root() / "data" / f"{key}.npz"
    if not kept.is_file():
        buffer = io.BytesIO()
        np.savez(buffer, **_decoded(path))  # type: ignore[arg-type]  # numpy takes arrays by any name
        cache.write_aside(kept, buffer.getvalue())
    with np.load(kept) as arrays:
        names = tuple(str(c) for c in arrays["classes"])
        return Data(
            names, *(arrays[n] for n in ("train_images", "train_labels", "test_images", "test_labels"))
        )


def _decoded(path: Path) -> dict[str, Array]:
    try:
        from PIL import Image
    except ImportError as error:
        raise ToolError("reading images needs pillow", hint="pip install 'edgert[train]'") from error
    found = sorted(_files(path))
    classes = sorted({name.split("/")[-2] for name, _ in found})
    arrays: dict[str, Array] = {"classes": np.array(classes)}
    for split in ("train", "test"):
        rows = [(name.split("/")[-2], data) for name, data in found if name.split("/")[-3] == split]
        if not rows:
            raise InputError(f"no images for {split} in {path}", rule=f"{split}/<class>/*.jpg")
        images = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for _, data in rows]
        if {image.shape for image in images} != {(SIDE, SIDE, 3)}:
            raise InputError(f"images of other sizes in {path}", rule=f"{SIDE}x{SIDE}")
        arrays[f"{split}_images"] = np.stack(images)
        arrays[f"{split}_labels"] = np.array([classes.index(label) for label, _ in rows])
    return arrays


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes); names end in split/class/file."""
    if path.is_dir():
        for file in path.rglob("*.jp*g"):
            yield file.as_posix(), file.read_bytes()
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                image = member.name.endswith((".jpg", ".jpeg")) and member.name.count("/") >= 2
                if stream is not None and image:
                    yield member.name, stream.read()
    except tarfile.TarError as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _torchvision() -> Data:
    try:
        from torchvision.datasets import CIFAR10
    except ImportError as error:
        raise ToolError("torchvision is missing", hint="pip install torchvision, or give a folder") from error
    home = cache.root() / "data"
    train, test = (CIFAR10(home, train=flag, download=True) for flag in (True, False))
    labels = (np.array(train.targets), np.array(test.targets))
    return Data(tuple(train.classes), train.data, labels[0], test.data, labels[1])


def mixed(images: Array, labels: Array, seed: int = 0) -> tuple[Array, Array]:
    """In an order of their own: a batch of one class only has statistics that no network was trained with."""
    order = np.random.default_rng(seed).permutation(len(images))
    return images[order], labels[order]


def to_input(images: Tensor) -> Tensor:
    """uint8 or float [n, h, w, 3] of pixels -> what the networks read, [n, 3, h, w]."""
    centred = (images.float() - MEAN) / STD
    return centred.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random crops of the padded images, and flips. images: uint8 [n, h, w, 3]."""
    n, side = images.shape[:2]
    padded = F.pad(images.permute(0, 3, 1, 2).float(), (4, 4, 4, 4), mode="reflect").permute(0, 2, 3, 1)
    rows = torch.randint(0, 9, (n, 1), generator=generator) + torch.arange(side)
    columns = torch.randint(0, 9, (n, 1), generator=generator) + torch.arange(side)
    flipped = torch.rand(n, generator=generator) < 0.5
    columns[flipped] = columns[flipped].flip(1)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
