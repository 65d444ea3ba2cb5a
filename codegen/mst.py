"""Minimum spanning trees over the output channels of a binary layer.

Channel j of a layer is computed from channel i and the bits D in which their weights differ:

    P_j = P_i + 2 * popcount(xnor(x_D, w_jD)) - |D|          P: the number of equal bits

or from the complement of i, P_i replaced by n - P_i. The tree with the least sum of |D| is the cheapest order
to compute all channels in, in bits. On a CPU a word costs as much as a bit of it, so distances can be counted
in words.
Source: MST-compression (https://arxiv.org/abs/2308.13735); R. Prim: Shortest connection networks, 1957.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edgert.codegen.program import Array

ROOT = -1


@dataclass(frozen=True, eq=False)
class Tree:
    """parent[j]: the channel that j is computed from; ROOT for the one that is computed from all its weights.

    complement[j]: from the complement of that channel. distance[j]: bits (or words) in which the two differ;
    of the root all there are. order: parents before children.
    """

    parent: Array
    complement: Array
    distance: Array
    order: Array

    @property
    def cost(self) -> int:
        return int(self.distance.sum())

    @property
    def depths(self) -> Array:
        depths = np.zeros(len(self.parent), np.int64)
        for j in self.order:
            if self.parent[j] != ROOT:
                depths[j] = depths[self.parent[j]] + 1
        return depths

    @property
    def depth(self) -> int:
        """Edges on the longest way from the root."""
        return int(self.depths.max(initial=0))


def distances(bits: Array, *, complements: bool = True) -> tuple[Array, Array]:
    """bits [channels, n]: (in how many two channels differ, whether that is to the other's complement)."""
    signs = np.where(bits.reshape(len(bits), -1) > 0, 1, -1).astype(np.float32)  # exact below 2^24
    n = signs.shape[1]
    differ = ((n - signs @ signs.T) / 2).astype(np.int64)
    if not complements:
        return differ, np.zeros(differ.shape, bool)
    turned = n - differ < differ
    return np.where(turned, n - differ, differ), turned


def word_distances(words: Array) -> Array:
    """words [channels, count]: in how many words two channels differ."""
    differ = np.zeros((len(words), len(words)), np.int64)
    for column in words.T:  # all at once would take words times as much memory
        differ += column[:, None] != column[None]
    return differ


def spanning_tree(
    weights: Array,
    whole: int,
    turned: Array | None = None,
    *,
    cap: int | None = None,
    roots: Iterable[int] | None = None,
) -> Tree:
    """The cheapest tree over channels with these distances, [channels, channels]; of those, the shallowest.

    whole: what the root costs. turned: which distances are to the complement. cap: the most edges from the
    root to any channel; the tree is then the cheapest that Prim's algorithm finds from any root. roots: to
    try, all by default; without a cap one is enough for the cost.
    """
    turned = np.zeros(weights.shape, bool) if turned is None else turned
    tried = range(len(weights)) if roots is None else roots
    trees = (_prim(weights, whole, turned, root, cap) for root in tried)
    return min(trees, key=lambda tree: (tree.cost, tree.depth))


def _prim(weights: Array, whole: int, turned: Array, root: int, cap: int | None) -> Tree:
    """From one root; of the edges with the least distance, that to the channel nearest to the root."""
    channels = len(weights)
    scale = channels + 1  # (distance, depth) in one number
    parent, depth = np.full(channels, ROOT), np.zeros(channels, np.int64)
    best = np.full(channels, np.iinfo(np.int64).max)
    outside = np.ones(channels, bool)
    order, j = [], root
    for _ in range(channels):
        outside[j] = False
        order.append(j)
        if cap is None or depth[j] < cap:
            key = weights[j] * scale + depth[j]
            closer = outside & (key < best)
            best[closer], parent[closer] = key[closer], j
            depth[closer] = depth[j] + 1
        if len(order) < channels:
            j = int(np.where(outside, best, np.iinfo(np.int64).max).argmin())
    made = parent >= 0
    at = (np.arange(channels)[made], parent[made])
    distance, complement = np.full(channels, whole), np.zeros(channels, bool)
    distance[made], complement[made] = weights[at], turned[at]
    return Tree(parent, complement, distance, np.array(order))


def word_order(bits: Array, tree: Tree) -> Array:
    """An order of the input channels, the last axis of bits, with fewer words that differ along the edges.

    Word after word takes the channel that differs least, then those that add least to where it differs.
    """
    children = np.flatnonzero(tree.parent != ROOT)
    differ = bits[children] != bits[tree.parent[children]]
    differ = differ.reshape(-1, bits.shape[-1])  # [edges and taps, channels]
    left, order = list(range(bits.shape[-1])), []
    while left:
        met = np.zeros(len(differ), bool)
        for _ in range(min(32, len(left))):
            added = (differ[:, left] & ~met[:, None]).sum(0)
            order.append(left.pop(int(added.argmin())))
            met |= differ[:, order[-1]]
    return np.array(order)


def edges(tree: Tree, bits: Array) -> Iterator[tuple[int, int, bool, Array]]:
    """(channel, parent, from its complement, bits in which the two differ), in order; the root has all."""
    flat = bits.reshape(len(bits), -1) > 0
    for j in tree.order.tolist():
        i, turned = int(tree.parent[j]), bool(tree.complement[j])
        if i == ROOT:
            yield j, i, False, np.arange(flat.shape[1])
        else:
            yield j, i, turned, np.flatnonzero(flat[j] != (flat[i] ^ turned))


def evaluate(tree: Tree, bits: Array, x: Array) -> Array:
    """Equal bits of every channel with the input x [n], by the tree: [channels]."""
    flat, equal = bits.reshape(len(bits), -1) > 0, np.zeros(len(bits), np.int64)
    n = flat.shape[1]
    for j, i, turned, differ in edges(tree, bits):
        met = np.count_nonzero((x[differ] > 0) == flat[j, differ])
        if i == ROOT:
            equal[j] = met
        else:
            equal[j] = (n - equal[i] if turned else equal[i]) + 2 * met - len(differ)
    return equal
