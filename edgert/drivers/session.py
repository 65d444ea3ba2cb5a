"""Session: a model on a board, whatever the board. Profile: what a run of it cost, layer by layer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from edgert.errors import InputError, UsageError

Array = npt.NDArray[np.generic]
DEFAULT_TIMEOUT_S = 60.0
DISPATCH = "(dispatch)"


@dataclass(frozen=True)
class LayerProfile:
    """One layer's cost. instructions: counted exactly; cycles: as Profile.cycles_kind says. None: unknown.

    wait_cycles: how many of the cycles are waits for flash. read_bytes: the layer's inputs, weights and
    tables, each once; written_bytes: its outputs. variant: the kernel and its tunables. spread: the fewest
    and the most cycles of the repetitions, of which `cycles` is the median; None if there was one.
    """

    name: str
    op: str
    variant: str
    macs: int
    instructions: int | None
    cycles: int | None
    wait_cycles: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    spread: tuple[int, int] | None = None


@dataclass(frozen=True)
class Profile:
    """One run. The layers add up to the totals; the row "(dispatch)" is the code between layers.

    cycles_kind: "modelled" (edgert/drivers/timing.py), or "measured: " or "emulated: " and the counter.
    stack_bytes: the deepest that the stack went, found by painting. clock_hz: what the cycles are of.
    wait_states: of its flash, as modelled; None: not modelled. repetitions: how many runs were measured.
    notes: what else the board says of how it ran: CPU, governor and frequency on Linux.
    """

    layers: tuple[LayerProfile, ...]
    cycles_kind: str
    stack_bytes: int | None
    clock_hz: int | None
    wait_states: int | None = None
    repetitions: int = 1
    notes: str = ""

    @property
    def wait_cycles(self) -> int:
        """How many of the cycles are waits for flash."""
        return sum(layer.wait_cycles for layer in self.layers)

    @property
    def instructions(self) -> int | None:
        return _total([layer.instructions for layer in self.layers])

    @property
    def cycles(self) -> int | None:
        return _total([layer.cycles for layer in self.layers])

    @property
    def milliseconds(self) -> float | None:
        """cycles / clock_hz, in ms."""
        return 1e3 * self.cycles / self.clock_hz if self.cycles and self.clock_hz else None

    def table(self) -> str:
        """The layers as aligned text."""
        from edgert.report.profile import profile_table

        return profile_table(self)

    def to_json(self) -> dict[str, Any]:
        return {
            "instructions": self.instructions,
            "cycles": self.cycles,
            "cycles_kind": self.cycles_kind,
            "wait_states": self.wait_states,
            "wait_cycles": self.wait_cycles,
            "milliseconds": self.milliseconds,
            "clock_hz": self.clock_hz,
            "stack_bytes": self.stack_bytes,
            "repetitions": self.repetitions,
            "notes": self.notes,
            "layers": [asdict(layer) for layer in self.layers],
        }


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


class Session(ABC):
    """A model on a board. Close it, or use it as a context manager."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self.report = report

    def run(self, *inputs: Array, timeout_s: float = DEFAULT_TIMEOUT_S) -> list[Array]:
        """Run once: one array per input, in the model's shapes and dtypes; returns one per output.

        Raises InputError, BoardFaultError, BoardTimeoutError.
        """
        return self._run(check_inputs(self.report["inputs"], inputs), _positive(timeout_s))

    def profile(self, *inputs: Array, timeout_s: float = DEFAULT_TIMEOUT_S, repetitions: int = 1) -> Profile:
        """Run and say what every layer cost: the median of `repetitions` runs, each within timeout_s.

        Raises InputError, BoardFaultError, BoardTimeoutError; UsageError on a board that cannot measure.
        """
        if repetitions < 1:
            raise UsageError(f"repetitions is {repetitions}", rule="a profile takes at least one run")
        data = check_inputs(self.report["inputs"], inputs)
        return self._profile(data, _positive(timeout_s), repetitions)

    @abstractmethod
    def _run(self, inputs: Sequence[bytes], timeout_s: float) -> list[Array]: ...

    @abstractmethod
    def _profile(self, inputs: Sequence[bytes], timeout_s: float, repetitions: int) -> Profile: ...

    def close(self) -> None:
        """Let go of the board. Safe to call twice."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _positive(timeout_s: float) -> float:
    if not timeout_s > 0:
        raise UsageError(f"timeout_s is {timeout_s}", rule="a time-out is more than 0 seconds")
    return timeout_s


def check_inputs(ports: Sequence[Mapping[str, Any]], inputs: Sequence[Array]) -> list[bytes]:
    """The inputs as the model's bytes. Raises InputError for a wrong number, shape or dtype."""
    if len(inputs) != len(ports):
        raise InputError(f"{len(inputs)} inputs given, the model has {len(ports)}")
    found = []
    for index, (port, given) in enumerate(zip(ports, inputs, strict=True)):
        array = np.asarray(given)
        where = f"input {index} ({port['name']})"
        if str(array.dtype) != port["dtype"]:
            raise InputError(
                f"dtype is {array.dtype}", where=where, rule=f"the model reads {port['dtype']}",
                hint=_quantize_hint(port),
            )  # fmt: skip
        if list(array.shape) != list(port["shape"]):
            raise InputError(
                f"shape is {list(array.shape)}", where=where, rule=f"the model reads {list(port['shape'])}"
            )
        found.append(np.ascontiguousarray(array).tobytes())
    return found


def read_outputs(ports: Sequence[Mapping[str, Any]], arena_bytes_at: Mapping[int, bytes]) -> list[Array]:
    """Bytes found at each port's offset -> arrays."""
    return [
        np.frombuffer(arena_bytes_at[p["offset"]], dtype=p["dtype"]).reshape(p["shape"]).copy() for p in ports
    ]


def port_bytes(port: Mapping[str, Any]) -> int:
    """Bytes of one input or output."""
    elements: int = math.prod(port["shape"])
    return elements * int(np.dtype(port["dtype"]).itemsize)


def _quantize_hint(port: Mapping[str, Any]) -> str:
    if port["scale"] is None:
        return f"convert it with .astype({port['dtype']!r})"
    return f"quantize real values: q = round(x / {port['scale']:.6g}) + {port['zero_point']}"
