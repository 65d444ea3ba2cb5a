"""A pool of boards: work is spread, lost boards are named, and no group mixes boards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from edgert.artifact import Artifact
from edgert.drivers.session import Session
from edgert.errors import BoardFaultError, LinkError, UsageError
from edgert.pool import Job, Pool


class Board:
    """dies_after: how many sessions it serves before it is lost."""

    def __init__(self, name: str, dies_after: int = 10**6) -> None:
        self.name, self.left, self.served = name, dies_after, 0

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def work(self) -> str:
        time.sleep(0.002)
        if self.left == 0:
            raise LinkError("the cable is gone", where=self.name)
        self.left -= 1
        self.served += 1
        return self.name


def pool(*boards: Board) -> Pool:
    return Pool({b.name: cast(Callable[[Artifact], Session], lambda _, b=b: b) for b in boards})


def job(work: Callable[[Any], Any] = lambda board: board.work()) -> Job:
    return Job(cast(Artifact, type("A", (), {"name": "model"})), work)


def test_work_is_spread() -> None:
    boards = [Board("a"), Board("b"), Board("c")]
    outcomes = pool(*boards).run([[job()] for _ in range(60)])
    assert all(o.error is None and o.result == o.board for (o,) in outcomes)
    assert all(b.served > 5 for b in boards)


def test_a_board_that_dies_is_named_and_its_work_done_elsewhere() -> None:
    """A group that was half done starts over: its outcomes are all of one board."""
    boards = [Board("good"), Board("bad", dies_after=7)]
    p = pool(*boards)
    outcomes = p.run([[job(), job(), job()] for _ in range(20)])
    assert all(o.error is None for group in outcomes for o in group)
    assert all(len({o.board for o in group}) == 1 for group in outcomes)
    assert list(p.quarantined) == ["bad"]
    assert "the cable is gone" in str(p.quarantined["bad"])
    assert all(o.board == "good" for group in p.run([[job()] for _ in range(5)]) for o in group)


def test_no_board_is_left() -> None:
    p = pool(Board("a", 2))
    outcomes = p.run([[job()] for _ in range(4)])
    assert [o.error is None for (o,) in outcomes] == [True, True, False, False]
    assert "a: the cable is gone" in str(outcomes[3][0].error)


def test_a_job_that_takes_boards_down_is_given_up() -> None:
    """After two boards, it is the job; and they are not blamed."""

    def hangs(board: Any) -> None:
        raise LinkError("no answer", where=board.name)

    p = pool(Board("a"), Board("b"), Board("c"))
    outcomes = p.run([[job(hangs)], *([job()] for _ in range(30))])
    assert "it failed on" in str(outcomes[0][0].error)
    assert all(o.error is None for (o,) in outcomes[1:])
    assert p.quarantined == {}


def test_a_fault_is_the_jobs_own() -> None:
    def faults(board: Any) -> None:
        raise BoardFaultError("the core faulted", where=board.name)

    p = pool(Board("a"), Board("b"))
    (outcome,), (good,) = p.run([[job(faults)], [job()]])
    assert isinstance(outcome.error, BoardFaultError)
    assert good.error is None
    assert p.quarantined == {}


def test_one_session_at_a_time_on_each_board() -> None:
    active: dict[str, int] = {}
    lock = threading.Lock()

    def watched(board: Any) -> None:
        with lock:
            active[board.name] = active.get(board.name, 0) + 1
            assert active[board.name] == 1
        board.work()
        with lock:
            active[board.name] -= 1

    outcomes = pool(Board("a"), Board("b")).run([[job(watched)] for _ in range(30)])
    assert all(o.error is None for (o,) in outcomes)


def test_a_pool_has_boards() -> None:
    with pytest.raises(UsageError, match="without boards"):
        Pool({})
