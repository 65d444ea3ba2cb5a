"""What a network may need of a board, and which candidates that leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgert.errors import DoesNotFitError
from edgert.search.space import Space
from edgert.search.table import Cost, CostTable, Place, combined, fixed_items, layer_items

NAMES = ("cycles", "arena_bytes", "flash_bytes")
_NOTHING = Cost(0, None, 0, 0, 0, 0)  # of a layer that is left out


@dataclass(frozen=True)
class Limits:
    """What a network may need; None: no limit."""

    cycles: int | None = None
    arena_bytes: int | None = None
    flash_bytes: int | None = None

    def allow(self, predicted: Any) -> bool:
        """predicted: has cycles, arena_bytes and flash_bytes."""
        limits = ((getattr(self, n), getattr(predicted, n)) for n in NAMES)
        return all(limit is None or needed <= limit for limit, needed in limits)


def possible(space: Space, table: CostTable, place: Place, limits: Limits) -> Space:
    """The space without the candidates that exceed a limit even where every other layer has what needs least
    of it: no network within the limits has them, and a super-net need not learn them.

    Every item of the space has to be in the table. Raises DoesNotFitError where a layer has none left.
    """
    fixed = [_known(table.get(item, place)) for item in fixed_items(space)]
    rows = [
        [_NOTHING if item is None else _known(table.get(item, place)) for item in row]
        for row in layer_items(space)
    ]
    least = {name: [_least(row, name) for row in rows] for name in NAMES}
    allowed = []
    for number, row in enumerate(rows):
        around = {name: [*fixed, *costs[:number], *costs[number + 1 :]] for name, costs in least.items()}
        allowed.append(
            tuple(
                name
                for name, cost in zip(space.candidates, row, strict=True)
                if cost.error is None and _fits(cost, around, limits)
            )
        )
        if not allowed[-1]:
            raise DoesNotFitError(
                f"no candidate for layer {number + 1} of {len(rows)} is within {limits}",
                rule="each layer needs one, beside the smallest ones of the others", hint="raise a limit",
            )  # fmt: skip
    return replace(space, allowed=tuple(allowed))


def _known(cost: Cost | None) -> Cost:
    assert cost is not None, "measured before"
    return cost


def _least(row: Sequence[Cost], name: str) -> Cost:
    """What needs least of one thing, of those that run on the board; the first of them where none does."""
    return min(row, key=lambda cost: (cost.error is not None, getattr(cost, name) or 0))


def _fits(cost: Cost, around: Mapping[str, Sequence[Cost]], limits: Limits) -> bool:
    return all(
        limit is None or getattr(combined([*around[name], cost]), name) <= limit
        for name, limit in asdict(limits).items()
    )
