"""csrc/kernels/depthwise_conv2d"""

from __future__ import annotations

from functools import partial

import numpy as np

from edgert.codegen.kernels import channel
from edgert.codegen.kernels.overlap import ints, lead, window_reads
from edgert.codegen.kernels.variant import Constants, Variant, apart, never
from edgert.codegen.program import Array, Step

_VARYING = ("in_h", "in_w", "in_c", "out_h", "out_w", "out_c", "pad_top", "pad_left", "x_zero", "y_zero")


def ref_lead_bytes(step: Step, input_index: int) -> int | None:
    """Each output element reads its own channel's window anew."""
    (out_c,) = ints(step, "out_c")
    source = np.arange(out_c) // int(step.attrs["depth_multiplier"])
    return lead((window_reads(step)[:, None] + source).ravel())


def dsp_supports(step: Step, constants: Constants) -> bool:
    simple = step.attrs["depth_multiplier"] == 1 and step.attrs["dilation_w"] == 1
    return simple and channel.requantizable(step, constants, channel.depthwise_by_channel(constants))


def pack(step: Step, constants: Constants) -> dict[str, Array]:
    """Both variants take one channel after the other."""
    weights = channel.depthwise_by_channel(constants)
    return {
        "weights": weights.astype(np.int8).ravel(),
        "requant": channel.channel_words(step, constants, weights),
    }


def _dsp(band: int) -> Variant:
    """band: rows of output that share a plane; 0: all of them."""

    def supports(step: Step, constants: Constants) -> bool:
        return (band > 0 or keeps_shape(step)) and dsp_supports(step, constants)

    return Variant(
        "depthwise_conv2d_s8",
        "dsp",
        "kernels/depthwise_conv2d/depthwise_conv2d_s8__dsp.h",
        requires=frozenset({"arm-dsp"}),
        supports=supports,
        pack=pack,
        scratch_bytes=partial(plane_bytes, band=band),
        lead_bytes=partial(band_lead_bytes, band=band) if band else apart,
        shares_input=keeps_shape if band == 0 else never,
        uses_scratch=True,
        varying=(*_VARYING, "band"),
        arguments=(("band", band),),
    )


def keeps_shape(step: Step) -> bool:
    """Channel by channel through a plane, such a layer can run exactly in place."""
    return ints(step, "in_h", "in_w") == ints(step, "out_h", "out_w")


def plane_bytes(step: Step, band: int) -> int:
    """Of int16: the taps, then as many rows as `band` rows of output need, as wide as the windows reach."""
    in_w, out_h, out_w, stride_h, stride_w = ints(step, "in_w", "out_h", "out_w", "stride_h", "stride_w")
    kernel_h, kernel_w, dilation_h, pad_left = ints(step, "kernel_h", "kernel_w", "dilation_h", "pad_left")
    rows = (min(band or out_h, out_h) - 1) * stride_h + (kernel_h - 1) * dilation_h + 1
    columns = max((out_w - 1) * stride_w + kernel_w, pad_left + in_w)
    taps = (kernel_h * kernel_w + 2) // 2 * 2
    return 2 * (taps + rows * ((columns + 3) // 2 * 2))


def band_lead_bytes(step: Step, input_index: int, band: int) -> int | None:
    """A band is written channel by channel: each while the band's rows of later channels are still needed,
    the last while only the next band's are."""
    batch, in_h, in_w, out_h, out_w = ints(step, "batch", "in_h", "in_w", "out_h", "out_w")
    channels, stride_h, pad_top = ints(step, "out_c", "stride_h", "pad_top")
    first = np.arange(0, out_h, band)
    image = np.arange(batch)[:, None]
    read = (image * in_h + np.clip(first * stride_h - pad_top, 0, in_h - 1)) * in_w * channels
    written = (image * out_h + np.minimum(first + band, out_h)) * out_w * channels
    needed = np.append(read.ravel(), batch * in_h * in_w * channels)
    last_channel = written.ravel()[:-1] - needed[1:-1]
    others = written.ravel() - channels - needed[:-1]
    candidates = [*last_channel, *(others if channels > 1 else ())]
    return int(max(candidates, default=0))


_WIDEST = 8  # kernel_w of the scalar variant


def scalar_supports(step: Step, constants: Constants) -> bool:
    exact = channel.requantizable(step, constants, channel.depthwise_by_channel(constants))
    small = step.attrs["depth_multiplier"] == 1 and int(step.attrs["kernel_w"]) <= _WIDEST
    return small and exact


def _span(step: Step) -> int:
    """Rows of input from the first tap of a window to its last."""
    kernel_h, dilation_h = ints(step, "kernel_h", "dilation_h")
    return (kernel_h - 1) * dilation_h + 1


def scalar_scratch_bytes(step: Step) -> int:
    in_w, in_c, out_w, stride_w = ints(step, "in_w", "in_c", "out_w", "stride_w")
    kernel_w, dilation_w, pad_left = ints(step, "kernel_w", "dilation_w", "pad_left")
    columns = (out_w - 1) * stride_w + (kernel_w - 1) * dilation_w + 1
    return _span(step) * in_c * max(columns, pad_left + in_w)


def scalar_lead_bytes(step: Step, input_index: int) -> int | None:
    """A row of output is written after its rows of input were read, each once."""
    batch, in_h, in_w, in_c, out_h, out_w = ints(step, "batch", "in_h", "in_w", "in_c", "out_h", "out_w")
    stride_h, pad_top = ints(step, "stride_h", "pad_top")
    start = np.arange(out_h) * stride_h
    fresh = np.maximum(start, np.append(0, start[:-1] + _span(step))) - pad_top
    rows = np.arange(batch)[:, None] * in_h + np.clip(fresh, 0, in_h)
    return lead(rows, out_w * in_c, read_bytes=in_w * in_c)


def _scalar(pixels: int) -> Variant:
    return Variant(
        "depthwise_conv2d_s8",
        "scalar",
        "kernels/depthwise_conv2d/depthwise_conv2d_s8__scalar.h",
        supports=scalar_supports,
        pack=pack,
        scratch_bytes=scalar_scratch_bytes,
        lead_bytes=scalar_lead_bytes,
        uses_scratch=True,
        varying=_VARYING,
        arguments=(("pixels", pixels),),
    )


VARIANTS = (
    *(_dsp(band) for band in (0, 4, 2, 1)),
    _scalar(4),
    _scalar(2),
    Variant(
        "depthwise_conv2d_s8",
        "ref",
        "kernels/depthwise_conv2d/depthwise_conv2d_s8.h",
        lead_bytes=ref_lead_bytes,
    ),
)
