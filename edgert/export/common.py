"""What every export shares: the model's C with its includes made relative, an example, a README."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert import __version__
from edgert.artifact import Artifact
from edgert.target import load_target

Array = npt.NDArray[np.generic]
Files = dict[str, str]
_INCLUDE = re.compile(r'^(#include ")([^"]+)(")', re.MULTILINE)
_NOT_THE_MODEL = ("example_main.c",)
_PER_LINE = 16
_C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t",
            "float32": "float", "bool": "uint8_t"}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """inputs, outputs: one run of it, for the example to repeat. flags: of a GNU compiler for its CPU."""

    name: str
    report: Mapping[str, Any]
    sources: Files
    inputs: Sequence[Array]
    outputs: Sequence[Array]
    flags: tuple[str, ...]

    @property
    def upper(self) -> str:
        return self.name.upper()

    @property
    def dashed(self) -> str:
        """As a package name."""
        return self.name.replace("_", "-")

    @property
    def sentence(self) -> str:
        r = self.report
        return (
            f"{r['model_file']} as C for {r['target']}: {r['macs']:,} MAC, {r['arena_bytes']:,} bytes of RAM"
        )


def read_model(artifact: Artifact) -> Model:
    """The artifact's C, and a run of it on this machine. Raises ToolError."""
    from edgert.cli.inputs import random_input

    paths = [
        p for p in artifact.folder.rglob("*") if p.suffix in (".c", ".h") and p.name not in _NOT_THE_MODEL
    ]
    texts = {p.relative_to(artifact.folder).as_posix(): p.read_text(encoding="utf-8") for p in sorted(paths)}
    inputs = [random_input(port, 0) for port in artifact.report["inputs"]]
    outputs = artifact.run_host(*inputs)
    flags = load_target(artifact.report["target"]).gcc_flags
    return Model(artifact.name, artifact.report, with_relative_includes(texts), inputs, outputs, flags)


def with_relative_includes(texts: Mapping[str, str]) -> Files:
    """Every #include of one of `texts` relative to the file it is in: no include path is needed."""

    def relative(path: str, match: re.Match[str]) -> str:
        start, wanted, end = match.groups()
        if wanted not in texts:
            return match[0]
        return f"{start}{posixpath.relpath(wanted, posixpath.dirname(path) or '.')}{end}"

    return {path: _INCLUDE.sub(partial(relative, path), text) for path, text in texts.items()}


def library(model: Model, folder: str) -> Files:
    """The model below folder/<name>/, and folder/<name>.h to include."""
    files = {f"{folder}/{model.name}/{path}": text for path, text in model.sources.items()}
    return files | {f"{folder}/{model.name}.h": f'#include "{model.name}/model.h"\n'}


def example_data(model: Model) -> str:
    """A header: input_0 ..., output_0 ... of one run."""
    arrays = [("input", model.inputs), ("output", model.outputs)]
    parts = [
        _array(f"{kind}_{i}", array) for kind, given in arrays for i, array in enumerate(given)
    ]  # fmt: skip
    return (
        "/* One run of the model: what goes in, and what has to come out. */\n#include <stdint.h>\n\n"
        + "\n".join(parts)
    )


def _array(name: str, array: Array) -> str:
    ctype = _C_TYPES[str(array.dtype)]
    values = [_literal(value) for value in array.reshape(-1).tolist()]
    lines = [", ".join(values[i : i + _PER_LINE]) for i in range(0, len(values), _PER_LINE)]
    body = ",\n    ".join(lines)
    return f"static const {ctype} {name}[{array.size}] = {{\n    {body},\n}};\n"


def _literal(value: Any) -> str:
    if isinstance(value, float):
        return f"{np.float32(value)!s}f" if "." in str(np.float32(value)) else f"{np.float32(value)!s}.0f"
    return str(int(value))


def example_body(model: Model) -> str:
    """C and C++: `static int run_example(void)`, 0 if the model computes what it should."""
    copies = "".join(
        f"    memcpy({model.name}_input_{i}(arena), input_{i}, sizeof input_{i});\n"
        for i in range(len(model.inputs))
    )
    compares = " ||\n           ".join(
        f"memcmp({model.name}_output_{i}(arena), output_{i}, sizeof output_{i}) != 0"
        for i in range(len(model.outputs))
    )
    return f"""/* The arena may be shared with anything that does not outlive a call. */
#ifdef __cplusplus
alignas(16) static uint8_t arena[{model.upper}_ARENA_BYTES];
#else
static _Alignas(16) uint8_t arena[{model.upper}_ARENA_BYTES];
#endif

/* 0 if the outputs are, byte for byte, those of the machine that generated the model */
static int run_example(void)
{{
{copies}    {model.name}_invoke(arena);
    return {compares};
}}
"""


def readme(model: Model, title: str, steps: str) -> str:
    r = model.report
    ports = [
        f"- {kind} {i}: {p['dtype']} {'x'.join(map(str, p['shape']))}"
        + (f", real = {p['scale']:.6g} * (q - {p['zero_point']})" if p["scale"] else "")
        for kind in ("input", "output")
        for i, p in enumerate(r[f"{kind}s"])
    ]
    return f"""# {title}

{model.sentence}. Generated by edgert {__version__}; freestanding C11, no malloc, no libc.

{steps.strip()}

{chr(10).join(ports)}
- arena: {r["arena_bytes"]:,} bytes, 16-byte aligned, yours between calls
- weights: {r["weights_bytes"]:,} bytes of constants
"""


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2) + "\n"


def write(files: Files, folder: Path) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
