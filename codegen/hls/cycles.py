"""How long a Design takes, without simulating it: each command's time from its counts, in the order of needs.

A core's three sections overlap: a command is read while the one before multiplies, and that one while the one
before it is written. Constants are properties of csrc/verilog, checked by tests/hls/test_cycles.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgert.codegen.hls.design import Command, Design, parts_of
from edgert.codegen.hls.isa import (
    LANES,
    NEED_BITS,
    ROM_BITS,
    Load,
    Mac,
    Machine,
    Op,
    Read,
    Softmax,
    Store,
)

# ---- of the circuit, in cycles ---------------------------------------------------------------------------
FETCH = 5  # beside the words of a command's ROM
NEED = 2  # from a command's completion to the start of one that needs it
READ_SWITCH, MAC_SWITCH = 2, 2  # from one command to the next
READ = 19  # from a Read's start to the first item in Mac; 1 more with several banks
LEAST = 10  # of a command in Mac
DRAIN = 37  # from the last item to the command's completion
LOAD_START, LOAD_END, LOAD_GAP = 6, 3, 4  # beside the external memory's latency; between two loads
STORE_START, STORE_END = 9, 4
SCRATCH_LOAD = 20  # from the start of a load out of the scratchpad to its first word
SOFTMAX_ROW, SOFTMAX_ITEM = 86.5, 3
ADD_WORD = 9
_CRITICAL = 0.4  # words for a cycle of Mac from which the banks may hold a command up


@dataclass(frozen=True)
class Span:
    """A command's cycles: from when its first part was taken until its last word was in place."""

    agent: int
    command: int
    start: int
    end: int


@dataclass(frozen=True)
class Times:
    """cycles in all; spans of every command; busy: cycles that each core multiplied."""

    cycles: int
    spans: tuple[Span, ...]
    busy: tuple[int, ...]


@dataclass
class _Agent:
    """Where an agent is: the next command, when its sections are free, when its commands were complete."""

    next: int = 0
    fetched: float = 0.0
    read_free: float = 0.0
    mac_free: float = 0.0
    out_free: float = 0.0
    done: list[float] = field(default_factory=list)
    busy: float = 0.0


def estimate(design: Design) -> Times:
    """Raises RuntimeError at a deadlock, which build() does not make."""
    alone = _Clock(design, {}).run()
    waits = _waits(design, alone.spans)
    return _Clock(design, waits).run() if waits else alone


def mac_cycles(read: Read, mac: Mac) -> int:
    """Cycles that Mac works on a command, if items come in time."""
    pixels = mac.groups * mac.rows * mac.cols
    if mac.op == Op.ADD:
        return ADD_WORD * pixels
    if mac.op == Op.TABLE:
        return 8 * pixels
    if mac.window:
        return pixels * max(mac.kh * mac.kw, LANES) + mac.groups * mac.rows * _row_fill(mac)
    each = read.kh * read.kw * read.run
    return pixels * max(each, LANES)


def _row_fill(mac: Mac) -> int:
    """A row's first columns that come before its first pixel, beside what was loaded ahead."""
    return max(0, mac.kh * mac.kw - max(mac.kh * mac.kw, LANES))


def read_words(read: Read) -> float:
    """Requests to the scratchpad: bytes of a word that follow each other are one."""
    windows = read.groups * read.rows * read.cols * read.kh
    if read.words:
        return windows * read.kw * read.run
    if read.s_kx == read.run:
        return windows * (read.kw * read.run + LANES - 1) / LANES
    return windows * read.kw * -(-read.run // LANES)


Waits = dict[tuple[int, int], float]  # (agent, command) -> cycles of a word


def _waits(design: Design, spans: Sequence[Span]) -> Waits:
    """How long the banks take to give a word to a command that reads about as fast as it multiplies.

    One cycle, and as many more as there are requests of others to the same bank meanwhile.
    """
    rates, busy = [], []
    for span in spans:
        parts = design.agents[span.agent][span.command].parts
        if isinstance(parts[0], Read) and isinstance(parts[1], Mac):
            words, cycles = read_words(parts[0]), max(1, span.end - span.start)
            rates.append((span.start, span.end, words / cycles))
            if parts[0].words and words >= _CRITICAL * mac_cycles(parts[0], parts[1]):
                busy.append((span, words / cycles))
    if not busy:
        return {}
    at = np.array([t for start, end, _ in rates for t in (start, end)], float)
    step = np.array([r for _, _, rate in rates for r in (rate, -rate)])
    order = np.argsort(at, kind="stable")
    at, level = at[order], np.cumsum(step[order])
    asked = np.concatenate([[0.0], np.cumsum(level[:-1] * np.diff(at))])  # words up to each time
    found = {}
    for span, own in busy:
        first, last = np.interp((span.start, span.end), at, asked)
        others = max(0.0, (last - first) / max(1, span.end - span.start) - own)
        found[span.agent, span.command] = 1 + others / design.machine.banks
    return found


class _Clock:
    def __init__(self, design: Design, waits: Waits) -> None:
        self.machine = design.machine
        self.lists = design.agents
        self.agents = [_Agent() for _ in design.agents]
        self.spans: list[Span] = []
        self.bus = 0.0  # free from then on
        self.needs = [
            [[(other, n) for other, n in enumerate(c.need) if n] for c in commands]
            for commands in design.agents
        ]
        self.waits = waits
        self.fetches = [self._fetch(a) for a in range(len(design.agents))]
        self.per_word = LANES / design.machine.bus_bytes

    def run(self) -> Times:
        for state, fetch in zip(self.agents, self.fetches, strict=True):
            state.fetched = FETCH + fetch
        waiting = set(range(len(self.agents)))  # whose next command's start is not known yet
        ready: dict[int, float] = {}
        while True:
            for agent in sorted(waiting):
                if self._known(agent):
                    ready[agent] = self._ready_at(agent)
            waiting -= ready.keys()
            if not ready:
                break
            agent = min(ready, key=lambda a: (ready[a], a))
            self._issue(agent, ready.pop(agent))
            waiting.add(agent)
        left = [a for a, state in enumerate(self.agents) if state.next < len(self.lists[a])]
        if left:
            raise RuntimeError(f"deadlock: {', '.join(self.machine.agent_name(a) for a in left)}")
        end = max((span.end for span in self.spans), default=0)
        first, last = Machine.FIRST_CORE, Machine.FIRST_CORE + self.machine.all_cores
        return Times(end, tuple(self.spans), tuple(round(a.busy) for a in self.agents[first:last]))

    def _fetch(self, agent: int) -> int:
        kinds = parts_of(self.machine, agent)
        widths = [k.bits() + (NEED_BITS * self.machine.agents if i == 0 else 0) for i, k in enumerate(kinds)]
        return max(-(-w // ROM_BITS) for w in widths)

    def _known(self, agent: int) -> bool:
        """Whether it is known when the next command may start."""
        state = self.agents[agent]
        if state.next >= len(self.lists[agent]):
            return False
        return all(len(self.agents[other].done) >= n for other, n in self.needs[agent][state.next])

    def _ready_at(self, agent: int) -> float:
        state = self.agents[agent]
        at = max(state.fetched, state.read_free)
        for other, n in self.needs[agent][state.next]:
            at = max(at, self.agents[other].done[n - 1] + NEED)
        return at

    def _issue(self, agent: int, at: float) -> None:
        state, command = self.agents[agent], self.lists[agent][self.agents[agent].next]
        first = command.parts[0]
        if isinstance(first, Load):
            end = self._load(state, first, at)
        elif isinstance(first, Store):
            end = self._store(state, first, at)
        elif isinstance(first, Softmax):
            end = at + first.rows * (SOFTMAX_ROW + SOFTMAX_ITEM * first.depth)
            state.read_free = end
        else:
            end = self._core(state, command, at, self.waits.get((agent, state.next), 1.0))
        state.fetched = at + self.fetches[agent] + FETCH
        state.done.append(end)
        self.spans.append(Span(agent, state.next, round(at), round(end)))
        state.next += 1

    def _transfer(self, begin: float, words: int) -> float:
        """When so many words are over the bus, the first not before `begin`."""
        start = max(begin, self.bus)
        self.bus = start + words * self.per_word
        return self.bus

    def _load(self, state: _Agent, load: Load, at: float) -> float:
        words = load.rows * load.row_words
        if load.scratch:
            end = max(at + SCRATCH_LOAD, state.out_free) + words
            state.read_free = end
        else:
            begin = max(at + LOAD_START + self.machine.latency_cycles, state.out_free - LOAD_END + LOAD_GAP)
            end = max(self._transfer(begin, words) + LOAD_END, state.out_free + words)
            state.read_free = at + READ_SWITCH  # the next request goes out before the data is here
        state.out_free = end
        return end

    def _store(self, state: _Agent, store: Store, at: float) -> float:
        end = self._transfer(at + STORE_START, store.words) + STORE_END
        state.read_free = end - STORE_END
        return end

    def _core(self, state: _Agent, command: Command, at: float, word: float) -> float:
        read, mac, _ = command.core
        work = max(LEAST, mac_cycles(read, mac))
        wait = READ + (self.machine.banks > 1)
        start = max(at + wait, state.mac_free + MAC_SWITCH + (mac.kh if mac.window else 0))
        if mac.op in (Op.ADD, Op.TABLE):
            start = max(start, state.out_free)
        words = read_words(read) * word
        end = max(start + work, at + wait + words)
        ahead = self.machine.fifo * work / max(1, words)
        state.read_free = max(at + words, end - ahead) + READ_SWITCH
        state.mac_free = end
        state.busy += work
        state.out_free = end + DRAIN
        return state.out_free
