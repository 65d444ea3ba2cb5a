"""Published networks as data: one line for each stage, one entry for each block.

    conv k3 c16 s2          convolution 3x3 to 16 channels, stride 2, with batch norm and activation
    ir k5 e6 c64 s2         inverted residual: 1x1 to 6 times the channels, depthwise 5x5, 1x1 to 64
       se                   squeeze and excitation between the two
       g2                   1x1 convolutions in two groups, channels shuffled before the depthwise one
       p0                   padding of the depthwise convolution, where it is not half of the kernel
       x4                   four times; only the first has the stride and the new width
    skip c24                nothing where shape allows it, else a 1x1 convolution
    pool e6 c1984           1x1 to 6 times the channels, global average pool, 1x1 to 1984

Sources: FBNet, https://arxiv.org/abs/1812.03443; FBNetV3, https://arxiv.org/abs/2006.02049; both as published
in the architecture files of facebookresearch/mobile-vision (facts only), with the published counts:
operations in millions, weights in millions. VanillaNet: https://arxiv.org/abs/2305.12972 and its authors'
model file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """stages: as above. side: of the square input. flops_m, params_m, top1: as published."""

    activation: str
    side: int
    flops_m: float
    params_m: float
    top1: float
    stages: tuple[str, ...]


FBNET: dict[str, Published] = {
    "fbnet_a": Published(
        "relu",
        224,
        244.52636,
        4.27029,
        73.298,
        (
            "conv k3 c16 s2",
            "skip c16",
            "ir k3 e3 c24 s2, ir k3 e1 c24, skip c24, skip c24",
            "ir k5 e6 c32 s2, ir k3 e3 c32, ir k5 e1 c32, ir k3 e3 c32",
            "ir k5 e6 c64 s2, ir k5 e3 c64, ir k5 e1 g2 c64, ir k5 e6 c64, ir k3 e6 c112, "
            "ir k5 e1 g2 c112, ir k5 e3 c112, ir k3 e1 g2 c112",
            "ir k5 e6 c184 s2, ir k5 e6 c184, ir k5 e3 c184, ir k5 e6 c184, ir k5 e6 c352",
            "conv k1 c1504",
        ),
    ),
    "fbnet_b": Published(
        "relu",
        224,
        291.10164,
        4.76667,
        74.544,
        (
            "conv k3 c16 s2",
            "ir k3 e1 c16",
            "ir k3 e6 c24 s2, ir k5 e1 c24, ir k3 e1 c24, ir k3 e1 c24",
            "ir k5 e6 c32 s2, ir k5 e3 c32, ir k3 e6 c32, ir k5 e6 c32",
            "ir k5 e6 c64 s2, ir k5 e6 c64, skip c64, ir k5 e3 c64, ir k5 e6 c112, ir k3 e1 c112, "
            "ir k5 e1 c112, ir k5 e3 c112",
            "ir k5 e6 c184 s2, ir k5 e1 c184, ir k5 e6 c184, ir k5 e6 c184, ir k3 e6 c352",
            "conv k1 c1984",
        ),
    ),
    "fbnet_c": Published(
        "relu",
        224,
        378.23344,
        5.52542,
        75.25,
        (
            "conv k3 c16 s2",
            "ir k3 e1 c16",
            "ir k3 e6 c24 s2, skip c24, ir k3 e1 c24, ir k3 e1 c24",
            "ir k5 e6 c32 s2, ir k5 e3 c32, ir k5 e6 c32, ir k3 e6 c32",
            "ir k5 e6 c64 s2, ir k5 e3 c64, ir k5 e6 c64, ir k5 e6 c64, ir k5 e6 c112, ir k5 e6 c112, "
            "ir k5 e6 c112, ir k5 e3 c112",
            "ir k5 e6 c184 s2, ir k5 e6 c184, ir k5 e6 c184, ir k5 e6 c184, ir k3 e6 c352",
            "conv k1 c1984",
        ),
    ),
    "fbnet_v3_a": Published(
        "hswish",
        224,
        356.59828,
        8.542224,
        79.574,
        (
            "conv k3 c16 s2",
            "ir k3 e1 c16 x2",
            "ir k5 e4 c24 s2, ir k5 e2 c24 x3",
            "ir k5 e5 se c40 s2, ir k5 e3 se c40 x4",
            "ir k5 e5 p1 c72 s2, ir k3 e3 c72 x4, ir k3 e5 se c120, ir k5 e3 se c120 x5",
            "ir k3 e6 se p0 c184 s2, ir k5 e4 se c184 x5, ir k5 e6 se c224",
            "pool e6 c1984",
        ),
    ),
    "fbnet_v3_b": Published(
        "hswish",
        248,
        461.550136,
        8.542224,
        80.206,
        (
            "conv k3 c16 s2",
            "ir k3 e1 c16 x2",
            "ir k5 e4 c24 s2, ir k5 e2 c24 x3",
            "ir k5 e5 se c40 s2, ir k5 e3 se c40 x4",
            "ir k5 e5 p1 c72 s2, ir k3 e3 c72 x4, ir k3 e5 se c120, ir k5 e3 se c120 x5",
            "ir k3 e6 se p0 c184 s2, ir k5 e4 se c184 x5, ir k5 e6 se c224",
            "pool e6 c1984",
        ),
    ),
    "fbnet_v3_c": Published(
        "hswish",
        248,
        556.969904,
        9.907136,
        80.826,
        (
            "conv k3 c16 s2",
            "ir k3 e1 c16 x2",
            "ir k5 e5 c24 s2, ir k3 e3 c24 x4",
            "ir k5 e5 se c48 s2, ir k5 e2 se c48 x4",
            "ir k5 e4 p1 c88 s2, ir k3 e3 c88 x4, ir k3 e4 se c120, ir k5 e3 se c120 x5",
            "ir k5 e5 se p1 c216 s2, ir k5 e5 se c216 x5, ir k5 e6 se c216",
            "pool e6.0 c1984",
        ),
    ),
    "fbnet_v3_d": Published(
        "hswish",
        248,
        644.420352,
        10.237552,
        81.042,
        (
            "conv k3 c24 s2",
            "ir k3 e1 c16 x2",
            "ir k3 e5 c24 s2, ir k3 e2 c24 x5",
            "ir k5 e4 se c40 s2, ir k3 e3 se c40 x4",
            "ir k3 e5 c72 s2, ir k3 e3 c72 x4, ir k3 e5 se c128, ir k5 e3 se c128 x6",
            "ir k3 e6 se c208 s2, ir k5 e5 se c208 x5, ir k5 e6 se c240",
            "pool e6.0 c1984",
        ),
    ),
    "fbnet_v3_e": Published(
        "hswish",
        264,
        762.046336,
        10.699464,
        81.254,
        (
            "conv k3 c24 s2",
            "ir k3 e1 c16 x3",
            "ir k5 e4 c24 s2, ir k5 e2 c24 x4",
            "ir k5 e4 se c48 s2, ir k5 e3 se c48 x4",
            "ir k5 e5 p1 c80 s2, ir k3 e3 c80 x4, ir k3 e5 se c128, ir k5 e3 se c128 x7",
            "ir k3 e6 se c216 s2, ir k5 e5 se c216 x5, ir k5 e6 se c240",
            "pool e6.0 c1984",
        ),
    ),
    "fbnet_v3_f": Published(
        "hswish",
        272,
        1181.64452,
        13.803072,
        82.062,
        (
            "conv k3 c24 s2",
            "ir k3 e1 c24 x3",
            "ir k5 e4 c32 s2, ir k5 e2 c32 x4",
            "ir k5 e4 se c56 s2, ir k5 e3 se c56 x4",
            "ir k5 e5 c88 s2, ir k3 e3 c88 x4, ir k3 e5 se c144, ir k5 e3 se c144 x8",
            "ir k3 e6 se p0 c248 s2, ir k5 e5 se c248 x6, ir k5 e6 se c272",
            "pool e6.0 c1984",
        ),
    ),
    "fbnet_v3_g": Published(
        "hswish",
        320,
        2129.656384,
        16.513648,
        82.794,
        (
            "conv k3 c32 s2",
            "ir k3 e1 c24 x3",
            "ir k5 e4 c40 s2, ir k5 e2 c40 x4",
            "ir k5 e4 se c56 s2, ir k5 e3 se c56 x4",
            "ir k5 e5 c104 s2, ir k3 e3 c104 x4, ir k3 e5 se c160, ir k5 e3 se c160 x8",
            "ir k3 e6 se c264 s2, ir k5 e5 se c264 x6, ir k5 e6 se c288 x2",
            "pool e6.0 c1984",
        ),
    ),
}


@dataclass(frozen=True)
class Vanilla:
    """widths: of the stem and of each block. pools: of each block, 1 for none. The rest: as published."""

    widths: tuple[int, ...]
    pools: tuple[int, ...]
    params_m: float
    flops_g: float
    top1: float


VANILLANET: dict[str, Vanilla] = {
    "vanillanet_5": Vanilla(
        (512, 1024, 2048, 4096),
        (2, 2, 2),
        15.5,
        5.2,
        72.49,
    ),
    "vanillanet_6": Vanilla(
        (512, 1024, 2048, 4096, 4096),
        (2, 2, 2, 1),
        32.5,
        6.0,
        76.36,
    ),
    "vanillanet_7": Vanilla(
        (512, 512, 1024, 2048, 4096, 4096),
        (1, 2, 2, 2, 1),
        32.8,
        6.9,
        77.98,
    ),
    "vanillanet_8": Vanilla(
        (512, 512, 1024, 2048, 2048, 4096, 4096),
        (1, 2, 2, 1, 2, 1),
        37.1,
        7.7,
        79.13,
    ),
    "vanillanet_9": Vanilla(
        (512, 512, 1024, 2048, 2048, 2048, 4096, 4096),
        (1, 2, 2, 1, 1, 2, 1),
        41.4,
        8.6,
        79.87,
    ),
    "vanillanet_10": Vanilla(
        (512, 512, 1024, 2048, 2048, 2048, 2048, 4096, 4096),
        (1, 2, 2, 1, 1, 1, 2, 1),
        45.7,
        9.4,
        80.57,
    ),
    "vanillanet_11": Vanilla(
        (512, 512, 1024, 2048, 2048, 2048, 2048, 2048, 4096, 4096),
        (1, 2, 2, 1, 1, 1, 1, 2, 1),
        50.0,
        10.3,
        81.08,
    ),
    "vanillanet_12": Vanilla(
        (512, 512, 1024, 2048, 2048, 2048, 2048, 2048, 2048, 4096, 4096),
        (1, 2, 2, 1, 1, 1, 1, 1, 2, 1),
        54.3,
        11.1,
        81.55,
    ),
    "vanillanet_13": Vanilla(
        (512, 512, 1024, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 4096, 4096),
        (1, 2, 2, 1, 1, 1, 1, 1, 1, 2, 1),
        58.6,
        11.9,
        82.05,
    ),
}
