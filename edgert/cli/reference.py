"""The reference interpreter: what a .tflite model's own runtime answers, for --compare-reference and tests.

LiteRT with its BUILTIN_REF kernels, the plain loops that define the rounding (docs/numerics.md); its
optimised kernels differ from these by one step on some convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert.errors import ToolError, UsageError

Array = npt.NDArray[np.generic]


class Reference:
    """One model in the reference interpreter.

    Raises ToolError if it is not installed, UsageError if the model is not a .tflite file.
    """

    def __init__(self, model: bytes, where: str = "") -> None:
        if model[4:8] != b"TFL3":
            raise UsageError(
                "the reference interpreter reads .tflite files only",
                where=where,
                hint="leave out --compare-reference",
            )
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError as error:
            raise ToolError(
                "the reference interpreter (ai-edge-litert) is not installed",
                hint="pip install 'ai-edge-litert>=2.3'",
            ) from error
        self._interpreter: Any = Interpreter(
            model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
        )
        self._interpreter.allocate_tensors()
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The model's outputs for these inputs, in the model's shapes and dtypes."""
        for index, array in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]
