"""Any schedule computes what the layers say, whatever its order; the search keeps to its limits."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import numpy as np
import oracle
import pytest

from edgert.codegen.hls import interpret
from edgert.codegen.hls.build import build
from edgert.codegen.hls.cycles import estimate
from edgert.codegen.hls.isa import Machine
from edgert.codegen.hls.schedule import DEPTH_FIRST, PIPELINE, SEQUENTIAL, Schedule, Segment
from edgert.codegen.hls.scheduler import ARMS, Memo, find
from edgert.codegen.hls.tasks import CORE, Network, network, reciprocal
from edgert.codegen.pipeline import compile_to_program
from edgert.codegen.program import Array
from edgert.errors import DoesNotFitError
from edgert.models import kernels

WORKLOADS: dict[str, Callable[[], bytes]] = {
    "mlp": lambda: kernels.mlp((32, 48, 40, 16), rows=6),
    "cnn": lambda: kernels.cnn((8, 16, 24, 16, 8), side=12),
    "gating": lambda: kernels.gating(32, 40, rows=5),
    "attention": lambda: kernels.attention(12, 24),
    "inverted_residual": lambda: kernels.inverted_residual((8, 8, 16, 16, 24), side=12, expansion=3),
    "residual": lambda: kernels.residual(8, side=10),
    "separable": lambda: kernels.separable((8, 16, 16, 24), side=12),
}


@cache
def workload(name: str) -> tuple[Network, list[Array], list[Array]]:
    """The network, inputs, and the outputs of the integer oracle."""
    program = compile_to_program(WORKLOADS[name](), name)
    rng = np.random.default_rng(0)
    inputs = [rng.integers(-128, 128, program.tensors[i].shape).astype(np.int8) for i in program.inputs]
    return network(program), inputs, oracle.run_program(program, inputs)


def random_schedule(tasks: Network, machine: Machine, draw: random.Random) -> Schedule:
    """Segments, patterns, bands, what is spilled: anything."""
    segments, first = [], 0
    while first < len(tasks.tasks):
        numbers = tuple(range(first, min(len(tasks.tasks), first + draw.choice([1, 1, 2, 3, 4, 6]))))
        pattern = SEQUENTIAL if len(numbers) == 1 else draw.choice([DEPTH_FIRST, PIPELINE])
        cores = []
        for place, number in enumerate(numbers):
            low, high = 0, machine.cores
            if pattern == PIPELINE:
                low = machine.cores * place // len(numbers)
                high = max(low + 1, machine.cores * (place + 1) // len(numbers))
            cores.append(tuple(range(low, high)) if tasks.tasks[number].unit == CORE else ())
        segments.append(
            Segment(pattern, numbers, tuple(cores), draw.choice([0, 1, 2, 3, 5]), draw.random() < 0.5)
        )
        first += len(numbers)
    inner = [t.output for t in tasks.tasks if t.output.name not in tasks.program.outputs]
    spilled = frozenset(m.name for m in inner if draw.random() < 0.4 and not m.lane_rows)
    return Schedule(tuple(segments), spilled, overlap=draw.random() < 0.8)


@pytest.mark.parametrize("name", WORKLOADS)
def test_random_schedules_compute_the_same(name: str) -> None:
    """In order, and with the agents' commands drawn in any order that their needs allow."""
    tasks, inputs, wanted = workload(name)
    fitted = 0
    for seed in range(12):
        draw = random.Random(seed)
        machine = Machine(
            draw.choice([1, 2, 3, 8]), draw.choice([2048, 8192, 65536]), draw.choice([128, 256, 1024]),
            draw.choice([256, 512]), softmax=1,
        )  # fmt: skip
        try:
            design = build(tasks, machine, random_schedule(tasks, machine, draw))
        except DoesNotFitError:
            continue
        fitted += 1
        assert estimate(design).cycles > 0
        for order in (None, seed):
            for got, expected in zip(interpret.run(design, inputs, order), wanted, strict=True):
                np.testing.assert_array_equal(got.reshape(-1), expected.reshape(-1), err_msg=f"{name} {seed}")
    assert fitted >= 3


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_arm_computes_the_same_and_ours_is_never_slower(name: str) -> None:
    tasks, inputs, wanted = workload(name)
    machine = Machine(4, 4096, 512, 512, softmax=1, banks=2, bus_bytes=1)
    memo = Memo()
    cycles = {}
    for arm in ARMS.values():
        found = find(tasks, machine, arm, memo)
        assert {s.pattern for s in found.schedule.segments} <= set(arm.patterns)
        design = build(tasks, machine, found.schedule)
        for got, expected in zip(interpret.run(design, inputs, 0), wanted, strict=True):
            np.testing.assert_array_equal(got.reshape(-1), expected.reshape(-1), err_msg=arm.name)
        cycles[arm.name] = found.cycles
    assert cycles["edgert"] == min(cycles.values()), cycles


def test_the_same_search_finds_the_same_schedule() -> None:
    tasks, _, _ = workload("cnn")
    machine = Machine(4, 4096, 512, 512, banks=2, bus_bytes=1)
    assert find(tasks, machine) == find(tasks, machine)


def test_what_does_not_fit_says_which_layer() -> None:
    tasks, _, _ = workload("cnn")
    with pytest.raises(DoesNotFitError, match="a core has 64") as refused:
        find(tasks, Machine(2, 65536, 64, 256))
    assert "layer conv_" in refused.value.where
    with pytest.raises(DoesNotFitError, match="scratchpad"):
        find(tasks, Machine(2, 256, 1024, 256))
    schedule = find(tasks, Machine(2, 65536, 1024, 256)).schedule
    with pytest.raises(DoesNotFitError, match="commands, the circuit holds 8"):
        build(tasks, Machine(2, 65536, 1024, 256, commands=8), schedule)


def test_a_mean_is_a_product_for_any_count() -> None:
    for count in (1, 2, 3, 6, 7, 49, 64, 125, 255, 1024):
        reciprocal(count)  # asserts it for every sum
