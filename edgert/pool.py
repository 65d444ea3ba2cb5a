"""Many boards of a kind at once: work is spread over them, and survives the loss of some."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgert.artifact import Artifact
from edgert.drivers.session import Session
from edgert.errors import BoardTimeoutError, EdgertError, LinkError, UsageError, WrongFirmwareError

BOARD_ERRORS = (LinkError, BoardTimeoutError, WrongFirmwareError)
_MOST_BOARDS_PER_GROUP = 2  # what fails on two boards is not the boards' fault


@dataclass(frozen=True)
class Job:
    """A model, and what to do with a session that runs it. Its result belongs to one board."""

    artifact: Artifact
    work: Callable[[Session], Any]


@dataclass(frozen=True)
class Outcome:
    """result, or the error that the job ended with; board: which one it was measured on."""

    board: str
    result: Any = None
    error: EdgertError | None = None


@dataclass
class _Group:
    """Jobs whose results will be compared, so that they are all measured on one board."""

    index: int
    jobs: Sequence[Job]
    failed_on: dict[str, EdgertError] = field(default_factory=dict)


class Pool:
    """connect: board's name -> how to open a session with it, for an artifact.

    A board that is lost is quarantined: it gets no more work, and `quarantined` says why. What it was doing
    is done again elsewhere, the whole group, so that no figure mixes boards.
    """

    def __init__(self, connect: Mapping[str, Callable[[Artifact], Session]]) -> None:
        if not connect:
            raise UsageError("a pool without boards", hint="give at least one")
        self._connect = dict(connect)
        self._waiting = threading.Condition()
        self._queue: deque[_Group] = deque()
        self._busy = 0
        self._outcomes: dict[int, list[Outcome]] = {}
        self._progress: Callable[[], None] = lambda: None
        self.quarantined: dict[str, EdgertError] = {}

    @classmethod
    def of_links(cls, board: str, links: Sequence[str]) -> Pool:
        """Boards of one kind, one for each link: "gdb:localhost:3333", "serial:/dev/ttyACM1" ..."""
        from edgert.api import connect

        def opener(link: str) -> Callable[[Artifact], Session]:
            return lambda artifact: connect(artifact, board=board, link=link)

        return cls({link: opener(link) for link in links})

    def run(
        self, groups: Sequence[Sequence[Job]], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[list[Outcome]]:
        """The outcome of every job, in order; the jobs of a group are measured on one board.

        progress: called with groups done and in all.

        A job that fails for a reason of its own (a fault, a wrong input) has that as its outcome. So has one
        that two boards were lost over, or that no board is left for.
        """
        self._queue = deque(_Group(i, list(jobs)) for i, jobs in enumerate(groups))
        self._outcomes = {}
        self._progress = lambda: progress(len(self._outcomes), len(groups))
        names = [name for name in self._connect if name not in self.quarantined]
        threads = [threading.Thread(target=self._serve, args=(name,), daemon=True) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for group in self._queue:
            self._give_up(group)
        return [self._outcomes[i] for i in range(len(groups))]

    def _serve(self, board: str) -> None:
        while (group := self._take(board)) is not None:
            outcomes, lost = self._work(board, group)
            with self._waiting:
                self._busy -= 1
                if lost is None:
                    self._outcomes[group.index] = outcomes
                else:
                    self._requeue(board, group, lost)
                self._progress()
                self._waiting.notify_all()

    def _take(self, board: str) -> _Group | None:
        """The next group that has not failed on this board; None once there will be none.

        A board in quarantine waits: it is free again if what it was lost over is lost elsewhere, too.
        """
        with self._waiting:
            while True:
                for group in [] if board in self.quarantined else self._queue:
                    if board not in group.failed_on:
                        self._queue.remove(group)
                        self._busy += 1
                        return group
                if not self._busy:
                    return None
                self._waiting.wait()

    def _work(self, board: str, group: _Group) -> tuple[list[Outcome], EdgertError | None]:
        outcomes: list[Outcome] = []
        for job in group.jobs:
            try:
                with self._connect[board](job.artifact) as session:
                    outcomes.append(Outcome(board, job.work(session)))
            except BOARD_ERRORS as error:
                return [], error
            except EdgertError as error:
                outcomes.append(Outcome(board, error=error))
        return outcomes, None

    def _requeue(self, board: str, group: _Group, error: EdgertError) -> None:
        """The board is to blame, until the group has failed on another, too."""
        group.failed_on[board] = error
        if len(group.failed_on) >= _MOST_BOARDS_PER_GROUP:
            for name in group.failed_on:
                self.quarantined.pop(name, None)
            self._give_up(group)
            return
        self.quarantined[board] = error
        self._queue.append(group)

    def _give_up(self, group: _Group) -> None:
        reasons = "; ".join(f"{name}: {error.what}" for name, error in group.failed_on.items())
        lost = "; ".join(f"{name}: {error.what}" for name, error in self.quarantined.items())
        error = LinkError(
            f"it failed on {reasons}" if reasons else f"no board is left: {lost}",
            where=group.jobs[0].artifact.name if group.jobs else "",
            hint="look after the boards that are named, and run it again",
        )
        self._outcomes[group.index] = [Outcome("", error=error) for _ in group.jobs]
