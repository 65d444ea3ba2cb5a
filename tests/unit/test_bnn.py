"""Binary networks: their layers, their training, and that nothing changes on the way to a board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from coloured import CLASSES, coloured

import edgert
from edgert.codegen.mst import distances, spanning_tree
from edgert.codegen.pipeline import module_to_program
from edgert.errors import ModelError
from edgert.models.bnn.binary import BinaryConv2d, plus_minus, sign
from edgert.models.bnn.export import check, save_npz
from edgert.models.bnn.nets import NETS, Cnv, ResNet20, VggSmall
from edgert.models.bnn.trees import TreeLoss, bits_of, inner_layers, work
from edgert.models.data import Data, to_input
from edgert.models.train import Recipe, accuracy, train
from edgert.network import load


def squares(train_images: int, test_images: int) -> Data:
    return Data(CLASSES, *coloured(train_images), *coloured(test_images, 1))


def test_gradients_of_a_sign() -> None:
    x = torch.tensor([-1.5, -0.5, 0.0, 0.25, 2.0], requires_grad=True)
    for gradient, slopes in (("ste", [0, 1, 1, 1, 0]), ("bireal", [0, 1, 2, 1.5, 0])):
        x.grad = None
        y = sign(x, gradient)  # type: ignore[arg-type]
        assert y.tolist() == [-1, -1, 1, 1, 1]
        y.sum().backward()
        assert x.grad is not None
        torch.testing.assert_close(x.grad, torch.tensor(slopes, dtype=torch.float32))


def test_biper_is_a_sine_and_then_its_sign() -> None:
    net = Cnv(width=8, weights="biper")
    layer = next(net.layers())
    net.set_progress(0.0)
    torch.testing.assert_close(layer.signs(), torch.sin(20 * layer.weight))
    net.set_progress(0.5)
    signs = layer.signs()
    assert set(torch.unique(plus_minus(signs)).tolist()) == {-1.0, 1.0}
    signs.sum().backward()
    torch.testing.assert_close(layer.weight.grad, 20 * torch.cos(20 * layer.weight))


@pytest.mark.parametrize("weights", ["ste", "biper"])
def test_weights_have_two_values(weights: str) -> None:
    layer = BinaryConv2d(5, 7, weights=weights)  # type: ignore[arg-type]
    x = plus_minus(torch.randn(2, 5, 6, 6))
    with torch.no_grad():
        y = layer.eval()(x)
    assert torch.equal(y, y.round()) and int(y.abs().max()) <= 45


@pytest.fixture(scope="module")
def trained() -> Cnv:
    """Two epochs of a reduced network on coloured squares."""
    torch.manual_seed(0)
    net = Cnv(classes=3, width=8)
    data = squares(400, 100)
    train(net, data, Recipe(epochs=3, batch=20, images=400, weight_decay=0.0), loss=TreeLoss(net, 0.2))
    return net


def test_it_learns(trained: Cnv) -> None:
    data = squares(400, 100)
    assert accuracy(trained, data.test_images, data.test_labels) > 0.6


@pytest.mark.parametrize("board", ["host", "cortex-m4-emulated", "rv32imc-emulated"])
def test_bit_for_bit_on_the_board(trained: Cnv, board: str, tmp_path: Path) -> None:
    path = tmp_path / "cnv.npz"
    save_npz(trained, path)
    check(trained, path, coloured(30)[0], board)


def test_a_difference_is_found(trained: Cnv, tmp_path: Path) -> None:
    path = tmp_path / "cnv.npz"
    save_npz(trained, path)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["w8"] = arrays["w8"] ^ 1
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match="image 0"):
        check(trained, path, coloured(3)[0])


@pytest.mark.parametrize("name", ["vgg_small", "resnet20"])
def test_networks_with_real_ends(name: str) -> None:
    """As the compiler reads them; the float ends agree to their last bits, or a bit inside differs."""
    torch.manual_seed(1)
    net = VggSmall(width=8) if name == "vgg_small" else ResNet20(width=8)
    net.train()
    with torch.no_grad():
        net(torch.randn(16, 3, 32, 32))  # statistics
    net.eval()
    x = to_input(torch.from_numpy(coloured(1)[0]))
    network = load(net, example=x)
    ops = [s.op for s in module_to_program(network.module, "net").steps]
    assert ops.count("conv2d_b1_f32") + ops.count("conv2d_b1") == len(list(net.layers()))
    with torch.no_grad():
        expected = net(x).numpy()
    with edgert.connect(edgert.compile(network, board="host", name="net")) as session:
        np.testing.assert_allclose(session.run(x.numpy())[0], expected, rtol=1e-4, atol=1e-4)


def test_published_sizes() -> None:
    """CNV's layers are those of BNN-PYNQ; ResNet-20 and VGG-small have the published numbers of weights."""
    shapes = [tuple(layer.weight.shape) for layer in Cnv(width=64).layers()]
    assert shapes[:3] == [(64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3)]
    assert shapes[-1] == (10, 512, 1, 1) and sum(np.prod(s) for s in shapes) == 1_542_848
    assert sum(w.weight.numel() for w in VggSmall().layers()) == 4_571_136
    assert sum(w.weight.numel() for w in ResNet20().layers()) == 267_264
    assert set(NETS) == {"cnv", "vgg_small", "resnet20"}


@pytest.mark.parametrize("unit", ["bits", "words"])
def test_trees_in_the_loss_save_work(unit: str) -> None:
    """From the same start, a strong loss ends with less work."""
    data, done = squares(200, 20), {}
    for strength in (0.0, 30.0):
        torch.manual_seed(2)
        net = Cnv(width=8)
        loss = TreeLoss(net, strength, unit)  # type: ignore[arg-type]
        train(net, data, Recipe(epochs=4, batch=20, images=200, weight_decay=0.0), loss=loss)
        tree, dense = np.sum(work(net, unit), axis=0)  # type: ignore[arg-type]
        done[strength] = tree / dense
    assert done[30.0] < 0.9 * done[0.0]


def test_trees_freeze_for_the_last_third() -> None:
    net = Cnv(width=8)
    loss, x, y = TreeLoss(net, 1.0), torch.randn(4, 3, 32, 32), torch.arange(4) % 3
    for progress, new in ((0.0, True), (0.5, True), (0.7, False), (0.9, False)):
        before = loss.trees
        net.set_progress(progress)
        loss(x, y)
        assert (loss.trees is not before) == new
    first = inner_layers(net)[0]
    differ, _ = distances(bits_of(first), complements=False)
    assert loss.trees[0].cost == spanning_tree(differ, bits_of(first)[0].size).cost
