"""How long a Design takes, without simulating it: each command's time from its counts, in the order of needs.

A core's three sections overlap: a command is read while the one before multiplies, and that one while the one
before it is written. Constants are properties of csrc/verilog; tools/measure_circuits.py and
tools/compare_schedules.py say how far the whole is off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

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
STORE_AHEAD = 16  # words that the storer reads before the bus takes them
SCRATCH_LOAD = 20  # from the start of a load out of the scratchpad to its first word
SOFTMAX_START, SOFTMAX_ROW, SOFTMAX_ITEM = 6, 86.4, 3
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
    stuck: bool = False  # the next command's start depends on a transfer that is on its way


@dataclass
class _Transfer:
    """Words over the bus, or (own) from the scratchpad to the loader.

    at: when the command started. begin: its first word moves then or later. left: of its words.
    """

    agent: int
    command: int
    at: float
    begin: float
    words: int
    own: bool
    left: float


class _Bus:
    """Reads and writes, each in order; where both have words, they take turns."""

    def __init__(self, per_word: float) -> None:
        self.per_word = per_word
        self.now = 0.0
        self.flows: dict[int, deque[_Transfer]] = {Machine.LOADER: deque(), Machine.STORER: deque()}

    def run(self, until: float) -> _Transfer | None:
        """On to the next transfer's end, which is taken out, or to `until` if there is none before."""
        while True:
            heads = [flow[0] for flow in self.flows.values() if flow]
            if not heads:
                return None
            moving = [t for t in heads if t.begin <= self.now]
            share = self.per_word * max(1, sum(not t.own for t in moving))
            ends = [(self.now + t.left * (1.0 if t.own else share), t.agent) for t in moving]
            next_end, agent = min(ends, default=(inf, 0))
            change = min((t.begin for t in heads if t.begin > self.now), default=inf)
            to = min(next_end, change, until)
            self._move(moving, share, to)
            if to == next_end:
                return self.flows[agent].popleft()
            if to == until:
                return None

    def _move(self, moving: Sequence[_Transfer], share: float, to: float) -> None:
        if to <= self.now:
            return
        for transfer in moving:
            transfer.left -= (to - self.now) / (1.0 if transfer.own else share)
        self.now = to


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


def softmax_words(softmax: Softmax) -> int:
    """Requests to the scratchpad: each row is read three times and written once."""
    return 4 * softmax.rows * -(-softmax.depth // LANES)


Waits = dict[tuple[int, int], float]  # (agent, command) -> cycles of a word


def _waits(design: Design, spans: Sequence[Span]) -> Waits:
    """How long the banks take to give a word to a command that reads about as fast as it multiplies.

    One cycle, and as many more as there are requests of others to the same bank meanwhile.
    """
    rates, busy = [], []
    for span in spans:
        parts = design.agents[span.agent][span.command].parts
        if isinstance(parts[0], Softmax):
            rates.append((span.start, span.end, softmax_words(parts[0]) / (span.end - span.start)))
            busy.append((span, rates[-1][2]))
        elif isinstance(parts[0], Read) and isinstance(parts[1], Mac):
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
        self.bus = _Bus(LANES / design.machine.bus_bytes)
        self.needs = [
            [[(other, n) for other, n in enumerate(c.need) if n] for c in commands]
            for commands in design.agents
        ]
        self.unmet: dict[int, tuple[int, int]] = {}  # agent -> a need of its next command that is not met
        self.waits = waits
        self.fetches = [self._fetch(a) for a in range(len(design.agents))]

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
            moved = self.bus.run(min(ready.values(), default=inf))
            if moved is not None:
                self._moved(moved)
                continue
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
        if state.stuck or state.next >= len(self.lists[agent]):
            return False
        unmet = self.unmet.get(agent)
        if unmet is not None and len(self.agents[unmet[0]].done) < unmet[1]:
            return False
        for other, n in self.needs[agent][state.next]:
            if len(self.agents[other].done) < n:
                self.unmet[agent] = other, n
                return False
        return True

    def _ready_at(self, agent: int) -> float:
        state = self.agents[agent]
        at = max(state.fetched, state.read_free)
        for other, n in self.needs[agent][state.next]:
            at = max(at, self.agents[other].done[n - 1] + NEED)
        return at

    def _issue(self, agent: int, at: float) -> None:
        state, number = self.agents[agent], self.agents[agent].next
        command = self.lists[agent][number]
        state.fetched = at + self.fetches[agent] + FETCH
        state.next += 1
        first = command.parts[0]
        if isinstance(first, Load | Store):
            self._transfer(agent, number, first, at)
        elif isinstance(first, Softmax):
            wait = self.waits.get((agent, number), 1.0) - 1
            row = SOFTMAX_ROW + SOFTMAX_ITEM * first.depth + wait * softmax_words(first) / first.rows
            state.read_free = at + SOFTMAX_START + first.rows * row
            self._complete(agent, number, at, state.read_free)
        else:
            end = self._core(state, command, at, self.waits.get((agent, number), 1.0))
            self._complete(agent, number, at, end)

    def _complete(self, agent: int, number: int, at: float, end: float) -> None:
        self.agents[agent].done.append(end)
        self.spans.append(Span(agent, number, round(at), round(end)))

    def _transfer(self, agent: int, number: int, part: Load | Store, at: float) -> None:
        """On its way; the bus says when it ends."""
        state = self.agents[agent]
        own = isinstance(part, Load) and bool(part.scratch)
        if isinstance(part, Store):
            words, begin = part.words, at + STORE_START
        else:
            words = part.rows * part.row_words
            begin = at + (SCRATCH_LOAD if own else LOAD_START + self.machine.latency_cycles)
            begin = max(begin, state.out_free + (0 if own else LOAD_GAP - LOAD_END))
        state.read_free = at + READ_SWITCH  # the next request goes out before the data is here
        state.stuck = own or agent == Machine.STORER
        self.bus.flows[agent].append(_Transfer(agent, number, at, begin, words, own, words))

    def _moved(self, transfer: _Transfer) -> None:
        state, end = self.agents[transfer.agent], self.bus.now
        state.stuck = False
        if transfer.agent == Machine.STORER:
            ahead = min(transfer.words, STORE_AHEAD)
            state.read_free = max(transfer.at + ahead, end - STORE_AHEAD * self.bus.per_word)
            end += STORE_END
        elif transfer.own:
            state.read_free = end
        else:
            end = max(end + LOAD_END, state.out_free + transfer.words)
        state.out_free = end
        behind = self.bus.flows[transfer.agent]
        if behind and transfer.agent == Machine.LOADER:
            gap = 0 if behind[0].own else LOAD_GAP - LOAD_END
            behind[0].begin = max(behind[0].begin, end + gap)
        self._complete(transfer.agent, transfer.command, transfer.at, end)

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
