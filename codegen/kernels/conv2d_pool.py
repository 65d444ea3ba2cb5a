"""csrc/kernels/conv2d/conv2d_pool_s8: each kernel of conv2d_s8, band by band of a max pool behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgert.codegen.kernels import conv2d
from edgert.codegen.kernels.overlap import ints
from edgert.codegen.kernels.variant import Constants, Variant
from edgert.codegen.program import Array, Step

CONTRACT = "conv2d_pool_s8"


def band(step: Step) -> Step:
    """The convolution of one band, as conv2d_s8's kernels are asked about it."""
    attrs = {name: value for name, value in step.attrs.items() if name not in ("pool_h", "pool_w")}
    rows = step.attrs["pool_h"]
    return replace(step, op="conv2d_s8", attrs={**attrs, "batch": 1, "in_h": rows, "out_h": rows})


def band_bytes(step: Step) -> int:
    pool_h, out_w, out_c = ints(step, "pool_h", "out_w", "out_c")
    return -(-pool_h * out_w * out_c // 4) * 4


def lead_bytes(step: Step, input_index: int) -> int:
    """A row of the output is written when its band was read."""
    batch, in_h, in_w, in_c, out_w, out_c, pool_h, pool_w = ints(
        step, "batch", "in_h", "in_w", "in_c", "out_w", "out_c", "pool_h", "pool_w"
    )
    rows, written = in_h // pool_h, out_w // pool_w * out_c
    worst = []
    for image in range(batch):
        for row in range(rows):
            last = row == rows - 1
            needed = (
                (image + 1) * in_h * in_w * in_c
                if last
                else (image * in_h + (row + 1) * pool_h) * in_w * in_c
            )
            worst.append((image * rows + row + 1) * written - needed)
    return max(worst[:-1], default=0)


def _banded(of: Variant) -> Variant:
    def supports(step: Step, constants: Constants) -> bool:
        return of.supports(band(step), constants)

    def pack(step: Step, constants: Mapping[str, Array]) -> dict[str, Array]:
        return of.pack(band(step), constants)

    def scratch_bytes(step: Step) -> int:
        return band_bytes(step) + of.scratch_bytes(band(step))

    header = "conv2d_pool_s8.h" if of.name == "ref" else f"conv2d_pool_s8__{of.name}.h"
    return replace(
        of, contract=CONTRACT, header=f"kernels/conv2d/{header}", supports=supports, pack=pack,
        scratch_bytes=scratch_bytes, lead_bytes=lead_bytes, uses_scratch=True, varying=(),
    )  # fmt: skip


VARIANTS = tuple(_banded(variant) for variant in conv2d.VARIANTS)
