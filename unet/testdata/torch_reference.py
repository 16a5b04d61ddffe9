#!/usr/bin/python3
"""Reference numbers for the network of package unet, by PyTorch in float64.

    python3 torch_reference.py > torch_reference.json

Made with PyTorch 1.13.1. Weights, images and labels come from a generator of a
few lines that golden_test.go repeats, so only results are stored. The module
below is also the meaning of the names in a weights file.
"""
import json
import math
import zlib

import torch
import torch.nn as nn
import torch.nn.functional as F

CHANNELS, CLASSES, WIDTH, DEPTH, GROUPS = 1, 2, 8, 2, 4
BATCH, SIZE, STEPS, LR = 2, 16, 10, 1e-3
IGNORED, SMOOTH = 255, 1.0


def norm(kind, c):
    return {
        "none": lambda: nn.Identity(),
        "batch": lambda: nn.BatchNorm2d(c),
        "instance": lambda: nn.InstanceNorm2d(c, affine=True),
        "group": lambda: nn.GroupNorm(GROUPS, c),
    }[kind]()


class DoubleConv(nn.Module):
    def __init__(self, kind, i, o):
        super().__init__()
        bias = kind == "none"
        self.conv1, self.norm1 = nn.Conv2d(i, o, 3, padding=1, bias=bias), norm(kind, o)
        self.conv2, self.norm2 = nn.Conv2d(o, o, 3, padding=1, bias=bias), norm(kind, o)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(x)))


class UNet(nn.Module):
    def __init__(self, kind):
        super().__init__()
        w = [WIDTH << l for l in range(DEPTH + 1)]
        self.enc = nn.ModuleList(DoubleConv(kind, w[l - 1] if l else CHANNELS, w[l]) for l in range(DEPTH))
        self.bottleneck = DoubleConv(kind, w[DEPTH - 1], w[DEPTH])
        self.up = nn.ModuleList(nn.ConvTranspose2d(w[l + 1], w[l], 2, 2) for l in range(DEPTH))
        self.dec = nn.ModuleList(DoubleConv(kind, 2 * w[l], w[l]) for l in range(DEPTH))
        self.head = nn.Conv2d(WIDTH, CLASSES, 1)

    def forward(self, x):
        skip = []
        for e in self.enc:
            x = e(x)
            skip.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for l in reversed(range(DEPTH)):
            x = self.dec[l](torch.cat([skip[l], self.up[l](x)], 1))
        return self.head(x)


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


def run(kind, x, y):
    net = UNet(kind).double()
    with torch.no_grad():
        for name, p in net.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                p.copy_(value(name, p.shape))
    out = {"names": [n for n in net.state_dict() if not n.endswith("num_batches_tracked")]}
    net.eval()
    out["eval"] = digits(net(x))
    net.train()
    opt = torch.optim.Adam(net.parameters(), LR)
    out["losses"] = []
    for step in range(STEPS):
        opt.zero_grad()
        z = net(x)
        l = loss(z, y)
        l.backward()
        if step == 0:
            if kind == "batch":
                out["train"] = digits(z)
            out["gradients"] = {n: float("%.8g" % p.grad.norm()) for n, p in net.named_parameters()}
        opt.step()
        out["losses"].append(float("%.10g" % l.item()))
    if kind == "batch":
        out["running"] = digits(torch.cat([net.enc[0].norm1.running_mean, net.dec[0].norm2.running_var]))
    return out


def main():
    g = Generator("image")
    x = torch.tensor([2 * g.next() - 1 for _ in range(BATCH * CHANNELS * SIZE * SIZE)], dtype=torch.float64)
    x = x.float().double().reshape(BATCH, CHANNELS, SIZE, SIZE)
    g, y = Generator("labels"), []
    for _ in range(BATCH * SIZE * SIZE):
        u = g.next()
        y.append(IGNORED if u < 0.1 else int(u * 10) % CLASSES)
    y = torch.tensor(y).reshape(BATCH, SIZE, SIZE)
    print(json.dumps({k: run(k, x, y) for k in ("none", "batch", "instance", "group")}, separators=(",", ":")))


main()
