"""Images that a network learns at once, and a search space that is measured in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgert.search.space import Layer, Space

CLASSES = ("red", "green", "blue")
TINY = Space(
    "tiny", 32, len(CLASSES), "conv k3 c8 s2", (Layer(8, 8, 1), Layer(8, 16, 2)), "conv k1 c16",
    ("k3_e1", "k3_e1_g2", "k5_e3", "skip", "mp3_e3"),
)  # fmt: skip


def coloured(count: int, seed: int = 0) -> tuple[Any, Any]:
    """(images, labels): the class is the brightest channel."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    made = rng.integers(0, 120, (count, 32, 32, 3)).astype(np.uint8)
    made[np.arange(count), :, :, labels] += 100
    return made, labels
