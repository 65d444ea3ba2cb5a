"""How much each layer adds to the quantization noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log10

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Tuple

from edgert.codegen.passes.composite import op_name
from edgert.codegen.program import Array
from edgert.codegen.quantize.calibrate import Progress, Watched
from edgert.codegen.quantize.points import FIXED, WEIGHTED, Graph
from edgert.codegen.quantize.ranges import to_int8


@dataclass(frozen=True)
class LayerNoise:
    """snr_db: signal to noise of the layer's output in the quantized network, against the float one.

    lost_db: how much lower that is than its worst input's: what this layer itself costs.
    """

    name: str
    op: str
    scale: float
    zero_point: int
    snr_db: float
    lost_db: float


Runs = Sequence[Sequence[Array]]


@dataclass(frozen=True, eq=False)
class Pair:
    """A float network, and the same one quantized. stored: point -> the variable that holds its integers."""

    mod: tvm.IRModule
    graph: Graph
    quants: Mapping[relax.Var, tuple[float, int]]
    quantized: tvm.IRModule
    stored: Mapping[relax.Var, relax.Var]

    def still_there(self) -> dict[relax.Var, relax.Var]:
        """Of `stored`, those that the finished network has, as they are in it."""
        by_name = {
            str(b.var.name): b.var for block in self.quantized["main"].body.blocks for b in block.bindings
        }
        by_name |= {str(p.name): p for p in self.quantized["main"].params}
        return {v: by_name[str(s.name)] for v, s in self.stored.items() if str(s.name) in by_name}


def noise(pair: Pair, runs: Runs) -> tuple[LayerNoise, ...]:
    """Both networks on the same inputs, layer by layer."""
    watched = pair.still_there()
    exact = Watched(pair.mod, list(watched))
    sums = _sums(pair, watched, runs, (exact.run(inputs) for inputs in runs))
    snr = {var: _decibels(signal, error) for var, (signal, error) in sums.items()}
    return tuple(_row(var, pair, snr) for var in sums if var in pair.graph.values)


def output_snr(pairs: Mapping[str, Pair], runs: Runs, progress: Progress) -> dict[str, float]:
    """Signal to noise of the results, in dB, for each way to quantize one float network; of several results,
    each weighs the same.

    Of what goes into a softmax or sigmoid at the end: these saturate, so that a few undecided inputs would
    make up nearly all of the noise behind them. Where the results are float: of the last layer that is not.
    """
    first = next(iter(pairs.values()))
    found, graph = first.still_there(), first.graph
    result = graph.main.body.body
    outputs = list(result.fields) if isinstance(result, Tuple) else [result]
    before = [graph.inputs(v)[0] if op_name(graph.values.get(v, v)) in FIXED else v for v in outputs]
    points = [v for v in before if v in found] or list(found)[-1:]
    exact = Watched(first.mod, points)
    reals = [exact.run(inputs) for inputs in runs]
    snr = {}
    for number, (way, pair) in enumerate(pairs.items()):
        there = pair.still_there()
        sums = _sums(pair, {v: there[v] for v in points}, runs, reals)
        snr[way] = _decibels(1.0, sum(error / signal for signal, error in sums.values() if signal))
        progress("ways to choose ranges", number + 1, len(pairs))
    return snr


def _sums(
    pair: Pair, watched: Mapping[relax.Var, relax.Var], runs: Runs, reals: Iterable[dict[relax.Var, Array]]
) -> dict[relax.Var, tuple[float, float]]:
    """point -> squared signal and squared error, summed over the runs. reals: of each, what is exact."""
    rounded = Watched(pair.quantized, list(watched.values()))
    signal, error = dict.fromkeys(watched, 0.0), dict.fromkeys(watched, 0.0)
    params, originals = pair.quantized["main"].params, pair.graph.main.params
    for inputs, real in zip(runs, reals, strict=True):
        integers = rounded.run(_as_integers(params, originals, inputs, pair.quants))
        for var, inner in watched.items():
            scale, zero = pair.quants[var]
            restored = (integers[inner].astype(np.float64) - zero) * scale
            signal[var] += float((real[var].astype(np.float64) ** 2).sum())
            error[var] += float(((real[var] - restored) ** 2).sum())
    return {var: (signal[var], error[var]) for var in watched}


def _as_integers(
    params: Sequence[relax.Var],
    originals: Sequence[relax.Var],
    inputs: Sequence[Array],
    quants: Mapping[relax.Var, tuple[float, int]],
) -> list[Array]:
    given = []
    for param, original, values in zip(params, originals, inputs, strict=True):
        if str(param.ty.dtype) == "int8":
            values = to_int8(values, *quants[original])
        given.append(values)
    return given


def _decibels(signal: float, error: float) -> float:
    return inf if error == 0 else -inf if signal == 0 else 10 * log10(signal / error)


def _row(var: relax.Var, pair: Pair, snr: Mapping[relax.Var, float]) -> LayerNoise:
    graph, inside, sources, ops = pair.graph, [var], set(), []
    while inside:
        current = inside.pop()
        ops.append(op_name(graph.values[current]).removeprefix("relax."))
        for source in graph.inputs(current):
            if source in snr:
                sources.add(source)
            elif source in graph.values:
                inside.append(source)
    worst = min((snr[s] for s in sources), default=inf)
    op = next((o for o in ops if f"relax.{o}" in WEIGHTED), ops[-1])
    lost = worst - snr[var] if worst < inf else 0.0
    return LayerNoise(str(var.name), op.removeprefix("nn."), *pair.quants[var], snr[var], max(lost, 0.0))
