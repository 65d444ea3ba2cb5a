"""Binary networks as people write them become binary operators, with the same results as PyTorch's."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from integer_cnv import scores
from torch import Tensor, nn

import edgert
from edgert.codegen.pipeline import compile_to_program, module_to_program
from edgert.errors import ModelError
from edgert.network import load

F = torch.nn.functional
Signs = Callable[[Tensor], Tensor]

SIGNS: dict[str, Signs] = {
    "sign": torch.sign,
    "where >=": lambda x: torch.where(x >= 0, 1.0, -1.0),
    "where >": lambda x: torch.where(x > 0, 1.0, -1.0),
    "where <": lambda x: torch.where(x < 0, -1.0, 1.0),
    "where <=": lambda x: torch.where(x <= 0, -1.0, 1.0),
    "above a half": lambda x: torch.where(x >= 0.5, 1.0, -1.0),
    "hard tanh": lambda x: torch.where(F.hardtanh(x) >= 0, 1.0, -1.0),
}


class Binary(nn.Module):
    """A convolution with weights a * sign(w)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, pad: int = 1, pad_value: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.pad, self.pad_value = pad, pad_value

    def forward(self, x: Tensor) -> Tensor:
        weights = self.weight.sign() * self.weight.abs().mean((1, 2, 3), keepdim=True)
        if self.pad_value:
            x = F.pad(x, (self.pad,) * 4, value=self.pad_value)
            return F.conv2d(x, weights)
        return F.conv2d(x, weights, padding=self.pad)


class Vgg(nn.Module):
    """Pools before and behind batch norms, whose factors have both signs."""

    def __init__(self, sign: Signs, pad_value: float = 0.0) -> None:
        super().__init__()
        self.sign = sign
        self.first = nn.Conv2d(3, 20, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in (20, 40, 33, 40))
        self.convs = nn.ModuleList(
            [Binary(20, 40, pad_value=pad_value), Binary(40, 33, pad_value=pad_value), Binary(33, 40, pad=0)]
        )
        self.dense = nn.Linear(40 * 2 * 2, 10)
        for norm in self.norms:
            nn.init.normal_(norm.weight)  # type: ignore[arg-type]
            nn.init.normal_(norm.bias)  # type: ignore[arg-type]
            norm.running_mean.normal_(0, 3)  # type: ignore[operator, union-attr]
            norm.running_var.uniform_(1, 30)  # type: ignore[operator, union-attr]

    def forward(self, x: Tensor) -> Tensor:
        x = self.sign(self.norms[0](self.first(x)))
        x = self.sign(self.norms[1](F.max_pool2d(self.convs[0](x), 2)))
        x = F.max_pool2d(self.sign(self.norms[2](self.convs[1](x))), 2)
        x = self.sign(self.norms[3](self.convs[2](x)))
        weights = self.dense.weight.sign() * 0.25
        return F.linear(x.flatten(1), weights, self.dense.bias)


class Residual(nn.Module):
    """Bi-Real: a shortcut of real numbers around each binary convolution, before or behind it in the sum."""

    def __init__(self, *, first: bool = False) -> None:
        super().__init__()
        self.shortcut_first = first
        self.first = nn.Conv2d(3, 24, 3, padding=1)
        self.convs = nn.ModuleList(Binary(24, 24) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(24) for _ in range(2))
        self.moves = nn.ParameterList(torch.randn(1, 24, 1, 1) for _ in range(4))
        self.prelu = nn.PReLU(24)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for k in range(2):
            bits = torch.where(x + self.moves[k] >= 0, 1.0, -1.0)
            made = self.norms[k](self.convs[k](bits))
            x = x + made if self.shortcut_first else made + x
            x = self.prelu(x - self.moves[2 + k]) + self.moves[k]
        return x.mean((2, 3))


def ops(model: nn.Module, example: Tensor) -> list[str]:
    return [step.op for step in module_to_program(load(model, example=example).module, "net").steps]


def agrees(model: nn.Module, example: Tensor) -> None:
    """Float outputs agree to their last bits: one other bit inside would change them by far more."""
    model.eval()
    with torch.no_grad():
        expected = model(example).numpy()
    artifact = edgert.compile(load(model, example=example), board="host", name="net")
    with edgert.connect(artifact) as session:
        (got,) = session.run(example.numpy())
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", SIGNS)
def test_vgg(kind: str) -> None:
    torch.manual_seed(1)
    model, x = Vgg(SIGNS[kind]), torch.randn(1, 3, 16, 16)
    assert ops(model.eval(), x) == [
        "strided_copy", "tir", "sign_f32_b1", "conv2d_b1", "max_pool2d_b1", "conv2d_b1", "max_pool2d_b1",
        "conv2d_b1", "conv2d_b1_f32",
    ]  # fmt: skip
    agrees(model, x)
    agrees(model, torch.randn(1, 3, 16, 16))


@pytest.mark.parametrize("pad_value", [-1.0, 1.0])
def test_borders_of_ones(pad_value: float) -> None:
    torch.manual_seed(2)
    model, x = Vgg(SIGNS["where >="], pad_value), torch.randn(1, 3, 16, 16)
    program = module_to_program(load(model.eval(), example=x).module, "net")
    assert [s.attrs["pad_value"] for s in program.steps if s.op == "conv2d_b1"] == [pad_value, pad_value, 0]
    agrees(model, x)


def test_shortcuts_of_real_numbers() -> None:
    torch.manual_seed(3)
    model, x = Residual(), torch.randn(1, 3, 8, 8)
    assert ops(model.eval(), x).count("conv2d_b1_f32") == 2
    agrees(model, x)


def test_what_is_not_binary_stays_as_it_is() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(torch.sign(x))

    torch.manual_seed(4)
    x = torch.randn(1, 3, 6, 6)
    assert ops(Net().eval(), x) == ["strided_copy", "tir", "tir", "strided_copy"]
    agrees(Net(), x)


def test_from_onnx() -> None:
    torch.manual_seed(5)
    model, x = Vgg(SIGNS["where >="]).eval(), torch.randn(1, 3, 16, 16)
    from edgert.codegen.frontends.torch import _Translator  # the ONNX file that our own translation makes

    data = _Translator(torch.export.export(model, (x,)), "net").run().SerializeToString()
    assert [s.op for s in compile_to_program(data, "net.onnx").steps].count("conv2d_b1") == 3
    with torch.no_grad():
        expected = model(x).numpy()
    with edgert.connect(edgert.compile(data, board="host", name="net")) as session:
        np.testing.assert_allclose(session.run(x.numpy())[0], expected, rtol=2e-5, atol=2e-5)


# The npz layout


def npz(changes: dict[str, object]) -> bytes:
    """A small network: 3x3 of 3 channels, a pool, 3x3, then 13x13 as one window."""
    rng = np.random.default_rng(0)
    arrays: dict[str, object] = {
        "kernel": np.array([3, 3, 13]), "cin": np.array([3, 16, 40]), "cout": np.array([16, 40, 64]),
        "pools": np.array([0]), "t0": rng.integers(-500, 500, 16), "t1": rng.integers(60, 80, 40),
    }  # fmt: skip
    for i, (n, out) in enumerate(((27, 16), (144, 40), (6760, 64))):
        arrays[f"w{i}"] = np.packbits(rng.random((out, n)) < 0.5, axis=1, bitorder="little")
    stream = io.BytesIO()
    np.savez(stream, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return stream.getvalue()


def test_npz_layout(tmp_path: Path) -> None:
    data = npz({})
    (tmp_path / "net.npz").write_bytes(data)
    program = compile_to_program(data, "net.npz")
    assert [s.op for s in program.steps] == [
        "lut_s8", "conv2d_s8_b1", "max_pool2d_b1", "conv2d_b1", "conv2d_b1_f32", "tir",
    ]  # fmt: skip
    with edgert.connect(edgert.compile(tmp_path / "net.npz", board="host")) as session:
        for seed in range(5):
            image = np.random.default_rng(seed).integers(0, 256, (1, 32, 32, 3), np.uint8)
            np.testing.assert_array_equal(
                session.run(image)[0], scores(np.load(io.BytesIO(data)), image, (0,))
            )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"w1": None}, "no array 'w1'"),
        ({"t1": np.zeros(3)}, "t1 has shape"),
        ({"w1": np.zeros((40, 3), np.uint8)}, "w1 is uint8 (40, 3)"),
        ({"kernel": np.array([3, 3])}, "differ in length"),
        ({"kernel": np.array([3, 0, 13])}, "sizes below 1"),
        ({"classes": np.array(65)}, "65 classes of 64"),
        ({"pools": np.array([[0.5]])}, "not whole numbers"),
        ({"kernel": np.array([3, 40, 13])}, "layer 1 does not fit"),
        ({"cin": np.array([3, 15, 40])}, "for 15 of 16 channels"),
    ],
)
def test_bad_npz(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as error:
        compile_to_program(npz(changes), "net.npz")
    assert message in str(error.value)


# Quantized


def quantized(
    model: nn.Module, example: Tensor, count: int = 12
) -> tuple[edgert.network.Network, list[Tensor]]:
    """With batch statistics of the data that it is calibrated with."""
    data = [torch.randn_like(example) for _ in range(count)]
    model.train()
    with torch.no_grad():
        model(torch.cat(data))
    model.eval()
    return load(model, example=example).quantize([x.numpy() for x in data]), data


def from_int8(session: edgert.Session, x: Tensor) -> np.ndarray:  # type: ignore[type-arg]
    """The real output for a real input."""
    given, out = session.report["inputs"][0], session.report["outputs"][0]
    q = np.clip(np.rint(x.numpy() / given["scale"]) + given["zero_point"], -128, 127).astype(np.int8)
    (y,) = session.run(q)
    return (y.astype(np.float64) - out["zero_point"]) * out["scale"]


def test_a_quantized_network_is_bits_from_its_first_layer_on() -> None:
    torch.manual_seed(6)
    network, data = quantized(Vgg(SIGNS["where >="]), torch.randn(1, 3, 16, 16))
    program = module_to_program(network.module, "net")
    assert [s.op for s in program.steps] == [
        "strided_copy", "conv2d_s8_b1", "conv2d_b1", "max_pool2d_b1", "conv2d_b1", "max_pool2d_b1",
        "conv2d_b1", "conv2d_b1_s16",
    ]  # fmt: skip
    with edgert.connect(edgert.compile(network, board="host", name="net")) as session:
        outputs = [session.run(np.zeros((1, 3, 16, 16), np.int8))[0] for _ in data[:2]]
    np.testing.assert_array_equal(*outputs)


def test_a_last_layer_of_real_weights_on_bits_is_int8() -> None:
    torch.manual_seed(8)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.conv = nn.Conv2d(3, 16, 3), Binary(16, 32, pad=0)
            self.norm, self.last = nn.BatchNorm2d(32), nn.Linear(32 * 16, 5)

        def forward(self, x: Tensor) -> Tensor:
            bits = torch.where(self.first(x) >= 0, 1.0, -1.0)
            return self.last(torch.where(self.norm(self.conv(bits)) >= 0, 1.0, -1.0).flatten(1))

    model = Net()
    network, data = quantized(model, torch.randn(1, 3, 8, 8))
    ops = [
        s.op for s in module_to_program(network.module, "net").steps if s.op not in ("tir", "strided_copy")
    ]
    assert ops[:2] == ["conv2d_s8_b1", "conv2d_b1_f32"] and ops[-1] == "fully_connected_s8"
    with edgert.connect(edgert.compile(network, board="host", name="net")) as session, torch.no_grad():
        pairs = np.array([(from_int8(session, x)[0], model(x).numpy()[0]) for x in data])
    # weights at random: rounding the first layer turns some bits over
    assert np.corrcoef(pairs[:, 0].ravel(), pairs[:, 1].ravel())[0, 1] > 0.7


@pytest.mark.parametrize(
    ("board", "first"),
    [("cortex-m4-emulated", False), ("cortex-m4-emulated", True), ("rv32imc-emulated", False)],
)
def test_shortcuts_are_int16(board: str, first: bool) -> None:
    """RSign, RPReLU and real shortcuts: as close to the float network as 16 bits are, the same on a board."""
    torch.manual_seed(7)
    model = Residual(first=first)
    network, data = quantized(model, torch.randn(1, 3, 12, 12))
    program = module_to_program(network.module, "net")
    assert [s.op for s in program.steps] == [
        "strided_copy", "conv2d_s8", "sign_s8_b1", "conv2d_b1_s16", "tir", "sign_s16_b1", "conv2d_b1_s16",
        "tir", "tir", "quantize_f32_s8",
    ]  # fmt: skip
    tensors = [program.tensors[s.outputs[0]].dtype for s in program.steps]
    assert tensors.count("int16") == 3 and tensors.count("float32") == 2  # what is averaged, and its means
    host = edgert.compile(network, board="host", name="net")
    target = edgert.compile(network, board=board, name="net")
    with edgert.connect(host) as session, edgert.connect(target) as other:
        for x in data[:3]:
            got = from_int8(session, x)
            with torch.no_grad():
                wanted = model(x).numpy()
            np.testing.assert_array_equal(from_int8(other, x), got)
            assert np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()
