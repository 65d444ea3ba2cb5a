"""Post-training quantization. The oracle is LiteRT's reference interpreter, on the TFLite file we write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_builder import reference

import edgert
from edgert.codegen.quantize import Options
from edgert.codegen.quantize.equalize import equalize
from edgert.codegen.quantize.quantize import prepared
from edgert.codegen.quantize.ranges import BINS, Histogram, choose, to_quant
from edgert.errors import UsageError

torch = pytest.importorskip("torch", reason="needs edgert[train]")
nn, F = torch.nn, torch.nn.functional
RNG = np.random.default_rng(5)


class Net(nn.Module):
    """Convolutions with borders that TFLite has and has not, a residual, pools, a join, dense, softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.bn = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 5, 1, 2, groups=8)
        self.point = nn.Conv2d(8, 8, 1)
        self.grouped = nn.Conv2d(16, 16, 1, groups=4)
        self.dense = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        y = F.relu(self.bn(self.stem(x)))
        y = y + self.point(F.relu6(self.depthwise(y)))
        y = torch.cat([F.max_pool2d(y, 3, 2, 1), F.avg_pool2d(y, 2)], 1)
        y = F.hardswish(self.grouped(y))
        return F.softmax(self.dense(torch.tanh(y.mean((2, 3)))), -1)


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(3)
    return edgert.load(Net().eval(), example=torch.zeros(1, 3, 16, 16), channels_last=True)


@pytest.fixture(scope="module")
def data() -> list[Any]:
    return list(RNG.normal(size=(12, 16, 16, 3)).astype(np.float32))


def run_c(network: Any, x: Any, board: str = "host") -> Any:
    with edgert.connect(edgert.compile(network, board=board, use_cache=False)) as session:
        return session.run(x)[0]


@pytest.mark.parametrize("ranges", ["minmax", "percentile", "mse", "auto"])
def test_integers_are_the_references(network: Any, data: list[Any], ranges: str) -> None:
    quantized = network.quantize(data, ranges=ranges)
    model = quantized.to_tflite()
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-128, 128, (1, 16, 16, 3)).astype(np.int8)
        (wanted,) = reference(model, x)
        assert np.array_equal(run_c(quantized, x), wanted)
        assert np.array_equal(run_c(model, x), wanted)  # by way of the file as well


def test_close_to_the_float_network(network: Any, data: list[Any]) -> None:
    quantized = network.quantize(data, float_interface=True)
    assert quantized.quantized
    for x in data[:4]:
        real, rounded = run_c(network, x[None]), run_c(quantized, x[None])
        assert np.abs(real - rounded).max() < 0.03
    assert all(layer.snr_db > 10 for layer in quantized.layers)
    assert [layer.op for layer in quantized.layers].count("conv2d") == 4


def test_ranges_are_chosen_by_what_arrives_at_the_end(network: Any, data: list[Any]) -> None:
    chosen = network.quantize(data)
    assert set(chosen.tried) == {"minmax", "percentile", "mse"}
    assert chosen.tried[chosen.ranges] == max(chosen.tried.values())
    named = network.quantize(data, ranges=chosen.ranges)
    assert named.tried == {} and named.ranges == chosen.ranges and named.to_tflite() == chosen.to_tflite()
    mixed = network.quantize(data[:2], keep_float=("linear*", "softmax*"), float_interface=True)
    assert mixed.tried and all(snr > 10 for snr in mixed.tried.values())  # of the last layer in int8


def test_layers_can_stay_float(network: Any, data: list[Any]) -> None:
    mixed = network.quantize(data, keep_float=("conv2d_1*", "relu6*", "clip*"), float_interface=True)
    layers = edgert.compile(mixed, board="host", use_cache=False).report["layers"]
    assert "tir" in {layer["op"] for layer in layers} and "conv2d_s8" in {layer["op"] for layer in layers}
    real = run_c(network, data[0][None])
    assert np.abs(real - run_c(mixed, data[0][None])).max() < 0.03


def test_mixed_network_on_a_microcontroller(network: Any, data: list[Any]) -> None:
    mixed = network.quantize(data, keep_float=("linear*", "softmax*"), float_interface=True)
    here, there = (run_c(mixed, data[0][None], board) for board in ("host", "cortex-m4-emulated"))
    np.testing.assert_allclose(there, here, rtol=1e-5)


def test_equalization_changes_nothing_but_the_weights() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 4, 1)
    )
    net[0].weight.data[0] *= 100
    network = edgert.load(net.eval(), example=torch.zeros(1, 3, 8, 8), channels_last=True)
    from edgert.codegen.quantize.calibrate import Watched

    before, x = prepared(network.module), RNG.normal(size=(1, 8, 8, 3)).astype(np.float32)
    after = equalize(before)
    results = []
    for mod in (before, after):
        out = mod["main"].body.body
        results.append(Watched(mod, [out]).run([x])[out])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-4)


def test_bias_correction_takes_the_mean_error_out() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(16, 8, 3), nn.ReLU())
    network = edgert.load(net.eval(), example=torch.zeros(1, 16, 8, 8), channels_last=True)
    data = list(RNG.uniform(1, 2, size=(8, 8, 8, 16)).astype(np.float32))
    errors = []
    for correct in (False, True):
        quantized = network.quantize(data, correct_bias=correct, float_interface=True, ranges="minmax")
        errors.append(
            np.mean(
                [np.abs((run_c(quantized, x[None]) - run_c(network, x[None])).mean((1, 2))) for x in data]
            )
        )
    assert errors[1] < errors[0]


def test_zero_is_always_exact() -> None:
    for low, high in ((0.1, 5.0), (-3.0, -1.0), (-1.0, 2.0), (0.0, 0.0)):
        scale, zero = to_quant(low, high)
        assert -128 <= zero <= 127 and scale > 0
        assert min(low, 0) >= (-128 - zero) * scale - scale and max(high, 0) <= (127 - zero) * scale + scale


def test_ranges_clip_outliers() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[: BINS // 100] = 1000
    counts[-1] = 1
    histogram = Histogram(0.0, 100.0, counts)
    assert choose(histogram, Options(ranges="minmax")) == (0.0, 100.0)
    assert choose(histogram, Options(ranges="percentile", percentile=99.9))[1] < 2
    assert choose(histogram, Options(ranges="mse"))[1] < 100


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ([], {}, "no calibration data"),
        ([np.zeros((4, 4, 3), np.float32)], {}, "has shape"),
        ([np.full((16, 16, 3), np.nan, np.float32)], {}, "not finite"),
        ([[np.zeros((16, 16, 3), np.float32)] * 2], {}, "has 2 tensors"),
        ([np.zeros((16, 16, 3), np.float32)], {"ranges": "best"}, "ranges is 'best'"),
        ([np.zeros((16, 16, 3), np.float32)], {"percentile": 20}, "percentile is 20"),
        ([np.zeros((16, 16, 3), np.float32)], {"colour": 1}, "unknown option"),
    ],
)
def test_bad_input_says_what_is_wrong(network: Any, data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        network.quantize(data, **options)


def test_quantized_twice_is_refused(network: Any, data: list[Any]) -> None:
    quantized = network.quantize(data, report_on=0)
    assert quantized.layers == ()
    with pytest.raises(UsageError, match="already"):
        quantized.quantize(data)


def test_tflite_that_cannot_be_said_leaves_no_file(data: list[Any], tmp_path: Path) -> None:
    net = edgert.load(nn.Hardsigmoid(), example=torch.zeros(1, 16, 16, 3)).quantize([d[None] for d in data])
    with pytest.raises(edgert.EdgertError, match="TFLite has no operator"):
        net.save(tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())
