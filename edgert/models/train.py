"""Training on CIFAR-10: one loop for networks, super-nets and fine-tuning with quantization.

    python -m edgert.models.train fbnet_32 --data cifar10_jpeg.tar.xz --epochs 30 -o build/fbnet_32.pt

A run that is stopped goes on from its last epoch, with the same result as one that was not.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgert import cache
from edgert.models.data import MEAN, STD, Array, Data, augment, load, to_input

# inputs, labels -> what to minimise; may run the network several times
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov momentum under a one-cycle schedule. images: how many of the training set.

    grow: the first third of the epochs with images of half their side, the second of three quarters: the same
    in two thirds of the time, for networks that end in a global pool (https://arxiv.org/abs/2104.00298,
    section 4).
    """

    epochs: int = 24
    batch: int = 128
    peak_rate: float = 0.4
    weight_decay: float = 5e-4
    smoothing: float = 0.05
    images: int = 50_000
    seed: int = 0
    grow: bool = False

    def side(self, epoch: int, whole: int) -> int:
        """Of the images of an epoch."""
        third = 3 * epoch // max(1, self.epochs)
        return whole * (2 + min(third, 2)) // 4 if self.grow else whole


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def batches(
    images: Array, labels: Array, size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: shuffled, augmented, whole batches."""
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    order = torch.randperm(len(x), generator=generator)
    for at in range(0, len(x) - size + 1, size):
        chosen = order[at : at + size]
        yield to_input(augment(x[chosen], generator)).to(device()), y[chosen].to(device())


def train(
    net: nn.Module,
    data: Data,
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    loss: Loss | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> nn.Module:
    """Train in place; returns `net` in evaluation mode.

    checkpoint: written after every epoch and gone on from, where it has the same recipe. loss: instead of the
    cross entropy of net(x).
    """
    data = data.part(recipe.images, recipe.seed)
    net.to(device(), memory_format=torch.channels_last)
    steps = len(data.train_images) // recipe.batch
    optimizer = torch.optim.SGD(
        _groups(net, recipe.weight_decay), lr=recipe.peak_rate / 10, momentum=0.9, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_rate, total_steps=max(8, recipe.epochs * steps), pct_start=0.25
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
    first = _resume(checkpoint, parts, recipe, generator)
    for epoch in range(first, recipe.epochs):
        net.train()
        if hasattr(net, "set_progress"):
            net.set_progress(epoch / max(1, recipe.epochs))
        side = recipe.side(epoch, data.train_images.shape[1])
        total = _epoch(net, data, recipe, side, generator, optimizer, schedule, loss)
        _keep(checkpoint, parts, recipe, generator, epoch + 1)
        say(f"epoch {epoch + 1} of {recipe.epochs}: loss {total / steps:.4f}")
    if hasattr(net, "set_progress"):
        net.set_progress(1.0)
    return net.eval()


def _epoch(
    net: nn.Module, data: Data, recipe: Recipe, side: int, generator: torch.Generator, optimizer: Any,
    schedule: Any, loss: Loss | None,
) -> float:  # fmt: skip
    total = 0.0
    for x, y in batches(data.train_images, data.train_labels, recipe.batch, generator):
        optimizer.zero_grad()
        if side < x.shape[-1]:
            x = F.interpolate(x, side, mode="bilinear", antialias=True)
        value = loss(x, y) if loss else F.cross_entropy(net(x), y, label_smoothing=recipe.smoothing)
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        total += float(value.detach())
    return total


def _groups(net: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices and kernels only: not on biases and batch norm."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _keep(
    path: Path | None, parts: dict[str, Any], recipe: Recipe, generator: torch.Generator, epoch: int
) -> None:
    if path is None:
        return
    state = {name: part.state_dict() for name, part in parts.items()}
    buffer = io.BytesIO()
    torch.save(state | {"epoch": epoch, "recipe": asdict(recipe), "generator": generator.get_state()}, buffer)
    cache.write_aside(path, buffer.getvalue())


def _resume(path: Path | None, parts: dict[str, Any], recipe: Recipe, generator: torch.Generator) -> int:
    """The epoch to start with."""
    if path is None or not path.is_file():
        return 0
    state = torch.load(path, map_location=device(), weights_only=True)
    if state["recipe"] != asdict(recipe):
        return 0
    for name, part in parts.items():
        part.load_state_dict(state[name])
    generator.set_state(state["generator"].cpu())
    return int(state["epoch"])


@torch.no_grad()
def accuracy(net: nn.Module, images: Array, labels: Array, batch: int = 500) -> float:
    """Share of right answers. images: uint8 [n, h, w, 3]."""
    training = net.training
    net.eval()
    right = 0
    for at in range(0, len(images), batch):
        scores = net(to_input(torch.from_numpy(images[at : at + batch])).to(device()))
        right += int((scores.argmax(1).cpu().numpy() == labels[at : at + batch]).sum())
    net.train(training)
    return right / len(images)


def calibration(data: Data, count: int, seed: int = 0) -> list[Array]:
    """Training images as the network reads them, NHWC, for quantization."""
    chosen = np.random.default_rng(seed).permutation(len(data.train_images))[:count]
    return [((data.train_images[i].astype(np.float32) - MEAN) / STD)[None] for i in sorted(chosen)]


def main(argv: list[str] | None = None) -> int:
    from edgert.models.zoo import NAMES, build

    parser = argparse.ArgumentParser(prog="python -m edgert.models.train", description=__doc__)
    parser.add_argument("network", choices=NAMES)
    parser.add_argument("--data", required=True, help='a folder or .tar of JPEGs, or "torchvision"')
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--images", type=int, default=Recipe.images, help="part of the training set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True, help="checkpoint, .pt")
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    data = load(args.data)
    net = build(args.network, classes=len(data.classes))
    recipe = Recipe(epochs=args.epochs, images=args.images, seed=args.seed)
    train(
        net, data, recipe, checkpoint=args.output, say=lambda text: print(text, file=sys.stderr, flush=True)
    )
    print(f"test accuracy {accuracy(net, data.test_images, data.test_labels):.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
