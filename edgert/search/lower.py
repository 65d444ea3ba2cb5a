"""A row of blocks as a quantized network with made-up weights: what it costs hardly depends on their values.

In one way it does: `codegen/prune.py` and `codegen/bounds.py` leave out what the weights prove to be idle,
which is not the same for trained ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import tvm
from torch import nn

from edgert.codegen.frontends.torch import from_module
from edgert.codegen.passes.composite import op_name
from edgert.codegen.quantize.insert import insert
from edgert.codegen.quantize.options import Options
from edgert.codegen.quantize.points import FIXED, find_points
from edgert.codegen.quantize.quantize import prepared
from edgert.codegen.quantize.ranges import to_quant
from edgert.models.blocks import Block
from edgert.models.fbnet import FBNet, module
from edgert.network import Network

_RANGE = (-4.0, 4.0)
_RANGE_RELU = (0.0, 4.0)


def block_network(block: Block, side: int, activation: str = "relu", seed: int = 0) -> Network:
    """The block alone, for a map of `side`. Not for one that is empty."""
    torch.manual_seed(seed)
    return _network(module(block, activation), (1, block.in_c, side, side), "block")


def whole_network(
    blocks: Sequence[Block], side: int, classes: int, activation: str = "relu", seed: int = 0
) -> Network:
    """The blocks with average pool and classifier."""
    torch.manual_seed(seed)
    return _network(FBNet(blocks, classes, activation), (1, 3, side, side), "candidate")


def tail_network(in_c: int, side: int, classes: int, seed: int = 0) -> Network:
    """Average pool and classifier alone."""

    class Tail(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifier = nn.Linear(in_c, classes)

        def forward(self, x: Any) -> Any:
            return self.classifier(x.mean((2, 3)))

    torch.manual_seed(seed)
    return _network(Tail(), (1, in_c, side, side), "tail")


def _network(net: nn.Module, shape: tuple[int, ...], name: str) -> Network:
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):  # so that no channel is always zero, and left out
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, 0.5, 1)
    relax = from_module(net.eval(), torch.zeros(shape), name, channels_last=True)
    return Network(name, with_assumed_ranges(relax))


def with_assumed_ranges(mod: tvm.IRModule) -> tvm.IRModule:
    """Quantized without calibration: every activation in a range that its operator suggests."""
    mod, options = prepared(mod), Options(correct_bias=False)
    graph = find_points(mod, options)
    quants = {}
    for var in graph.points:
        name = op_name(graph.values.get(graph.group[var], var))
        relu = name in ("relax.nn.relu", "relax.clip")
        quants[var] = FIXED.get(name) or to_quant(*(_RANGE_RELU if relu else _RANGE))
    return insert(graph, quants, {}, options)[0]
