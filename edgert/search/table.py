"""What every candidate block costs on a board: compiled, run there, and kept in one SQLite file.

A block is measured as the compiler emits it, with everything fused that it fuses. A row is known by the
block, its input, the board, the level of optimization, and what the machine code follows from: our sources
and the compiler. A file can be shared: rows of other boards and versions do not disturb. A block that does
not compile, does not fit or crashes its board is a row, too, with the reason.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgert import api, cache
from edgert.artifact import Artifact
from edgert.board import load_board
from edgert.cli.inputs import random_input
from edgert.codegen import pipeline
from edgert.drivers.session import Profile, Session
from edgert.errors import EdgertError, UsageError
from edgert.models.blocks import Block, parse
from edgert.pool import Job, Pool
from edgert.search.space import Space
from edgert.sqlite import Schema, transaction

_CREATE = """
CREATE TABLE IF NOT EXISTS costs (
    block TEXT NOT NULL, in_c INTEGER NOT NULL, side INTEGER NOT NULL, activation TEXT NOT NULL,
    board TEXT NOT NULL, optimize TEXT NOT NULL, tools TEXT NOT NULL,
    cycles INTEGER, cycles_kind TEXT, arena_bytes INTEGER, flash_bytes INTEGER, fixed_bytes INTEGER,
    weights_bytes INTEGER,
    error TEXT, measured_on TEXT NOT NULL, measured_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (block, in_c, side, activation, board, optimize, tools)
)
"""
_SCHEMA = Schema(1, (_CREATE,), "cost table", "a file that edgert search made", "--table")
_COLUMNS = "cycles, cycles_kind, arena_bytes, flash_bytes, fixed_bytes, weights_bytes, error, measured_on"


@dataclass(frozen=True)
class Item:
    """A block (as text) and the map that it reads; "classifier" is average pool and product."""

    block: str
    in_c: int
    side: int
    activation: str = "relu"

    @property
    def parsed(self) -> Block:
        (block,) = parse([self.block], in_c=self.in_c)
        return block


@dataclass(frozen=True)
class Cost:
    """arena, flash and weights in bytes; flash of a firmware that holds nothing else, fixed: how much of that
    every firmware has. error: why there is no cost.

    cycles_kind: as in Profile. measured_on: the link of the board that it was measured on.
    """

    cycles: int | None
    cycles_kind: str | None
    arena_bytes: int | None
    flash_bytes: int | None
    fixed_bytes: int | None
    weights_bytes: int | None
    error: str | None = None
    measured_on: str = ""


@dataclass(frozen=True)
class Place:
    board: str
    optimize: str = "speed"


class CostTable:
    """The file. Safe to use from several processes: every write is one transaction.

    Raises UsageError where it cannot be opened or is no such table.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._known: dict[tuple[Item, Place], Cost] = {}  # a search asks thousands of times for the same rows
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make {self.path.parent}: {error.strerror}") from error
        with self._transaction():
            pass  # opened once, so that a file that is none of ours is refused at the start

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, _SCHEMA)

    def get(self, item: Item, place: Place) -> Cost | None:
        if (item, place) in self._known:
            return self._known[item, place]
        with self._transaction() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM costs WHERE block=? AND in_c=? AND side=? AND activation=? "
                "AND board=? AND optimize=? AND tools=?", _key(item, place),
            ).fetchone()  # fmt: skip
        if row is None:
            return None
        self._known[item, place] = Cost(*row)
        return self._known[item, place]

    def put(self, item: Item, place: Place, cost: Cost) -> None:
        values = (
            *_key(item, place), cost.cycles, cost.cycles_kind, cost.arena_bytes, cost.flash_bytes,
            cost.fixed_bytes, cost.weights_bytes, cost.error, cost.measured_on,
        )  # fmt: skip
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO costs (block, in_c, side, activation, board, optimize, tools, "
                f"{_COLUMNS}) VALUES ({','.join('?' * len(values))})", values,
            )  # fmt: skip
        self._known[item, place] = cost


def _key(item: Item, place: Place) -> tuple[Any, ...]:
    geometry = (item.block, item.in_c, item.side, item.activation)
    return (*geometry, place.board, place.optimize, cache.key("costs"))


CLASSIFIER = "classifier"


def fixed_items(space: Space) -> list[Item]:
    """What every network of the space has: stem, head, classifier."""
    last = space.layers[-1]
    stem, side = _row(parse([space.stem]), space.side)
    head, side = _row(parse([space.head], in_c=last.out_c), -(-space.sides()[-1] // last.stride))
    out_c = head[-1].parsed.out_c
    return [*stem, *head, Item(f"{CLASSIFIER} c{space.classes}", out_c, side)]


def _row(blocks: Sequence[Block], side: int) -> tuple[list[Item], int]:
    """Blocks one behind the other, without those that are nothing at all, and the side of the last map."""
    found = []
    for block in blocks:
        if not block.empty:
            found.append(Item(block.text(), block.in_c, side))
        side = block.side(side)
    return found, side


def layer_items(space: Space) -> list[list[Item | None]]:
    """For each layer, each candidate's item; None for one that is nothing at all."""
    sides = space.sides()
    rows = [[layer.block(name) for name in space.candidates] for layer in space.layers]
    return [
        [None if block.empty else Item(block.text(), block.in_c, side) for block in row]
        for row, side in zip(rows, sides, strict=True)
    ]


def items(space: Space) -> list[Item]:
    """Everything that a network of the space can be made of, each once."""
    inner = [item for row in layer_items(space) for item in row if item is not None]
    return list(dict.fromkeys([*fixed_items(space), *inner]))


def parts(space: Space, choice: Sequence[str]) -> list[Item]:
    """The items that one network is made of, in order."""
    blocks = space.blocks(choice)
    found, side = _row(blocks, space.side)
    return [*found, Item(f"{CLASSIFIER} c{space.classes}", blocks[-1].out_c, side)]


@dataclass(frozen=True)
class Predicted:
    """The sum of the blocks' cycles, the largest of their arenas, and the flash of their weights and code."""

    cycles: int
    arena_bytes: int
    flash_bytes: int


def predict(space: Space, choice: Sequence[str], table: CostTable, place: Place) -> Predicted | None:
    """None where a block cannot run on this board. Raises UsageError for one that was not measured."""
    costs = []
    for item in parts(space, choice):
        cost = table.get(item, place)
        if cost is None:
            raise UsageError(f"{item.block} is not in {table.path}", hint="measure the space first")
        if cost.error is not None:
            return None
        costs.append(cost)
    return combined(costs)


def combined(costs: Sequence[Cost]) -> Predicted:
    """What blocks cost together; the part of the flash that every firmware has is counted once."""
    cycles = sum(c.cycles or 0 for c in costs)
    own = sum((c.flash_bytes or 0) - (c.fixed_bytes or 0) for c in costs)
    flash = own + max(c.fixed_bytes or 0 for c in costs)
    return Predicted(cycles, max(c.arena_bytes or 0 for c in costs), flash)


Progress = Callable[[str, int, int], None]


def measure(
    wanted: Sequence[Item], place: Place, table: CostTable, *, links: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> None:  # fmt: skip
    """Fill the table with what is missing, one board for each link. Whatever is measured is kept at once.

    Raises what concerns the board itself (DescriptorError, no board left); a block's own trouble is a row.
    """
    described = load_board(place.board)
    pool = Pool.of_links(place.board, list(links) or [described.driver])
    missing = [item for item in wanted if table.get(item, place) is None]
    boards = len(links) or 1
    for at in range(0, len(missing), boards):
        batch = missing[at : at + boards]
        progress(batch[0].block, at, len(missing))
        with tempfile.TemporaryDirectory(prefix="edgert-costs-") as folder:
            _measure_batch(batch, place, table, pool, Path(folder))


def _measure_batch(batch: Sequence[Item], place: Place, table: CostTable, pool: Pool, folder: Path) -> None:
    jobs: list[tuple[Item, Job]] = []
    arenas: dict[Item, int] = {}
    for number, item in enumerate(batch):
        try:
            artifact, arenas[item] = _compiled(item, place, folder / str(number))
            jobs.append((item, Job(artifact, profiled)))
        except EdgertError as error:
            table.put(item, place, _failed(error))
    outcomes = pool.run([[job] for _, job in jobs])
    for (item, job), (outcome,) in zip(jobs, outcomes, strict=True):
        if outcome.error is not None:
            if outcome.board == "":
                raise outcome.error  # no board is left: nothing that the block did
            table.put(item, place, _failed(outcome.error, outcome.board))
            continue
        profile, report = outcome.result, job.artifact.report
        table.put(
            item, place,
            Cost(
                profile.cycles, profile.cycles_kind, arenas[item], report["flash_bytes"],
                report["flash_split"].get("rest", 0), report["weights_bytes"], None, outcome.board,
            ),
        )  # fmt: skip


def _failed(error: EdgertError, board: str = "") -> Cost:
    return Cost(None, None, None, None, None, None, f"{type(error).__name__}: {error.what}", board)


def network_of(item: Item) -> Any:
    """The quantized network of one item."""
    from edgert.search.lower import block_network, tail_network

    if item.block.startswith(CLASSIFIER):
        return tail_network(item.in_c, item.side, int(item.block.rpartition("c")[2]))
    return block_network(item.parsed, item.side, item.activation)


def _compiled(item: Item, place: Place, folder: Path) -> tuple[Artifact, int]:
    """The block's firmware, and the arena that it needs where it is the peak of a network.

    A network's peak takes slower kernels where these lower it (codegen/relieve.py). A block alone is always
    its own peak, so it is measured without that, as it runs in a network whose peak is elsewhere.
    """
    from edgert.codegen.refine import refine

    network = network_of(item)
    program = refine(pipeline.module_to_program(network.module, network.name)).program
    artifact = api.compile_program(program, folder, board=place.board, optimize=place.optimize, labels={})
    return artifact, api.planned_arena_bytes(program, board=place.board)


@dataclass(frozen=True)
class Planned:
    """arena_bytes: as any network of this choice has it. flash_bytes: linked, with made-up weights."""

    arena_bytes: int
    flash_bytes: int


def planned(space: Space, choice: Sequence[str], place: Place, seed: int = 0) -> Planned:
    """The memory of a whole network, by compiling it. Its arena depends on the shapes alone; its flash,
    within some 0.3 %, on what trained weights prove to be idle. Raises DoesNotFitError,
    UnsupportedOperatorError."""
    from edgert.search.lower import whole_network

    network = whole_network(space.blocks(choice), space.side, space.classes, seed=seed)
    program = pipeline.module_to_program(network.module, network.name)
    with tempfile.TemporaryDirectory(prefix="edgert-planned-") as folder:
        artifact = api.compile_program(program, Path(folder), board=place.board, optimize=place.optimize)
    return Planned(artifact.arena_bytes, artifact.flash_bytes or 0)


def profiled(session: Session) -> Profile:
    """One run on an input that is the same every time."""
    return session.profile(*(random_input(port, 0) for port in session.report["inputs"]))
