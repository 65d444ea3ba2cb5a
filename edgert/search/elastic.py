"""A super-net whose weights serve every choice of a space: trained once, then searched for many boards.

A layer holds the weights of its largest candidate; the others use their first channels and the middle of
their windows. Each step trains the largest network on the labels, and the smallest and some random ones on
the largest's answers (sandwich rule, in-place distillation: https://arxiv.org/abs/2003.11142, section 3.1).
Batch norm uses the batch's own statistics throughout, so that a choice can be judged without calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgert.models.blocks import parse
from edgert.models.data import Array, mixed, to_input
from edgert.models.train import Loss, device
from edgert.search.space import CANDIDATES, Choice, Layer, Space

_LARGEST_WINDOW = 5


class ElasticConv(nn.Module):
    """A convolution of which any leading part can be used. Batch norm has a gain and a shift for each mode:
    what a channel means depends on who uses it."""

    def __init__(self, in_c: int, out_c: int, kernel: int = 1, modes: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_c, in_c, kernel, kernel))
        nn.init.kaiming_normal_(self.weight, mode="fan_out")
        self.gain = nn.Parameter(torch.ones(modes, out_c))
        self.shift = nn.Parameter(torch.zeros(modes, out_c))

    def forward(
        self,
        x: Tensor,
        out_c: int | None = None,
        stride: int = 1,
        kernel: int = 1,
        groups: int = 1,
        mode: int = 0,
    ) -> Tensor:
        """groups: 1, the number of channels (then weight is [channels, 1, k, k]), or a few."""
        weight, channels = self.weight, x.shape[1]
        cut = (weight.shape[-1] - kernel) // 2
        out_c = weight.shape[0] if out_c is None else out_c
        window = slice(cut, cut + kernel)
        part = weight[:out_c, : 1 if groups == channels else channels, window, window]
        if 1 < groups < channels:
            rows, columns = out_c // groups, channels // groups
            blocks = [part[i * rows : (i + 1) * rows, i * columns : (i + 1) * columns] for i in range(groups)]
            part = torch.cat(blocks)
        y = F.conv2d(x, part, stride=stride, padding=kernel // 2, groups=groups)
        return F.batch_norm(y, None, None, self.gain[mode, :out_c], self.shift[mode, :out_c], training=True)


class ElasticLayer(nn.Module):
    """Candidates that expand share one set of weights, those that do not another: they see other features."""

    def __init__(self, layer: Layer, candidates: Sequence[str]) -> None:
        super().__init__()
        self.layer = layer
        self.modes = {name: i for i, name in enumerate(candidates)}
        middle, modes = max(layer.block(n).middle for n in candidates), len(candidates)
        self.expand = ElasticConv(layer.in_c, middle, modes=modes)
        self.depthwise = ElasticConv(1, middle, _LARGEST_WINDOW, modes)
        self.project = ElasticConv(middle, layer.out_c, modes=modes)
        self.plain_depthwise = ElasticConv(1, layer.in_c, _LARGEST_WINDOW, modes)
        self.plain_project = ElasticConv(layer.in_c, layer.out_c, modes=modes)
        self.skip = ElasticConv(layer.in_c, layer.out_c)

    def forward(self, x: Tensor, candidate: str) -> Tensor:
        block, mode = self.layer.block(candidate), self.modes[candidate]
        if block.kind == "skip":
            return x if block.empty else F.relu_(self.skip(x, stride=block.stride))
        y, depthwise, project = x, self.plain_depthwise, self.plain_project
        if block.expands:
            y = F.relu_(self.expand(x, block.middle, groups=block.groups, mode=mode))
            depthwise, project = self.depthwise, self.project
        if block.groups > 1:
            n, c, h, w = y.shape
            y = y.reshape(n, block.groups, c // block.groups, h, w).transpose(1, 2).reshape(n, c, h, w)
        if block.kind == "maxpool":
            y = F.max_pool2d(y, block.kernel, block.stride, block.pads)
        else:
            y = F.relu_(depthwise(y, block.middle, block.stride, block.kernel, block.middle, mode))
        y = project(y, groups=block.groups, mode=mode)
        return x + y if block.residual else y


class ElasticNet(nn.Module):
    """The space's outline with an ElasticLayer for each layer."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        (stem,), (head,) = parse([space.stem]), parse([space.head], in_c=space.layers[-1].out_c)
        self.stem_stride = stem.stride
        self.stem_kernel = stem.kernel
        self.stem = ElasticConv(stem.in_c, stem.out_c, stem.kernel)
        self.layers = nn.ModuleList(
            ElasticLayer(layer, space.of_layer(i)) for i, layer in enumerate(space.layers)
        )
        self.head = ElasticConv(head.in_c, head.out_c)
        self.classifier = nn.Linear(head.out_c, space.classes)

    def forward(self, x: Tensor, choice: Sequence[str]) -> Tensor:
        y = F.relu_(self.stem(x, stride=self.stem_stride, kernel=self.stem_kernel))
        for layer, candidate in zip(self.layers, choice, strict=True):
            y = layer(y, candidate)
        scores: Tensor = self.classifier(F.relu_(self.head(y)).mean((2, 3)))
        return scores


def extremes(space: Space) -> tuple[Choice, Choice]:
    """(smallest, largest): by weights, of candidates with a depthwise layer for the largest."""

    def size(name: str) -> tuple[int, int]:
        kind, kernel, expansion, groups = CANDIDATES[name]
        return (0 if kind == "skip" else expansion * 100 // groups, kernel)

    rows = [sorted(space.of_layer(i), key=size) for i in range(len(space.layers))]
    return tuple(row[0] for row in rows), tuple(row[-1] for row in rows)


def sandwich(net: ElasticNet, seed: int, randoms: int = 2) -> Loss:
    """The loss of one step, for edgert.models.train.train. The gradients of the networks add up."""
    generator = np.random.default_rng(seed)
    smallest, largest = extremes(net.space)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        scores = net(x, largest)
        total: Any = F.cross_entropy(scores, y, label_smoothing=0.05)
        teacher = torch.softmax(scores.detach(), 1)
        for choice in (smallest, *(net.space.random(generator) for _ in range(randoms))):
            total = total + F.cross_entropy(net(x, choice), teacher)
        result: Tensor = total / (2 + randoms)
        return result

    return loss


@torch.no_grad()
def judged(net: ElasticNet, choice: Sequence[str], images: Array, labels: Array, batch: int = 500) -> float:
    """Accuracy of one choice with the shared weights. images: uint8 [n, h, w, 3]."""
    images, labels = mixed(images, labels)
    right = 0
    for at in range(0, len(images), batch):
        scores = net(to_input(torch.from_numpy(images[at : at + batch])).to(device()), choice)
        right += int((scores.argmax(1).cpu().numpy() == labels[at : at + batch]).sum())
    return right / len(images)
