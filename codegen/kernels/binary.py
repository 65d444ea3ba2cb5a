"""csrc/kernels/binary: bits of channels in words, and rows of weights for sums that are kept bit-sliced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edgert.codegen.kernels import binary_tree, channel, paired
from edgert.codegen.kernels.bits import Words, by_channel, pack_bits, xnor_pack
from edgert.codegen.kernels.overlap import image_positions, ints, lead, window_reads
from edgert.codegen.kernels.variant import Constants, Variant, as_is
from edgert.codegen.program import Array, Step, bit_words

Pack: TypeAlias = Callable[[Step, Constants], dict[str, Array]]
LeadBytes: TypeAlias = Callable[[Step, int], int | None]
_BLOCK = 16  # taps that csrc/kernels/binary/sliced.inc.h sums at once
_REAL_BYTES = {"conv2d_b1_f32": 4, "conv2d_b1_s16": 2}  # of an output that is no bit
_LONGEST = 2**16 - 1  # a tap's number has 16 bits


def _as_words(*roles: str) -> Pack:
    """These constants as bits, the others as they are."""

    def pack(step: Step, constants: Constants) -> dict[str, Array]:
        return {role: pack_bits(value > 0) if role in roles else value for role, value in constants.items()}

    return pack


def window(step: Step) -> int:
    """Taps of an output."""
    kernel_h, kernel_w, in_c = ints(step, "kernel_h", "kernel_w", "in_c")
    return kernel_h * kernel_w * in_c


def _pixel_reads(step: Step) -> npt.NDArray[np.int64]:
    """For each output pixel in order: the lowest input byte that its window touches."""
    in_c = int(step.attrs["in_c"])
    pixel_bytes = in_c if step.op == "conv2d_s8_b1" else 4 * bit_words(in_c)
    return window_reads(step) // in_c * pixel_bytes


def _out_pixel(step: Step) -> tuple[int, int]:
    """Elements of an output pixel, bytes of one."""
    out_c = int(step.attrs["out_c"])
    return (out_c, _REAL_BYTES[step.op]) if step.op in _REAL_BYTES else (bit_words(out_c), 4)


def by_word_lead(step: Step, input_index: int) -> int:
    """Each word of the output is written before the next one's window is read."""
    count, nbytes = _out_pixel(step)
    return lead(np.repeat(_pixel_reads(step), count), nbytes, read_bytes=1)


def by_pixel_lead(step: Step, input_index: int) -> int:
    """The list of a window's taps is made before any of its pixel is written."""
    count, nbytes = _out_pixel(step)
    return lead(_pixel_reads(step), count * nbytes, read_bytes=1)


def slices(step: Step) -> int:
    """Bits of a sum; as ert_sliced_bits."""
    return max(7, (2 * window(step)).bit_length())


def sliced_supports(step: Step, constants: Constants) -> bool:
    return window(step) < _LONGEST


def _lanes(values: Array, lanes: int) -> Array:
    """[out_c, ...] -> [groups, lanes, ...], what is missing 0."""
    missing = [(0, -values.shape[0] % lanes)] + [(0, 0)] * (values.ndim - 1)
    return np.pad(values, missing).reshape(-1, lanes, *values.shape[1:])


def sliced_rows(step: Step, weights: Array, lanes: int) -> Words:
    """[groups, taps and a row of zeros, words]"""
    taps = _lanes(weights.reshape(weights.shape[0], -1) > 0, lanes)
    rows = np.pad(taps, ((0, 0), (0, 0), (0, 1))).transpose(0, 2, 1)
    return pack_bits(rows)


def sliced_pack(step: Step, constants: Constants, lanes: int) -> dict[str, Array]:
    """Thresholds for the sums of +1, of -1 and of both, bit by bit; no sum reaches a missing channel's."""
    n, bits = window(step), slices(step)
    weights = constants["weights"]
    ones = (weights.reshape(weights.shape[0], -1) > 0).sum(1)
    t = np.clip(constants["threshold"].astype(np.int64), -n, n + 1)
    equal = -((-t - n) // 2)  # dot >= t where so many bits are equal
    top = 2**bits - 1
    limits = np.stack([equal + ones, ones + n - equal + 1, t + n], axis=1)
    limits = np.clip(limits, 0, top)
    missing = -len(t) % lanes
    limits = np.concatenate([limits, np.tile([[top, 0, top]], (missing, 1))]).reshape(-1, lanes, 3)
    sliced = limits[..., None] >> np.arange(bits) & 1  # [groups, lanes, 3, bits]
    return {
        "weights": sliced_rows(step, weights, lanes),
        "threshold": pack_bits(sliced.transpose(0, 2, 3, 1) > 0),
    }


def sliced_real_pack(step: Step, constants: Constants, lanes: int) -> dict[str, Array]:
    weights = constants["weights"]
    ones = (weights.reshape(weights.shape[0], -1) > 0).sum(1)
    return {
        "weights": sliced_rows(step, weights, lanes),
        "ones": ones.astype(np.int32),
        "scale": constants["scale"],
        "bias": constants["bias"],
    }


def sliced_scratch_bytes(step: Step) -> int:
    """Half of the taps; where zeros lie outside of the map, all of them, in two lists."""
    n = window(step)
    longest = n + 2 * _BLOCK if step.attrs["pad_value"] == 0 and _padded(step) else n // 2 + _BLOCK
    return 2 * longest


def _padded(step: Step) -> bool:
    in_h, in_w, out_h, out_w, pad_top, pad_left = ints(
        step, "in_h", "in_w", "out_h", "out_w", "pad_top", "pad_left"
    )
    kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w = ints(
        step, "kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w"
    )
    bottom = (out_h - 1) * stride_h - pad_top + (kernel_h - 1) * dilation_h
    right = (out_w - 1) * stride_w - pad_left + (kernel_w - 1) * dilation_w
    return pad_top > 0 or pad_left > 0 or bottom >= in_h or right >= in_w


def _sliced(lanes: int, requires: frozenset[str]) -> tuple[Variant, ...]:
    bits = Variant(
        "conv2d_b1",
        f"sliced{lanes}",
        f"kernels/binary/conv2d_b1__sliced{lanes}.h",
        requires=requires,
        supports=sliced_supports,
        pack=partial(sliced_pack, lanes=lanes),
        scratch_bytes=sliced_scratch_bytes,
        lead_bytes=by_pixel_lead,
        uses_scratch=True,
    )
    reals = partial(sliced_real_pack, lanes=lanes)
    return bits, *(replace(bits, contract=contract, pack=reals) for contract in _REAL_BYTES)


def xnor_scratch_bytes(step: Step) -> int:
    kernel_h, kernel_w, in_c = ints(step, "kernel_h", "kernel_w", "in_c")
    return 4 * kernel_h * kernel_w * bit_words(in_c)


def cpop_pack(step: Step, constants: Constants) -> dict[str, Array]:
    packed = xnor_pack(step, constants)
    words = by_channel(constants["weights"])
    fours = np.pad(words, ((0, -len(words) % 4), (0, 0))).reshape(-1, 4, words.shape[1])
    return packed | {"weights": fours.transpose(0, 2, 1)}


_XNOR = Variant(
    "conv2d_b1",
    "xnor",
    "kernels/binary/conv2d_b1__xnor.h",
    pack=xnor_pack,
    scratch_bytes=xnor_scratch_bytes,
    lead_bytes=by_pixel_lead,
    uses_scratch=True,
)


_CPOP = replace(
    _XNOR,
    name="cpop",
    header="kernels/binary/conv2d_b1__cpop.h",
    requires=frozenset({"zbb"}),
    pack=cpop_pack,
)


_TREE = replace(
    _XNOR,
    name="tree",
    header="kernels/binary/conv2d_b1__tree.h",
    supports=binary_tree.tree_supports,
    pack=binary_tree.tree_pack,
    scratch_bytes=binary_tree.tree_scratch_bytes,
)


def _as_bias(step: Step, constants: Constants) -> tuple[Constants, channel.Int]:
    """The threshold as a bias that is taken off, as far as a sum can reach; and the weights by channel."""
    weights = channel.by_channel(constants)
    reach = np.abs(weights).sum(1) * (128 + abs(int(step.attrs["x_zero"]))) + 1
    bias = -np.clip(constants["threshold"].astype(np.int64), -reach, reach)
    return {"weights": constants["weights"], "bias": bias}, weights


def first_dsp_supports(step: Step, constants: Constants) -> bool:
    return paired.separable(step, *_as_bias(step, constants))


def first_dsp_pack(step: Step, constants: Constants, pixels: int) -> dict[str, Array]:
    biased, weights = _as_bias(step, constants)
    lines, pairs = weights.reshape(weights.shape[0], int(step.attrs["kernel_h"]), -1), 4 // pixels
    starts = channel.folded_bias(step, biased, weights).astype(np.int32)
    return {
        "weights": paired.block(paired.words(lines), pairs),
        "starts": np.pad(starts, (0, -len(starts) % (2 * pairs))),
    }


def first_dsp_scratch_bytes(step: Step, pixels: int) -> int:
    kernel_h, kernel_w, in_c = ints(step, "kernel_h", "kernel_w", "in_c")
    line = kernel_w * in_c
    return 4 * pixels * kernel_h * (-(-line // 2)) + line


def first_dsp_lead_bytes(step: Step, input_index: int, pixels: int) -> int:
    """The windows of a block of pixels are read before any of it is written."""
    count, nbytes = _out_pixel(step)
    reads = _pixel_reads(step)
    padded = np.pad(reads, (0, -reads.size % pixels), mode="edge").reshape(-1, pixels)
    return lead(padded.min(1), pixels * count * nbytes, read_bytes=1)


def _first_dsp(pixels: int) -> Variant:
    return Variant(
        "conv2d_s8_b1",
        "dsp",
        "kernels/binary/conv2d_s8_b1__dsp.h",
        requires=frozenset({"arm-dsp"}),
        supports=first_dsp_supports,
        pack=partial(first_dsp_pack, pixels=pixels),
        scratch_bytes=partial(first_dsp_scratch_bytes, pixels=pixels),
        lead_bytes=partial(first_dsp_lead_bytes, pixels=pixels),
        uses_scratch=True,
        arguments=(("pixels", pixels),),
    )


def pool_lead_bytes(step: Step, input_index: int) -> int:
    batch, in_h, in_w, channels, out_h, out_w = ints(
        step, "batch", "in_h", "in_w", "channels", "out_h", "out_w"
    )
    stride_h, stride_w, pad_top, pad_left = ints(step, "stride_h", "stride_w", "pad_top", "pad_left")
    rows = np.maximum(np.arange(out_h) * stride_h - pad_top, 0)
    columns = np.maximum(np.arange(out_w) * stride_w - pad_left, 0)
    return lead(image_positions(batch, in_h, in_w, bit_words(channels), rows, columns), 4)


def sign_lead_bytes(step: Step, input_index: int) -> int:
    """A word is written when its channels were read: it is never larger than they are, but for a last few."""
    outer, channels = ints(step, "outer", "channels")
    each = {"sign_f32_b1": 4, "sign_s16_b1": 2, "sign_s8_b1": 1}[step.op]
    starts = np.arange(0, channels, 32)
    reads = (np.arange(outer)[:, None] * channels + starts).ravel() * each
    return lead(reads, 4, read_bytes=1)


def _ref(contract: str, lead_bytes: LeadBytes, pack: Pack = as_is) -> Variant:
    header = f"kernels/binary/{contract}.h"
    return Variant(contract, "ref", header, pack=pack, lead_bytes=lead_bytes)


VARIANTS = (
    *_sliced(256, frozenset({"simd256"})),
    *_sliced(128, frozenset({"simd128"})),
    _CPOP,
    _TREE,
    *_sliced(32, frozenset()),
    _XNOR,
    _first_dsp(4),
    _first_dsp(2),
    _ref("conv2d_b1", by_word_lead, _as_words("weights")),
    _ref("conv2d_b1_f32", by_word_lead, _as_words("weights")),
    _ref("conv2d_b1_s16", by_word_lead, _as_words("weights")),
    _ref("conv2d_s8_b1", by_word_lead),
    _ref("max_pool2d_b1", pool_lead_bytes, _as_words("minimum")),
    _ref("sign_s8_b1", sign_lead_bytes, _as_words("flip")),
    _ref("sign_s16_b1", sign_lead_bytes, _as_words("flip")),
    _ref("sign_f32_b1", sign_lead_bytes),
)
