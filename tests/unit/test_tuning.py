"""The tuning database: what it keeps, what it refuses, and that two writers do not disturb each other."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgert.codegen.program import Step
from edgert.errors import UsageError
from edgert.tuning import Measurement, Place, TuningDatabase, choices

PLACE = Place("cortex-m4-emulated", "balanced")


def step(name: str = "layer", **attrs: int) -> Step:
    return Step(name, "conv2d_s8", ("x",), ("y",), attrs)


def test_the_cheapest_is_chosen_and_ties_go_to_less_flash(tmp_path: Path) -> None:
    database = TuningDatabase(tmp_path / "db")
    for label, cycles, flash in (("a", 100, 50), ("b", 90, 80), ("c", 90, 70)):
        database.store(PLACE, step(in_c=3), label, Measurement(cycles, cycles, flash, 0))
    steps = {"one": step(in_c=3), "two": step(in_c=4)}
    assert choices(database, PLACE, steps, {"one": "a", "two": "a"}) == {"one": "c"}


def test_a_default_stays_where_little_is_gained(tmp_path: Path) -> None:
    database = TuningDatabase(tmp_path / "db")
    for label, cycles in (("a", 100), ("b", 96)):
        database.store(PLACE, step(), label, Measurement(cycles, cycles, 1, 1))
    assert choices(database, PLACE, {"one": step()}, {"one": "a"}) == {"one": "a"}
    assert choices(database, PLACE, {"one": step()}, {"one": "gone"}) == {"one": "b"}


def test_place_geometry_and_level_are_part_of_the_key(tmp_path: Path) -> None:
    keys = {
        place.layer_key(step(in_c=in_c))
        for place in (PLACE, Place("rv32imc-emulated", "balanced"), Place(PLACE.board, "size"))
        for in_c in (3, 4)
    }
    assert len(keys) == 6
    assert PLACE.layer_key(step("a", in_c=3)) == PLACE.layer_key(step("b", in_c=3))


def test_the_stamp_changes_with_what_compile_would_choose(tmp_path: Path) -> None:
    database = TuningDatabase(tmp_path / "db")
    assert database.stamp(PLACE) == ""
    database.store(PLACE, step(), "a", Measurement(1, 1, 1, 1))
    first = database.stamp(PLACE)
    database.store(Place("other", "balanced"), step(), "a", Measurement(1, 1, 1, 1))
    assert database.stamp(PLACE) == first != ""
    database.store(PLACE, step(), "a", Measurement(2, 1, 1, 1))
    assert database.stamp(PLACE) != first


def test_many_writers(tmp_path: Path) -> None:
    database = TuningDatabase(tmp_path / "db")

    def write(n: int) -> None:
        TuningDatabase(database.path).store(PLACE, step(in_c=n % 7), f"v{n}", Measurement(n, n, n, n))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(70)))
    assert sum(len(database.measurements(PLACE.layer_key(step(in_c=c)))) for c in range(7)) == 70


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\0" * 5000])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "db"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="tuning database"):
        TuningDatabase(path).store(PLACE, step(), "a", Measurement(1, 1, 1, 1))
    assert path.read_bytes() == content


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="schema 99"):
        TuningDatabase(path).stamp(PLACE)


def test_tuned_kernels_are_not_trusted_where_the_whole_model_was_slower(tmp_path: Path) -> None:
    database = TuningDatabase(tmp_path / "db")
    assert not database.trusts(PLACE, "model")
    database.store(PLACE, step(), "a", Measurement(1, 1, 1, 1))
    assert database.trusts(PLACE, "model")
    before = database.stamp(PLACE)
    database.judge(PLACE, "model", (100, 101))
    assert not database.trusts(PLACE, "model") and database.trusts(PLACE, "another")
    assert database.stamp(PLACE) != before
    database.judge(PLACE, "model", (100, 100))
    assert database.trusts(PLACE, "model")
