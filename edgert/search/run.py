"""A whole search: costs measured, choices proposed, candidates trained and measured, the best one made.

Everything is kept in one folder as it is found: a search that is stopped goes on, and loses the candidate in
flight at most.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgert import api
from edgert.board import load_board
from edgert.cache import write_aside
from edgert.errors import DoesNotFitError, UsageError
from edgert.models.data import Data
from edgert.models.train import Recipe, accuracy, train
from edgert.search.candidate import Result, Results, evaluated, int8_accuracy, measured, quantized, trained
from edgert.search.dnas import Search, Settings, layer_costs
from edgert.search.elastic import ElasticNet, judged, sandwich
from edgert.search.evolve import evolve, storage_url
from edgert.search.limits import Limits, possible
from edgert.search.space import Choice, Space
from edgert.search.table import CostTable, Place, items, measure, predict

STRATEGIES = ("evolution", "dnas", "random")
Say = Callable[[str], None]
_TRIES = 20_000
_JUDGED_IMAGES = 1_000  # of those held out: what a choice of the super-net is judged by
_HELD_OUT = 5  # one image in so many of the training set judges choices and candidates, and trains none


@dataclass(frozen=True)
class Plan:
    """candidates: how many choices are trained. recipe: of a candidate. final: of the one that wins, None for
    the same. supernet: of the weight-shared network. evaluations: choices judged with its weights.
    storage: where Optuna keeps the study, any URL that it knows; None: a file in the search's folder.
    least: share of the cycles allowed that a choice has to use, where there are such choices: trained
    briefly, as while they are compared, small networks rank higher than they will in the end."""

    strategy: str = "evolution"
    candidates: int = 8
    recipe: Recipe = field(default_factory=Recipe)
    final: Recipe | None = None
    supernet: Recipe = field(default_factory=lambda: Recipe(peak_rate=0.2))
    dnas: Settings = field(default_factory=Settings)
    evaluations: int = 500
    storage: str | None = None
    least: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UsageError(f"strategy is {self.strategy!r}", rule=f"one of {', '.join(STRATEGIES)}")


@dataclass(frozen=True, eq=False)
class Ground:
    """What every strategy stands on. data: what it trains with, and the images that it judges by in the place
    of test images."""

    space: Space
    data: Data
    table: CostTable
    place: Place
    limits: Limits
    folder: Path
    say: Say

    def allows(self, choice: Choice, least: float = 0.0) -> bool:
        """Within the limits; least: and at least that share of the cycles allowed."""
        predicted = predict(self.space, choice, self.table, self.place)
        if predicted is None or not self.limits.allow(predicted):
            return False
        return not self.limits.cycles or predicted.cycles >= least * self.limits.cycles

    @property
    def clock_hz(self) -> float:
        return float(load_board(self.place.board).clock_hz or 1e6)


def random_choices(ground: Ground, count: int, seed: int, least: float = 0.0) -> list[Choice]:
    """That the ground allows, each once."""
    generator = np.random.default_rng(seed)
    found: dict[Choice, None] = {}
    for _ in range(_TRIES):
        choice = ground.space.random(generator)
        if not ground.allows(choice, least):
            continue
        found[choice] = None
        if len(found) == count:
            return list(found)
    raise DoesNotFitError(
        f"{len(found)} of {count} networks found within the limits in {_TRIES:,} tries",
        rule="the space has to hold networks that fit", hint="raise a limit, or take a smaller space",
    )  # fmt: skip


def dnas_choices(ground: Ground, plan: Plan, least: float = 0.0) -> list[Choice]:
    """FBNet's search, then the best of its samples within the limits."""
    costs = layer_costs(ground.space, ground.table, ground.place, ground.clock_hz)
    search = Search(ground.space, ground.data, costs, plan.dnas, ground.say)
    search.warm_up()
    chances = search.find(ground.limits)
    allows = partial(ground.allows, least=least)
    return search.best(chances, allows, plan.candidates, 20 + 2 * plan.candidates)


def evolved_choices(ground: Ground, plan: Plan, least: float = 0.0) -> list[Choice]:
    """A trained super-net, evolution over it, and the most accurate of its front."""
    torch.manual_seed(plan.seed)
    net = ElasticNet(ground.space)
    checkpoint = ground.folder / f"supernet-{_name(ground.space, plan)}.pt"
    loss = sandwich(net, plan.seed)
    train(net, ground.data, plan.supernet, checkpoint=checkpoint, loss=loss, say=ground.say)
    every = max(1, len(ground.data.test_images) // _JUDGED_IMAGES)
    images, labels = ground.data.test_images[::every], ground.data.test_labels[::every]
    found = evolve(
        ground.space, lambda choice: judged(net, choice, images, labels), ground.table, ground.place,
        ground.limits, evaluations=plan.evaluations, least_cycles=int(least * (ground.limits.cycles or 0)),
        storage=plan.storage or storage_url(ground.folder / "study.sqlite"),
        name=f"{ground.place.board} {plan.seed} {ground.limits} {least}", seed=plan.seed, say=ground.say,
    )  # fmt: skip
    return [one.choice for one in sorted(found, key=lambda j: -j.accuracy)][: plan.candidates]


def _name(space: Space, plan: Plan) -> str:
    """Of the super-net's file: of other candidates it is another network."""
    left = hashlib.sha256(repr(space.allowed).encode()).hexdigest()[:8]
    return f"{plan.seed}-{left}" if space.allowed else str(plan.seed)


def propose(ground: Ground, plan: Plan) -> list[Choice]:
    """Choices that use at least plan.least of the cycles allowed, where chance finds one that does."""
    least = plan.least
    try:
        random_choices(ground, 1, plan.seed, least)
    except DoesNotFitError:
        ground.say(f"no network found that uses {least:.0%} of the cycles allowed: any will do")
        least = 0.0
    if plan.strategy == "random":
        return random_choices(ground, plan.candidates, plan.seed, least)
    choose = dnas_choices if plan.strategy == "dnas" else evolved_choices
    return choose(ground, plan, least)


@dataclass(frozen=True)
class Found:
    """results: of all candidates, in order, judged by held-out training images. best: of the winner as it was
    delivered, judged by the test images. folder: where it is."""

    results: list[Result]
    best: Result
    folder: Path


def search(ground: Ground, plan: Plan, *, links: Sequence[str] = ()) -> Found:
    """Run it all; whatever an earlier run in the same folder found is not done again.

    Raises DoesNotFitError where no candidate keeps the limits, and what concerns the board or the data.
    """
    measure(
        items(ground.space), ground.place, ground.table, links=links,
        progress=lambda what, done, total: ground.say(f"measuring blocks: {done} of {total}, {what}"),
    )  # fmt: skip
    results = Results(ground.folder / "results.sqlite")
    narrow = replace(
        ground, space=possible(ground.space, ground.table, ground.place, ground.limits),
        data=ground.data.held_out(_HELD_OUT),
    )  # fmt: skip
    arm = (
        f"{plan.strategy} {ground.space.name} {ground.place.board} {ground.limits} {plan.seed} {plan.recipe} "
        f"at least {plan.least}, judged by one training image in {_HELD_OUT}"
    )
    choices = results.proposals(arm, lambda: propose(narrow, plan))
    found = []
    for number, choice in enumerate(choices):
        ground.say(f"candidate {number + 1} of {len(choices)}: {' '.join(choice)}")
        checkpoint = ground.folder / f"candidate-{plan.strategy}-{plan.seed}-{number}.pt"
        found.append(results.result(arm, number, partial(_evaluate, narrow, plan, choice, checkpoint)))
        checkpoint.unlink(missing_ok=True)
    winner = best(found, ground.limits)
    return Found(found, deliver(ground, plan, winner, found, arm), ground.folder)


def _evaluate(ground: Ground, plan: Plan, choice: Choice, checkpoint: Path) -> Result:
    return evaluated(ground.space, choice, ground.data, plan.recipe, ground.place, checkpoint=checkpoint)


def best(found: Sequence[Result], limits: Limits) -> Result:
    """The most accurate in int8 that keeps the limits as measured. Test images have no say in it."""
    good = [r for r in found if r.error is None and limits.allow(r)]
    if not good:
        reasons = (
            "; ".join(sorted({r.error for r in found if r.error})) or "all are over a limit when measured"
        )
        raise DoesNotFitError(
            f"none of {len(found)} candidates is within the limits", rule=reasons, hint="raise a limit"
        )
    return max(good, key=lambda r: r.int8_accuracy or 0.0)


def deliver(ground: Ground, plan: Plan, winner: Result, found: Sequence[Result], arm: str) -> Result:
    """The winner trained by the final recipe, as a TFLite file, compiled C and a card.

    Raises DoesNotFitError where it is over a limit now, and writes nothing: what weights prove to be idle is
    left out, and it has other weights than when it was compared.
    """
    recipe = plan.final or plan.recipe
    choice = tuple(winner.choice.split())
    net = trained(ground.space, choice, ground.data, recipe, ground.folder / "final.pt", ground.say)
    network = quantized(net, ground.data, "model", ground.space.side, recipe.seed)
    artifact = api.compile(network, board=ground.place.board, optimize=ground.place.optimize)
    cycles, kind = measured(artifact)
    result = Result(
        winner.choice, accuracy(net, ground.data.test_images, ground.data.test_labels),
        int8_accuracy(network, ground.data.test_images, ground.data.test_labels), cycles, kind,
        artifact.arena_bytes, artifact.flash_bytes,
    )  # fmt: skip
    if not ground.limits.allow(result):
        raise DoesNotFitError(
            f"the winner, trained to the end, needs {result.cycles} cycles, {result.arena_bytes} bytes of "
            f"SRAM and {result.flash_bytes} of flash", rule=f"within {ground.limits}",
            hint="search again with that limit lower by what is missing",
        )  # fmt: skip
    network.save(ground.folder / "model.tflite")
    artifact.save(ground.folder / "c")
    card: dict[str, Any] = {
        "space": ground.space.name, "board": ground.place.board, "optimize": ground.place.optimize,
        "strategy": arm, "limits": asdict(ground.limits), "recipe": asdict(recipe), "result": asdict(result),
        "candidates": [asdict(one) for one in found],
    }  # fmt: skip
    write_aside(ground.folder / "card.json", (json.dumps(card, indent=1) + "\n").encode())
    return result
