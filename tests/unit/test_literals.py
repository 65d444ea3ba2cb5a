"""C literals read back exactly, compile without a warning, and never depend on the platform."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgert.codegen.c import literals


@pytest.mark.parametrize(
    ("text", "expected"),
    [("kws", "kws"), ("ad-01.v2", "ad_01_v2"), ("9lives", "m_9lives"), ("é", "model"), ("", "model")],
)
def test_identifier(text: str, expected: str) -> None:
    assert literals.identifier(text) == expected


def test_every_dtype_reads_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    dtypes = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
    arrays = [np.array([np.iinfo(t).min, 1, 0, np.iinfo(t).max], t) for t in dtypes]
    arrays.append(np.concatenate([
        rng.normal(size=50).astype("float32"),
        np.array([0.0, -0.0, np.inf, -np.inf, np.finfo("f4").tiny, np.finfo("f4").max, 1e-45], "float32"),
    ]))  # fmt: skip
    text = "#include <stdint.h>\n"
    text += "".join(literals.array(f"a_{a.dtype}", a, "test") for a in arrays)
    text += "".join(f"const void *get_{a.dtype}(void) {{ return a_{a.dtype}; }}\n" for a in arrays)
    (tmp_path / "a.c").write_text(text)
    subprocess.run(
        ["cc", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wno-missing-prototypes",
         "-shared", "-fPIC", "a.c", "-o", "a.so"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    library = ctypes.CDLL(str(tmp_path / "a.so"))
    for array in arrays:
        getter = getattr(library, f"get_{array.dtype}")
        getter.restype = ctypes.c_void_p
        assert ctypes.string_at(getter(), array.nbytes) == array.tobytes(), array.dtype


def test_long_arrays_wrap() -> None:
    text = literals.array("w", np.arange(1000, dtype=np.int32))
    assert max(map(len, text.splitlines())) <= 110
