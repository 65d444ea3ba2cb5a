"""Fine-tuning with quantization in the loop: the forward pass rounds as the int8 network will, gradients pass
through.

Batch norm is folded first; weights are rounded per output channel, activations per tensor, by ranges that
follow the data (B. Jacob et al., https://arxiv.org/abs/1712.05877, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from edgert.models.data import Data
from edgert.models.fbnet import ConvBn, InvertedResidual
from edgert.models.train import Recipe, train

_MOMENTUM = 0.01  # of the activations' ranges
_STEPS = 255


def rounded(x: Tensor, scale: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """x on the grid of `scale` within [low, high] steps; the gradient is that of the clamp."""
    steps = torch.clamp(x / scale, low, high)
    result: Tensor = (steps + (torch.round(steps) - steps).detach()) * scale
    return result


class RoundedWeights(nn.Module):
    """Symmetric, in [-127, 127] steps, one scale for each output channel."""

    def forward(self, weight: Tensor) -> Tensor:
        scale = weight.detach().abs().amax(tuple(range(1, weight.ndim)), keepdim=True).clamp(min=1e-8) / 127
        return rounded(weight, scale, -127, 127)


class RoundedActivation(nn.Module):
    """One scale and zero point; the range is a running mean of the batches' extremes."""

    low: Tensor
    high: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("low", "high", "seen"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            low, high = x.detach().min().clamp(max=0), x.detach().max().clamp(min=0)
            share = _MOMENTUM if float(self.seen) else 1.0
            self.low += share * (low - self.low)
            self.high += share * (high - self.high)
            self.seen.fill_(1)
        scale = ((self.high - self.low) / _STEPS).clamp(min=1e-8)
        zero = torch.round(-self.low / scale)
        return rounded(x, scale, -zero, _STEPS - zero)


def fold_batch_norm(net: nn.Module) -> nn.Module:
    """Every ConvBn's batch norm goes into its convolution, which gets a bias. In place."""
    for block in [m for m in net.modules() if isinstance(m, ConvBn)]:
        conv, norm = block[0], block[1]
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        conv.weight.data = (conv.weight * gain[:, None, None, None]).detach()
        conv.bias = nn.Parameter((norm.bias - norm.running_mean * gain).detach())
        block[1] = nn.Identity()
    return net


@contextmanager
def rounding(net: nn.Module) -> Iterator[nn.Module]:
    """`net` with its weights and activations rounded, within the block; the weights stay rounded after it."""
    weighted = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in weighted:
        parametrize.register_parametrization(layer, "weight", RoundedWeights())
    places = [m for m in net.modules() if isinstance(m, ConvBn | InvertedResidual | nn.Linear)]
    hooks = []
    for number, place in enumerate(places):
        activation = RoundedActivation()
        net.add_module(f"rounded_{number}", activation)
        hooks.append(place.register_forward_hook(_through(activation)))
    try:
        yield net
    finally:
        for hook in hooks:
            hook.remove()
        for number in range(len(places)):
            delattr(net, f"rounded_{number}")
        for layer in weighted:
            parametrize.remove_parametrizations(layer, "weight")


def _through(activation: RoundedActivation) -> Callable[..., Any]:
    return lambda _module, _inputs, output: activation(output)


def fine_tune(
    net: nn.Module, data: Data, recipe: Recipe, *, checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> nn.Module:  # fmt: skip
    """A trained FBNet, fine-tuned; its weights end on int8's grid. In place; returns it in evaluation mode.

    recipe: some epochs at a low rate, Recipe(epochs=4, peak_rate=0.01) say.
    """
    fold_batch_norm(net)
    with rounding(net):
        train(net, data, replace(recipe, smoothing=0.0), checkpoint=checkpoint, say=say)
    return net.eval()
