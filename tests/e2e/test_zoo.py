"""Networks of the zoo on boards: the bytes of the reference interpreter.."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from tflite_builder import reference

import edgert

torch = pytest.importorskip("torch", reason="needs edgert[train]")

from edgert.codegen.frontends.torch import from_module  # noqa: E402 - only with torch
from edgert.models.zoo import build, spec  # noqa: E402
from edgert.network import Network  # noqa: E402
from edgert.search.lower import with_assumed_ranges  # noqa: E402

SMALL = ("fbnet_32", "vanillanet_32")
CASES = [
    *(
        (name, board)
        for name in SMALL
        for board in ("host", "cortex-m4-emulated", "cortex-m7-emulated", "rv32imc-emulated")
    ),
    *((name, board) for name in ("fbnet_96", *SMALL) for board in ("host", "aarch64-user")),
]


@cache
def network(name: str) -> tuple[Network, bytes]:
    """The quantized network and its TFLite file."""
    torch.manual_seed(0)
    net: Any = build(name)
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 2)
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.normal_(0, 0.1)
    side = spec(name).side
    relax = from_module(net.eval(), torch.zeros(1, 3, side, side), name, channels_last=True)
    made = Network(name, with_assumed_ranges(relax))
    return made, made.to_tflite()


def compare(name: str, board: str, runs: int) -> None:
    quantized, model = network(name)
    side = spec(name).side
    artifact = edgert.compile(quantized, board=board, use_cache=False)
    with edgert.connect(artifact) as session:
        for seed in range(runs):
            x = np.random.default_rng(seed).integers(-128, 128, (1, side, side, 3)).astype(np.int8)
            (wanted,) = reference(model, x)
            np.testing.assert_array_equal(session.run(x, timeout_s=300.0)[0], wanted)


def needs_qemu(board: str) -> None:
    import shutil

    if board == "aarch64-user" and shutil.which("qemu-aarch64") is None:
        pytest.skip("no qemu-aarch64: make system installs it")


@pytest.mark.parametrize(("name", "board"), dict.fromkeys(CASES))
def test_same_bytes(name: str, board: str) -> None:
    needs_qemu(board)
    compare(name, board, 2)


@pytest.mark.parametrize("board", ["host", "aarch64-user"])
def test_fbnet_a(board: str) -> None:
    """244 million MACs, 224x224."""
    needs_qemu(board)
    compare("fbnet_a", board, 1)


@pytest.mark.parametrize("name", SMALL)
def test_fits_a_board_of_1_mb_and_256_kb(name: str) -> None:
    artifact = edgert.compile(network(name)[0], board="cortex-m4-emulated")
    assert artifact.arena_bytes < 256 << 10
    assert artifact.flash_bytes is not None and artifact.flash_bytes < 1 << 20


def test_the_unpooled_map_is_not_in_the_arena() -> None:
    """The first block's convolution makes 16x16x64; its pool takes it in."""
    artifact = edgert.compile(network("vanillanet_32")[0], board="cortex-m4-emulated")
    ops = [layer["op"] for layer in artifact.report["layers"]]
    assert ops.count("conv2d_pool_s8") == 2 and artifact.arena_bytes < 16 * 16 * 64


def test_fbnet_as_a_circuit() -> None:
    """Inverted residuals, a mean and a classifier in an FPGA: the commands' meaning, not their time."""
    quantized, model = network("fbnet_32")
    artifact = edgert.compile(quantized, board="ulx3s", use_cache=False)
    x = np.random.default_rng(0).integers(-128, 128, (1, 32, 32, 3)).astype(np.int8)
    np.testing.assert_array_equal(artifact.run_host(x)[0], reference(model, x)[0])
