"""The channels between two binary layers in the order in which a word tree has least to do.

Program -> Program with the same output bytes: the layer that makes the bits has its channels permuted, the
one that reads them its inputs, and a max pool in between its minima. Free at run time; done only where the
tree then pays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgert.codegen.kernels.binary_tree import Plan, plan
from edgert.codegen.mst import word_order
from edgert.codegen.program import Array, Program, Step

_MAKERS = ("conv2d_b1", "conv2d_s8_b1")
_GAIN = 0.99  # of the words that are counted: less is not worth another order
_ROUNDS = 3


def order_bits(program: Program) -> Program:
    """Every chain of a maker, max pools and a reader, each of which nothing else reads."""
    constants = dict(program.constants)
    for chain in _chains(program):
        *makers, reader = chain
        weights = constants[reader.constants["weights"]]
        order = _better_order(weights)
        if order is None:
            continue
        constants[reader.constants["weights"]] = np.ascontiguousarray(weights[..., order])
        for step in makers:
            for name in step.constants.values():
                constants[name] = np.ascontiguousarray(constants[name][order])
    return replace(program, constants=constants)


def _better_order(weights: Array) -> Array | None:
    """None where no order is better, or none makes the tree pay."""
    start = best = plan(weights)
    order = np.arange(weights.shape[3])
    for _ in range(_ROUNDS):
        tried = order[word_order(weights[..., order] > 0, best.tree)]
        found: Plan = plan(weights[..., tried])
        if found.tree.cost >= best.tree.cost:
            break
        order, best = tried, found
    pays = best.pays and best.tree.cost < _GAIN * start.tree.cost
    return order if pays else None


def _chains(program: Program) -> Iterator[list[Step]]:
    """Maker, max pools, reader."""
    readers = Counter(name for step in program.steps for name in step.inputs)
    readers.update(program.outputs)
    made = {step.outputs[0]: step for step in program.steps}
    named = Counter(name for step in program.steps for name in step.constants.values())
    for step in program.steps:
        if step.op != "conv2d_b1":
            continue
        chain, source = [step], step.inputs[0]
        while readers[source] == 1 and source in made and made[source].op == "max_pool2d_b1":
            chain.append(made[source])
            source = made[source].inputs[0]
        if readers[source] == 1 and source in made and made[source].op in _MAKERS:
            chain.append(made[source])
            whole = step.attrs["in_c"] == made[source].attrs["out_c"]
            if whole and all(named[name] == 1 for s in chain for name in s.constants.values()):
                yield chain[::-1]
