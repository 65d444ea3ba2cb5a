"""Read a PNG into an array, so that `--input image.png` needs no image library.

8-bit greyscale, RGB, palette and their alpha variants, not interlaced: what people save a test picture as.
Source: PNG specification, third edition (W3C, 2025), sections 5 (chunks), 7 and 9 (filtering).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgert.errors import InputError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
PALETTE = 3


def read_png(path: Path) -> npt.NDArray[np.uint8]:
    """The picture as [height, width, channels]; an alpha channel is dropped.

    Raises InputError for anything that is not such a PNG.
    """
    try:
        return _decode(path.read_bytes())
    except (ValueError, struct.error, zlib.error, IndexError, KeyError) as error:
        raise InputError(
            f"not a PNG that can be read ({error})",
            where=str(path),
            rule="8-bit greyscale, RGB or palette, not interlaced",
            hint="save it again as plain 8-bit RGB PNG, or pass the tensor as a .npy file",
        ) from error


def _decode(data: bytes) -> npt.NDArray[np.uint8]:
    if not data.startswith(SIGNATURE):
        raise ValueError("no PNG signature")
    header, palette, packed = b"", b"", b""
    for kind, body in _chunks(data):
        header = body if kind == b"IHDR" else header
        palette = body if kind == b"PLTE" else palette
        packed += body if kind == b"IDAT" else b""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth != 8 or interlaced or colour not in CHANNELS:
        raise ValueError(f"{depth} bits a sample, colour type {colour}, interlaced {interlaced}")
    channels = CHANNELS[colour]
    inflater = zlib.decompressobj()
    raw = inflater.decompress(packed, height * (width * channels + 1))
    pixels = _unfilter(raw, height, width * channels, channels).reshape(height, width, channels)
    if colour == PALETTE:
        return np.frombuffer(palette, np.uint8).reshape(-1, 3)[pixels[:, :, 0]]
    return pixels[:, :, : channels - 1] if colour in (4, 6) else pixels


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        (crc,) = struct.unpack_from(">I", data, at + 8 + size)
        if crc != zlib.crc32(kind + body):
            raise ValueError("damaged")
        yield kind, body
        if kind == b"IEND":
            return
        at += 12 + size
    raise ValueError("truncated")


def _unfilter(raw: bytes, rows: int, stride: int, step: int) -> npt.NDArray[np.uint8]:
    """Undo the row filters; `step` is the distance in bytes to the pixel on the left."""
    if len(raw) != rows * (stride + 1):
        raise ValueError("truncated")
    above = bytearray(stride)
    result = bytearray()
    for start in range(0, len(raw), stride + 1):
        line = bytearray(raw[start + 1 : start + 1 + stride])
        _unfilter_row(raw[start], line, above, step)
        result += line
        above = line
    return np.frombuffer(bytes(result), np.uint8)


def _unfilter_row(kind: int, line: bytearray, above: bytearray, step: int) -> None:
    if kind > 4:
        raise ValueError(f"filter {kind}")
    for i in range(len(line)):
        left = line[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        guess = (0, left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))[kind]
        line[i] = (line[i] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    distances = (
        (abs(up - corner), 0, left),
        (abs(left - corner), 1, up),
        (abs(left + up - 2 * corner), 2, corner),
    )
    return min(distances)[2]
