"""FBNet's differentiable search: all candidates at once, weighted by architecture parameters that are
trained, too.

    loss = cross entropy * alpha * log(latency in us) ** beta          alpha 0.2, beta 0.6

Weights learn by SGD on 80 % of the images, architecture parameters by Adam on the other 20 %, after a warm-up
without them; the Gumbel softmax cools from 5.0 by 0.956 an epoch (https://arxiv.org/abs/1812.03443, section 3
and 4.1). Single path: a step runs two sampled candidates instead of all (https://arxiv.org/abs/1812.00332,
section 3.2.1). Hard limits are an augmented Lagrangian on the expected latency, flash and peak SRAM.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgert.models.blocks import parse
from edgert.models.data import Data, mixed, to_input
from edgert.models.fbnet import module
from edgert.models.train import batches, device
from edgert.search.limits import Limits
from edgert.search.space import Choice, Space
from edgert.search.table import CostTable, Item, Place, fixed_items, layer_items

_PENALTY = 2.0  # rho of the augmented Lagrangian
_JUDGED_BATCH = 500
_PEAK_NORM = 16  # the p of the norm that stands for the largest


@dataclass(frozen=True)
class Settings:
    warm_up: int = 10
    epochs: int = 90
    batch: int = 128
    rate: float = 0.1
    architecture_rate: float = 0.02
    alpha: float = 0.2
    beta: float = 0.6
    temperature: float = 5.0
    cooling: float = 0.956
    single_path: bool = True
    images: int = 50_000
    seed: int = 0


@dataclass(frozen=True)
class LayerCosts:
    """[layers, candidates]; NaN where one cannot run. fixed: of what every network has."""

    cycles: Tensor
    arena: Tensor
    flash: Tensor
    fixed_cycles: float
    fixed_flash: float
    clock_hz: float


def layer_costs(space: Space, table: CostTable, place: Place, clock_hz: float) -> LayerCosts:
    """The table as tensors. Every item of the space has to be in it."""
    values = torch.tensor([[_numbers(item, table, place) for item in row] for row in layer_items(space)])
    fixed = [cost for item in fixed_items(space) if (cost := table.get(item, place)) is not None]
    return LayerCosts(
        values[..., 0], values[..., 1], values[..., 2], float(sum(c.cycles or 0 for c in fixed)),
        float(sum(c.flash_bytes or 0 for c in fixed)), clock_hz,
    )  # fmt: skip


def _numbers(item: Item | None, table: CostTable, place: Place) -> tuple[float, float, float]:
    """(cycles, arena, weights); NaN for what cannot run, zeros for what is nothing at all."""
    if item is None:
        return 0.0, 0.0, 0.0
    cost = table.get(item, place)
    if cost is None or cost.error is not None:
        return np.nan, np.nan, np.nan
    return float(cost.cycles or 0), float(cost.arena_bytes or 0), float(cost.weights_bytes or 0)


class SuperNet(nn.Module):
    """The space's outline with all candidates of each layer. theta: [layers, candidates]."""

    def __init__(self, space: Space, costs: LayerCosts) -> None:
        super().__init__()
        self.stem = nn.Sequential(*(module(b) for b in parse([space.stem])))
        self.layers = nn.ModuleList(
            nn.ModuleList(module(layer.block(n)) for n in space.candidates) for layer in space.layers
        )
        head = parse([space.head], in_c=space.layers[-1].out_c)
        self.head = nn.Sequential(*(module(b) for b in head))
        self.classifier = nn.Linear(head[-1].out_c, space.classes)
        start = torch.zeros(len(space.layers), len(space.candidates))
        self.theta = nn.Parameter(start.masked_fill(torch.isnan(costs.cycles), -1e4))

    def forward(self, x: Tensor, paths: Sequence[Mapping[int, Tensor]]) -> Tensor:
        """paths: for each layer, candidate -> its weight."""
        x = self.stem(x)
        for layer, gates in zip(self.layers, paths, strict=True):
            parts = [weight * layer[i](x) for i, weight in gates.items()]
            x = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
        scores: Tensor = self.classifier(self.head(x).mean((2, 3)))
        return scores

    def weights(self) -> list[nn.Parameter]:
        return [p for name, p in self.named_parameters() if name != "theta"]


@dataclass
class Search:
    """One super-net. `warm_up` once, then `find` for each set of limits, from the same warm weights."""

    space: Space
    data: Data
    costs: LayerCosts
    settings: Settings = field(default_factory=Settings)
    say: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        torch.manual_seed(self.settings.seed)
        self.net = SuperNet(self.space, self.costs).to(device())
        self.generator = torch.Generator().manual_seed(self.settings.seed)
        part = self.data.part(self.settings.images, self.settings.seed)
        cut = len(part.train_images) * 4 // 5
        self.weight_part = (part.train_images[:cut], part.train_labels[:cut])
        self.theta_part = (part.train_images[cut:], part.train_labels[cut:])

    def warm_up(self) -> None:
        """Weights only, every candidate equally likely."""
        optimizer = self._weight_optimizer()
        for epoch in range(self.settings.warm_up):
            loss = self._weight_epoch(optimizer, self.settings.temperature)
            self.say(f"warm-up {epoch + 1} of {self.settings.warm_up}: loss {loss:.3f}")
        self.warm = copy.deepcopy(self.net.state_dict())

    def find(self, limits: Limits) -> Tensor:
        """The trained architecture's probabilities, [layers, candidates]."""
        s = self.settings
        self.net.load_state_dict(self.warm)
        weights = self._weight_optimizer()
        theta = torch.optim.Adam([self.net.theta], s.architecture_rate, weight_decay=5e-4)
        multipliers = torch.zeros(3)
        for epoch in range(s.epochs):
            temperature = s.temperature * s.cooling**epoch
            self._weight_epoch(weights, temperature)
            broken = self._theta_epoch(theta, temperature, limits, multipliers)
            multipliers = torch.clamp(multipliers + _PENALTY * broken, min=0)
            cycles = self.expected()[0].detach()
            self.say(f"architecture {epoch + 1} of {s.epochs}: expected {float(cycles):,.0f} cycles")
        return torch.softmax(self.net.theta.detach(), 1)

    def _weight_optimizer(self) -> torch.optim.Optimizer:
        s = self.settings
        return torch.optim.SGD(self.net.weights(), s.rate, momentum=0.9, weight_decay=1e-4, nesterov=True)

    def _paths(self, temperature: float, count: int) -> list[dict[int, Tensor]]:
        """count: how many candidates a layer runs; 0 for all of them."""
        theta = self.net.theta
        if count == 0:
            gates = F.gumbel_softmax(theta, temperature, dim=1)
            able = ~torch.isnan(self.costs.cycles)
            return [
                {i: gates[layer, i] for i in range(theta.shape[1]) if able[layer, i]}
                for layer in range(theta.shape[0])
            ]
        chances = torch.softmax(theta.detach() / max(temperature, 1e-3) * 5, 1)
        picked = torch.multinomial(chances, count)
        if count == 1:
            one = torch.ones(())
            return [{int(row[0]): one} for row in picked]
        paths = []
        for layer, row in enumerate(picked):
            soft = torch.softmax(theta[layer, row], 0)
            hard = F.one_hot(torch.multinomial(soft.detach(), 1)[0], 2)
            gates = (
                hard + soft - soft.detach()
            )  # the forward value is 0 or 1, the gradient that of the softmax
            paths.append({int(i): gates[k] for k, i in enumerate(row)})
        return paths

    def _weight_epoch(self, optimizer: torch.optim.Optimizer, temperature: float) -> float:
        self.net.train()
        total, steps = 0.0, 0
        for x, y in batches(*self.weight_part, self.settings.batch, self.generator):
            optimizer.zero_grad()
            self.net.theta.grad = None
            scores = self.net(x, self._paths(temperature, 1 if self.settings.single_path else 0))
            loss = F.cross_entropy(scores, y)
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.weights(), 5.0)
            optimizer.step()
            total, steps = total + float(loss.detach()), steps + 1
        return total / max(1, steps)

    def _theta_epoch(
        self, optimizer: torch.optim.Optimizer, temperature: float, limits: Limits, multipliers: Tensor
    ) -> Tensor:
        """The mean of the broken limits, relative, [cycles, arena, flash]."""
        s, found = self.settings, []
        for x, y in batches(*self.theta_part, min(s.batch, len(self.theta_part[0])), self.generator):
            optimizer.zero_grad()
            scores = self.net(x, self._paths(temperature, 2 if s.single_path else 0))
            cycles, arena, flash = self.expected()
            microseconds = cycles / self.costs.clock_hz * 1e6
            loss = F.cross_entropy(scores, y) * s.alpha * torch.log(microseconds) ** s.beta
            needed = ((cycles, limits.cycles), (arena, limits.arena_bytes), (flash, limits.flash_bytes))
            broken = torch.stack([n / m - 1 if m else torch.zeros(()) for n, m in needed])
            slack = torch.clamp(broken + multipliers / _PENALTY, min=0)
            loss = loss + _PENALTY / 2 * (slack**2).sum()
            loss.backward()
            optimizer.step()
            found.append(broken.detach())
        return torch.stack(found).mean(0)

    def expected(self) -> tuple[Tensor, Tensor, Tensor]:
        """Cycles, peak SRAM and flash under the present probabilities."""
        chances, c = torch.softmax(self.net.theta, 1), self.costs
        cycles = (chances * torch.nan_to_num(c.cycles)).sum() + c.fixed_cycles
        flash = (chances * torch.nan_to_num(c.flash)).sum() + c.fixed_flash
        arenas = (chances * torch.nan_to_num(c.arena)).sum(1)
        largest = arenas.detach().max().clamp(min=1)
        arena = largest * ((arenas / largest) ** _PEAK_NORM).sum() ** (1 / _PEAK_NORM)
        return cycles, arena, flash

    @torch.no_grad()
    def judged(self, choice: Choice) -> float:
        """Accuracy of one choice with the super-net's weights, on the architecture's part of the images."""
        images, labels = mixed(*self.theta_part)
        one = torch.ones(())
        paths = [{self.space.candidates.index(name): one} for name in choice]
        self.net.train()  # batch norm by the batch's own statistics: those of a mixture fit no single network
        right = 0
        for at in range(0, len(images), _JUDGED_BATCH):
            part = slice(at, at + _JUDGED_BATCH)
            scores = self.net(to_input(torch.from_numpy(images[part])).to(device()), paths)
            right += int((scores.argmax(1).cpu().numpy() == labels[part]).sum())
        return right / len(images)

    def best(
        self, chances: Tensor, allows: Callable[[Choice], bool], count: int, samples: int = 20
    ) -> list[Choice]:
        """Of so many samples that are allowed, the most accurate with the super-net's weights."""
        able = [c for c in self.choices(chances, 100 * samples, self.settings.seed) if allows(c)][:samples]
        return sorted(able, key=self.judged, reverse=True)[:count]

    def choices(self, chances: Tensor, count: int, seed: int = 0) -> list[Choice]:
        """The likeliest network first, then samples, each once."""
        generator = np.random.default_rng(seed)
        names, table = self.space.candidates, chances.double().numpy()
        table = table / table.sum(1, keepdims=True)
        found = {tuple(names[int(i)] for i in table.argmax(1)): None}
        for _ in range(200 * count):
            if len(found) >= count:
                break
            found[tuple(names[generator.choice(len(names), p=row)] for row in table)] = None
        return list(found)
