"""Float networks: from PyTorch and ONNX to C; the oracle is PyTorch, within float32's rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgert
from edgert.errors import ModelError, UnsupportedOperatorError, UsageError

torch = pytest.importorskip("torch", reason="needs edgert[train]")
nn, F = torch.nn, torch.nn.functional


class Everything(nn.Module):
    """Most operators that networks for small boards have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.grouped = nn.Conv2d(8, 8, 1, groups=2)
        self.dense = nn.Linear(10, 5)

    def forward(self, x: Any) -> Any:
        y = F.hardswish(self.bn(self.conv(x)))
        y = y * F.hardsigmoid(F.adaptive_avg_pool2d(y, 1))
        n, c, h, w = y.shape
        z = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = self.grouped(F.relu6(self.depthwise(z))) + y
        y = F.leaky_relu(F.max_pool2d(F.pad(y, (0, 1, 0, 1)), 3, 2), 0.1)
        y = torch.cat([y, F.avg_pool2d(F.interpolate(y[:, :2], scale_factor=2.0), 2)], 1)
        y = F.dropout(y, 0.1, training=self.training).mean((2, 3))
        return F.softmax(self.dense(torch.sigmoid(y)), -1)


def c_output(network: Any, x: Any) -> Any:
    with edgert.connect(edgert.compile(network, board="host", use_cache=False)) as session:
        return session.run(np.ascontiguousarray(x))[0]


@pytest.fixture(scope="module")
def net() -> Any:
    torch.manual_seed(0)
    made = Everything().eval()
    made.bn.running_mean.normal_()
    made.bn.running_var.uniform_(0.5, 2)
    return made


X = np.random.default_rng(1).normal(size=(1, 3, 16, 16)).astype(np.float32)


def test_module_in_either_layout(net: Any) -> None:
    wanted = net(torch.from_numpy(X)).detach().numpy()
    example = torch.zeros(1, 3, 16, 16)
    np.testing.assert_allclose(c_output(edgert.load(net, example=example), X), wanted, rtol=1e-4, atol=1e-6)
    last = edgert.load(net, example=example, channels_last=True)
    assert last.input_shapes == [(1, 16, 16, 3)] and not last.quantized
    np.testing.assert_allclose(c_output(last, X.transpose(0, 2, 3, 1)), wanted, rtol=1e-4, atol=1e-6)


def test_saved_program_and_its_file(net: Any, tmp_path: Path) -> None:
    program = torch.export.export(net, (torch.zeros(1, 3, 16, 16),))
    torch.export.save(program, tmp_path / "net.pt2")
    wanted = net(torch.from_numpy(X)).detach().numpy()
    for model in (tmp_path / "net.pt2", (tmp_path / "net.pt2").read_bytes(), program):
        network = edgert.load(model)
        np.testing.assert_allclose(c_output(network, X), wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(c_output(tmp_path / "net.pt2", X), wanted, rtol=1e-4, atol=1e-6)


def test_same_network_same_c(net: Any) -> None:
    example = torch.zeros(1, 3, 16, 16)
    first, second = (edgert.load(net, example=example) for _ in range(2))
    assert first.serialized() == second.serialized()
    other = edgert.load(Everything().eval(), example=example)
    assert other.serialized() != first.serialized()


def test_float_onnx_is_nhwc_inside() -> None:
    onnx = pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    arrays = {
        "w": rng.normal(size=(8, 3, 3, 3)), "g": rng.uniform(0.5, 1.5, 8), "b": rng.normal(size=8),
        "m": rng.normal(size=8), "v": rng.uniform(0.5, 2, 8),
    }  # fmt: skip
    helper = onnx.helper
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["y"]),
    ]
    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [port("x", 1, [1, 3, 9, 9])], [port("y", 1, [1, 8, 1, 1])],
        [onnx.numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data, x = model.SerializeToString(), X[:, :, :9, :9].copy()
    (wanted,) = ort.InferenceSession(data).run(None, {"x": x})
    artifact = edgert.compile(data, board="host", use_cache=False)
    assert [layer["op"] for layer in artifact.report["layers"]].count("tir") <= 4
    np.testing.assert_allclose(c_output(data, x), wanted, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_loaded_says_why(net: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="example"):
        edgert.load(net)
    with pytest.raises(ModelError, match="cannot load a dict"):
        edgert.load({})
    with pytest.raises(ModelError, match=r"torch\.export"):
        edgert.load(net, example=torch.zeros(1, 5, 16, 16))
    (tmp_path / "bad.pt2").write_bytes(b"PK\x03\x04 and no archive")
    with pytest.raises(ModelError, match="not a saved"):
        edgert.load(tmp_path / "bad.pt2")

    class Odd(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.cumsum(x, 1)

    with pytest.raises(UnsupportedOperatorError, match="cumsum"):
        edgert.load(Odd(), example=torch.zeros(1, 3, 4, 4))


def test_training_mode_is_given_back(net: Any) -> None:
    net.train()
    try:
        edgert.load(net, example=torch.zeros(1, 3, 16, 16))
        assert net.training
    finally:
        net.eval()
