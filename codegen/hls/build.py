"""Schedule -> Design: places for tensors, then every command in the order of the schedule.

Correct for any schedule: what waits for what follows from the words that commands touch (hazards.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgert.codegen import memory
from edgert.codegen.hls.design import Design, Tag
from edgert.codegen.hls.external import External, external
from edgert.codegen.hls.hazards import Emitter, Region, Space
from edgert.codegen.hls.isa import LANES, PARAM_WORDS, Load, Machine, Memory, Store
from edgert.codegen.hls.schedule import Schedule, Segment
from edgert.codegen.hls.split import Tile, tiles
from edgert.codegen.hls.steps import LOAD, STORE, Move, steps
from edgert.codegen.hls.tasks import BINARY, SOFTMAX, Network, Task, reads
from edgert.codegen.hls.tile import Place, core_parts, softmax_parts
from edgert.codegen.hls.traffic import traffic
from edgert.codegen.hls.weights import Chunk, WeightPlan, weight_plan
from edgert.errors import DoesNotFitError


def build(network: Network, machine: Machine, schedule: Schedule) -> Design:
    """Raises DoesNotFitError: which memory is too small, and for what."""
    return _Builder(network, machine, schedule).design()


def places(network: Network, machine: Machine, schedule: Schedule) -> list[dict[str, Place]]:
    """For each segment, where each of its tensors lies. Raises DoesNotFitError."""
    return _Builder(network, machine, schedule).places


class _Builder:
    def __init__(self, network: Network, machine: Machine, schedule: Schedule) -> None:
        self.network, self.machine, self.schedule = network, machine, schedule
        self.external: External = external(network)
        self.traffic = [traffic(network, schedule, i) for i in range(len(schedule.segments))]
        self.steps = [steps(network, s, t) for s, t in zip(schedule.segments, self.traffic, strict=True)]
        self.places = self._place()
        self.emitter = Emitter(machine.agents, self._sizes())
        self.start = 0  # of the next segment's weights in each core
        self.params_start = 0

    def design(self) -> Design:
        for number, segment in enumerate(self.schedule.segments):
            self._segment(number, segment)
        self._check_commands()
        return Design(
            self.network.name, self.machine, tuple(tuple(c) for c in self.emitter.commands),
            self.external.image, self.external.inputs, self.external.outputs,
        )  # fmt: skip

    def _check_commands(self) -> None:
        agent = max(range(self.machine.agents), key=lambda a: len(self.emitter.commands[a]))
        commands = self.emitter.commands[agent]
        if len(commands) > self.machine.commands:
            layers = Counter(c.tag.step for c in commands)
            layer, most = max(layers.items(), key=lambda item: item[1])
            raise DoesNotFitError(
                f"the {self.machine.agent_name(agent)} has {len(commands):,} commands, the circuit holds "
                f"{self.machine.commands:,}",
                where=f"layer {layer}", rule=f"{most:,} of them are this layer's",
                hint="larger weight memories, so that fewer and larger parts are loaded",
            )  # fmt: skip

    def _sizes(self) -> dict[Space, int]:
        m = self.machine
        sizes: dict[Space, int] = {"scratch": m.scratch_bytes // LANES, "table": 128}
        sizes["external"] = len(self.external.image) // LANES
        for core in range(m.all_cores):
            sizes["weights", core] = m.weight_words
            sizes["params", core] = m.param_entries // LANES
        return sizes

    # ---- where tensors lie -------------------------------------------------------------------------------

    def _place(self) -> list[dict[str, Place]]:
        """For each segment, each of its tensors."""
        buffers, names = [], []
        segments = self.schedule.segments
        spans: dict[str, list[int]] = {}
        for number, (plan, t) in enumerate(zip(self.steps, self.traffic, strict=True)):
            for name in t.whole:
                spans.setdefault(name, []).append(number)
            for name, rows in plan.rows.items():
                if name not in t.whole:
                    m = self.network.maps[name]
                    held = m.rows if m.lane_rows else min(rows, m.rows)
                    nbytes = m.nbytes if m.lane_rows else held * m.row_bytes
                    buffers.append(memory.Buffer(f"{number} {name}", nbytes, number, number, LANES))
                    names.append((number, number, name, held))
        for name, seen in spans.items():
            m = self.network.maps[name]
            buffers.append(memory.Buffer(f"all {name}", m.nbytes, min(seen), max(seen), LANES))
            names.append((min(seen), max(seen), name, m.rows))
        planned = memory.plan(buffers, node_budget=200)
        if planned.arena_bytes > self.machine.scratch_bytes:
            self._too_large(buffers, planned.arena_bytes)
        places: list[dict[str, Place]] = [{} for _ in segments]
        for buffer, (first, last, name, held) in zip(buffers, names, strict=True):
            for number in range(first, last + 1):
                places[number][name] = Place(self.network.maps[name], planned.offsets[buffer.name], held)
        return places

    def _too_large(self, buffers: Sequence[memory.Buffer], needed: int) -> None:
        live = [sum(b.nbytes for b in buffers if b.first <= i <= b.last) for i in range(len(self.steps))]
        peak = int(np.argmax(live))
        layers = ", ".join(self.network.tasks[n].name for n in self.schedule.segments[peak].tasks)
        raise DoesNotFitError(
            f"activations need {needed:,} bytes of scratchpad, there are {self.machine.scratch_bytes:,}",
            where=f"layers {layers}", rule="the peak is there",
            hint="a larger scratchpad, or a smaller layer",
        )  # fmt: skip

    # ---- commands ----------------------------------------------------------------------------------------

    def _segment(self, number: int, segment: Segment) -> None:
        plan = weight_plan(
            self.network, self.machine, segment, self.steps[number], self.start, self.params_start
        )
        self.start, self.params_start = plan.next_words, plan.next_params
        kind = ""
        for move in self.steps[number].moves:
            if not self.schedule.overlap and move.actor.kind != kind:
                self.emitter.wait_for_all()
                kind = move.actor.kind
            if move.actor.kind == LOAD:
                self._transfer(number, move, to_chip=True)
            elif move.actor.kind == STORE:
                self._transfer(number, move, to_chip=False)
            else:
                self._task(number, segment, move, plan)

    def _transfer(self, number: int, move: Move, *, to_chip: bool) -> None:
        """Rows between the external memory and the chip; where a ring turns, in two."""
        place = self.places[number][move.actor.tensor]
        words = place.map.row_words
        outside = self.external.tensors[move.actor.tensor]
        tag = Tag(
            number,
            self._user(number, move.actor.tensor),
            f"rows {move.first}..{move.last} of {move.actor.tensor}",
        )
        for first, last in place.runs(move.first, move.last):
            inside = place.row(first) // LANES
            here = Region("scratch", slice(inside, inside + (last - first) * words))
            there = Region("external", slice(outside + first * words, outside + last * words))
            if to_chip:
                load = Load(
                    dst=Memory.SCRATCH, src_addr=outside + first * words, row_words=(last - first) * words,
                    dst_addr=inside,
                )  # fmt: skip
                self.emitter.emit(Machine.LOADER, (load,), [there], [here], tag)
            else:
                store = Store(inside, outside + first * words, (last - first) * words)
                self.emitter.emit(Machine.STORER, (store,), [here], [there], tag)

    def _user(self, number: int, tensor: str) -> str:
        """The layer of a segment that makes a tensor, or else the first that reads it."""
        tasks = [self.network.tasks[n] for n in self.schedule.segments[number].tasks]
        makers = [t.name for t in tasks if t.output.name == tensor]
        return next(iter([*makers, *(t.name for t in tasks if tensor in reads(t))]), tensor)

    def _task(self, number: int, segment: Segment, move: Move, plan: WeightPlan) -> None:
        task_number = segment.tasks[move.actor.place]
        task = self.network.tasks[task_number]
        places = self.places[number]
        if task.unit == SOFTMAX:
            self._softmax(number, task_number, places, move)
            return
        first = self.machine.cores if task.unit == BINARY else 0
        cores = [first + c for c in segment.cores[move.actor.place]]
        found = tiles(task, (move.first, move.last), len(cores))
        loaded: dict[tuple[int, int], int] = {}
        for round_ in range(max(len(plan.chunks(task_number, t.groups)) for t in found)):
            self._load_round(number, task_number, found, cores, plan, round_, loaded)
            for tile in found:
                chunks = plan.chunks(task_number, tile.groups)
                if round_ < len(chunks):
                    self._core(
                        number, task, places, tile, chunks[round_], cores[tile.core], plan, task_number
                    )

    def _load_round(
        self, number: int, task_number: int, found: Sequence[Tile], cores: Sequence[int], plan: WeightPlan,
        round_: int, loaded: dict[tuple[int, int], int],
    ) -> None:  # fmt: skip
        """Weights and parameters of the chunks of one round, each to all the cores that want it."""
        task = self.network.tasks[task_number]
        wanted: dict[tuple[int, int], int] = {}
        for tile in found:
            chunks = plan.chunks(task_number, tile.groups)
            if round_ < len(chunks):
                wanted[chunks[round_]] = wanted.get(chunks[round_], 0) | 1 << cores[tile.core]
        plan.begin_round(task_number, max((c[1] - c[0] for c in wanted), default=0))
        for chunk, mask in wanted.items():
            missing = plan.missing(task_number, chunk, mask)
            if missing:
                self._load_chunk(number, task_number, task, chunk, missing, plan)

    def _load_chunk(
        self, number: int, task_number: int, task: Task, chunk: tuple[int, int], mask: int, plan: WeightPlan
    ) -> None:
        cores = [c for c in range(self.machine.all_cores) if mask >> c & 1]
        tag = Tag(number, task.name, f"groups {chunk[0]}..{chunk[1]}")
        at = plan.at(task_number)
        if task.weights is not None:
            scale = 8 if task.unit == BINARY else 1
            words = task.items * scale * (chunk[1] - chunk[0])
            source = self.external.weights[task_number] + chunk[0] * task.items * scale
            load = Load(
                dst=Memory.WEIGHTS, mask=mask, src_addr=source, row_words=words, dst_addr=at.words * scale
            )
            self._emit_load(load, ("weights", cores), slice(at.words, at.words + words // scale), tag)
        if task.operand is not None:
            self._load_operand(number, task, chunk, mask, cores, at.words, tag)
        if task.params is not None:
            first, last = (0, 256 // LANES) if task.table else chunk
            source = self.external.params[task_number] + first * PARAM_WORDS
            load = Load(
                dst=Memory.PARAMS, mask=mask, src_addr=source, row_words=(last - first) * PARAM_WORDS,
                dst_addr=at.params * LANES,
            )  # fmt: skip
            self._emit_load(load, ("params", cores), slice(at.params, at.params + last - first), tag)

    def _emit_load(self, load: Load, to: tuple[str, Sequence[int]], words: slice, tag: Tag) -> None:
        kind, cores = to
        self.emitter.emit(Machine.LOADER, (load,), [], [Region((kind, core), words) for core in cores], tag)

    def _load_operand(
        self,
        number: int,
        task: Task,
        chunk: tuple[int, int],
        mask: int,
        cores: Sequence[int],
        at: int,
        tag: Tag,
    ) -> None:
        """An activation as weights: one command for each group of 8 columns."""
        assert task.operand is not None
        place = self.places[number][task.operand.name]
        stride = place.map.row_words
        for i, group in enumerate(range(*chunk)):
            source = place.base // LANES + group
            load = Load(
                scratch=1, dst=Memory.WEIGHTS, mask=mask, src_addr=source, rows=task.items, row_words=1,
                stride=stride, dst_addr=at + i * task.items,
            )  # fmt: skip
            words = slice(at + i * task.items, at + (i + 1) * task.items)
            read = Region("scratch", source + stride * np.arange(task.items))
            self.emitter.emit(
                Machine.LOADER, (load,), [read], [Region(("weights", core), words) for core in cores], tag
            )

    def _core(
        self, number: int, task: Task, places: Mapping[str, Place], tile: Tile, chunk: Chunk, core: int,
        plan: WeightPlan, task_number: int,
    ) -> None:  # fmt: skip
        if tile.rows[0] >= tile.rows[1] or chunk[0] >= chunk[1]:
            return
        at = plan.at(task_number)
        inputs = [replace(places[x.name], map=x) for x in task.inputs]
        parts, read, write = core_parts(task, inputs, places[task.output.name], tile, chunk, at)
        reads_ = [Region("scratch", words) for words in read]
        if task.weight_words:
            count = task.weight_words * (chunk[1] - chunk[0])
            reads_.append(Region(("weights", core), slice(at.words, at.words + count)))
        if task.params is not None:
            count = 256 // LANES if task.table else chunk[1] - chunk[0]
            reads_.append(Region(("params", core), slice(at.params, at.params + count)))
        pixels = (tile.rows[1] - tile.rows[0]) * (tile.cols[1] - tile.cols[0])
        share = (chunk[1] - chunk[0]) * pixels
        total = max(1, task.groups * task.out_rows * task.out_cols)
        tag = Tag(
            number, task.name,
            "groups {}..{} rows {}..{} cols {}..{}".format(*chunk, *tile.rows, *tile.cols),
            task.step.macs * share // total,
        )  # fmt: skip
        self.emitter.emit(Machine.FIRST_CORE + core, parts, reads_, [Region("scratch", write)], tag)

    def _softmax(self, number: int, task_number: int, places: Mapping[str, Place], move: Move) -> None:
        task = self.network.tasks[task_number]
        agent = self.machine.agents - 1
        if move.first == 0:
            load = Load(dst=Memory.TABLE, src_addr=self.external.params[task_number], row_words=128)
            self.emitter.emit(
                Machine.LOADER, (load,), [], [Region("table", slice(0, 128))], Tag(number, task.name, "table")
            )
        x, y = places[task.inputs[0].name], places[task.output.name]
        for part, read, write, span in softmax_parts(task, x, y, move.first, move.last):
            self.emitter.emit(
                agent, (part,), [Region("scratch", read), Region("table", slice(0, 128))],
                [Region("scratch", write)], Tag(number, task.name, f"rows {span[0]}..{span[1]}"),
            )  # fmt: skip
