"""A network before it is compiled: loaded from anything, quantized, saved, handed to `edgert.compile`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgert.errors import ModelError, UsageError
from edgert.model_file import c_name, read_model

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from edgert.codegen.quantize.report import LayerNoise

    Array = npt.NDArray[np.generic]

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, eq=False)
class Network:
    """name: prefix of its C symbols. module: a tvm.IRModule. layers: after `quantize`, the noise of each;
    ranges: how its activations' ranges were chosen; tried: signal to noise of the results, in dB, by each way
    that was tried."""

    name: str
    module: Any
    layers: tuple[LayerNoise, ...] = ()
    ranges: str = ""
    tried: Mapping[str, float] = field(default_factory=dict)

    @property
    def input_shapes(self) -> list[tuple[int, ...]]:
        return [tuple(int(d) for d in p.ty.shape) for p in self.module["main"].params]

    @property
    def quantized(self) -> bool:
        """Whether any of it computes in integers."""
        from edgert.codegen.passes.composite import is_quantized

        return is_quantized(self.module)

    def quantize(
        self,
        data: Iterable[Array | Sequence[Array]],
        *,
        progress: Progress = lambda stage, done, total: None,
        report_on: int = 8,
        **options: Any,
    ) -> Network:
        """The network in int8. data: float32 inputs as the network reads them, some tens to some hundreds; an
        array with one more dimension than an input, a list, or any iterator. options: fields of
        `edgert.codegen.quantize.Options`. report_on: on how many inputs `layers` is measured.

        Raises UsageError for data of another shape, or none, and for a network that is quantized already.
        """
        from edgert.codegen.quantize import Options, quantize

        if self.quantized:
            raise UsageError("it is quantized already", where=self.name, hint="start from the float network")
        try:
            chosen = Options(**options)
        except TypeError as error:
            raise UsageError(
                f"unknown option: {error}", rule=f"options are {', '.join(Options.__annotations__)}"
            ) from error
        done = quantize(self.module, data, chosen, progress=progress, report_on=report_on)
        return Network(self.name, done.mod, done.layers, done.ranges, done.tried)

    def to_tflite(self) -> bytes:
        """An int8 TFLite file, for any tool that reads one. Raises UnsupportedOperatorError."""
        from edgert.codegen import pipeline
        from edgert.codegen.tflite import to_tflite

        return to_tflite(pipeline.run_phases(self.module, pipeline.named("simplify", "fuse")), self.name)

    def save(self, path: str | Path) -> Path:
        """Write `to_tflite()`. Raises UnsupportedOperatorError, UsageError (cannot write)."""
        from edgert.cache import write_aside

        return write_aside(Path(path), self.to_tflite())

    def serialized(self) -> bytes:
        """Bytes that identify it, for the cache: its text, and its constants."""
        from tvm.ir import GenericConst

        from edgert.codegen.passes.composite import array, leaves

        blocks = self.module["main"].body.blocks
        constants = [v for block in blocks for b in block.bindings for v in leaves(b.value)]
        values = (array(c).tobytes() for c in constants if isinstance(c, GenericConst))
        return b"\n".join((self.name.encode(), self.module.script(show_meta=False).encode(), *values))


def load(model: Any, *, example: Any = None, name: str | None = None, channels_last: bool = False) -> Network:
    """A network from a .tflite, .onnx or .pt2 file (or its bytes), an nn.Module or a torch ExportedProgram.

    example: for an nn.Module, a tensor (or a tuple of tensors) of the shape that it reads. name: by default
    from the file's or the class's name. channels_last: rank-4 inputs and outputs of ONNX and PyTorch become
    NHWC, which saves the transpose in front of the first layer.

    Raises ModelError (not a model), UnsupportedOperatorError, UsageError, ToolError (a package is missing).
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, str | Path | bytes):
        from edgert.codegen.frontends import load as load_bytes

        data, file = read_model(model)
        chosen = c_name(name or Path(file).stem)
        return Network(chosen, load_bytes(data, chosen, channels_last=channels_last))
    kind = type(model).__name__
    chosen = c_name(name or kind)
    if type(model).__module__.startswith("torch.export"):
        from edgert.codegen.frontends.torch import from_exported

        return Network(chosen, from_exported(model, chosen, channels_last=channels_last))
    if not any(base.__module__.startswith("torch.nn") for base in type(model).__mro__):
        raise ModelError(
            f"cannot load a {kind}", rule="a path, bytes, a torch.nn.Module or a torch ExportedProgram"
        )
    if example is None:
        raise UsageError(
            "an nn.Module needs an example input", where=kind,
            hint="edgert.load(model, example=torch.zeros(1, 3, 32, 32))",
        )  # fmt: skip
    from edgert.codegen.frontends.torch import from_module

    return Network(chosen, from_module(model, example, chosen, channels_last=channels_last))
