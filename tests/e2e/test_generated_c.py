"""The generated folder as its users meet it: clean under the sanitizers, built by CMake, the same twice."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tflite_builder import reference

import edgert
from edgert.artifact import Artifact

DEMO = Path(edgert.__file__).parent / "demo" / "cifar10_small.tflite"
MODELS = ("kws_int8", "ic_resnet8_int8", "vww_int8", "ad01_int8", "ic_resnet8_fp32")
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror")

# Runs the model in an arena of exactly its size, so that a byte too far is found; stdin -> stdout.
HARNESS = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"
int main(void)
{
    uint8_t *arena = aligned_alloc(16, (ARENA + 15) / 16 * 16);
    uint8_t *tight = arena + ((ARENA + 15) / 16 * 16 - ARENA) / 16 * 16;
    memset(arena, 0xA5, (ARENA + 15) / 16 * 16);
    if (fread(tight + IN, 1, IN_BYTES, stdin) != IN_BYTES) { return 1; }
    INVOKE(tight);
    fwrite(tight + OUT, 1, OUT_BYTES, stdout);
    free(arena);
    return 0;
}
"""


def _port(artifact: Artifact, kind: str) -> tuple[int, int, str, tuple[int, ...]]:
    (port,) = artifact.report[f"{kind}s"]
    nbytes = int(np.prod(port["shape"])) * np.dtype(port["dtype"]).itemsize
    return port["offset"], nbytes, port["dtype"], tuple(port["shape"])


def _sanitized(artifact: Artifact, folder: Path) -> Path:
    (folder / "harness.c").write_text(HARNESS)
    (at, size, _, _), (out, out_size, _, _) = _port(artifact, "input"), _port(artifact, "output")
    defines = {
        "ARENA": artifact.arena_bytes, "IN": at, "IN_BYTES": size, "OUT": out, "OUT_BYTES": out_size,
        "INVOKE": f"{artifact.name}_invoke",
    }  # fmt: skip
    command = ["gcc", *STRICT, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command += [f"-D{key}={value}" for key, value in defines.items()]
    command += [f"-I{artifact.folder}", str(artifact.folder / "model.c"), "harness.c", "-o", "harness"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    return folder / "harness"


def _check(model: Path, target: str, folder: Path) -> None:
    artifact = edgert.compile(model, target=target)
    program = _sanitized(artifact, folder)
    _, _, dtype, shape = _port(artifact, "input")
    _, _, out_dtype, out_shape = _port(artifact, "output")
    rng = np.random.default_rng(5)
    for x in (rng.integers(-128, 128, shape), np.full(shape, -128), np.full(shape, 127)):
        given = x.astype(dtype)
        done = subprocess.run([program], input=given.tobytes(), capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        y = np.frombuffer(done.stdout, out_dtype).reshape(out_shape)
        expected = reference(model.read_bytes(), given)[0]
        if dtype == "int8":
            np.testing.assert_array_equal(y, expected)
        else:  # float32: sums of up to 576 products in another order, through a softmax
            np.testing.assert_allclose(y, expected, atol=1e-4)


needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc: apt-get install gcc")


@needs_gcc
@pytest.mark.parametrize("target", ["cortex-m4", "rv32imc"])
def test_bundled_model_under_sanitizers(target: str, tmp_path: Path) -> None:
    _check(DEMO, target, tmp_path)


@needs_gcc
@pytest.mark.shared_models
@pytest.mark.parametrize("target", ["cortex-m4", "rv32imc"])
@pytest.mark.parametrize("model", MODELS)
def test_networks_under_sanitizers(model: str, target: str, tmp_path: Path, shared_models_dir: Path) -> None:
    _check(shared_models_dir / f"{model}.tflite", target, tmp_path)


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    folders = [
        edgert.compile(DEMO, board="cortex-m4-emulated", use_cache=False).save(tmp_path / str(i)).folder
        for i in range(2)
    ]
    names = [sorted(p.relative_to(f) for p in f.rglob("*") if p.is_file()) for f in folders]
    assert names[0] == names[1]
    for name in names[0]:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_the_folder_says_nothing_of_this_machine(tmp_path: Path) -> None:
    folder = edgert.compile(DEMO, board="cortex-m4-emulated").save(tmp_path / "out").folder
    for path in (p for p in folder.rglob("*") if p.is_file()):
        assert str(Path.home()).encode() not in path.read_bytes(), path.name


def test_cmake_builds_and_runs_the_example(tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("needs cmake: apt-get install cmake")
    folder = edgert.compile(DEMO, target="host").save(tmp_path / "out").folder
    subprocess.run(["cmake", "-S", folder, "-B", tmp_path / "b"], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", tmp_path / "b"], check=True, capture_output=True)
    (example,) = (p for p in (tmp_path / "b").iterdir() if p.name.endswith("_example"))
    assert subprocess.run([example], check=False).returncode < 10  # the best of ten classes
    assert len((folder / "example_main.c").read_text().splitlines()) <= 24
