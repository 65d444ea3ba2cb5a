"""Signs with a gradient, and the layers made of them.

Of a sign: "ste", 1 within [-1, 1] (I. Hubara et al., https://arxiv.org/abs/1602.02830); "bireal", 2 - 2|x|
there (Bi-Real Net, https://arxiv.org/abs/1808.00278, section 3.2).
Of binary weights: "ste", of weights with mean 0 and deviation 1 in each channel; "biper", sign(sin(20 w))
with the gradient of the sine, after a first stage in which the weights are sin(20 w) themselves (BiPer,
https://arxiv.org/abs/2404.01278, sections 3 and 4).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Gradient = Literal["ste", "bireal"]
Weights = Literal["ste", "biper"]
BIPER_FREQUENCY = 20.0


def plus_minus(x: Tensor) -> Tensor:
    """+1 where x >= 0, else -1."""
    return torch.where(x >= 0, 1.0, -1.0)


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: str) -> Tensor:
        ctx.save_for_backward(x)
        ctx.gradient = gradient
        return plus_minus(x)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        slope = (2 - 2 * x.abs()).clamp(min=0) if ctx.gradient == "bireal" else (x.abs() <= 1).to(x.dtype)
        return outer[0] * slope, None


def sign(x: Tensor, gradient: Gradient = "ste") -> Tensor:
    """plus_minus, with a gradient."""
    result: Tensor = _Sign.apply(x, gradient)
    return result


class Sign(nn.Module):
    def __init__(self, gradient: Gradient = "ste") -> None:
        super().__init__()
        self.gradient: Gradient = gradient

    def forward(self, x: Tensor) -> Tensor:
        return sign(x, self.gradient) if self.training else plus_minus(x)


class BinaryConv2d(nn.Module):
    """A convolution with weights +1 and -1; a dense layer is one of 1x1 on a 1x1 map."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        pad: int = 0,
        stride: int = 1,
        weights: Weights = "ste",
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        nn.init.normal_(self.weight, std=0.05)
        self.pad, self.stride, self.weights = pad, stride, weights
        self.binary = True  # False in BiPer's first stage

    def signs(self) -> Tensor:
        """[outputs, inputs, kernel, kernel], with a gradient."""
        if self.weights == "biper":
            wave = torch.sin(BIPER_FREQUENCY * self.weight)
            return wave if not self.binary else wave + (plus_minus(wave) - wave).detach()
        axes = (1, 2, 3)
        spread = self.weight.std(axes, keepdim=True) + 1e-8
        centred = (self.weight - self.weight.mean(axes, keepdim=True)) / spread
        return centred + (plus_minus(centred) - centred).detach()

    def forward(self, x: Tensor) -> Tensor:
        weights = self.signs()
        if self.binary and not self.training:  # centred + (sign - centred) is +1 or -1 up to a rounding
            weights = plus_minus(weights)
        return F.conv2d(x, weights, stride=self.stride, padding=self.pad)
