"""Runs the float network over the calibration inputs and keeps what the ranges need, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from edgert.codegen.passes.outline import renamed, typed
from edgert.codegen.program import Array
from edgert.codegen.quantize.points import Graph
from edgert.codegen.quantize.ranges import BINS, Histogram
from edgert.errors import UsageError

_SAMPLE = 1 << 16  # values of a tensor that one input adds to its histogram


@dataclass(eq=False)
class Statistics:
    """histograms: over all calibration inputs. means: per channel (last axis)."""

    histograms: dict[relax.Var, Histogram]
    means: dict[relax.Var, Array]


class Watched:
    """The network compiled for this machine so that it gives chosen values, not only its results."""

    def __init__(self, mod: tvm.IRModule, watched: Sequence[relax.Var]) -> None:
        main = mod["main"]
        self.params = main.params
        self.inner = [v for v in watched if v not in set(main.params)]
        fresh: dict[relax.Var, relax.Var] = {}  # a dataflow variable may not leave its block: plain ones
        bindings = []
        for binding in (b for block in main.body.blocks for b in block.bindings):
            fresh[binding.var] = relax.Var(binding.var.name, binding.var.ty)
            bindings.append(relax.VarBinding(fresh[binding.var], renamed(binding.value, fresh)))
        result = relax.Tuple([fresh[v] for v in self.inner])
        body = typed(relax.SeqExpr([relax.BindingBlock(bindings)], result), result.ty)
        function = relax.Function(list(main.params), body, result.ty).with_attr("global_symbol", "main")
        module = relax.transform.LegalizeOps()(relax.transform.Normalize()(tvm.IRModule({"main": function})))
        self.machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())

    def run(self, inputs: Sequence[Array]) -> dict[relax.Var, Array]:
        results = self.machine["main"](*(tvm.runtime.tensor(i) for i in inputs))
        found = {var: result.numpy() for var, result in zip(self.inner, results, strict=True)}
        return found | dict(zip(self.params, inputs, strict=True))


Progress = Callable[[str, int, int | None], None]


def batches(mod: tvm.IRModule, data: Iterable[Array | Sequence[Array]]) -> list[list[Array]]:
    """Calibration data as inputs of the network, one entry per run. Raises UsageError for a wrong shape."""
    params = mod["main"].params
    shapes = [tuple(int(d) for d in p.ty.shape) for p in params]
    runs: list[list[Array]] = []
    for number, sample in enumerate(data):
        arrays = [sample] if isinstance(sample, np.ndarray) else list(sample)
        if len(arrays) != len(params):
            raise UsageError(
                f"calibration input {number} has {len(arrays)} tensors",
                rule=f"the network has {len(params)} inputs",
            )
        shaped = []
        for array, shape in zip(arrays, shapes, strict=True):
            if array.shape not in (shape, shape[1:]):
                raise UsageError(
                    f"calibration input {number} has shape {list(array.shape)}",
                    rule=f"the network reads {list(shape)}",
                )
            if not np.isfinite(array).all():
                raise UsageError(f"calibration input {number} has values that are not finite")
            shaped.append(np.ascontiguousarray(array.reshape(shape), np.float32))
        runs.append(shaped)
    if not runs:
        raise UsageError("no calibration data", hint="give some inputs as the network will see them; 100 do")
    return runs


def calibrate(
    mod: tvm.IRModule, graph: Graph, runs: Sequence[Sequence[Array]], progress: Progress
) -> Statistics:
    """Two passes: the extremes, then histograms between them."""
    machine = Watched(mod, graph.points)
    low = dict.fromkeys(graph.points, 0.0)
    high = dict.fromkeys(graph.points, 0.0)
    sums: dict[relax.Var, Array] = {}
    for number, inputs in enumerate(runs):
        for var, values in machine.run(inputs).items():
            low[var], high[var] = min(low[var], float(values.min())), max(high[var], float(values.max()))
            mean = values.reshape(-1, values.shape[-1] if values.ndim else 1).mean(0, dtype=np.float64)
            sums[var] = sums[var] + mean if var in sums else mean
        progress("ranges", number + 1, len(runs))
    histograms = {v: Histogram(low[v], high[v], np.zeros(BINS, np.int64)) for v in graph.points}
    for number, inputs in enumerate(runs):
        for var, values in machine.run(inputs).items():
            flat = values.reshape(-1)[:: max(1, values.size // _SAMPLE)]
            h = histograms[var]
            if h.high > h.low:
                h.counts += np.histogram(flat, BINS, (h.low, h.high))[0]
        progress("histograms", number + 1, len(runs))
    return Statistics(histograms, {v: s / len(runs) for v, s in sums.items()})
