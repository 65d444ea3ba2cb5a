"""Every network by its name. `edgert.models.zoo.NAMES` lists them; `build(name)` makes the PyTorch module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgert.errors import UsageError
from edgert.models import blocks
from edgert.models.blocks import Block, Counts
from edgert.models.tables import FBNET, VANILLANET

if TYPE_CHECKING:
    from torch import nn

IMAGENET = 1000


@dataclass(frozen=True)
class Spec:
    """side: of the square RGB input. blocks: of an FBNet; widths, pools, patch: of a VanillaNet."""

    name: str
    side: int
    classes: int
    activation: str = "relu"
    blocks: tuple[Block, ...] = ()
    widths: tuple[int, ...] = ()
    pools: tuple[int, ...] = ()
    patch: int = 4

    @property
    def counts(self) -> Counts:
        if self.blocks:
            return blocks.count(self.blocks, self.side, self.classes)
        from edgert.models.vanillanet import count

        return count(self.widths, self.pools, self.side, self.classes, patch=self.patch)


# Ours, for small boards: the same kind of blocks, narrower and for small images.
_REDUCED_FBNET = (
    "conv k3 c16", "ir k3 e1 c16", "ir k3 e3 c24 s2, ir k3 e3 c24",
    "ir k5 e3 c40 s2, ir k3 e3 c40, ir k5 e3 c40",
    "ir k5 e3 c64 s2, ir k3 e3 c64", "conv k1 c128",
)  # fmt: skip


def spec(name: str) -> Spec:
    """Raises UsageError for a name that is not in NAMES."""
    if name in FBNET:
        row = FBNET[name]
        return Spec(name, row.side, IMAGENET, row.activation, blocks.parse(row.stages))
    if name in VANILLANET:
        table = VANILLANET[name]
        return Spec(name, 224, IMAGENET, widths=table.widths, pools=table.pools)
    if name == "fbnet_96":  # FBNet-A for 96x96 with 0.35 of the channels: the size of the paper's table 5
        return Spec(name, 96, IMAGENET, "relu", blocks.parse(FBNET["fbnet_a"].stages, width=0.35))
    if name == "fbnet_32":
        return Spec(name, 32, 10, "relu", blocks.parse(_REDUCED_FBNET))
    if name == "vanillanet_32":
        return Spec(name, 32, 10, widths=(32, 64, 128, 128), pools=(2, 2, 1), patch=2)
    raise UsageError(f"no network {name!r}", rule=f"one of {', '.join(NAMES)}")


NAMES = (*FBNET, *VANILLANET, "fbnet_96", "fbnet_32", "vanillanet_32")


def build(name: str | Spec, *, classes: int | None = None, dropout: float = 0.0) -> nn.Module:
    """The PyTorch module, with fresh weights. Raises UsageError, ToolError (no torch)."""
    chosen = spec(name) if isinstance(name, str) else name
    require_torch()
    count = chosen.classes if classes is None else classes
    made: Any
    if chosen.blocks:
        from edgert.models.fbnet import FBNet

        made = FBNet(chosen.blocks, count, chosen.activation, dropout)
    else:
        from edgert.models.vanillanet import VanillaNet

        made = VanillaNet(chosen.widths, chosen.pools, count, patch=chosen.patch, dropout=dropout)
    module: nn.Module = made
    return module


def require_torch() -> None:
    """Raises ToolError where PyTorch is missing."""
    from importlib.util import find_spec

    from edgert.errors import ToolError

    if find_spec("torch") is None:
        raise ToolError("the model zoo needs PyTorch", hint="pip install 'edgert[train]'")
