"""Float Relax -> QDQ Relax, start to end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import tvm
from tvm import relax

from edgert.codegen.passes.composite import op_name
from edgert.codegen.passes.fold_linear import fold_linear
from edgert.codegen.passes.simplify import fold_weights, split_tuples
from edgert.codegen.program import Array
from edgert.codegen.quantize.calibrate import Progress, Statistics, batches, calibrate
from edgert.codegen.quantize.equalize import equalize
from edgert.codegen.quantize.insert import insert
from edgert.codegen.quantize.options import Options
from edgert.codegen.quantize.points import FIXED, Graph, find_points
from edgert.codegen.quantize.ranges import choose, to_quant, to_wide_quant
from edgert.codegen.quantize.report import LayerNoise, Pair, noise, output_snr


@dataclass(frozen=True, eq=False)
class Quantized:
    """mod: the QDQ network. layers: the noise of each, in order; empty where it was not asked for. ranges:
    how the activations' ranges were chosen. tried: way to choose them -> signal to noise of the results, in
    dB, where there was more than one."""

    mod: tvm.IRModule
    layers: tuple[LayerNoise, ...]
    ranges: str
    tried: Mapping[str, float]


def prepared(mod: tvm.IRModule) -> tvm.IRModule:
    """A float network as quantization wants it: one binding per result, all that is linear folded."""
    for function in (relax.transform.CanonicalizeBindings(), split_tuples, fold_weights, fold_linear):
        mod = function(mod)
    return mod


def quantize(
    mod: tvm.IRModule,
    data: Iterable[Array | Sequence[Array]],
    options: Options | None = None,
    *,
    progress: Progress = lambda stage, done, total: None,
    report_on: int = 8,
) -> Quantized:
    """mod: a float network, as a front end makes it. data: inputs, each of the network's shape, with or
    without its batch of one. report_on: how many of them the noise of each layer is measured on; 0 for none.

    Raises UsageError for data of another shape, or none.
    """
    options = options or Options()
    mod = prepared(mod)
    if options.equalize:
        mod = equalize(mod)
    graph = find_points(mod, options)
    runs = batches(mod, data)
    statistics = calibrate(mod, graph, runs, progress)
    made = {way.ranges: _pair(mod, graph, statistics, way) for way in options.ways}
    snr = output_snr(made, runs, progress) if len(made) > 1 else {}
    ranges = max(snr, key=lambda way: snr[way]) if snr else options.ranges
    best = made[ranges]
    return Quantized(best.quantized, noise(best, runs[:report_on]) if report_on else (), ranges, snr)


def _pair(mod: tvm.IRModule, graph: Graph, statistics: Statistics, options: Options) -> Pair:
    quants = _quants(graph, statistics, options)
    return Pair(mod, graph, quants, *insert(graph, quants, statistics.means, options))


def _quants(graph: Graph, statistics: Statistics, options: Options) -> dict[relax.Var, tuple[float, int]]:
    """Scale and zero point of each point: that of its group, whose range encloses those of all members."""
    ranges: dict[relax.Var, list[tuple[float, float]]] = {}
    fixed: dict[relax.Var, tuple[float, int]] = {}
    for var in graph.points:
        histogram = statistics.histograms[var]
        # an input is never clipped: its scale is what the user knows of it; 16 bits have room for all
        whole = var in graph.main.params or var in graph.wide
        found = (histogram.low, histogram.high) if whole else choose(histogram, options)
        ranges.setdefault(graph.group[var], []).append(found)
        name = op_name(graph.values.get(var, var))
        if name in FIXED:
            fixed[graph.group[var]] = FIXED[name]
        if var in graph.ones:
            fixed[graph.group[var]] = (1.0, 0)
    enclosing = {first: (min(r[0] for r in rs), max(r[1] for r in rs)) for first, rs in ranges.items()}
    return {
        var: to_wide_quant(*enclosing[graph.group[var]])
        if var in graph.wide
        else fixed.get(graph.group[var], to_quant(*enclosing[graph.group[var]]))
        for var in graph.points
    }
