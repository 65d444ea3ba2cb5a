"""How much each layer adds to the quantization noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, log10

import numpy as np
import tvm
from tvm import relax

from edgert.codegen.passes.composite import op_name
from edgert.codegen.program import Array
from edgert.codegen.quantize.calibrate import Watched
from edgert.codegen.quantize.points import WEIGHTED, Graph
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


def noise(
    mod: tvm.IRModule,
    graph: Graph,
    quants: Mapping[relax.Var, tuple[float, int]],
    quantized: tvm.IRModule,
    stored: Mapping[relax.Var, relax.Var],
    runs: Sequence[Sequence[Array]],
) -> tuple[LayerNoise, ...]:
    """Both networks on the same inputs, layer by layer."""
    exact = Watched(mod, graph.points)
    by_name = {str(b.var.name): b.var for block in quantized["main"].body.blocks for b in block.bindings}
    by_name |= {str(p.name): p for p in quantized["main"].params}
    wanted = {v: by_name[str(s.name)] for v, s in stored.items() if str(s.name) in by_name}
    rounded = Watched(quantized, list(wanted.values()))
    signal, error = dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, 0.0)
    for inputs in runs:
        reals = exact.run(inputs)
        integers = rounded.run(_as_integers(quantized["main"].params, graph.main.params, inputs, quants))
        for var, inner in wanted.items():
            scale, zero = quants[var]
            restored = (integers[inner].astype(np.float64) - zero) * scale
            signal[var] += float((reals[var].astype(np.float64) ** 2).sum())
            error[var] += float(((reals[var] - restored) ** 2).sum())
    snr = {v: _decibels(signal[v], error[v]) for v in wanted}
    return tuple(_row(v, graph, quants, snr) for v in wanted if v in graph.values)


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


def _row(
    var: relax.Var,
    graph: Graph,
    quants: Mapping[relax.Var, tuple[float, int]],
    snr: Mapping[relax.Var, float],
) -> LayerNoise:
    inside, sources, ops = [var], set(), []
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
    return LayerNoise(str(var.name), op.removeprefix("nn."), *quants[var], snr[var], max(lost, 0.0))
