"""What interval analysis proves of each Step, told to its kernel: clamps that never act, sums that fit.

Program -> Program with the same output bytes for every input. A side of a clamp that no input reaches is
opened: y_min = -2**31 or y_max = 2**31 - 1, for which the C compiler emits nothing. It is opened only where
the output stays inside int8 on that side, so a kernel that saturates to int8 anyway gives the same bytes.
`Step.reach` becomes the largest |accumulator| of each output channel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgert.codegen.intervals import Reach, analyse
from edgert.codegen.program import Program, Step

OPEN_LOW, OPEN_HIGH = -(2**31), 2**31 - 1
_CLAMP = ("y_min", "y_max")


@dataclass(frozen=True)
class IdleClamp:
    """The clamp [y_min, y_max] of a layer, whose output before it lies in [lowest, highest] for every input.

    low, high: which sides never act.
    """

    layer: str
    y_min: int
    y_max: int
    lowest: int
    highest: int
    low: bool
    high: bool


def tell_bounds(program: Program) -> tuple[Program, tuple[IdleClamp, ...]]:
    """The same program with open clamps and known reaches, and which clamps were opened."""
    reaches = analyse(program).reaches
    steps, idle = [], []
    for step in program.steps:
        reach = reaches.get(step.outputs[0])
        found = _idle(step, reach) if reach else None
        if found:
            idle.append(found)
        steps.append(_told(step, reach, found) if reach else step)
    return replace(program, steps=tuple(steps)), tuple(idle)


def _idle(step: Step, reach: Reach) -> IdleClamp | None:
    if not all(side in step.attrs for side in _CLAMP):
        return None
    y_min, y_max = (int(step.attrs[side]) for side in _CLAMP)
    lowest, highest = int(reach.unclamped.lo.min()), int(reach.unclamped.hi.max())
    low, high = lowest >= max(y_min, -128), highest <= min(y_max, 127)
    return IdleClamp(step.name, y_min, y_max, lowest, highest, low, high) if low or high else None


def _told(step: Step, reach: Reach, idle: IdleClamp | None) -> Step:
    attrs = dict(step.attrs)
    if idle and idle.low:
        attrs["y_min"] = OPEN_LOW
    if idle and idle.high:
        attrs["y_max"] = OPEN_HIGH
    sums = reach.accumulator
    return replace(step, attrs=attrs, reach=np.maximum(np.abs(sums.lo), np.abs(sums.hi)) if sums else None)
