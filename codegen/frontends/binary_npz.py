"""Binary networks as packed NumPy arrays: the layout of the trained CNV-W1A1 of BNN-PYNQ (docs/binary.md).

    kernel, cin, cout    [layers]: side of the square kernel, channels; stride 1, no border
    w<i>                 np.packbits(bits [cout, n], axis=1, bitorder="little"), n = kernel * kernel * cin in
                         the order (ky, kx, cin); 1 is +1, 0 is -1
    t<i>                 layer 0: bit = 2 * sum > t;  then: bit = (number of equal bits) > t
    pools                layers with a 2x2 max pool behind them; 1 and 3 where it is missing
    classes              how many outputs of the last layer count; 10 where it is missing
The input is uint8 [1, 32, 32, 3]; layer 0 reads it less 128. The output is the number of equal bits, int32.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Expr
from tvm.relax import op as R

from edgert.codegen.passes.binary_forms import plus_minus
from edgert.codegen.passes.composite import shape_of
from edgert.codegen.program import Array
from edgert.errors import ModelError

_SIDE = 32
_MAX_BYTES = 1 << 28


def is_npz(data: bytes) -> bool:
    """Whether a ZIP archive holds NumPy arrays."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(entry.endswith(".npy") for entry in archive.namelist())
    except zipfile.BadZipFile:
        return False


def from_npz(data: bytes, name: str) -> tvm.IRModule:
    """Raises ModelError."""
    return _Network(_arrays(data, name), name).run()


def _arrays(data: bytes, name: str) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
                raise ValueError(f"they have more than {_MAX_BYTES:,} bytes")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"not readable as NumPy arrays: {error}", where=name) from error


class _Network:
    def __init__(self, arrays: Mapping[str, Array], name: str) -> None:
        self.arrays, self.name = arrays, name
        shape = [self._whole(key) for key in ("kernel", "cin", "cout")]
        if len({len(values) for values in shape}) != 1 or not shape[0]:
            raise self._error("kernel, cin and cout differ in length")
        self.layers = list(zip(*shape, strict=True))
        self.pools = set(self._whole("pools")) if "pools" in arrays else {1, 3}
        self.classes = self._whole("classes")[0] if "classes" in arrays else 10
        if min(min(layer) for layer in self.layers) < 1 or not 1 <= self.classes <= self.layers[-1][2]:
            raise self._error(f"sizes below 1, or {self.classes} classes of {self.layers[-1][2]} outputs")

    def _whole(self, key: str) -> list[int]:
        values = self._get(key)
        if values.dtype.kind not in "iu" or not values.size:
            raise self._error(f"{key} is {values.dtype} {values.shape}, not whole numbers")
        return [int(v) for v in values.ravel()]

    def _get(self, key: str) -> Array:
        if key not in self.arrays:
            raise self._error(f"it has no array {key!r}")
        return self.arrays[key]

    def _error(self, what: str) -> ModelError:
        return ModelError(what, where=self.name, rule="the layout in docs/binary.md")

    def run(self) -> tvm.IRModule:
        builder = relax.BlockBuilder()
        x = relax.Var("image", relax.TensorType((1, _SIDE, _SIDE, self.layers[0][1]), "uint8"))
        with builder.function("main", [x]):
            try:
                with builder.dataflow():
                    result = self._network(builder, x)
                builder.emit_func_output(result)
            except BaseException:
                builder._end_block()  # TVM warns of a block that is left open
                raise
        return builder.get()

    def _network(self, builder: relax.BlockBuilder, x: Expr) -> Expr:
        signed = R.quantize(_real(x, 128), _one(), relax.const(0, "int32"), axis=0, out_dtype="int8")
        value: Expr = builder.emit(_real(builder.emit(signed, "pixels"), 0), "centred")
        side = _SIDE
        for index, (kernel, _, _) in enumerate(self.layers[:-1]):
            side = self._side(index, side - kernel + 1)
            sums = builder.emit(self._sums(index, value), f"layer_{index}/sums")
            above = builder.emit(R.greater(sums, self._threshold(index)), f"layer_{index}/above")
            value = builder.emit(plus_minus(above), f"layer_{index}")
            if index in self.pools:
                value = builder.emit(R.nn.max_pool2d(value, (2, 2), (2, 2), layout="NHWC"), f"pool_{index}")
                side = self._side(index, side // 2)
        last = len(self.layers) - 1
        if self._side(last, side - self.layers[last][0] + 1) != 1:
            raise self._error(f"the last layer's map has a side of {side}")
        sums = builder.emit(self._sums(last, value), f"layer_{last}/sums")
        equal = builder.emit(
            R.add(
                R.multiply(sums, relax.const(0.5, "float32")), relax.const(self._taps(last) / 2, "float32")
            ),
            f"layer_{last}",
        )
        flat = builder.emit(R.reshape(equal, (1, self.classes)))
        return builder.emit_output(R.astype(flat, "int32"), "scores")

    def _side(self, index: int, side: int) -> int:
        if side < 1:
            raise self._error(f"layer {index} does not fit on its map")
        return side

    def _taps(self, index: int) -> int:
        kernel, cin, _ = self.layers[index]
        return int(kernel * kernel * cin)

    def _sums(self, index: int, x: Expr) -> Expr:
        """The convolution with weights +1 and -1."""
        kernel, cin, cout = self.layers[index]
        packed, taps = self._get(f"w{index}"), self._taps(index)
        previous = shape_of(x)[3]
        if packed.dtype != np.uint8 or packed.shape != (cout, -(-taps // 8)) or cin != previous:
            raise self._error(f"w{index} is {packed.dtype} {packed.shape}, for {cin} of {previous} channels")
        bits = np.unpackbits(packed, axis=1, bitorder="little", count=taps)
        signs = np.where(bits > 0, 1, -1).astype(np.float32).reshape(cout, kernel, kernel, cin)
        if index == len(self.layers) - 1:
            signs = signs[: self.classes]
        weights = relax.const(np.ascontiguousarray(signs), "float32")
        return R.nn.conv2d(x, weights, data_layout="NHWC", kernel_layout="OHWI")

    def _threshold(self, index: int) -> Expr:
        """Of the sum of products: half of layer 0's, and 2 * equal - taps for the others."""
        t = self._get(f"t{index}").astype(np.float64)
        if t.shape != (self.layers[index][2],) or np.abs(t).max() >= 2**22:
            raise self._error(f"t{index} has shape {t.shape} or values out of range")
        return relax.const((t / 2 if index == 0 else 2 * t - self._taps(index)).astype(np.float32), "float32")


def _one() -> Expr:
    return relax.const(1.0, "float32")


def _real(x: Expr, zero: int) -> Expr:
    return R.dequantize(x, _one(), relax.const(zero, "int32"), axis=0)
