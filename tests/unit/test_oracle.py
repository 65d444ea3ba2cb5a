"""The numpy oracle against the reference interpreter, on whole networks: nobody here wrote the latter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracle import run_program
from tflite_builder import reference

from edgert.codegen.pipeline import compile_to_program


@pytest.mark.shared_models
@pytest.mark.parametrize("model", ["kws_int8", "ad01_int8", "ic_resnet8_int8", "vww_int8"])
def test_whole_networks(shared_models_dir: Path, model: str) -> None:
    data = (shared_models_dir / f"{model}.tflite").read_bytes()
    program = compile_to_program(data, model)
    shape = program.tensors[program.inputs[0]].shape
    x = np.random.default_rng(7).integers(-128, 128, shape).astype(np.int8)
    np.testing.assert_array_equal(run_program(program, [x])[0], reference(data, x)[0])
