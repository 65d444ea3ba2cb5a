"""The arena planner: valid on random graphs, exact on tiny ones, good and quick on large ones."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgert.codegen.memory import Buffer, MemoryPlan, Overlap, lower_bound, picture, plan, violations


@st.composite
def graphs(draw, max_buffers=12, max_bytes=400, align=(1, 2, 4, 8, 16)):
    """Random lifetimes; overlaps wherever an input dies as an output appears."""
    count = draw(st.integers(1, max_buffers))
    buffers = []
    for i in range(count):
        first = draw(st.integers(0, 6))
        last = draw(st.integers(first, 7))
        buffers.append(
            Buffer(f"b{i}", draw(st.integers(1, max_bytes)), first, last, draw(st.sampled_from(align)))
        )
    pairs = [
        (y, x) for y in buffers for x in buffers if y is not x and x.last == y.first and x.first < y.first
    ]
    chosen = [p for p in pairs if draw(st.booleans())]
    leads = st.integers(-max_bytes, max_bytes)
    return buffers, [Overlap(y.name, x.name, draw(leads)) for y, x in chosen]


def exhaustive(buffers, overlaps):
    """The smallest arena, by trying every offset of every buffer."""
    for arena in range(lower_bound(buffers, overlaps), sum(b.nbytes + b.align for b in buffers) + 1):
        choices = [range(0, arena - b.nbytes + 1, b.align) for b in buffers]
        for offsets in product(*choices):
            named = {b.name: x for b, x in zip(buffers, offsets, strict=True)}
            if not violations(MemoryPlan(named, arena, 0, False), buffers, overlaps):
                return arena
    raise AssertionError("side by side always fits")


@given(graphs())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_plan_is_valid_and_above_its_bound(graph):
    buffers, overlaps = graph
    made = plan(buffers, overlaps, node_budget=200)
    assert violations(made, buffers, overlaps) == []
    assert made.lower_bound_bytes <= made.arena_bytes
    assert made.arena_bytes == max(made.offsets[b.name] + b.nbytes for b in buffers)


@given(graphs(max_buffers=4, max_bytes=5, align=(1, 2)))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_tiny_graphs_are_exact(graph):
    buffers, overlaps = graph
    made = plan(buffers, overlaps)
    assert made.exact
    assert made.arena_bytes == exhaustive(buffers, overlaps)


def test_an_exhausted_budget_is_not_called_exact():
    buffers, overlaps = random_graph(40, seed=3)
    made = plan(buffers, overlaps, node_budget=1)
    assert made.exact == (made.arena_bytes == made.lower_bound_bytes)


def chain(sizes, leads=None):
    """A feed-forward network: tensor i is made by step i-1 and read by step i."""
    last = len(sizes) - 2
    buffers = [Buffer(f"t{i}", n, max(0, i - 1), min(i, last)) for i, n in enumerate(sizes)]
    leads = leads or {}
    return buffers, [Overlap(f"t{i + 1}", f"t{i}", lead) for i, lead in leads.items()]


def test_a_chain_without_overlap_needs_its_largest_neighbours():
    made = plan(*chain([1960, 8000, 8000, 8000, 8000, 64, 12]))
    assert (made.arena_bytes, made.exact) == (16000, True)


def test_a_chain_in_place_needs_its_largest_tensor():
    sizes = [1960, 8000, 8000, 8000, 8000, 64, 12]
    made = plan(*chain(sizes, {1: 0, 2: 0, 3: 0, 4: 0, 5: 0}))
    assert (made.arena_bytes, made.exact) == (1960 + 8000, True)  # step 0 may not overlap


def test_positive_leads_add_up_along_a_chain():
    # each output must start 40 below its input, so tensor i starts at 40 * (3 - i)
    made = plan(*chain([400, 400, 400, 400], {0: 40, 1: 40, 2: 40}))
    assert made.exact
    assert made.offsets == {"t0": 120, "t1": 80, "t2": 40, "t3": 0}
    assert made.arena_bytes == 520


def test_a_negative_lead_lets_the_output_trail():
    # t0 is held at 0 by nothing; t1 (half the size) may start 200 behind t0's start
    made = plan(*chain([400, 200], {0: -200}))
    assert (made.arena_bytes, made.exact) == (400, True)


def test_a_residual_keeps_its_branch():
    #   t0 -> conv -> t1 -> conv -> t2 -> add(t1, t2) in place -> t3
    buffers = [
        Buffer("t0", 3072, 0, 0),
        Buffer("t1", 16384, 0, 2),
        Buffer("t2", 16384, 1, 2),
        Buffer("t3", 16384, 2, 2),
        Buffer("scratch", 576, 1, 1, 8),
    ]
    made = plan(buffers, [Overlap("t3", "t2", 0), Overlap("t3", "t1", 0)])
    assert (made.arena_bytes, made.exact) == (2 * 16384 + 576, True)


def random_graph(count, seed):
    """A network-like graph: each tensor is read by the next few steps."""
    state = seed
    buffers = []
    for i in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        buffers.append(Buffer(f"t{i}", 64 + state % 20000, i, min(count - 1, i + 1 + (state >> 8) % 4)))
    pairs = [(y, x) for y in buffers for x in buffers if x.last == y.first and x.first < y.first]
    return buffers, [Overlap(y.name, x.name, 128) for y, x in pairs]


@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_buffers_stay_near_the_bound(seed):
    buffers, overlaps = random_graph(100, seed)
    made = plan(buffers, overlaps)
    assert made.arena_bytes <= 1.10 * made.lower_bound_bytes
    assert made == plan(buffers, overlaps)  # same input, same plan


def test_no_buffers():
    assert plan([]) == MemoryPlan({}, 0, 0, True)


def test_picture():
    buffers, overlaps = chain([400, 200, 200], {1: 0})
    made = MemoryPlan({"t0": 200, "t1": 0, "t2": 0}, 600, 600, False)
    assert violations(made, buffers, overlaps) == []
    text = picture(made, buffers, rows=3)
    assert text.splitlines() == [
        "      400 |A.",
        "      200 |A.",
        "        0 |B*",
        "    bytes +--> step",
        "          A t0: 400 bytes at 200, steps 0-0",
        "          B t1: 200 bytes at 0, steps 0-1",
        "          C t2: 200 bytes at 0, steps 1-1",
    ]
