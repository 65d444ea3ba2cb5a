"""A binary network in the npz layout of docs/binary.md, in exact integers and nothing else.

Products of signs are counted by a matrix product of float32, which is exact: no sum reaches 2^24.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def scores(arrays: Mapping[str, Array], images: Array, pools: tuple[int, ...] = (1, 3)) -> Array:
    """images: uint8 [n, 32, 32, 3]. Returns int32 [n, 10]."""
    x = images.astype(np.float32) - 128
    layers = len(arrays["kernel"])
    for i, kernel in enumerate(arrays["kernel"].tolist()):
        taps = kernel * kernel * x.shape[3]
        signs = (
            2.0 * np.unpackbits(arrays[f"w{i}"], axis=1, bitorder="little", count=taps).astype(np.float32) - 1
        )
        windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (1, 2))
        n, h, w = windows.shape[:3]
        flat = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, taps)
        dot = (flat @ signs.T).reshape(n, h, w, -1)
        if i == layers - 1:
            return ((dot.reshape(n, -1) + taps) / 2).astype(np.int32)[:, :10]
        above = 2 * dot > arrays[f"t{i}"] if i == 0 else (dot + taps) / 2 > arrays[f"t{i}"]
        x = np.where(above, np.float32(1), np.float32(-1))
        if i in pools:
            h, w = h // 2, w // 2
            x = x[:, : 2 * h, : 2 * w].reshape(n, h, 2, w, 2, -1).max((2, 4))
    raise AssertionError("no layers")
