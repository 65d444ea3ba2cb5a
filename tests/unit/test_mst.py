"""Spanning trees over channels: the identity exhaustively, the trees against SciPy's and by brute force."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edgert.codegen.mst import ROOT, distances, edges, evaluate, spanning_tree, word_distances

RNG = np.random.default_rng(3)
# Of dense, to three digits, layers 1 to 5 of the trained CNV-W1A1; and of all five, weighted by positions.
PLAIN = (0.365, 0.385, 0.417, 0.428, 0.404)
WITH_COMPLEMENTS = (0.333, 0.374, 0.416, 0.420, 0.392)
TOTAL = 0.40
POSITIONS = (28 * 28, 12 * 12, 10 * 10, 3 * 3, 1)


def test_the_identity_for_all_weights_and_inputs_of_four_bits() -> None:
    every = np.array(list(product((0, 1), repeat=4)))
    for first, second in product(every, every):
        bits = np.stack([first, second])
        for complements in (False, True):
            differ, turned = distances(bits, complements=complements)
            tree = spanning_tree(differ, 4, turned)
            for x in every:
                np.testing.assert_array_equal(evaluate(tree, bits, x), (bits == x).sum(1))


@pytest.mark.parametrize("cap", [None, 1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_every_channel_once_and_exactly(seed: int, cap: int | None) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (int(rng.integers(1, 40)), int(rng.integers(1, 80))))
    differ, turned = distances(bits)
    tree = spanning_tree(differ, bits.shape[1], turned, cap=cap)
    done: set[int] = set()
    for j, i, _, at in edges(tree, bits):
        assert i == ROOT or i in done
        assert len(at) == tree.distance[j]
        done.add(j)
    assert done == set(range(len(bits))) and (tree.parent == ROOT).sum() == 1
    assert cap is None or tree.depth <= cap
    for _ in range(5):
        x = rng.integers(0, 2, bits.shape[1])
        np.testing.assert_array_equal(evaluate(tree, bits, x), (bits == x).sum(1))


@pytest.mark.parametrize("seed", range(10))
def test_no_tree_is_cheaper(seed: int) -> None:
    """Against Kruskal's algorithm, written here."""
    bits = np.random.default_rng(seed).integers(0, 2, (12, 30))
    differ, turned = distances(bits)
    home = list(range(12))

    def find(v: int) -> int:
        return v if home[v] == v else find(home[v])

    total = 0
    pairs = sorted((int(differ[a, b]), a, b) for a in range(12) for b in range(a))
    for d, i, j in pairs:
        if find(i) != find(j):
            home[find(i)] = find(j)
            total += d
    assert spanning_tree(differ, 30, turned).cost == total + 30


def test_of_equal_trees_the_shallow_one() -> None:
    """All channels are one bit from the same one: a star, though chains cost as much."""
    bits = np.zeros((6, 5), int)
    bits[np.arange(1, 6), np.arange(5)] = 1
    differ, turned = distances(bits)
    assert spanning_tree(differ, 5, turned).depth == 1


def test_words() -> None:
    words = np.array([[1, 2, 3], [1, 2, 4], [5, 6, 4]])
    np.testing.assert_array_equal(word_distances(words), [[0, 1, 3], [1, 0, 2], [3, 2, 0]])
    assert spanning_tree(word_distances(words), 3).cost == 3 + 1 + 2


@pytest.mark.shared_models
def test_a_trained_network(shared_models_dir: Path) -> None:
    with np.load(shared_models_dir / "cnv_w1a1.npz") as arrays:
        layers = [
            np.unpackbits(
                arrays[f"w{i}"], axis=1, bitorder="little",
                count=int(arrays["kernel"][i] ** 2 * arrays["cin"][i]),
            )
            for i in range(1, 6)
        ]  # fmt: skip
    done, dense = 0, 0
    for bits, plain, turned, positions in zip(layers, PLAIN, WITH_COMPLEMENTS, POSITIONS, strict=True):
        costs = []
        for complements in (False, True):
            differ, other = distances(bits, complements=complements)
            tree = spanning_tree(differ, bits.shape[1], other)
            costs.append(tree.cost / bits.size)
        assert [round(c, 3) <= most for c, most in zip(costs, (plain, turned), strict=True)] == [True] * 2
        capped = spanning_tree(differ, bits.shape[1], other, cap=4)
        assert capped.depth <= 4 and capped.cost / bits.size < costs[1] + 0.05
        done, dense = done + tree.cost * positions, dense + bits.size * positions
    assert done / dense <= TOTAL
