"""csrc/kernels/fully_connected"""

from __future__ import annotations

from functools import partial

import numpy as np

from edgert.codegen.kernels import channel, paired, scalar
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Array, Step

_VARYING = ("in_c", "out_c", "x_zero", "y_zero")
_PAIRS = 4  # of outputs in a block


def dsp_supports(step: Step, constants: Constants) -> bool:
    weights = channel.by_channel(constants)
    return paired.separable(step, constants, weights) and channel.requantizable(step, constants, weights)


def _once(requant: Array) -> Array:
    """[channels, 2] -> the multiplier, which all share, then the first words."""
    return np.append(requant[0, 1], requant[:, 0])


def dsp_pack(step: Step, constants: Constants, uniform: int) -> dict[str, Array]:
    """Blocks of eight outputs, then pairs; inputs rounded up to four with zero weights."""
    weights = channel.by_channel(constants)
    lines = np.pad(weights, ((0, 0), (0, -weights.shape[1] % 4)))[:, None, :]
    words = paired.words(lines)
    whole = weights.shape[0] // (2 * _PAIRS) * _PAIRS
    requant = paired.pair_words(step, constants, weights)
    return {
        "weights": np.concatenate([paired.block(words[:whole], _PAIRS, run=2), words[whole:].ravel()]),
        "requant": _once(requant) if uniform else requant,
    }


def _one(constants: Constants, *roles: str) -> bool:
    """Whether all channels have the same."""
    return all(bool((constants[role] == constants[role][0]).all()) for role in roles)


def _dsp(uniform: int) -> Variant:
    """uniform: all channels have the same multiplier, which is then stored once."""

    def supports(step: Step, constants: Constants) -> bool:
        return (not uniform or _one(constants, "multiplier")) and dsp_supports(step, constants)

    return Variant(
        "fully_connected_s8",
        "dsp",
        "kernels/fully_connected/fully_connected_s8__dsp.h",
        requires=frozenset({"arm-dsp"}),
        supports=supports,
        pack=partial(dsp_pack, uniform=uniform),
        varying=_VARYING,
        arguments=(("uniform", uniform),),
    )


def scalar_pack(step: Step, constants: Constants, outputs: int, uniform: int) -> dict[str, Array]:
    weights = channel.by_channel(constants)
    requant = channel.channel_words(step, constants, weights)
    return {
        "weights": scalar.tiles(weights, outputs),
        "requant": _once(requant) if uniform else requant,
    }


def _scalar(outputs: int, uniform: int, requires: frozenset[str] = frozenset()) -> Variant:
    """uniform: all channels have the same multiplier and shift, which are then taken apart once."""

    def supports(step: Step, constants: Constants) -> bool:
        fits = channel.requantizable(step, constants, channel.by_channel(constants))
        return fits and (not uniform or _one(constants, "multiplier", "shift"))

    return Variant(
        "fully_connected_s8",
        "scalar",
        "kernels/fully_connected/fully_connected_s8__scalar.h",
        requires=requires,
        supports=supports,
        pack=partial(scalar_pack, outputs=outputs, uniform=uniform),
        varying=_VARYING,
        arguments=(("outputs", outputs), ("uniform", uniform)),
    )


VARIANTS = (
    _dsp(1),
    _dsp(0),
    _scalar(8, 1, frozenset({"rv32m"})),
    _scalar(8, 0, frozenset({"rv32m"})),
    _scalar(4, 1),
    _scalar(4, 0),
    Variant("fully_connected_s8", "ref", "kernels/fully_connected/fully_connected_s8.h"),
)
