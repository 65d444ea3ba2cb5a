"""Draws the demo's test pictures: edgert/demo/images.npz, two per class, ours and free of anyone's rights.

    python tools/make_demo_images.py

Each is drawn at 128x128 and reduced to 32x32. The label is what the picture was drawn to show; every picture
is kept, whatever the network says of it. The real accuracy is in edgert/demo/card.json.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

OUT = Path(__file__).parents[1] / "edgert" / "demo" / "images.npz"
SIDE = 128
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
Pen = ImageDraw.ImageDraw
Colour = tuple[int, int, int]


def gradient(top: Colour, bottom: Colour) -> Image.Image:
    ramp = np.linspace(0, 1, SIDE)[:, None, None]
    rows = np.array(top) * (1 - ramp) + np.array(bottom) * ramp
    return Image.fromarray(np.broadcast_to(rows, (SIDE, SIDE, 3)).astype(np.uint8))


def landscape(sky: Colour, ground: Colour, horizon: int) -> Image.Image:
    picture = gradient(sky, tuple(min(255, c + 40) for c in sky))  # type: ignore[arg-type]
    ImageDraw.Draw(picture).rectangle((0, horizon, SIDE, SIDE), fill=ground)
    return picture


def airplane(pen: Pen, second: bool) -> None:
    body: Colour = (235, 235, 240) if second else (200, 205, 215)
    pen.ellipse((12, 56, 116, 74), fill=body)
    pen.polygon([(50, 64), (78, 64), (52, 104), (40, 104)], fill=(150, 155, 165))
    pen.polygon([(54, 60), (74, 60), (54, 34), (46, 34)], fill=(170, 175, 185))
    pen.polygon([(14, 64), (28, 60), (18, 38), (8, 38)], fill=(180, 40, 40) if second else (60, 80, 140))
    for x in range(40, 100, 8):
        pen.rectangle((x, 61, x + 3, 64), fill=(60, 70, 90))


def automobile(pen: Pen, second: bool) -> None:
    paint: Colour = (40, 80, 170) if second else (190, 30, 30)
    pen.polygon([(34, 60), (48, 38), (86, 38), (102, 60)], fill=paint)
    pen.polygon([(40, 58), (51, 42), (65, 42), (65, 58)], fill=(170, 200, 215))
    pen.polygon([(69, 58), (69, 42), (84, 42), (95, 58)], fill=(170, 200, 215))
    pen.rounded_rectangle((10, 58, 120, 88), 10, fill=paint)
    wheels(pen, (34, 96), 14)


def wheels(pen: Pen, centres: tuple[int, ...], radius: int) -> None:
    for x in centres:
        pen.ellipse((x - radius, 90 - radius, x + radius, 90 + radius), fill=(20, 20, 20))
        pen.ellipse(
            (x - radius // 2, 90 - radius // 2, x + radius // 2, 90 + radius // 2), fill=(170, 170, 170)
        )


def bird(pen: Pen, second: bool) -> None:
    feathers: Colour = (150, 60, 40) if second else (70, 90, 130)
    pen.line((0, 104, 128, 96), fill=(80, 60, 40), width=6)
    pen.ellipse((36, 46, 92, 88), fill=feathers)
    pen.ellipse((76, 30, 104, 58), fill=feathers)
    pen.polygon([(102, 42), (118, 46), (102, 50)], fill=(220, 160, 40))
    pen.polygon([(40, 66), (6, 88), (14, 96), (50, 80)], fill=tuple(c - 20 for c in feathers))
    pen.ellipse((92, 38, 97, 43), fill=(10, 10, 10))
    pen.ellipse((50, 64, 84, 88), fill=(210, 190, 160))
    pen.line((62, 86, 62, 100), fill=(200, 140, 40), width=3)
    pen.line((72, 86, 72, 100), fill=(200, 140, 40), width=3)


def cat(pen: Pen, second: bool) -> None:
    fur: Colour = (90, 85, 85) if second else (200, 140, 80)
    pen.ellipse((24, 30, 104, 112), fill=fur)
    pen.polygon([(28, 52), (30, 8), (60, 34)], fill=fur)
    pen.polygon([(100, 52), (98, 8), (68, 34)], fill=fur)
    pen.polygon([(36, 40), (37, 20), (50, 34)], fill=(220, 160, 160))
    pen.polygon([(92, 40), (91, 20), (78, 34)], fill=(220, 160, 160))
    for x in (46, 82):
        pen.ellipse((x - 9, 54, x + 9, 70), fill=(170, 200, 70))
        pen.ellipse((x - 3, 54, x + 3, 70), fill=(10, 10, 10))
    pen.polygon([(58, 78), (70, 78), (64, 86)], fill=(220, 120, 120))
    for y in (82, 88, 94):
        pen.line((10, y - 4, 54, 86), fill=(245, 245, 245), width=1)
        pen.line((118, y - 4, 74, 86), fill=(245, 245, 245), width=1)


def four_legs(pen: Pen, fur: Colour, top: int, legs: int) -> None:
    pen.ellipse((22, top, 94, top + 34), fill=fur)
    for x in (30, 40, 74, 84):
        pen.rectangle((x, top + 24, x + 5, top + 24 + legs), fill=tuple(max(0, c - 25) for c in fur))


def deer(pen: Pen, second: bool) -> None:
    fur: Colour = (150, 105, 65) if second else (170, 120, 75)
    four_legs(pen, fur, 52, 46)
    pen.polygon([(80, 62), (92, 28), (104, 30), (96, 66)], fill=fur)
    pen.ellipse((88, 20, 118, 38), fill=fur)
    pen.ellipse((20, 56, 30, 66), fill=(240, 235, 225))
    for base, tips in ((94, (84, 92)), (102, (104, 116))):
        pen.line((base, 22, tips[0], 2), fill=(110, 85, 60), width=3)
        pen.line((base, 14, tips[1], 4), fill=(110, 85, 60), width=3)


def dog(pen: Pen, second: bool) -> None:
    fur: Colour = (240, 235, 225) if second else (150, 100, 60)
    dark: Colour = (180, 170, 155) if second else (90, 55, 30)
    pen.ellipse((28, 24, 100, 108), fill=fur)
    pen.ellipse((14, 28, 40, 84), fill=dark)
    pen.ellipse((88, 28, 114, 84), fill=dark)
    pen.ellipse((42, 66, 86, 112), fill=tuple(min(255, c + 30) for c in fur))
    pen.ellipse((54, 68, 74, 84), fill=(20, 20, 20))
    for x in (50, 78):
        pen.ellipse((x - 6, 48, x + 6, 60), fill=(30, 20, 15))
    pen.ellipse((57, 94, 71, 112), fill=(225, 110, 120))


def frog(pen: Pen, second: bool) -> None:
    skin: Colour = (120, 130, 50) if second else (70, 140, 50)
    pen.ellipse((20, 48, 108, 108), fill=skin)
    pen.ellipse((6, 78, 48, 116), fill=tuple(c - 20 for c in skin))
    pen.ellipse((80, 78, 122, 116), fill=tuple(c - 20 for c in skin))
    for x in (42, 86):
        pen.ellipse((x - 15, 30, x + 15, 60), fill=skin)
        pen.ellipse((x - 9, 36, x + 9, 54), fill=(225, 200, 60))
        pen.ellipse((x - 4, 40, x + 4, 50), fill=(10, 10, 10))
    pen.ellipse((40, 78, 88, 108), fill=(205, 205, 140))


def horse(pen: Pen, second: bool) -> None:
    fur: Colour = (60, 40, 30) if second else (130, 75, 40)
    four_legs(pen, fur, 46, 50)
    pen.polygon([(78, 58), (88, 18), (106, 22), (96, 66)], fill=fur)
    pen.polygon([(86, 16), (102, 12), (122, 36), (112, 42), (92, 32)], fill=fur)
    pen.polygon([(86, 14), (78, 54), (88, 40), (94, 18)], fill=(25, 20, 15))
    pen.polygon([(24, 54), (8, 60), (10, 96), (18, 92), (18, 66), (28, 62)], fill=(25, 20, 15))


def ship(pen: Pen, second: bool) -> None:
    hull: Colour = (120, 40, 35) if second else (45, 55, 75)
    pen.polygon([(8, 70), (120, 70), (106, 94), (22, 94)], fill=hull)
    pen.rectangle((34, 52, 92, 70), fill=(240, 240, 240))
    pen.rectangle((44, 38, 78, 52), fill=(225, 225, 230))
    pen.rectangle((56, 20, 66, 38), fill=(200, 60, 40))
    for x in range(40, 88, 10):
        pen.rectangle((x, 57, x + 4, 62), fill=(70, 90, 120))
    pen.line((8, 72, 120, 72), fill=(230, 230, 230), width=2)


def truck(pen: Pen, second: bool) -> None:
    cab: Colour = (220, 170, 40) if second else (190, 40, 40)
    pen.rectangle((8, 28, 84, 84), fill=(235, 235, 235) if second else (180, 190, 200))
    pen.polygon([(86, 84), (86, 44), (106, 44), (120, 62), (120, 84)], fill=cab)
    pen.polygon([(92, 60), (92, 48), (104, 48), (113, 60)], fill=(160, 195, 215))
    pen.rectangle((8, 82, 120, 90), fill=(50, 50, 55))
    wheels(pen, (28, 48, 102), 12)


SKY: Colour = (120, 170, 230)
GRASS: Colour = (85, 130, 60)
ROAD: Colour = (105, 105, 108)
SCENES: dict[str, tuple[Callable[[Pen, bool], None], tuple[Image.Image, Image.Image]]] = {
    "airplane": (airplane, (gradient(SKY, (190, 215, 245)), gradient((70, 110, 180), (170, 200, 235)))),
    "automobile": (automobile, (landscape((190, 200, 205), ROAD, 76), landscape((170, 185, 160), ROAD, 70))),
    "bird": (bird, (gradient((150, 190, 150), (110, 150, 100)), gradient((200, 215, 225), (170, 190, 200)))),
    "cat": (cat, (gradient((170, 150, 130), (120, 100, 85)), gradient((200, 195, 190), (150, 140, 135)))),
    "deer": (deer, (landscape((90, 110, 70), GRASS, 70), landscape((130, 140, 100), (120, 125, 70), 64))),
    "dog": (dog, (gradient((200, 190, 180), (140, 130, 120)), landscape((120, 150, 100), GRASS, 60))),
    "frog": (frog, (gradient((110, 90, 60), (80, 65, 45)), gradient((140, 150, 110), (100, 95, 70)))),
    "horse": (horse, (landscape(SKY, GRASS, 74), landscape((150, 170, 150), (140, 150, 80), 68))),
    "ship": (ship, (landscape(SKY, (50, 90, 140), 80), landscape((200, 205, 215), (70, 100, 120), 78))),
    "truck": (truck, (landscape((200, 205, 210), ROAD, 80), landscape((150, 180, 220), ROAD, 76))),
}  # fmt: skip


def main() -> None:
    pictures = []
    for name in CLASSES:
        draw, backgrounds = SCENES[name]
        for second, background in enumerate(backgrounds):
            picture = background.copy()
            draw(ImageDraw.Draw(picture), bool(second))
            small = picture.filter(ImageFilter.GaussianBlur(1.5)).resize((32, 32), Image.Resampling.BOX)
            pictures.append(np.asarray(small, np.uint8))
    labels = np.repeat(np.arange(len(CLASSES)), 2)
    np.savez_compressed(OUT, images=np.stack(pictures), labels=labels)
    print(f"{OUT}: {len(pictures)} pictures, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
