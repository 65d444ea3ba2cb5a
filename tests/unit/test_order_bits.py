"""Channels in another order: the same bytes, fewer words that differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from integer_cnv import scores

import edgert
from edgert.codegen.kernels.binary_tree import plan
from edgert.codegen.order_bits import order_bits
from edgert.codegen.pipeline import compile_to_program
from edgert.codegen.program import Program

RNG = np.random.default_rng(2)


def scattered(path: Path) -> Path:
    """A layer whose channels differ in few input channels only, which lie in different words."""
    channels, cout = 256, 64
    arrays: dict[str, object] = {
        "kernel": np.array([3, 3, 13]), "cin": np.array([3, channels, cout]),
        "cout": np.array([channels, cout, 64]), "pools": np.array([0]),
    }  # fmt: skip
    for i, n in enumerate((27, 9 * channels, 169 * cout)):
        out = int(np.asarray(arrays["cout"])[i])
        bits = RNG.random((out, n)) < 0.5
        if i == 1:
            bits = np.repeat(bits[:1], out, axis=0).reshape(out, 9, channels)
            few = RNG.permutation(channels)[:20]
            bits[:, :, few] = RNG.random((out, 9, len(few))) < 0.5
        arrays[f"w{i}"] = np.packbits(bits.reshape(out, -1), axis=1, bitorder="little")
        arrays[f"t{i}"] = RNG.integers(n // 2 - 8, n // 2 + 8, out) if i else RNG.integers(-300, 300, out)
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def shares(program: Program) -> list[float]:
    layers = [s for s in program.steps if s.op == "conv2d_b1"]
    return [plan(program.constants[s.constants["weights"]]).share for s in layers]


@pytest.mark.parametrize("board", ["host", "cortex-m4-emulated"])
def test_the_same_scores(board: str, tmp_path: Path) -> None:
    path = scattered(tmp_path / "net.npz")
    artifact = edgert.compile(path, board=board)
    if board != "host":
        assert [layer["variant"] for layer in artifact.report["layers"]].count("tree") == 1
        assert "instructions a position, dense" in artifact.report["binary_layers"][0]["why"]
    with np.load(path) as arrays, edgert.connect(artifact) as session:
        for seed in range(3):
            image = np.random.default_rng(seed).integers(0, 256, (1, 32, 32, 3), np.uint8)
            np.testing.assert_array_equal(session.run(image)[0], scores(arrays, image, (0,)))


def test_fewer_words(tmp_path: Path) -> None:
    program = compile_to_program(scattered(tmp_path / "net.npz").read_bytes(), "net")
    before, after = shares(program), shares(order_bits(program))
    assert after[0] < 0.3 * before[0]


@pytest.mark.shared_models
def test_a_network_whose_trees_do_not_pay_is_left(shared_models_dir: Path) -> None:
    program = compile_to_program((shared_models_dir / "cnv_w1a1.npz").read_bytes(), "cnv")
    ordered = order_bits(program)
    assert all(ordered.constants[name] is value for name, value in program.constants.items())
