"""The cache keeps complete entries only, and forgets nothing that is being made."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgert import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERT_CACHE", str(tmp_path / "cache"))


def _make(entry: str, text: str) -> None:
    with cache.publish(entry) as folder:
        (folder / "report.json").write_text(text)


def test_publish_then_lookup() -> None:
    assert cache.lookup("abc") is None
    _make("abc", "1")
    found = cache.lookup("abc")
    assert found is not None
    assert (found / "report.json").read_text() == "1"


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with cache.publish("abc") as folder:
            (folder / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert cache.lookup("abc") is None
    assert list((tmp_path / "cache" / "artifacts").iterdir()) == []


def test_a_second_publish_replaces() -> None:
    _make("abc", "1")
    _make("abc", "2")
    found = cache.lookup("abc")
    assert found is not None
    assert (found / "report.json").read_text() == "2"


def test_an_entry_that_somebody_else_finished_stays() -> None:
    _make("abc", "1")
    with cache.publish("abc", replace=False) as folder:
        (folder / "report.json").write_text("2")
    found = cache.lookup("abc")
    assert found is not None
    assert (found / "report.json").read_text() == "1"


def test_key_depends_on_every_part_and_its_boundary() -> None:
    keys = {cache.key("a", "bc"), cache.key("ab", "c"), cache.key("a", "bd"), cache.key(b"a", "bc")}
    assert len(keys) == 3  # text and its UTF-8 bytes are the same content


def test_old_entries_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 2)
    for entry in "abc":
        _make(entry, entry)
    assert sum(cache.lookup(entry) is not None for entry in "abc") == 2
