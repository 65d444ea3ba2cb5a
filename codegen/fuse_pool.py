"""A 1x1 convolution and the max pool that alone reads it become one Step: the larger map is never held.

Program -> Program with the same output bytes. Only where the pool's windows lie side by side, without
padding, and only where it helps: a convolution that does not make the map larger than it reads can overlap
its input anyway.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from edgert.codegen.kernels.conv2d import pointwise
from edgert.codegen.program import Program, Step


def fuse_pool(program: Program) -> Program:
    """Needs: prune and tell_bounds have run, which know the two apart."""
    readers = Counter(name for step in program.steps for name in step.inputs)
    readers.update(program.outputs)
    steps: list[Step] = []
    for step in program.steps:
        before = steps[-1] if steps else None
        if before is not None and before.outputs == step.inputs and _fusable(before, step, readers):
            steps[-1] = _fused(before, step)
        else:
            steps.append(step)
    used = {name for step in steps for name in (*step.inputs, *step.outputs)} | set(program.inputs)
    tensors = {name: tensor for name, tensor in program.tensors.items() if name in used}
    return replace(program, steps=tuple(steps), tensors=tensors)


def _fusable(conv: Step, pool: Step, readers: Counter[str]) -> bool:
    if conv.op != "conv2d_s8" or pool.op != "max_pool2d_s8" or readers[conv.outputs[0]] != 1:
        return False
    p = pool.attrs
    side_by_side = (p["kernel_h"], p["kernel_w"]) == (p["stride_h"], p["stride_w"]) and p["kernel_h"] > 1
    whole = p["out_h"] == int(p["in_h"]) // int(p["kernel_h"]) and p["out_w"] == int(p["in_w"]) // int(
        p["kernel_w"]
    )
    open_clamp = p["y_min"] <= -128 and p["y_max"] >= 127
    return (
        pointwise(conv) and side_by_side and whole and open_clamp and not p["pad_top"] and not p["pad_left"]
    )


def _fused(conv: Step, pool: Step) -> Step:
    attrs = {**conv.attrs, "pool_h": pool.attrs["kernel_h"], "pool_w": pool.attrs["kernel_w"]}
    return replace(conv, op="conv2d_pool_s8", attrs=attrs, outputs=pool.outputs)
