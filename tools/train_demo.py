"""Makes the bundled model: trains on CIFAR-10, quantizes to int8, writes edgert/demo/.

    python tools/train_demo.py --data cifar10_jpeg.tar.xz            (about 10 minutes on two cores)
    python tools/train_demo.py --data ... --weights build/demo.pt    (quantize and measure again)

--data: a .tar.xz or a folder with train/<class>/*.jpg and test/<class>/*.jpg, 32x32.
Needs: pip install -e ".[test,train]"
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the TFLite writer is the tests' own

from tflite_builder import Op, T, build  # noqa: E402 - needs the path above

DEMO = ROOT / "edgert" / "demo"
FILE = "cifar10_small.tflite"
INPUT_SCALE = 1 / 64  # real = (pixel - 128) / 64
BLOCKS = (  # in, out, stride
    (16, 32, 1), (32, 48, 2), (48, 48, 1), (48, 96, 2), (96, 96, 1), (96, 96, 1), (96, 128, 2), (128, 128, 1),
)  # fmt: skip
BATCH, EPOCHS, SEED, CALIBRATION_IMAGES = 128, 24, 0, 2000

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Data:
    """images: uint8 [n, 32, 32, 3]; labels: int64 [n]."""

    classes: list[str]
    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


def read_data(source: Path) -> Data:
    """Images in the order of their sorted names."""
    found = sorted(_files(source))
    classes = sorted({name.split("/")[-2] for name, _ in found})
    parts = {}
    for split in ("train", "test"):
        rows = [(name.split("/")[-2], data) for name, data in found if name.split("/")[-3] == split]
        images = np.stack([np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for _, data in rows])
        parts[split] = images, np.array([classes.index(label) for label, _ in rows])
    return Data(classes, *parts["train"], *parts["test"])


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    if source.is_dir():
        for path in source.rglob("*.jp*g"):
            yield path.as_posix(), path.read_bytes()
        return
    with tarfile.open(source) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None and member.name.endswith((".jpg", ".jpeg")):
                yield member.name, stream.read()


class ConvBn(nn.Module):
    """Convolution with TFLite's SAME padding, batch norm, optionally ReLU."""

    def __init__(self, in_c: int, out_c: int, kernel: int, stride: int, groups: int, relu: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_c, out_c, kernel, stride, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_c)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        total = self.conv.kernel_size[0] - self.conv.stride[0]  # the maps' sides are multiples of the stride
        before = max(total, 0) // 2
        after = max(total, 0) - before
        y = self.bn(self.conv(F.pad(x, (before, after, before, after))))
        return F.relu(y) if self.relu else y

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weights [out, in / groups, kh, kw] and bias with the batch norm in them."""
        gain = self.bn.weight / torch.sqrt(self.bn.running_var + self.bn.eps)
        return self.conv.weight * gain[:, None, None, None], self.bn.bias - self.bn.running_mean * gain


class Separable(nn.Module):
    """Depthwise 3x3, pointwise; with a residual add where the shapes allow it."""

    def __init__(self, in_c: int, out_c: int, stride: int) -> None:
        super().__init__()
        self.residual = in_c == out_c and stride == 1
        self.depthwise = ConvBn(in_c, in_c, 3, stride, in_c, relu=True)
        self.pointwise = ConvBn(in_c, out_c, 1, 1, 1, relu=not self.residual)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pointwise(self.depthwise(x))
        return F.relu(x + y) if self.residual else y


class Net(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = ConvBn(3, BLOCKS[0][0], 3, 1, 1, relu=True)
        self.blocks = nn.Sequential(*(Separable(*block) for block in BLOCKS))
        self.dense = nn.Linear(BLOCKS[-1][1], classes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dense(self.blocks(self.stem(x)).mean((2, 3)))
        return y


def to_input(images: Tensor) -> Tensor:
    """uint8 [n, 32, 32, 3] -> float NCHW as the network reads it."""
    centred = (images.float() - 128) * INPUT_SCALE
    return centred.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random crops of the padded image, and flips."""
    n = len(images)
    padded = F.pad(images.permute(0, 3, 1, 2).float(), (4, 4, 4, 4), mode="reflect").permute(0, 2, 3, 1)
    rows = torch.randint(0, 9, (n, 1), generator=generator) + torch.arange(32)
    columns = torch.randint(0, 9, (n, 1), generator=generator) + torch.arange(32)
    flipped = torch.rand(n, generator=generator) < 0.5
    columns[flipped] = columns[flipped].flip(1)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def train(data: Data, epochs: int) -> Net:
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    net = Net(len(data.classes)).to(memory_format=torch.channels_last)
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    steps = len(images) // BATCH
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.4, total_steps=epochs * steps, pct_start=0.25)
    for epoch in range(epochs):
        order = torch.randperm(len(images), generator=generator)
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            scores = net(to_input(augment(images[chosen], generator)))
            loss = F.cross_entropy(scores, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        reached = accuracy(net, data)
        print(f"epoch {epoch + 1} of {epochs}: test accuracy {reached:.4f}", file=sys.stderr, flush=True)
    return net


def accuracy(net: Net, data: Data) -> float:
    net.eval()
    right = 0
    with torch.no_grad():
        for at in range(0, len(data.test_images), 500):
            scores = net(to_input(torch.from_numpy(data.test_images[at : at + 500])))
            right += int((scores.argmax(1).numpy() == data.test_labels[at : at + 500]).sum())
    net.train()
    return right / len(data.test_images)


def ranges(net: Net, images: Array) -> dict[str, tuple[float, float]]:
    """Module name -> the range of its output over the calibration images, outliers cut at 99.99 %."""
    found: dict[str, tuple[float, float]] = {}

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            values = output.detach().flatten()[:: max(1, output.numel() // 4_000_000)].numpy()
            low, high = np.percentile(values, (0.01, 99.99))
            found[name] = (min(0.0, float(low)), max(0.0, float(high)))

        return hook

    handles = [m.register_forward_hook(watch(name)) for name, m in net.named_modules()]
    net.eval()
    with torch.no_grad():
        net(to_input(torch.from_numpy(images)))
    for handle in handles:
        handle.remove()
    return found


class Quantizer:
    """Builds the int8 TFLite graph layer by layer: per-channel weights, per-tensor activations."""

    def __init__(self, net: Net, calibration: dict[str, tuple[float, float]]) -> None:
        self._ranges = calibration
        self.tensors = [T("image", (1, 32, 32, 3), scale=INPUT_SCALE, zero=0)]
        self.ops: list[Op] = []
        x = self._conv("stem", net.stem, "image")
        for i, block in enumerate(net.blocks):
            y = self._conv(f"blocks.{i}.depthwise", block.depthwise, x)
            y = self._conv(f"blocks.{i}.pointwise", block.pointwise, y)
            x = self._residual(f"blocks.{i}", x, y) if block.residual else y
        self._head(net, x)

    def model(self) -> bytes:
        return build(tensors=self.tensors, ops=self.ops, inputs=["image"], outputs=["probability"])

    def _activation(self, name: str, shape: tuple[int, ...], span: tuple[float, float]) -> str:
        scale = np.float32((span[1] - span[0]) / 255)
        self.tensors.append(T(name, shape, scale=float(scale), zero=round(-128 - span[0] / float(scale))))
        return name

    def _tensor(self, name: str) -> T:
        return next(t for t in self.tensors if t.name == name)

    def _weights(self, name: str, weights: Array, bias: Array, axis: int, x: str) -> tuple[str, str]:
        """Symmetric weights, one scale per slice of `axis`; the bias in the accumulator's scale."""
        others = tuple(i for i in range(weights.ndim) if i != axis)
        scale = np.maximum(np.abs(weights).max(others), 1e-8) / np.float32(127)
        shape = [-1 if i == axis else 1 for i in range(weights.ndim)]
        q = np.clip(np.rint(weights / scale.reshape(shape)), -127, 127).astype(np.int8)
        x_scale = self._tensor(x).scale
        assert isinstance(x_scale, float)
        q_bias = np.rint(bias / (scale.astype(np.float64) * x_scale)).astype(np.int32)
        self.tensors.append(T(f"{name}/weights", q.shape, data=q, scale=scale, zero=0, axis=axis))
        self.tensors.append(T(f"{name}/bias", q_bias.shape, "int32", data=q_bias))
        return f"{name}/weights", f"{name}/bias"

    def _conv(self, name: str, layer: ConvBn, x: str) -> str:
        weights, bias = (t.detach().numpy() for t in layer.folded())
        depthwise, stride = layer.conv.groups > 1, layer.conv.stride[0]
        order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)  # [1, kh, kw, c] or [out, kh, kw, in]
        inputs = self._weights(name, weights.transpose(order), bias, 3 if depthwise else 0, x)
        side = self._tensor(x).shape[1] // stride
        y = self._activation(name, (1, side, side, weights.shape[0]), self._ranges[name])
        options: dict[str, Any] = {"padding": "SAME", "strideW": stride, "strideH": stride}
        options |= {"dilationWFactor": 1, "dilationHFactor": 1}
        options["fusedActivationFunction"] = "RELU" if layer.relu else "NONE"
        if depthwise:
            options["depthMultiplier"] = 1
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        self.ops.append(Op(kind, [x, *inputs], [y], options, version=3))
        return y

    def _residual(self, name: str, x: str, y: str) -> str:
        out = self._activation(f"{name}.add", self._tensor(x).shape, self._ranges[name])
        self.ops.append(Op("ADD", [x, y], [out], {"fusedActivationFunction": "RELU"}, version=2))
        return out

    def _head(self, net: Net, x: str) -> None:
        source = self._tensor(x)
        side, channels = source.shape[1], source.shape[3]
        self.tensors.append(T("pool", (1, 1, 1, channels), scale=source.scale, zero=source.zero))
        window = {"strideW": side, "strideH": side, "filterWidth": side, "filterHeight": side}
        self.ops.append(Op("AVERAGE_POOL_2D", [x], ["pool"], {"padding": "VALID", **window}, version=2))
        weights, bias = net.dense.weight.detach().numpy(), net.dense.bias.detach().numpy()
        inputs = self._dense_weights(weights, bias)
        classes = len(bias)
        self._activation("dense", (1, classes), self._ranges["dense"])
        self.ops.append(Op("FULLY_CONNECTED", ["pool", *inputs], ["dense"], version=4))
        self.tensors.append(T("probability", (1, classes), scale=1 / 256, zero=-128))
        self.ops.append(Op("SOFTMAX", ["dense"], ["probability"], {"beta": 1.0}, version=2))

    def _dense_weights(self, weights: Array, bias: Array) -> tuple[str, str]:
        """Per tensor, as the reference kernel wants it for this layer."""
        scale = np.float32(np.abs(weights).max() / 127)
        q = np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)
        pool_scale = self._tensor("pool").scale
        assert isinstance(pool_scale, float)
        accumulator = float(scale) * pool_scale
        q_bias = np.rint(bias / accumulator).astype(np.int32)
        self.tensors.append(T("dense/weights", q.shape, data=q, scale=float(scale), zero=0))
        self.tensors.append(T("dense/bias", q_bias.shape, "int32", data=q_bias, scale=accumulator, zero=0))
        return "dense/weights", "dense/bias"


CARD = """\
# {file}

{summary}. Input: int8 [1, 32, 32, 3], pixel - 128. Output: int8 [1, 10], probability = (q + 128) / 256.

| | |
| --- | --- |
| data | CIFAR-10 (A. Krizhevsky, 2009), JPEG copies; {test_images:,} test images |
| accuracy, float32 | {float_accuracy:.2%} |
| accuracy, int8, this file | {int8_accuracy:.2%} |
| drawn pictures in images.npz that it gets right | {drawn_right} of {drawn} |
| file | {file_bytes:,} bytes |
| made by | `{made_by}`, {epochs} epochs, seed {seed} |
| pictures made by | `python tools/make_demo_images.py`: drawn by us, none left out |

Architecture: convolution 3x3, eight depthwise-separable blocks (three of them residual), average pool, dense,
softmax; ReLU throughout. Quantization: after training, per-channel weights, per-tensor activations.
Limits: a demonstration, trained in minutes. Not for any use where a wrong answer matters.
"""


def right_answers(model: bytes, images: Array, labels: Array) -> Array:
    """Which images the compiled model gets right, run as C on this machine."""
    import edgert

    with edgert.connect(edgert.compile(model, board="host", name="demo")) as session:
        inputs = (images.astype(np.int16) - 128).astype(np.int8)
        scores = [session.run(image[None])[0] for image in inputs]
    return np.array([int(np.argmax(s)) == label for s, label in zip(scores, labels, strict=True)])


def card(net: Net, data: Data, model: bytes, macs: int) -> dict[str, Any]:
    right = right_answers(model, data.test_images, data.test_labels)
    parameters = sum(p.numel() for p in net.parameters())
    with np.load(DEMO / "images.npz") as drawn:
        drawn_right = right_answers(model, drawn["images"], drawn["labels"])
    return {
        "file": FILE,
        "summary": f"CIFAR-10, 32x32x3, {parameters:,} parameters, {macs / 1e6:.2f} M MAC",
        "classes": data.classes,
        "parameters": parameters,
        "macs": macs,
        "file_bytes": len(model),
        "float_accuracy": round(accuracy(net, data), 4),
        "int8_accuracy": round(float(right.mean()), 4),
        "int8_right_of_first_1000": int(right[:1000].sum()),
        "test_images": len(right),
        "drawn": len(drawn_right),
        "drawn_right": int(drawn_right.sum()),
        "seed": SEED,
        "epochs": EPOCHS,
        "made_by": "python tools/train_demo.py --data cifar10_jpeg.tar.xz",
    }


def main() -> None:
    keep_lines = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=keep_lines)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="skip training, read this state_dict")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    args = parser.parse_args()
    if not args.data.exists():
        parser.error(f"no file or folder {args.data}")
    data = read_data(args.data)
    if args.weights:
        net = Net(len(data.classes))
        net.load_state_dict(torch.load(args.weights, weights_only=True))
    else:
        net = train(data, args.epochs)
        saved = ROOT / "build" / "demo.pt"
        saved.parent.mkdir(exist_ok=True)
        torch.save(net.state_dict(), saved)
    rng = np.random.default_rng(SEED)
    calibration = data.train_images[rng.permutation(len(data.train_images))[:CALIBRATION_IMAGES]]
    model = Quantizer(net, ranges(net, calibration)).model()
    import edgert

    macs = edgert.compile(model, target="host", name="demo").report["macs"]
    DEMO.mkdir(exist_ok=True)
    (DEMO / FILE).write_bytes(model)
    facts = card(net, data, model, macs)
    (DEMO / "card.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (DEMO / "card.md").write_text(CARD.format(**facts), encoding="utf-8")
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
