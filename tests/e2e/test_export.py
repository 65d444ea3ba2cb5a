"""edgert export: CMake's is configured, built, run and installed; the others obey their documented rules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_models import dense, image

Cli = Callable[..., Any]
ECOSYSTEMS = ("cmake", "zephyr", "arduino", "esp-idf", "platformio")
each = pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Werror")


@pytest.fixture(params=["dense", "image"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"my_{request.param}.tflite"
    path.write_bytes({"dense": dense, "image": image}[request.param]())
    return path


def exported(cli: Cli, model: Path, ecosystem: str, target: str = "cortex-m4") -> Path:
    folder = model.parent / ecosystem
    done = cli("export", model, "--target", target, "--for", ecosystem, "-o", folder)
    assert done.code == 0, done.err
    return folder


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_cmake(cli: Cli, model: Path, tmp_path: Path) -> None:
    """Built with warnings as errors, its test passes; installed, another project finds and uses it."""
    if shutil.which("cmake") is None or shutil.which("make") is None:
        pytest.skip("no cmake or no make")
    folder, name = exported(cli, model, "cmake"), model.stem
    prefix = tmp_path / "prefix"
    run("cmake", "-B", "build", f"-DCMAKE_INSTALL_PREFIX={prefix}", cwd=folder)
    run("cmake", "--build", "build", cwd=folder)
    assert "outputs are the same bytes" in run("./build/" + name + "_example", cwd=folder)
    run("ctest", "--test-dir", "build", "--no-tests=error", cwd=folder)
    run("cmake", "--install", "build", cwd=folder)
    user = tmp_path / "user"
    user.mkdir()
    (user / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.16)\nproject(user C)\nfind_package({name} REQUIRED)\n"
        f"add_executable(user main.c)\ntarget_link_libraries(user {name}::{name})\n"
    )
    (user / "main.c").write_text(
        f'#include "{name}.h"\nstatic uint8_t arena[{name.upper()}_ARENA_BYTES];\n'
        f"int main(void) {{ {name}_invoke(arena); return 0; }}\n"
    )
    run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=user)
    run("cmake", "--build", "build", cwd=user)
    run("./build/user", cwd=user)


def test_rv32_too(cli: Cli, model: Path) -> None:
    """The kernels of another target, by the compiler of this machine, with warnings as errors."""
    folder = exported(cli, model, "cmake", "rv32imc")
    run("gcc", "-std=c11", "-O3", *STRICT, "-c", f"src/{model.stem}/model.c", "-o", "/dev/null", cwd=folder)


@each
def test_its_c_needs_one_include_path(cli: Cli, model: Path, ecosystem: str) -> None:
    """src/, which is what each of them gives; and what a user includes works in C++, too."""
    folder, name = exported(cli, model, ecosystem), model.stem
    run("gcc", "-std=c11", "-O2", *STRICT, "-c", f"src/{name}/model.c", "-o", "m.o", cwd=folder)
    (folder / "use.cpp").write_text(
        f'#include "{name}.h"\nstatic uint8_t arena[{name.upper()}_ARENA_BYTES];\n'
        f"int main() {{ {name}_invoke(arena); return 0; }}\n"
    )
    run("g++", "-Wall", "-Wextra", "-Werror", "-Isrc", "use.cpp", "m.o", "-o", "use", cwd=folder)
    run("./use", cwd=folder)


@each
def test_the_same_every_time(cli: Cli, model: Path, ecosystem: str) -> None:
    folder = exported(cli, model, ecosystem)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert {p: p.read_bytes() for p in exported(cli, model, ecosystem).rglob("*") if p.is_file()} == before


@each
def test_it_never_replaces_what_it_did_not_make(cli: Cli, model: Path, ecosystem: str) -> None:
    folder = model.parent / "precious"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    done = cli("export", model, "--target", "cortex-m4", "--for", ecosystem, "-o", folder)
    assert done.code == 2
    assert "is no export" in done.err
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_arduino(cli: Cli, model: Path) -> None:
    """Arduino library specification 1.5: required fields, characters of the name, categories, layout."""
    folder, name = exported(cli, model, "arduino"), model.stem
    lines = (folder / "library.properties").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    required = {
        "name",
        "version",
        "author",
        "maintainer",
        "sentence",
        "paragraph",
        "category",
        "url",
        "architectures",
    }
    assert required <= set(fields)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.\-]{0,62}", fields["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", fields["version"])
    assert fields["category"] == "Data Processing"
    assert (folder / "src" / fields["includes"]).is_file()
    assert (folder / "examples" / "Run" / "Run.ino").is_file()
    sketch = (folder / "examples" / "Run" / "Run.ino").read_text()
    functions = ("void setup()", "void loop()", f"#include <{name}.h>")
    assert all(part in sketch for part in functions)
    # the sketch as C++, with the little of Arduino's core that it uses
    core = """#include <cstdint>
#include <cstdio>
#include <cstring>
struct { operator bool() { return true; } void begin(long) {} void print(const char *t) { fputs(t, stdout); }
  void print(unsigned long n) { printf("%lu", n); } void println(const char *t) { puts(t); } } Serial;
static unsigned long micros() { return 0; }
"""
    (folder / "try.cpp").write_text(core + sketch + "int main() { setup(); }\n")
    (folder / "data.h").write_text((folder / "examples" / "Run" / "data.h").read_text())
    run("gcc", "-c", "-O2", f"src/{name}/model.c", "-o", "m.o", cwd=folder)
    run("g++", "-Isrc", "try.cpp", "m.o", "-o", "try", cwd=folder)
    assert "outputs are the same bytes" in run("./try", cwd=folder)


def test_zephyr(cli: Cli, model: Path) -> None:
    """Zephyr, Modules: module.yml names the build files; Test Runner: sample.yaml; Kconfig symbol used."""
    folder = exported(cli, model, "zephyr")
    module = (folder / "zephyr" / "module.yml").read_text()
    assert "cmake: ." in module
    assert "kconfig: Kconfig" in module
    symbol = model.stem.upper()
    assert f"config {symbol}\n" in (folder / "Kconfig").read_text()
    assert f"if(CONFIG_{symbol})" in (folder / "CMakeLists.txt").read_text()
    assert (folder / "samples" / "run" / "prj.conf").read_text() == f"CONFIG_{symbol}=y\n"
    sample = (folder / "samples" / "run" / "sample.yaml").read_text()
    assert sample.startswith("sample:\n  name: ")
    assert "\ntests:\n" in sample
    assert "find_package(Zephyr REQUIRED" in (folder / "samples" / "run" / "CMakeLists.txt").read_text()


def test_esp_idf(cli: Cli, model: Path) -> None:
    """ESP-IDF: idf_component_register with sources that exist; the manifest's version and dependency."""
    folder = exported(cli, model, "esp-idf")
    lists = (folder / "CMakeLists.txt").read_text()
    found = re.search(r'idf_component_register\(SRCS "([^"]+)" INCLUDE_DIRS "([^"]+)"\)', lists)
    assert found
    assert (folder / found[1]).is_file()
    assert (folder / found[2] / f"{model.stem}.h").is_file()
    manifest = (folder / "idf_component.yml").read_text()
    assert re.search(r'^version: "\d+\.\d+\.\d+"$', manifest, re.MULTILINE)
    assert 'idf: ">=5.0"' in manifest
    example = folder / "examples" / "run"
    assert "$ENV{IDF_PATH}/tools/cmake/project.cmake" in (example / "CMakeLists.txt").read_text()
    override = re.search(r'override_path: "([^"]+)"', (example / "main" / "idf_component.yml").read_text())
    assert override
    assert (example / "main" / override[1]).resolve() == folder.resolve()


def test_platformio(cli: Cli, model: Path) -> None:
    """PlatformIO, library.json: name and version required; examples' files and the header exist."""
    folder = exported(cli, model, "platformio")
    manifest = json.loads((folder / "library.json").read_text())
    assert re.fullmatch(r"[a-z0-9_\-. ]{1,50}", manifest["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["license"] == "Apache-2.0"
    assert (folder / manifest["build"]["srcDir"] / manifest["headers"]).is_file()
    for example in manifest["examples"]:
        assert all((folder / example["base"] / file).is_file() for file in example["files"])
    assert "[env:" in (folder / "examples" / "run" / "platformio.ini").read_text()
