#!/usr/bin/python3
"""Reference numbers for the networks of package unet, from PyTorch in float64.

    python3 torch_reference.py > torch_reference.json

Made with PyTorch 1.13.1. Weights, images and labels come from a short
generator that golden_test.go reproduces, so only results are stored. The module
below also defines the names in a weights file.
"""
import json
import math
import zlib
from types import SimpleNamespace

import torch
import torch.nn as nn
import torch.nn.functional as F

CLASSES, WIDTH, DEPTH, GROUPS = 2, 8, 2, 4
BATCH, SIZE, STEPS, LR = 2, 16, 10, 1e-3
IGNORED, SMOOTH = 255, 1.0
EVERY = 7  # every seventh logit is stored

# The tested networks, by name. The fields are those of unet.Config.
# Residual blocks get three channels: with a single one, batch normalisation
# cancels the weight of the first projection. Its gradient is then pure rounding
# error, which Adam makes as large as any other.
DEFAULTS = {"in_channels": 1, "max_width": 0, "norm": "batch", "block": "plain", "convs": 2, "growth": 0, "skip": "concat", "attention": False, "up": "transposed"}
VARIANTS = {
    "none": {"norm": "none"},
    "batch": {},
    "instance": {"norm": "instance"},
    "group": {"norm": "group"},
    "three convolutions": {"convs": 3},
    "residual": {"block": "residual", "convs": 4, "in_channels": 3},
    "residual, no norm": {"block": "residual", "norm": "none"},
    "preact": {"block": "preact", "convs": 4},
    "preact, no norm": {"block": "preact", "norm": "none"},
    "preact, group norm": {"block": "preact", "norm": "group", "convs": 4},
    "dense": {"block": "dense", "convs": 3, "growth": 4},
    "dense, no norm": {"block": "dense", "norm": "none", "growth": 3},
    "add": {"skip": "add"},
    "no skip": {"skip": "none"},
    "nested": {"skip": "nested"},
    "bilinear": {"up": "bilinear"},
    "narrow bottleneck": {"max_width": 16},
    "dense, narrow bottleneck": {"block": "dense", "growth": 4, "max_width": 16, "norm": "group"},
    "attention": {"attention": True},
    "residual, add, attention": {"block": "residual", "skip": "add", "attention": True, "norm": "group"},
    "preact, add, bilinear": {"block": "preact", "skip": "add", "up": "bilinear"},
    "dense, nested, bilinear": {"block": "dense", "convs": 2, "growth": 4, "skip": "nested", "up": "bilinear", "norm": "instance"},
}


def width(c, level):
    return min(WIDTH << level, c.max_width or WIDTH << level)


def norm(c, n):
    return {
        "none": lambda: nn.Identity(),
        "batch": lambda: nn.BatchNorm2d(n),
        "instance": lambda: nn.InstanceNorm2d(n, affine=True),
        "group": lambda: nn.GroupNorm(GROUPS, n),
    }[c.norm]()


class ConvNorm(nn.Module):
    """A 1x1 convolution and its normalisation, conv alone with plain=True."""

    def __init__(self, c, i, o, plain=False):
        super().__init__()
        self.conv = nn.Conv2d(i, o, 1, bias=c.norm == "none")
        self.norm = nn.Identity() if plain else norm(c, o)

    def forward(self, x):
        return self.norm(self.conv(x))


class Block(nn.Module):
    """conv1, norm1, conv2, norm2 ... of a level; subclasses join them."""

    def __init__(self, c, level, i):
        super().__init__()
        self.c, o = c, width(c, level)
        for k in range(1, c.convs + 1):
            n = c.growth * width(c, level) // WIDTH if c.block == "dense" else o
            setattr(self, f"conv{k}", nn.Conv2d(i, n, 3, padding=1, bias=c.norm == "none"))
            setattr(self, f"norm{k}", norm(c, n))
            i = i + n if c.block == "dense" else n
        self.last = i

    def conv(self, k, x):
        return getattr(self, f"conv{k}")(x)

    def norm(self, k, x):
        return getattr(self, f"norm{k}")(x)

    def layer(self, k, x):
        return F.relu(self.norm(k, self.conv(k, x)))


class Plain(Block):
    def forward(self, x):
        for k in range(1, self.c.convs + 1):
            x = self.layer(k, x)
        return x


class Residual(Block):
    def __init__(self, c, level, i):
        super().__init__(c, level, i)
        self.shortcut = nn.Identity() if i == width(c, level) else ConvNorm(c, i, width(c, level))

    def forward(self, x):
        for k in range(1, self.c.convs, 2):
            y = self.norm(k + 1, self.conv(k + 1, self.layer(k, x)))
            x = F.relu(y + (self.shortcut(x) if k == 1 else x))
        return x


class Preact(Block):
    def __init__(self, c, level, i):
        super().__init__(c, level, i)
        self.shortcut = nn.Identity() if i == width(c, level) else ConvNorm(c, i, width(c, level), plain=True)

    def forward(self, x):
        s = self.shortcut(x)
        for k in range(1, self.c.convs, 2):
            s = s + self.conv(k + 1, self.layer(k, x))
            x = F.relu(self.norm(k + 1, s))
        return x


class Dense(Block):
    def __init__(self, c, level, i):
        super().__init__(c, level, i)
        self.transition = ConvNorm(c, self.last, width(c, level))

    def forward(self, x):
        for k in range(1, self.c.convs + 1):
            x = torch.cat([x, self.layer(k, x)], 1)
        return F.relu(self.transition(x))


BLOCKS = {"plain": Plain, "residual": Residual, "preact": Preact, "dense": Dense}


class Bilinear(nn.Conv2d):
    def __init__(self, i, o):
        super().__init__(i, o, 1)

    def forward(self, x):
        return super().forward(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


class Gate(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.conv, self.psi = nn.Conv2d(2 * w, w // 2, 1), nn.Conv2d(w // 2, 1, 1)

    def forward(self, skip, gating):
        return skip * torch.sigmoid(self.psi(F.relu(self.conv(torch.cat([skip, gating], 1)))))


class UNet(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, block = c, BLOCKS[c.block]
        w = [width(c, l) for l in range(DEPTH + 1)]
        self.enc = nn.ModuleList(block(c, l, w[l - 1] if l else c.in_channels) for l in range(DEPTH))
        self.bottleneck = block(c, DEPTH, w[DEPTH - 1])

        def up(l):
            return Bilinear(w[l + 1], w[l]) if c.up == "bilinear" else nn.ConvTranspose2d(w[l + 1], w[l], 2, 2)

        if c.skip == "nested":
            # Row l has the columns 1 to DEPTH - l.
            self.up = nn.ModuleList(nn.ModuleDict({str(j): up(l) for j in range(1, DEPTH - l + 1)}) for l in range(DEPTH))
            self.dec = nn.ModuleList(
                nn.ModuleDict({str(j): block(c, l, (j + 1) * w[l]) for j in range(1, DEPTH - l + 1)}) for l in range(DEPTH)
            )
        else:
            self.up = nn.ModuleList(up(l) for l in range(DEPTH))
            if c.attention:
                self.att = nn.ModuleList(Gate(w[l]) for l in range(DEPTH))
            self.dec = nn.ModuleList(block(c, l, w[l] * (2 if c.skip == "concat" else 1)) for l in range(DEPTH))
        self.head = nn.Conv2d(WIDTH, CLASSES, 1)

    def forward(self, x):
        skip = []
        for e in self.enc:
            x = e(x)
            skip.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottleneck(x)
        if self.c.skip == "nested":
            return self.head(self.nested(skip + [x]))
        for l in reversed(range(DEPTH)):
            up, s = self.up[l](x), skip[l]
            if self.c.attention:
                s = self.att[l](s, up)
            x = self.dec[l]({"concat": lambda: torch.cat([s, up], 1), "add": lambda: s + up, "none": lambda: up}[self.c.skip]())
        return self.head(x)

    def nested(self, first):
        x = {(l, 0): v for l, v in enumerate(first)}
        for j in range(1, DEPTH + 1):
            for l in range(DEPTH - j + 1):
                left = [x[l, k] for k in range(j)]
                x[l, j] = self.dec[l][str(j)](torch.cat(left + [self.up[l][str(j)](x[l + 1, j - 1])], 1))
        return x[0, DEPTH]


class Generator:
    """Numbers in [0, 1) that are the same in every language."""

    def __init__(self, name):
        self.state = zlib.crc32(name.encode())

    def next(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) / 2**24


def value(name, shape):
    g, n = Generator(name), math.prod(shape)
    fan = math.prod(shape[1:])
    if name.endswith("running_var") or ".norm" in name and name.endswith("weight"):
        v = [0.5 + g.next() for _ in range(n)]
    elif len(shape) == 1:
        v = [0.4 * (g.next() - 0.5) for _ in range(n)]
    else:
        v = [2 * math.sqrt(6 / fan) * (g.next() - 0.5) for _ in range(n)]
    return torch.tensor(v, dtype=torch.float64).float().double().reshape(shape)


def loss(z, y):
    ce = F.cross_entropy(z, y, ignore_index=IGNORED)
    keep = (y != IGNORED).double()
    p = F.softmax(z, 1) * keep[:, None]
    dice = 0
    for k in range(1, CLASSES):
        t = (y == k).double()
        dice = dice + (2 * (p[:, k] * t).sum() + SMOOTH) / (p[:, k].sum() + t.sum() + SMOOTH)
    return ce + 1 - dice / (CLASSES - 1)


def digits(t):
    return [float("%.8g" % v) for v in t.detach().flatten().tolist()]


def run(fields, y):
    c = SimpleNamespace(**{**DEFAULTS, **fields})
    g = Generator("image")
    x = torch.tensor([2 * g.next() - 1 for _ in range(BATCH * c.in_channels * SIZE * SIZE)], dtype=torch.float64)
    x = x.float().double().reshape(BATCH, c.in_channels, SIZE, SIZE)
    net = UNet(c).double()
    with torch.no_grad():
        for name, p in net.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                p.copy_(value(name, p.shape))
    out = {"config": vars(c), "names": [n for n in net.state_dict() if not n.endswith("num_batches_tracked")]}
    net.eval()
    out["eval"] = digits(net(x))[::EVERY]
    net.train()
    opt = torch.optim.Adam(net.parameters(), LR)
    out["losses"] = []
    for step in range(STEPS):
        opt.zero_grad()
        z = net(x)
        l = loss(z, y)
        l.backward()
        if step == 0:
            if c.norm == "batch":
                out["train"] = digits(z)[::EVERY]
            out["gradients"] = {n: float("%.8g" % p.grad.norm()) for n, p in net.named_parameters()}
        opt.step()
        out["losses"].append(float("%.10g" % l.item()))
    if c.norm == "batch":
        out["running"] = digits(torch.cat([v for n, v in net.state_dict().items() if n.endswith(("running_mean", "running_var"))]))[::EVERY]
    return out


def main():
    g, y = Generator("labels"), []
    for _ in range(BATCH * SIZE * SIZE):
        u = g.next()
        y.append(IGNORED if u < 0.1 else int(u * 10) % CLASSES)
    y = torch.tensor(y).reshape(BATCH, SIZE, SIZE)
    print(json.dumps({k: run(v, y) for k, v in VARIANTS.items()}, separators=(",", ":")))


main()
