"""Evolutionary search over a trained super-net, by Optuna (NSGA-II): accuracy against latency.

A choice that breaks a limit is rejected from the cost table alone, before it is judged. The study is in a
storage of Optuna's: it can be stopped, gone on with, and shared between machines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from edgert.search.limits import Limits
from edgert.search.space import Choice, Space
from edgert.search.space import front as space_front
from edgert.search.table import CostTable, Place, Predicted, predict

_TRIES = 200  # choices that are rejected for each one that is judged, at most


@dataclass(frozen=True)
class Judged:
    """cycles: as the table predicts."""

    choice: Choice
    accuracy: float
    cycles: int


def storage_url(path: Path) -> str:
    """Optuna's storage in an SQLite file; any other URL that Optuna knows will do as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def evolve(
    space: Space,
    judge: Callable[[Choice], float],
    table: CostTable,
    place: Place,
    limits: Limits,
    *,
    evaluations: int,
    storage: str | None = None,
    name: str = "evolution",
    population: int = 50,
    least_cycles: int = 0,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> list[Judged]:
    """The front of what was judged: no other was both more accurate and faster. judge: choice -> accuracy.

    least_cycles: faster choices are not looked at. evaluations: in all; those that a study of this name in
    `storage` has already are counted.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    study = optuna.create_study(
        storage=storage, study_name=name, load_if_exists=True, sampler=sampler,
        directions=["maximize", "minimize"],
    )  # fmt: skip
    fits = partial(_predicted, space, table, place, limits, least_cycles)
    if not study.trials:
        for choice in _first(space, fits, population, seed):
            study.enqueue_trial({f"layer_{i:02}": name for i, name in enumerate(choice)})
    done = _judged(study)
    known = {found.choice: found for found in done}
    tries = 0
    while len(known) < evaluations and tries < _TRIES * evaluations:
        tries += 1
        trial = study.ask()
        choice = tuple(
            trial.suggest_categorical(f"layer_{i:02}", space.of_layer(i)) for i in range(len(space.layers))
        )
        predicted = fits(choice)
        if predicted is None:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        if choice not in known:
            known[choice] = Judged(choice, judge(choice), predicted.cycles)
            reached = f"{known[choice].accuracy:.3f} at {predicted.cycles:,} cycles"
            say(f"{len(known)} of {evaluations} judged: {reached}")
        study.tell(trial, [known[choice].accuracy, known[choice].cycles])
    return front(list(known.values()))


def _predicted(
    space: Space, table: CostTable, place: Place, limits: Limits, least_cycles: int, choice: Choice
) -> Predicted | None:
    """What a choice costs; None where it breaks a limit."""
    found = predict(space, choice, table, place)
    return found if found and limits.allow(found) and found.cycles >= least_cycles else None


def _first(space: Space, fits: Callable[[Choice], Predicted | None], count: int, seed: int) -> list[Choice]:
    """Random choices to begin with: few may fit, and the table tells faster than a study's trials."""
    generator = np.random.default_rng(seed)
    drawn = (space.random(generator) for _ in range(_TRIES * count))
    return list(dict.fromkeys(islice((choice for choice in drawn if fits(choice)), count)))


def _judged(study: Any) -> list[Judged]:
    finished = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    return [Judged(tuple(t.params.values()), t.values[0], int(t.values[1])) for t in finished]


def front(found: list[Judged]) -> list[Judged]:
    """By cycles, each more accurate than all that are faster."""
    return space_front(found, lambda j: j.cycles, lambda j: j.accuracy)
