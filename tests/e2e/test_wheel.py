"""The installed wheel, not the checkout: every mapped folder and data file is in it, and nothing leaks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("edgert", "codegen", "targets", "boards", "csrc", "pyproject.toml", "LICENSE", "README.md")
DATA = (".toml", ".h", ".c", ".S", ".ld", ".npz", ".json", ".tflite", ".onnx")
PROBE = """
import importlib.util, edgert, edgert.codegen.contracts, edgert.codegen.kernels
from edgert.board import load_board
from edgert.codegen.c import headers
print(edgert.__file__)
print(load_board("cortex-m4-emulated").id)
print(len(headers.read("include/ert_common.h")) > 0)
print([name for name in ("codegen", "targets", "boards", "csrc") if importlib.util.find_spec(name)])
"""


def run(*command: object, cwd: Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; dependencies come from the environment of the tests."""
    home = tmp_path_factory.mktemp("wheel")
    tree = home / "tree"
    tree.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    pip = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", home, tree, cwd=home)
    venv = home / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=home)
    (wheel,) = home.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", venv / "bin/python", "install", "--quiet", "--no-deps",
        "--no-index", wheel, cwd=home)  # fmt: skip
    (packages,) = (venv / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


def test_wheel_imports_and_leaks_nothing(installed: Path, tmp_path: Path) -> None:
    where, board, header, leaked = run(installed / "bin/python", "-c", PROBE, cwd=tmp_path).splitlines()
    assert where.startswith(str(installed))
    assert (board, header, leaked) == ("cortex-m4-emulated", "True", "[]")
    assert "cortex-m4-emulated" in run(installed / "bin/edgert", "boards", cwd=tmp_path)


def test_wheel_has_every_source_and_data_file(installed: Path) -> None:
    (package,) = (installed / "lib").glob("python*/site-packages/edgert")
    for folder in ("edgert", "codegen", "targets", "boards", "csrc"):
        base = package if folder == "edgert" else package / folder
        for source in (ROOT / folder).rglob("*"):
            if source.suffix in (".py", *DATA) and "__pycache__" not in source.parts:
                assert (base / source.relative_to(ROOT / folder)).is_file(), source
