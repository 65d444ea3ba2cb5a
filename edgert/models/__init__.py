"""The model zoo: FBNet and VanillaNet as published and reduced, with their training. Needs `edgert[train]`.

tables.py      the published networks, as data
blocks.py      a network as a row of blocks: parsed, counted, without torch
fbnet.py       those blocks in PyTorch
vanillanet.py  VanillaNet, in its training form
zoo.py         every network by name
data.py        CIFAR-10
train.py       training, and fine-tuning with quantization
kernels.py     small int8 networks of one kind each, as TFLite files; without torch
"""
