"""csrc/kernels/binary/conv2d_b1__tree: channels from each other, and whether that is less work than dense.

Instructions are estimated for cores that have no instruction for a population count: on others the dense
kernels count a word for less than a tree's bookkeeping. The numbers were fitted to layers counted on the
emulated Cortex-M4 (tools/measure_binary.py), and are used to compare, not to predict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgert.codegen.kernels.bits import by_channel, pack_bits, xnor_pack
from edgert.codegen.kernels.overlap import ints
from edgert.codegen.kernels.variant import Constants
from edgert.codegen.mst import ROOT, Tree, distances, spanning_tree, word_distances
from edgert.codegen.program import Array, Step, bit_words

_LONGEST = 2**13  # a dot product and the constants of an edge fit in 16 bits
MARGIN = 0.95  # what a tree has to stay under: the estimates are off by less

# Instructions of a position: a tap of the list, a tap and 32 channels, 32 channels.
_LIST, _ROW, _GROUP = 2.9, 4.45, 257.0
# Of a word that is gathered, a channel of the tree, a word of an edge.
_GATHERED, _EDGE, _WORD = 15.0, 60.0, 15.4


@dataclass(frozen=True, eq=False)
class Plan:
    """The tree of a layer in words, and what it is estimated to take, in instructions of a position."""

    tree: Tree
    words: int
    by_tree: float
    dense: float

    @property
    def share(self) -> float:
        """Words that are counted, of those of a dense layer."""
        return self.tree.cost / (self.words * len(self.tree.parent))

    @property
    def pays(self) -> bool:
        return self.by_tree < MARGIN * self.dense


def plan(weights: Array) -> Plan:
    """weights: +1 and -1, [out_c, kernel_h, kernel_w, in_c]."""
    words = by_channel(weights)
    tree = spanning_tree(word_distances(words), words.shape[1], roots=(0,))
    return Plan(tree, words.shape[1], _by_tree(words, tree.cost), _dense(weights))


def share_of_bits(weights: Array) -> float:
    """Bits that a tree counts, of those of a dense layer: what logic saves (codegen/hls/unrolled.py)."""
    bits = weights.reshape(len(weights), -1) > 0
    differ, turned = distances(bits)
    return spanning_tree(differ, bits.shape[1], turned, roots=(0,)).cost / bits.size


def tree_supports(step: Step, constants: Constants) -> bool:
    """Where it is less work."""
    weights = constants["weights"]
    return weights[0].size < _LONGEST and _may_pay(weights) and plan(weights).pays


def _may_pay(weights: Array) -> bool:
    """With each channel computed from the one nearest to it: no tree is cheaper, and it needs no search."""
    words = by_channel(weights)
    apart = word_distances(words) + (words.shape[1] + 1) * np.eye(len(words), dtype=np.int64)
    least = int(np.minimum(apart.min(1), words.shape[1]).sum())
    return _by_tree(words, least) < MARGIN * _dense(weights)


def _dense(weights: Array) -> float:
    groups = bit_words(len(weights))
    return float(weights[0].size * (_LIST + _ROW * groups) + _GROUP * groups)


def _by_tree(words: Array, counted: int) -> float:
    return float(_GATHERED * words.shape[1] + _EDGE * len(words) + _WORD * counted)


def tree_pack(step: Step, constants: Constants) -> dict[str, Array]:
    weights = constants["weights"]
    words = by_channel(weights)
    tree = plan(weights).tree
    edges, places, pairs = [], [], []
    for j in tree.order.tolist():
        i = int(tree.parent[j])
        differ = pack_bits(np.ones_like(weights[:1], bool)).reshape(-1) if i == ROOT else words[j] ^ words[i]
        at = np.flatnonzero(differ)
        bits = int(np.unpackbits(differ.view(np.uint8)).sum())
        edges.append((j, max(i, 0), len(at), -bits if i == ROOT else -2 * bits))
        places.append(at)
        pairs.append(np.stack([words[j, at], differ[at]], axis=1))
    dense = xnor_pack(step, constants)
    return {
        "edges": np.array(edges, np.int16),
        "places": np.concatenate(places).astype(np.uint16),
        "words": np.concatenate(pairs).astype(np.uint32),
        "sums": dense["sums"],
        "threshold": dense["threshold"],
    }


def reason(weights: Array, variant: str) -> str:
    """Why a layer is dense or by a tree, in words for people. variant: the kernel that was chosen."""
    found = plan(weights)
    counts = f"its word tree counts {100 * found.share:.0f} % of the words"
    if variant == "tree":
        kept = f"about {found.by_tree:,.0f} instructions a position, dense {found.dense:,.0f}"
    elif variant in ("sliced32", "xnor", "ref"):
        kept = f"about {found.by_tree:,.0f} instructions a position, {found.dense:,.0f} as it is"
    else:
        kept = "this target counts a word's bits for less than an edge of a tree costs"
    return f"{counts}: {kept}; in logic a tree counts {100 * share_of_bits(weights):.0f} % of the bits"


def tree_scratch_bytes(step: Step) -> int:
    kernel_h, kernel_w, in_c, out_c = ints(step, "kernel_h", "kernel_w", "in_c", "out_c")
    return 4 * kernel_h * kernel_w * bit_words(in_c) + 2 * out_c
