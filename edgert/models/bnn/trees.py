"""Trees in the loss: weights are drawn towards those of the channel that they are computed from.

The loss of a layer is the share of a dense layer's work that its tree (codegen/mst.py) leaves: of bits, or of
words of 32 input channels that are not equal. Trees are found anew in every epoch of the first two thirds,
while the loss's weight rises, and are then left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from edgert.codegen.kernels.bits import by_channel
from edgert.codegen.mst import ROOT, Tree, distances, spanning_tree, word_distances
from edgert.models.bnn.binary import BinaryConv2d
from edgert.models.bnn.nets import BinaryNet

FROZEN = 2 / 3
WORD = 32
Unit = Literal["bits", "words"]
Bits = npt.NDArray[np.bool_]


@dataclass(eq=False)
class TreeLoss:
    """The cross entropy, and `strength` times the share of work that the trees leave.

    To be called with inputs and labels, as edgert.models.train does. The first and the last layer have no
    tree.
    """

    net: BinaryNet
    strength: float
    unit: Unit = "bits"
    smoothing: float = 0.05
    trees: list[Tree] = field(default_factory=list)
    found_at: float = -1.0

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        loss = F.cross_entropy(self.net(x), y, label_smoothing=self.smoothing)
        layers = inner_layers(self.net)
        if self.found_at != self.net.progress and (self.net.progress < FROZEN or not self.trees):
            self.trees = [tree_of(layer, self.unit) for layer in layers]
            self.found_at = self.net.progress
        now = self.strength * min(1.0, self.net.progress / FROZEN)
        if now == 0.0:
            return loss
        parts = [_work(layer, tree, self.unit) for layer, tree in zip(layers, self.trees, strict=True)]
        sizes = torch.tensor([float(layer.weight.numel()) for layer in layers])
        return loss + now * (torch.stack(parts) * (sizes / sizes.sum())).sum()


def inner_layers(net: BinaryNet) -> list[BinaryConv2d]:
    """The 3x3 convolutions of bits."""
    return [layer for layer in net.layers() if layer.weight.shape[2] > 1 and layer.weight.shape[1] > 3]


def bits_of(layer: BinaryConv2d) -> Bits:
    """[outputs, kernel, kernel, inputs]"""
    with torch.no_grad():
        bits: Bits = (layer.signs().permute(0, 2, 3, 1) > 0).cpu().numpy()
    return bits


def tree_of(layer: BinaryConv2d, unit: Unit = "bits") -> Tree:
    """Of its weights as they are now; without complements, which a loss would have to jump to."""
    bits = bits_of(layer)
    if unit == "words":
        words = by_channel(bits)
        return spanning_tree(word_distances(words), words.shape[1])
    differ, _ = distances(bits, complements=False)
    return spanning_tree(differ, bits[0].size)


def work(net: BinaryNet, unit: Unit = "bits") -> list[tuple[int, int]]:
    """(work of the tree, work of the dense layer) of each inner layer, for one position."""
    found = []
    for layer in inner_layers(net):
        tree = tree_of(layer, unit)
        whole = int(tree.distance[tree.order[0]])  # the root has all there is
        found.append((tree.cost, whole * len(tree.parent)))
    return found


def _work(layer: BinaryConv2d, tree: Tree, unit: Unit) -> Tensor:
    """The share of a dense layer's work, as a function of the weights."""
    signs = layer.signs().permute(0, 2, 3, 1)
    children = np.flatnonzero(tree.parent != ROOT)
    pairs = signs[children], signs[tree.parent[children]]
    differ = (1 - pairs[0] * pairs[1]) / 2
    if unit == "bits":
        return differ.mean()
    channels = differ.shape[-1]
    padded = F.pad(differ, (0, -channels % WORD))
    in_word = padded.reshape(*padded.shape[:-1], -1, WORD).sum(-1)
    return (1 - torch.exp(-in_word / 2)).mean()  # nearly 1 for any word that differs, steep where few bits do
