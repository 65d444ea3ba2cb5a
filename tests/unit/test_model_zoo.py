"""The model zoo: counts to the last digit, modules that are what the counts say, training that goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coloured import CLASSES, coloured

from edgert.errors import EdgertError, InputError, UsageError
from edgert.models import blocks, zoo
from edgert.models.tables import FBNET, VANILLANET

torch = pytest.importorskip("torch", reason="needs edgert[train]")

from edgert.models import data as images  # noqa: E402 - only with torch
from edgert.models.qat import RoundedActivation, fine_tune, fold_batch_norm, rounding  # noqa: E402
from edgert.models.train import Recipe, accuracy, calibration, train  # noqa: E402


def digits(number: float) -> int:
    return len(repr(number).partition(".")[2])


@pytest.mark.parametrize("name", FBNET)
def test_fbnet_counts_as_published(name: str) -> None:
    counts, published = zoo.spec(name).counts, FBNET[name]
    assert round(counts.flops_m, digits(published.flops_m)) == published.flops_m
    assert round(counts.weights / 1e6, digits(published.params_m)) == published.params_m


@pytest.mark.parametrize("name", VANILLANET)
def test_vanillanet_counts_as_published(name: str) -> None:
    """Published to a decimal, weights and biases together."""
    counts, published = zoo.spec(name).counts, VANILLANET[name]
    assert round(counts.macs / 1e9, 1) == published.flops_g
    biases = 2 * sum(published.widths) + zoo.IMAGENET
    assert round((counts.weights + biases) / 1e6, 1) == published.params_m


def test_counts_equal_the_exact_tables() -> None:
    shared = os.environ.get("EDGERT_SHARED", Path(__file__).parents[3] / "shared")
    path = Path(shared) / "arch_tables.json"
    if not path.is_file():
        pytest.skip(f"no {path}: set EDGERT_SHARED to the folder that holds it")
    tables = json.loads(path.read_text())
    rows = {**tables["fbnet"], **tables["fbnet_v3"]}
    for name in FBNET:
        wanted = next(
            v["computed"] for k, v in rows.items() if k.lower().replace("fbnetv3", "fbnet_v3") == name
        )
        counts = zoo.spec(name).counts
        assert (counts.macs, counts.pool_ops, counts.weights) == (
            wanted["macs"], wanted["pool_ops"], wanted["weights"]
        )  # fmt: skip
    for name in VANILLANET:
        wanted = tables["vanillanet"][name]["computed_deploy"]
        assert (zoo.spec(name).counts.macs, zoo.spec(name).counts.weights) == (
            wanted["macs"],
            wanted["weights"],
        )


@pytest.mark.parametrize("name", ["fbnet_a", "fbnet_v3_a", "fbnet_96", "fbnet_32"])
def test_modules_have_the_weights_that_are_counted(name: str) -> None:
    net = zoo.build(name)
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert sum(m.weight.numel() for m in layers) == zoo.spec(name).counts.weights
    side = zoo.spec(name).side
    assert net.eval()(torch.zeros(1, 3, side, side)).shape == (1, zoo.spec(name).classes)


def test_text_of_a_block_is_read_back() -> None:
    for name in ("fbnet_a", "fbnet_v3_g"):
        for block in zoo.spec(name).blocks:
            assert blocks.parse([block.text()], in_c=block.in_c) == (block,)
    with pytest.raises(ValueError, match="no block 'dense'"):
        blocks.parse(["dense c8"])


def test_unknown_network() -> None:
    with pytest.raises(UsageError, match="vanillanet_32"):
        zoo.spec("resnet")


@pytest.fixture(scope="module")
def data() -> images.Data:
    return images.Data(CLASSES, *coloured(192), *coloured(60, 1))


def tiny() -> Any:
    torch.manual_seed(0)
    from edgert.models.fbnet import FBNet

    return FBNet(blocks.parse(["conv k3 c8 s2", "ir k3 e2 c8", "conv k1 c16"]), 3)


RECIPE = Recipe(epochs=3, batch=32, peak_rate=0.1)


def test_training_learns_and_goes_on_where_it_was_stopped(data: images.Data, tmp_path: Path) -> None:
    through = train(tiny(), data, RECIPE)
    assert accuracy(through, data.test_images, data.test_labels) > 0.8

    class Stopped(Exception):
        pass

    def stop(text: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train(tiny(), data, RECIPE, checkpoint=tmp_path / "net.pt", say=stop)
    said: list[str] = []
    resumed = train(tiny(), data, RECIPE, checkpoint=tmp_path / "net.pt", say=said.append)
    assert len(said) == 2
    for a, b in zip(through.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_images_grow(data: images.Data) -> None:
    growing = Recipe(epochs=6, batch=32, peak_rate=0.1, grow=True)
    assert [growing.side(epoch, 32) for epoch in range(6)] == [16, 16, 24, 24, 32, 32]
    assert Recipe(epochs=6).side(0, 32) == 32
    seen: list[int] = []

    def loss(x: Any, y: Any) -> Any:
        seen.append(x.shape[-1])
        return torch.nn.functional.cross_entropy(net(x), y)

    net = tiny()
    train(net, data, growing, loss=loss)
    assert seen == [16] * 12 + [24] * 12 + [32] * 12
    assert accuracy(net, data.test_images, data.test_labels) > 0.8


def test_vanillanet_trains_towards_its_deployed_form(data: images.Data) -> None:
    torch.manual_seed(0)
    net: Any = zoo.build(zoo.Spec("v", 32, 3, widths=(8, 16), pools=(2,), patch=4))
    train(net, data, Recipe(epochs=3, batch=32, peak_rate=0.05))
    assert net.slope == 1.0
    net.set_progress(1 / 6)
    assert net.slope == 0.5


def test_fine_tuning_ends_on_the_grid(data: images.Data) -> None:
    net = train(tiny(), data, RECIPE)
    before = accuracy(net, data.test_images, data.test_labels)
    fine_tune(net, data, Recipe(epochs=1, batch=32, peak_rate=1e-4))
    for layer in (m for m in net.modules() if isinstance(m, torch.nn.Conv2d)):
        steps = layer.weight / layer.weight.abs().amax((1, 2, 3), keepdim=True) * 127
        assert torch.allclose(steps, steps.round(), atol=1e-2)
    assert accuracy(net, data.test_images, data.test_labels) >= before - 0.1
    assert not any(isinstance(m, RoundedActivation) for m in net.modules())


def test_folding_batch_norm_changes_nothing(data: images.Data) -> None:
    net = train(tiny(), data, RECIPE)
    x = images.to_input(torch.from_numpy(data.test_images[:4]))
    before = net(x)
    assert torch.allclose(fold_batch_norm(net)(x), before, atol=1e-4)
    with rounding(net.train()):
        net(x)  # the ranges are seen
        rounded = net.eval()(x)
    assert not torch.equal(rounded, before) and (rounded - before).abs().max() < 0.3 * before.abs().max()


def test_calibration_is_what_the_network_reads(data: images.Data) -> None:
    (first, *_) = calibration(data, 4)
    assert (
        first.shape == (1, 32, 32, 3)
        and abs(first * images.STD + images.MEAN - np.rint(first * 64 + 128)).max() == 0
    )


def test_images_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setenv("EDGERT_CACHE", str(tmp_path / "cache"))
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            folder = tmp_path / "cifar" / split / label
            folder.mkdir(parents=True)
            for n in range(3):
                pixels = np.full((32, 32, 3), 40 * n, np.uint8)
                image.fromarray(pixels).save(folder / f"{n}.jpg")
    first = images.load(tmp_path / "cifar")
    assert first.classes == ("cat", "dog") and first.train_images.shape == (6, 32, 32, 3)
    monkeypatch.setattr(images, "_decoded", None)
    assert np.array_equal(images.load(tmp_path / "cifar").test_images, first.test_images)
    part = first.part(4, seed=1)
    assert len(part.train_images) == 4 and part.test_images is first.test_images


def test_bad_data_says_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image")
    with pytest.raises(InputError, match="no data at"):
        images.load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images for train"):
        images.load(tmp_path / "empty")
    (tmp_path / "x.tar").write_bytes(b"no archive")
    with pytest.raises(EdgertError, match="cannot read"):
        images.load(tmp_path / "x.tar")
