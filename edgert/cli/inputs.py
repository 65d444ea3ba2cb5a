"""`--input`: file.npy, image.png or random:SEED to arrays of a model's shapes and dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert.errors import InputError

Array = npt.NDArray[np.generic]
DEFAULT = "random:0"
HELP = (
    "file.npy (the model's shape and dtype), image.png (int8 gets pixel - 128, uint8 the pixel, float32 "
    f"pixel / 255), or random:SEED; once per model input; default {DEFAULT}"
)


def load_inputs(specs: Sequence[str] | None, ports: Sequence[Mapping[str, Any]]) -> list[Array]:
    """One array per model input. ports: `inputs` of an artifact's report.

    Raises InputError for a wrong number, file, shape or dtype.
    """
    given = list(specs) if specs else [DEFAULT] * len(ports)
    if len(given) != len(ports):
        names = ", ".join(str(port["name"]) for port in ports)
        raise InputError(
            f"{len(given)} inputs given, the model has {len(ports)} ({names})",
            hint="give --input once per input, in that order",
        )
    return [_load(spec, port) for spec, port in zip(given, ports, strict=True)]


def random_input(port: Mapping[str, Any], seed: int) -> Array:
    """Seeded and uniform: the whole range of an integer dtype, [-1, 1) for floats."""
    generator = np.random.default_rng(seed)
    dtype = np.dtype(port["dtype"])
    made: Array
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        made = generator.integers(info.min, info.max, size=port["shape"], dtype=dtype, endpoint=True)
    elif dtype.kind == "b":
        made = generator.integers(0, 2, size=port["shape"]).astype(dtype)
    else:
        made = generator.uniform(-1, 1, size=port["shape"]).astype(dtype)
    return made


def _load(spec: str, port: Mapping[str, Any]) -> Array:
    if spec.startswith("random:"):
        return random_input(port, _seed(spec))
    path = Path(spec)
    if not path.is_file():
        raise InputError(
            f"no file {spec}", rule="file.npy, image.png or random:SEED", hint="try: --input random:0"
        )
    if path.suffix.lower() == ".png":
        return _from_image(path, port)
    return _checked(_read_npy(path), port, spec)


def _seed(spec: str) -> int:
    digits = spec.removeprefix("random:")
    if not digits.isdecimal():
        raise InputError(f"seed {digits!r} in {spec!r}", rule="a whole number >= 0", hint="try: random:0")
    return int(digits)


def _read_npy(path: Path) -> Array:
    try:
        loaded: Array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            "not a NumPy array file",
            where=str(path),
            hint="write it with numpy.save(path, array), or give a .png",
        ) from error
    if not isinstance(loaded, np.ndarray):
        raise InputError("a .npz archive, not one array", where=str(path), hint="save the one array as .npy")
    return loaded


def _checked(array: Array, port: Mapping[str, Any], where: str) -> Array:
    shape, dtype = tuple(port["shape"]), str(port["dtype"])
    if str(array.dtype) != dtype:
        raise InputError(
            f"dtype {array.dtype}",
            where=where,
            rule=f"input {port['name']} takes {dtype}",
            hint=_quantize_hint(port),
        )
    if array.shape != shape and array.shape != shape[1:]:
        raise InputError(
            f"shape {list(array.shape)}", where=where, rule=f"input {port['name']} takes {list(shape)}"
        )
    return np.ascontiguousarray(array.reshape(shape))


def _quantize_hint(port: Mapping[str, Any]) -> str:
    if port["scale"] is None:
        return f"convert it: array.astype('{port['dtype']}')"
    return (
        f"quantize it: q = clip(round(real / {port['scale']:.9g}) + {port['zero_point']}, "
        "lowest, highest) of that dtype"
    )


def _from_image(path: Path, port: Mapping[str, Any]) -> Array:
    from edgert.cli.png import read_png

    pixels = read_png(path)
    shape = tuple(port["shape"])
    if len(shape) == 4 and shape[3] == 1 and pixels.shape[2] == 3:
        # ITU-R BT.601 luma, rounded
        luma = (pixels.astype(np.int64) @ np.array([299, 587, 114]) + 500) // 1000
        pixels = luma.astype(np.uint8)[:, :, None]
    if len(shape) != 4 or shape[0] != 1 or pixels.shape != shape[1:]:
        height, width, channels = pixels.shape
        raise InputError(
            f"an image of {width}x{height}, {channels} channels",
            where=str(path),
            rule=f"input {port['name']} takes [batch, height, width, channels] = {list(shape)}",
            hint="crop and scale it to that size first: how that is done changes the answer",
        )
    return _as_dtype(pixels, str(port["dtype"]), str(path)).reshape(shape)


def _as_dtype(pixels: npt.NDArray[np.uint8], dtype: str, where: str) -> Array:
    if dtype == "int8":
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    if dtype == "uint8":
        return pixels
    if dtype == "float32":
        return pixels.astype(np.float32) / np.float32(255)
    raise InputError(f"an image for a {dtype} input", where=where, hint="pass the tensor as a .npy file")
