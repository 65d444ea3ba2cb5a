"""csrc/runtime/ert_math.h against float64: the errors that its header states, and every edge."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CSRC = Path(__file__).parents[2] / "csrc"
Array = np.ndarray[Any, Any]
UNARY = (
    "expf", "logf", "sqrtf", "rsqrtf", "tanhf", "sigmoidf", "erff", "floorf", "ceilf", "truncf", "roundf",
    "nearbyintf", "fabsf",
)  # fmt: skip
SOURCE = (
    '#include "runtime/ert_math.h"\n'
    + "".join(
        f"void {f}(const float *x, float *y, int n);\n"
        f"void {f}(const float *x, float *y, int n) {{ for (int i = 0; i < n; i++) y[i] = ert_{f}(x[i]); }}\n"
        for f in UNARY
    )
    + "void powf2(const float *x, const float *e, float *y, int n);\n"
    "void powf2(const float *x, const float *e, float *y, int n)\n"
    "{ for (int i = 0; i < n; i++) y[i] = ert_powf(x[i], e[i]); }\n"
    "int64_t fdiv(int64_t a, int64_t b);\nint64_t fmd(int64_t a, int64_t b);\nint64_t toint(float x);\n"
    "int64_t fdiv(int64_t a, int64_t b) { return ert_floordivi(a, b); }\n"
    "int64_t fmd(int64_t a, int64_t b) { return ert_floormodi(a, b); }\n"
    "int64_t toint(float x) { return ert_float_to_int(x, -128, 127); }\n"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("math")
    (folder / "m.c").write_text(SOURCE)
    command = [sys.executable, "-m", "ziglang", "cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion"]
    command += ["-Werror", "-ffp-contract=off", "-fno-builtin", "-shared", "-fPIC", f"-I{CSRC}"]
    command += ["m.c", "-o", "m.so"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    return ctypes.CDLL(str(folder / "m.so"))


def call(library: ctypes.CDLL, name: str, x: Array) -> Array:
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty_like(x)
    pointer = ctypes.POINTER(ctypes.c_float)
    getattr(library, name)(x.ctypes.data_as(pointer), y.ctypes.data_as(pointer), x.size)
    return y


def ulps(got: Array, exact: Array) -> float:
    """Largest distance from the exact value, in units of the last place of float32."""
    spacing = np.spacing(np.maximum(np.abs(exact), np.finfo(np.float32).tiny).astype(np.float32))
    return float((np.abs(got.astype(np.float64) - exact) / spacing.astype(np.float64)).max())


RNG = np.random.default_rng(11)
WIDE = np.float32(np.exp(RNG.uniform(-87, 88, 200_000)))
CASES: dict[str, tuple[Array, Callable[[Array], Array], float]] = {
    "expf": (RNG.uniform(-87, 88.7, 200_000), np.exp, 3),
    "logf": (WIDE, np.log, 3),
    "sqrtf": (WIDE, np.sqrt, 3),
    "rsqrtf": (WIDE, lambda x: 1 / np.sqrt(x), 3),
    "tanhf": (RNG.normal(size=200_000) * 3, np.tanh, 3),
    "sigmoidf": (RNG.normal(size=200_000) * 8, lambda x: 1 / (1 + np.exp(-x)), 3),
}


@pytest.mark.parametrize("name", CASES)
def test_error_in_ulps(library: ctypes.CDLL, name: str) -> None:
    x, exact, limit = CASES[name]
    x = x.astype(np.float32)
    assert ulps(call(library, name, x), exact(x.astype(np.float64))) <= limit


def test_erf(library: ctypes.CDLL) -> None:
    from math import erf

    x = RNG.normal(size=20_000).astype(np.float32) * 2
    exact = np.array([erf(float(v)) for v in x])
    assert np.abs(call(library, "erff", x) - exact).max() <= 6e-7


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("floorf", np.floor),
        ("ceilf", np.ceil),
        ("truncf", np.trunc),
        ("nearbyintf", np.rint),
        ("fabsf", np.abs),
    ],
)
def test_rounding_is_exact(library: ctypes.CDLL, name: str, function: Callable[[Array], Array]) -> None:
    halves = np.arange(-40, 41) / 4
    x = np.concatenate([halves, RNG.normal(size=10_000) * 1000, [8388607.5, 8388609, -1e30, 3e9]])
    x = x.astype(np.float32)
    np.testing.assert_array_equal(call(library, name, x), function(x))


def test_round_takes_halves_away_from_zero(library: ctypes.CDLL) -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 8388607.5, -2.5], np.float32)
    assert call(library, "roundf", x).tolist() == [1, 2, 3, -1, -2, 0, 8388608, -3]


def test_edges(library: ctypes.CDLL) -> None:
    inf, nan = np.inf, np.nan
    x = np.array([inf, -inf, nan, 0], np.float32)
    np.testing.assert_array_equal(call(library, "expf", x), [inf, 0, nan, 1])
    np.testing.assert_array_equal(call(library, "logf", x), [inf, nan, nan, -inf])
    np.testing.assert_array_equal(call(library, "sqrtf", x), [inf, nan, nan, 0])
    np.testing.assert_array_equal(call(library, "tanhf", x), [1, -1, nan, 0])
    np.testing.assert_array_equal(call(library, "sigmoidf", x), [1, 0, nan, 0.5])
    tiny = np.array([1e-45, 1e-40, 1.1754943e-38], np.float32)
    np.testing.assert_allclose(call(library, "logf", tiny), np.log(tiny.astype(np.float64)), rtol=1e-6)
    np.testing.assert_allclose(call(library, "sqrtf", tiny), np.sqrt(tiny.astype(np.float64)), rtol=1e-6)
    assert call(library, "expf", np.array([-103.0], np.float32))[0] > 0  # subnormal, not flushed


def test_power(library: ctypes.CDLL) -> None:
    """Whole exponents are products: each of the |y| roundings, the division's among them, adds 2^-24."""
    pointer = ctypes.POINTER(ctypes.c_float)
    rng = np.random.default_rng(13)
    x = rng.uniform(0.3, 3, 200_000).astype(np.float32)
    for exponents in (rng.integers(-64, 65, x.size), rng.integers(-8, 9, x.size), rng.uniform(-3, 3, x.size)):
        e = exponents.astype(np.float32)
        y = np.empty_like(x)
        library.powf2(*(a.ctypes.data_as(pointer) for a in (x, e, y)), x.size)
        exact = x.astype(np.float64) ** e
        general = 2.0**-22 * (1 + np.abs(e * np.log(x.astype(np.float64))))
        bound = np.where(e == np.trunc(e), np.abs(e) * 2.0**-24, general)
        assert (np.abs(y - exact) <= bound * exact).all()


def test_integers(library: ctypes.CDLL) -> None:
    for function in (library.fdiv, library.fmd, library.toint):
        function.restype = ctypes.c_longlong
    library.toint.argtypes = [ctypes.c_float]
    for a in range(-9, 10):
        for b in (-4, -3, -1, 1, 3, 4):
            assert library.fdiv(ctypes.c_longlong(a), ctypes.c_longlong(b)) == a // b
            assert library.fmd(ctypes.c_longlong(a), ctypes.c_longlong(b)) == a % b
    given = (1.9, -1.9, 1e9, -1e9, float("inf"), float("-inf"), float("nan"))
    assert [library.toint(v) for v in given] == [1, -1, 127, -128, 127, -128, 0]
