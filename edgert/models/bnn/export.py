"""A trained Cnv as whole numbers: the npz layout of docs/binary.md; and the proof that nothing changed.

The other networks have real first and last layers and go to the compiler as they are: edgert.load(net,
example=x).
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from torch import nn

import edgert
from edgert.cache import write_aside
from edgert.errors import ModelError
from edgert.models.bnn.binary import BinaryConv2d
from edgert.models.bnn.nets import Cnv
from edgert.models.data import STD, Array, to_input


def save_npz(net: Cnv, path: Path) -> None:
    """Write the network; `path` is whole or not there at all."""
    arrays: dict[str, Array] = {
        "kernel": np.array([c.weight.shape[2] for c in _convs(net)]),
        "cin": np.array([c.weight.shape[1] for c in _convs(net)]),
        "cout": np.array([c.weight.shape[0] for c in _convs(net)]),
        "pools": np.array(net.POOLS),
        "classes": np.array(net.classes),
    }
    for i, conv in enumerate(_convs(net)):
        signs = _signs(conv)
        if i < len(net.norms):
            limit, falls = _limit(net.norms[i], STD if i == 0 else 1.0)
            signs = np.where(falls[:, None], -signs, signs)
            arrays[f"t{i}"] = 2 * limit - 1 if i == 0 else -(-(limit + signs.shape[1]) // 2) - 1
        arrays[f"w{i}"] = np.packbits(signs > 0, axis=1, bitorder="little")
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # numpy takes arrays by any name
    write_aside(path, stream.getvalue())


def check(net: Cnv, path: Path, images: Array, board: str = "host") -> None:
    """Compare the scores of the trained and of the compiled network, bit for bit.

    images: uint8 [n, 32, 32, 3]. Raises ModelError, which names the first image that differs.
    """
    net.eval()
    with torch.no_grad():
        equal = (net.scores(to_input(torch.from_numpy(images))) + net.last.weight.shape[1]) / 2
    with edgert.connect(edgert.compile(path, board=board)) as session:
        for number, (image, wanted) in enumerate(zip(images, equal.numpy(), strict=True)):
            (got,) = session.run(image[None])
            if not np.array_equal(got[0], wanted):
                raise ModelError(
                    f"image {number}: the compiled network's scores are {got[0].tolist()}, "
                    f"the trained one's {wanted.astype(int).tolist()}",
                    where=str(path), rule="they are the same whole numbers",
                )  # fmt: skip


def _convs(net: Cnv) -> list[BinaryConv2d]:
    return [*net.convs, net.last]


def _signs(conv: BinaryConv2d) -> Array:
    """[outputs, kernel * kernel * inputs] in the order (ky, kx, input)"""
    with torch.no_grad():
        signs = conv.signs().permute(0, 2, 3, 1)
    return np.where(signs.reshape(len(signs), -1).numpy() >= 0, 1, -1)


def _limit(norm: nn.Module, unit: float) -> tuple[Array, Array]:
    """The least whole sum that gives +1, and where the norm falls; unit: inputs are whole numbers over it."""
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None and norm.running_mean is not None
    with torch.no_grad():
        gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).double().numpy()
        shift = norm.bias.double().numpy() - norm.running_mean.double().numpy() * gain
    falls = gain < 0
    limit = np.ceil(-shift * unit / np.where(gain == 0, 1e-30, np.abs(gain)))
    return np.clip(limit, -(2**21), 2**21).astype(np.int64), falls
