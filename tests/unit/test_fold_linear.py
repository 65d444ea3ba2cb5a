"""fold_linear: the same function with fewer layers. The oracle is PyTorch in evaluation mode."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs edgert[train]")
nn = torch.nn

from edgert.codegen.frontends.torch import from_module  # noqa: E402 - only with torch
from edgert.codegen.passes.composite import op_name  # noqa: E402
from edgert.codegen.quantize.calibrate import Watched  # noqa: E402
from edgert.codegen.quantize.quantize import prepared  # noqa: E402
from edgert.models.fbnet import Shuffle  # noqa: E402
from edgert.models.vanillanet import VanillaNet  # noqa: E402


def with_statistics(net: Any, seed: int = 0) -> Any:
    """Batch norms as if trained."""
    torch.manual_seed(seed)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.3)
            m.running_var.uniform_(0.5, 2)
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.normal_(0, 0.3)
    return net.eval()


def folded(net: Any, shape: tuple[int, ...]) -> Counter[str]:
    """Check that folding changes nothing, to 1e-5 of the largest output; the operators that are left."""
    x = torch.randn(shape)
    mod = prepared(from_module(net, x, "net", channels_last=True))
    out = mod["main"].body.body
    feed = np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1))
    got = Watched(mod, [out]).run([feed])[out]
    wanted = net(x).detach().numpy()
    wanted = wanted.transpose(0, 2, 3, 1) if wanted.ndim == 4 else wanted
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()
    return Counter(
        op_name(b.value).removeprefix("relax.") for block in mod["main"].body.blocks for b in block.bindings
    )


def test_batch_norm_goes_into_the_convolution() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    ops = folded(with_statistics(net), (1, 3, 8, 8))
    assert ops == {"nn.conv2d": 1, "add": 1, "nn.relu": 1}


def test_batch_norm_before_a_convolution_without_border() -> None:
    net = nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 8, 3))
    assert folded(with_statistics(net), (1, 4, 8, 8))["multiply"] == 0


def test_batch_norm_before_a_border_stays() -> None:
    net = nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 8, 3, padding=1))
    assert folded(with_statistics(net), (1, 4, 8, 8))["multiply"] == 1


def test_batch_norm_goes_into_a_depthwise_and_a_dense_layer() -> None:
    net = nn.Sequential(
        nn.Conv2d(6, 6, 3, groups=6), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 5), nn.BatchNorm1d(5),
    )  # fmt: skip
    ops = folded(with_statistics(net), (1, 6, 8, 8))
    assert ops["multiply"] == 0 and ops["add"] == 2


def test_pointwise_chain_becomes_one_where_that_is_cheaper() -> None:
    net = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 24, 1), nn.BatchNorm2d(24))
    assert folded(with_statistics(net), (1, 3, 9, 9))["nn.conv2d"] == 1  # 648 MACs a pixel, not 816
    bottleneck = nn.Sequential(nn.Conv2d(32, 4, 1), nn.Conv2d(4, 32, 1))
    assert folded(with_statistics(bottleneck), (1, 32, 4, 4))["nn.conv2d"] == 2


def test_repvgg_branches_become_one_convolution() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
            self.narrow = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8))
            self.same = nn.BatchNorm2d(8)

        def forward(self, x: Any) -> Any:
            x = nn.functional.relu(x)
            return nn.functional.relu(self.wide(x) + self.narrow(x) + self.same(x))

    assert folded(with_statistics(Branches()), (1, 8, 6, 6)) == {"nn.relu": 2, "nn.conv2d": 1, "add": 1}


def test_residual_of_another_map_is_no_branch() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x: Any) -> Any:
            return x + self.second(nn.functional.relu(self.first(x)))

    assert folded(Residual().eval(), (1, 8, 6, 6))["nn.conv2d"] == 2


def test_shuffle_goes_into_the_weights() -> None:
    net = nn.Sequential(
        Shuffle(2), nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 12, 1, groups=2),
    )  # fmt: skip
    assert folded(with_statistics(net), (1, 8, 6, 6)) == {"nn.conv2d": 2, "add": 2, "nn.relu": 1}


def test_shuffle_at_the_end_stays_a_gather() -> None:
    assert folded(nn.Sequential(nn.Conv2d(4, 8, 1), Shuffle(4)).eval(), (1, 4, 5, 5))["take"] == 1


def test_relu_moves_before_a_max_pool() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2), nn.ReLU())
    x = torch.randn(1, 3, 8, 8)
    mod = prepared(from_module(net.eval(), x, "net", channels_last=True))
    names = [op_name(b.value) for block in mod["main"].body.blocks for b in block.bindings]
    assert names.index("relax.nn.relu") < names.index("relax.nn.max_pool2d")


@pytest.mark.parametrize("seed", [0, 1])
def test_vanillanet_merges_to_its_deployed_form(seed: int) -> None:
    """Stem, one convolution a block and the head are left, each with its activation's depthwise one."""
    net = VanillaNet((8, 16, 24), (2, 1), 10, patch=2)
    ops = folded(with_statistics(net, seed), (1, 3, 16, 16))
    assert ops["nn.conv2d"] == 1 + 2 + 1 + 3 and ops["multiply"] == 0 and ops["nn.leakyrelu"] == 0


def test_vanillanet_in_training_does_not_merge() -> None:
    net = VanillaNet((8, 16), (2,), 10, patch=2)
    net.set_progress(0.1)
    ops = folded(with_statistics(net), (1, 3, 8, 8))
    assert ops["nn.leakyrelu"] == 3 and ops["nn.conv2d"] == 2 * 2 + 2 + 2
