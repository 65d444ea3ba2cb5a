"""The search: a table measured on an emulated board, searches that stay within limits and can be stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgert.errors import DoesNotFitError, UsageError

torch = pytest.importorskip("torch", reason="needs edgert[search]")
pytest.importorskip("optuna", reason="needs edgert[search]")

from coloured import CLASSES, TINY, coloured  # noqa: E402 - only with torch

from edgert.models.data import Data  # noqa: E402 - only with torch
from edgert.models.train import Recipe  # noqa: E402 - only with torch
from edgert.search import candidate, plot, run, table  # noqa: E402 - only with torch
from edgert.search.candidate import Result, Results  # noqa: E402 - only with torch
from edgert.search.dnas import Search, Settings, layer_costs  # noqa: E402 - only with torch
from edgert.search.elastic import ElasticNet, extremes, judged  # noqa: E402 - only with torch
from edgert.search.evolve import evolve, front, storage_url  # noqa: E402 - only with torch
from edgert.search.limits import Limits, possible  # noqa: E402 - only with torch
from edgert.search.space import CANDIDATES, SPACES, space  # noqa: E402 - only with torch
from edgert.search.table import Cost, CostTable, Item, Place, Predicted  # noqa: E402 - only with torch

PLACE = Place("cortex-m4-emulated")
RECIPE = Recipe(epochs=1, batch=32, peak_rate=0.05)


@pytest.fixture(scope="module")
def data() -> Data:
    return Data(CLASSES, *coloured(192), *coloured(60, 1))


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> CostTable:
    made = CostTable(tmp_path_factory.mktemp("table") / "costs.sqlite")
    table.measure(table.items(TINY), PLACE, made)
    return made


def test_spaces_are_fbnets() -> None:
    assert len(CANDIDATES) == 10 and len(space("imagenet").layers) == 22
    assert space("imagenet").size == 10**22
    for one in SPACES.values():
        choice = one.random(np.random.default_rng(0))
        assert one.counts(choice).macs > 0 and len(one.sides()) == len(one.layers)
    with pytest.raises(UsageError, match="cifar_small"):
        space("moon")


def test_the_sum_of_the_blocks_is_the_network(costs: CostTable) -> None:
    from edgert import api
    from edgert.search.lower import whole_network

    for seed in range(3):
        choice = TINY.random(np.random.default_rng(seed))
        told = table.predict(TINY, choice, costs, PLACE)
        assert told is not None
        network = whole_network(TINY.blocks(choice), TINY.side, TINY.classes, seed=seed + 5)
        artifact = api.compile(network, board=PLACE.board, optimize=PLACE.optimize, use_cache=False)
        cycles, kind = candidate.measured(artifact)
        assert cycles is not None and abs(told.cycles / cycles - 1) < 0.1 and kind == "modelled"
        planned = table.planned(TINY, choice, PLACE)
        assert planned.arena_bytes == artifact.arena_bytes
        assert artifact.flash_bytes is not None and abs(planned.flash_bytes / artifact.flash_bytes - 1) < 0.01


def test_what_is_in_the_table_is_not_measured_again(
    costs: CostTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_measure_batch", None)
    table.measure(table.items(TINY), PLACE, costs)
    with pytest.raises(TypeError):
        table.measure(table.items(TINY), Place("rv32imc-emulated"), costs)


def test_a_block_that_does_not_fit_is_a_row_with_the_reason(tmp_path: Path) -> None:
    made, item = CostTable(tmp_path / "t.sqlite"), Item("ir k3 e6 c112", 112, 96)
    fits = Item("conv k3 c8 s2", 3, 32)
    table.measure([item, fits], Place("microbit"), made)
    found = made.get(item, Place("microbit"))
    assert found is not None and found.cycles is None and "DoesNotFitError" in (found.error or "")
    rest = made.get(fits, Place("microbit"))
    assert rest is not None


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no database at all, only text that is long enough to be read")
    with pytest.raises(UsageError, match="cannot use the cost table"):
        CostTable(tmp_path / "x")


def test_predict_asks_for_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not in"):
        table.predict(TINY, ("skip", "skip"), CostTable(tmp_path / "t.sqlite"), PLACE)


def test_limits() -> None:
    told = Predicted(100, 200, 300)
    assert Limits().allow(told) and Limits(100, 200, 300).allow(told)
    assert not any(
        limit.allow(told) for limit in (Limits(cycles=99), Limits(arena_bytes=199), Limits(flash_bytes=299))
    )


def test_limits_leave_the_candidates_that_some_network_within_them_has(costs: CostTable) -> None:
    assert possible(TINY, costs, PLACE, Limits()).allowed == (TINY.candidates,) * 2
    rows = {c: table.predict(TINY, c, costs, PLACE) for c in product(TINY.candidates, repeat=2)}
    for name in ("cycles", "arena_bytes", "flash_bytes"):
        values = sorted(getattr(told, name) for told in rows.values() if told)
        limits = Limits(**{name: values[len(values) // 3]})
        fit = [choice for choice, told in rows.items() if told and limits.allow(told)]
        left = possible(TINY, costs, PLACE, limits)
        wanted = tuple(tuple(n for n in TINY.candidates if n in {c[i] for c in fit}) for i in range(2))
        assert left.allowed == wanted and left.size < TINY.size
        smallest, largest = extremes(left)
        assert all(c[i] in left.of_layer(i) for c in (smallest, largest) for i in range(2))
    with pytest.raises(DoesNotFitError, match="no candidate for layer 1 of 2"):
        possible(TINY, costs, PLACE, Limits(cycles=1000))


def test_choices_use_what_they_are_given(costs: CostTable, data: Data, tmp_path: Path) -> None:
    every = [table.predict(TINY, c, costs, PLACE) for c in product(TINY.candidates, repeat=2)]
    most = max(told.cycles for told in every if told)
    for strategy in ("random", "evolution"):
        plan = replace(PLAN, strategy=strategy, candidates=1, evaluations=2)
        place = ground(data, costs, tmp_path / strategy, Limits(cycles=most))
        (choice,) = run.propose(place, plan)
        told = table.predict(TINY, choice, costs, PLACE)
        assert told is not None and 0.8 * most <= told.cycles <= most
    said: list[str] = []
    loose = replace(ground(data, costs, tmp_path, Limits(cycles=10 * most)), say=said.append)
    assert len(run.propose(loose, replace(PLAN, strategy="random"))) == 2 and "any will do" in said[0]


def test_candidates_are_judged_by_training_images_that_none_is_trained_with(data: Data) -> None:
    part = data.held_out(5)
    assert len(part.test_images) == 39 and len(part.train_images) == 153
    assert np.array_equal(part.test_images[1], data.train_images[5])
    assert np.array_equal(part.train_images[4], data.train_images[6])


@pytest.mark.parametrize("single", [True, False])
def test_dnas_stays_within_a_limit(costs: CostTable, data: Data, single: bool) -> None:
    measured = layer_costs(TINY, costs, PLACE, 64e6)
    assert measured.cycles.shape == (2, 5) and measured.cycles[0, 3] == 0  # an empty skip
    settings = Settings(warm_up=1, epochs=4, batch=32, single_path=single, architecture_rate=0.3, beta=0.0)
    search = Search(TINY, data, measured, settings)
    search.warm_up()
    uniform = float(search.expected()[0])
    tight = Limits(cycles=int(0.5 * uniform))
    chances = search.find(tight)
    assert chances.shape == (2, 5) and torch.allclose(chances.sum(1), torch.ones(2))
    assert float(search.expected()[0]) < uniform
    choices = search.choices(chances, 3)
    assert len(set(choices)) == len(choices) == 3
    best = search.best(chances, lambda c: "skip" in c, 2, 5)
    assert best and all("skip" in c for c in best)


def test_the_soft_term_prefers_what_is_fast(costs: CostTable, data: Data) -> None:
    settings = Settings(warm_up=1, epochs=5, batch=32, architecture_rate=0.3)
    search = Search(TINY, data, layer_costs(TINY, costs, PLACE, 64e6), settings)
    search.warm_up()
    before = float(search.expected()[0])
    search.find(Limits())
    assert float(search.expected()[0]) < before


def test_elastic_net_runs_every_choice(data: Data) -> None:
    torch.manual_seed(0)
    net = ElasticNet(TINY)
    smallest, largest = extremes(TINY)
    assert smallest == ("skip",) * 2 and largest == ("k5_e3",) * 2
    for name in TINY.candidates:
        assert net(torch.randn(4, 3, 32, 32), (name, name)).shape == (4, 3)
    assert 0 <= judged(net, largest, data.test_images, data.test_labels) <= 1


def test_evolution_rejects_before_it_judges_and_goes_on(costs: CostTable, tmp_path: Path) -> None:
    choices = [tuple(c) for c in [("skip", "skip"), ("k5_e3", "k5_e3")]]
    cheap, dear = (table.predict(TINY, c, costs, PLACE) for c in choices)
    assert cheap is not None and dear is not None
    limits = Limits(cycles=(cheap.cycles + dear.cycles) // 2)
    seen: list[Any] = []

    def judge(choice: Any) -> float:
        seen.append(choice)
        return sum("k5" in name for name in choice) / 2

    storage = storage_url(tmp_path / "study.sqlite")
    first = evolve(TINY, judge, costs, PLACE, limits, evaluations=5, storage=storage, population=4)
    assert len(seen) == 5 and all(limits.allow(table.predict(TINY, c, costs, PLACE)) for c in seen)
    again = evolve(TINY, judge, costs, PLACE, limits, evaluations=7, storage=storage, population=4)
    assert len(seen) == 7 and again[-1].accuracy >= first[-1].accuracy
    assert front(again) == again


def ground(data: Data, costs: CostTable, folder: Path, limits: Limits) -> run.Ground:
    return run.Ground(TINY, data, costs, PLACE, limits, folder, lambda text: None)


PLAN = run.Plan(
    candidates=2, recipe=RECIPE, supernet=RECIPE, evaluations=4,
    dnas=Settings(warm_up=1, epochs=1, batch=32),
)  # fmt: skip


@pytest.mark.parametrize("strategy", run.STRATEGIES)
def test_a_search_from_end_to_end(strategy: str, costs: CostTable, data: Data, tmp_path: Path) -> None:
    place = ground(data, costs, tmp_path, Limits(arena_bytes=64 << 10))
    found = run.search(place, replace(PLAN, strategy=strategy))
    assert 1 <= len(found.results) <= 2 and found.best.error is None
    assert (tmp_path / "model.tflite").is_file() and (tmp_path / "c" / "model.c").is_file()
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["result"]["choice"] == found.best.choice and card["board"] == PLACE.board
    assert not list(tmp_path.glob("candidate-*.pt"))


def test_a_killed_search_loses_the_candidate_in_flight_at_most(
    costs: CostTable, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, done = replace(PLAN, strategy="random"), []
    real = run.evaluated

    def second_is_killed(*args: Any, **options: Any) -> Result:
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(args[1])
        return real(*args, **options)

    monkeypatch.setattr(run, "evaluated", second_is_killed)
    place = ground(data, costs, tmp_path, Limits())
    with pytest.raises(KeyboardInterrupt):
        run.search(place, plan)
    repeated: list[Any] = []
    monkeypatch.setattr(run, "evaluated", lambda *a, **o: (repeated.append(a[1]), real(*a, **o))[1])
    found = run.search(place, plan)
    assert len(repeated) == 1 and repeated[0] != done[0] and len(found.results) == 2


def test_a_candidate_that_fails_is_recorded_and_the_search_goes_on(
    costs: CostTable, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fails_once(artifact: Any, link: str = "") -> tuple[int, str]:
        calls.append(1)
        if len(calls) == 1:
            raise DoesNotFitError("the board went up in smoke")
        return 1000, "modelled"

    monkeypatch.setattr(candidate, "measured", fails_once)
    monkeypatch.setattr(run, "measured", fails_once)
    found = run.search(ground(data, costs, tmp_path, Limits()), replace(PLAN, strategy="random"))
    assert found.results[0].error == "DoesNotFitError: the board went up in smoke"
    assert found.results[0].accuracy is not None and found.results[1].error is None


def test_limits_that_nothing_meets(costs: CostTable, data: Data, tmp_path: Path) -> None:
    with pytest.raises(DoesNotFitError, match="0 of 2 networks"):
        run.random_choices(ground(data, costs, tmp_path, Limits(cycles=10)), 2, 0)
    with pytest.raises(DoesNotFitError, match="none of 1"):
        run.best([Result("a", error="X: y")], Limits())
    with pytest.raises(UsageError, match="strategy is 'luck'"):
        run.Plan(strategy="luck")


def test_results_are_kept(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.sqlite")
    assert results.proposals("a", lambda: [("x", "y")]) == [("x", "y")]
    assert Results(tmp_path / "r.sqlite").proposals("a", list) == [("x", "y")]
    assert results.result("a", 0, lambda: Result("x y", 0.5)) == Result("x y", 0.5)
    assert results.result("a", 0, lambda: Result("other")) == Result("x y", 0.5)


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results = [Result(f"c{i} <b>", 0.5, 0.4 + 0.1 * i, 1000 * (3 - i), "modelled", 1, 2) for i in range(3)]
    assert [r.choice for r in plot.pareto(results)] == ["c2 <b>"]
    plot.write_png(results, tmp_path / "p.png", 1e6, "t")
    page = plot.write_html([*results, Result("failed", error="x")], tmp_path / "p.html", 1e6, "t").read_text()
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    assert "<b>" not in page.partition("<h1>")[2].replace("<b></b>", "") and page.count("<circle") == 3


def test_costs_combine() -> None:
    one, other = (Cost(10, "modelled", a, 1000, 400, 300) for a in (64, 128))
    assert table.combined([one, other]) == Predicted(20, 128, 1600)
