"""The external memory: inputs, outputs, what is spilled, and every weight in the order that it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edgert.codegen.hls.design import Port, word_bytes
from edgert.codegen.hls.isa import LANES, PARAM_WORDS
from edgert.codegen.hls.tasks import SOFTMAX, Network, Task
from edgert.codegen.program import Array


@dataclass(frozen=True, eq=False)
class External:
    """image: uint8. tensors, weights, params: word addresses, by tensor and by number of the task."""

    image: Array
    tensors: dict[str, int]
    weights: dict[int, int]
    params: dict[int, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@lru_cache(maxsize=2)
def external(network: Network) -> External:
    """Room for every tensor that may go there, then the constants."""
    at, tensors = 0, {}
    for name, tensor in network.maps.items():
        tensors[name] = at
        at += tensor.nbytes // LANES
    blocks: list[Array] = []
    places: dict[str, dict[int, int]] = {"weights": {}, "params": {}}
    for number, task in enumerate(network.tasks):
        for kind, block in (("weights", task.weights), ("params", _packed_params(task))):
            if block is not None:
                places[kind][number] = at
                blocks.append(block.reshape(-1))
                at += block.size // LANES
    image = np.zeros(at * LANES, np.uint8)
    start = len(image) - sum(len(block) for block in blocks)
    image[start:] = np.concatenate([*blocks, np.zeros(0, np.uint8)])
    program = network.program
    return External(
        image, tensors, places["weights"], places["params"],
        tuple(_port(network, name, tensors[name]) for name in program.inputs),
        tuple(_port(network, name, tensors[name]) for name in program.outputs),
    )  # fmt: skip


def _port(network: Network, name: str, at: int) -> Port:
    tensor, m = network.program.tensors[name], network.maps[name]
    if tensor.dtype == "b1":
        channels, dtype = -(-m.channels // 32) * 4, "uint8"
        shape = (*tensor.shape[:-1], channels)
    else:
        channels, dtype, shape = m.channels, tensor.dtype, tensor.shape
    return Port(name, shape, dtype, at * LANES, m.rows, m.cols, channels, m.row_bytes, m.pixel_bytes)


def _packed_params(task: Task) -> Array | None:
    """isa.Load's layout; of the softmax unit, its table, two entries a word."""
    if task.params is None:
        return None
    bias, multiplier, shift = task.params
    if task.unit == SOFTMAX:
        return bias.astype("<u4").view(np.uint8)
    entries = np.stack([bias, multiplier], axis=1).astype("<i4").view(np.uint8).reshape(-1, LANES * LANES)
    shifts = shift.astype(np.int8).view(np.uint8).reshape(-1, LANES)
    words = np.concatenate([entries, shifts], axis=1)
    assert words.shape[1] == PARAM_WORDS * LANES and word_bytes(words.size) == words.size
    return np.ascontiguousarray(words)
