"""Exports U-Nets from PyTorch: python3 make_torch.py FOLDER [all].

Writes state dicts (NAME.pt), ONNX files (NAME.onnx), an image (NAME.in) and
PyTorch's logits (NAME.out) for each as raw float32, and cases.json with their
shapes. segd's variants are exported alternately in one of two ways; with all, each
is exported in both. Names and layout of the modules are those of the repositories
that statedict.go knows. Weights are random.
"""
import json
import os
import sys
import warnings
from types import SimpleNamespace

import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
REFERENCE = os.path.join(HERE, "..", "..", "..", "unet", "testdata", "torch_reference.py")
out, cases = sys.argv[1], []
warnings.filterwarnings("ignore")
torch.set_num_threads(1)


class DoubleConv(nn.Module):
    def __init__(self, i, o, bias, eps):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(i, o, 3, padding=1, bias=bias), nn.BatchNorm2d(o, eps), nn.ReLU(inplace=True),
            nn.Conv2d(o, o, 3, padding=1, bias=bias), nn.BatchNorm2d(o, eps), nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, i, o, *a):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(i, o, *a))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, i, o, *a):
        super().__init__()
        self.up, self.conv = nn.ConvTranspose2d(i, o, 2, 2), DoubleConv(i, o, *a)

    def forward(self, x, skip):
        x = self.up(x)
        dy, dx = skip.size()[2] - x.size()[2], skip.size()[3] - x.size()[3]
        x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return self.conv(torch.cat([skip, x], dim=1))


class OutConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv = nn.Conv2d(i, o, 1)

    def forward(self, x):
        return self.conv(x)


class Milesial(nn.Module):
    """UNet of milesial/Pytorch-UNet with bilinear=False."""

    def __init__(self, channels, classes, width=8, depth=4, bias=False, eps=1e-5):
        super().__init__()
        self.depth = depth
        self.inc = DoubleConv(channels, width, bias, eps)
        for k in range(1, depth + 1):
            setattr(self, f"down{k}", Down(width << k - 1, width << k, bias, eps))
        for k in range(1, depth + 1):
            setattr(self, f"up{k}", Up(width << depth - k + 1, width << depth - k, bias, eps))
        self.outc = OutConv(width, classes)

    def forward(self, x):
        skips = [self.inc(x)]
        for k in range(1, self.depth + 1):
            skips.append(getattr(self, f"down{k}")(skips[-1]))
        x = skips.pop()
        for k in range(1, self.depth + 1):
            x = getattr(self, f"up{k}")(x, skips.pop())
        return self.outc(x)


class Brain(nn.Module):
    """UNet of mateuszbuda/brain-segmentation-pytorch, without its logistic function."""

    def __init__(self, channels, classes, width=8, depth=4):
        super().__init__()
        self.depth = depth

        def block(i, o, name):
            b = nn.Sequential()
            for k in "12":
                b.add_module(name + "conv" + k, nn.Conv2d(i, o, 3, padding=1, bias=False))
                b.add_module(name + "norm" + k, nn.BatchNorm2d(o))
                b.add_module(name + "relu" + k, nn.ReLU(inplace=True))
                i = o
            return b

        for k in range(1, depth + 1):
            setattr(self, f"encoder{k}", block(width << k - 2 if k > 1 else channels, width << k - 1, f"enc{k}"))
        self.bottleneck = block(width << depth - 1, width << depth, "bottleneck")
        for k in range(depth, 0, -1):
            setattr(self, f"upconv{k}", nn.ConvTranspose2d(width << k, width << k - 1, 2, 2))
            setattr(self, f"decoder{k}", block(width << k, width << k - 1, f"dec{k}"))
        self.conv = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for k in range(1, self.depth + 1):
            skips.append(getattr(self, f"encoder{k}")(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for k in range(self.depth, 0, -1):
            x = torch.cat((getattr(self, f"upconv{k}")(x), skips[k - 1]), dim=1)
            x = getattr(self, f"decoder{k}")(x)
        return self.conv(x)


def scramble(net, seed):
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.state_dict().items():
            if p.dtype != torch.float32:
                continue
            if name.endswith("running_var") or p.dim() == 1 and name.endswith("weight"):
                p.copy_(0.5 + torch.rand(p.shape, generator=g))
            elif p.dim() == 1:
                p.copy_(0.2 * torch.randn(p.shape, generator=g))
            else:
                p.copy_(torch.randn(p.shape, generator=g) * (2 / p[0].numel()) ** 0.5)
    return net.eval()


def case(name, net, x, **more):
    with torch.no_grad():
        y = net(x)
    x.numpy().astype("<f4").tofile(os.path.join(out, name + ".in"))
    y.numpy().astype("<f4").tofile(os.path.join(out, name + ".out"))
    cases.append({"name": name, "shape": list(x.shape), "classes": y.shape[1], **more})


def path(name):
    return os.path.join(out, name)


def state_dicts():
    torch.manual_seed(1)
    x = torch.randn(1, 3, 32, 48)
    net = scramble(Milesial(3, 2), 1)
    torch.save({**net.state_dict(), "mask_values": [0, 255]}, path("milesial.pt"))
    case("milesial", net, x, file="milesial.pt")
    net = scramble(Milesial(3, 1, bias=True), 2)
    torch.save({"epoch": 3, "best": 0.5, "done": True, "history": [], "state_dict": nn.DataParallel(net).state_dict()}, path("parallel.pt"))
    case("parallel", net, x, file="parallel.pt")
    net = scramble(Milesial(3, 4, eps=1e-3, depth=3), 3)
    torch.save(net.state_dict(), path("eps.pt"))
    case("eps", net, x, file="eps.pt", eps=1e-3)
    net = scramble(Milesial(3, 4, depth=2).to(memory_format=torch.channels_last), 3)
    torch.save(net.state_dict(), path("strides.pt"), pickle_protocol=4)
    case("strides", net, x, file="strides.pt")
    net = scramble(Milesial(3, 2, depth=2), 4)
    torch.save(net.half().state_dict(), path("half.pt"))
    case("half", net.float(), x, file="half.pt")
    torch.save(net.double().state_dict(), path("double.pt"))
    case("double", net.float(), x, file="double.pt")
    torch.save(net.bfloat16().state_dict(), path("bfloat.pt"))
    case("bfloat", net.float(), x, file="bfloat.pt")
    net = scramble(Brain(3, 1), 5)
    torch.save(net.state_dict(), path("brain.pt"))
    case("brain", net, x, file="brain.pt")
    torch.save(net, path("module.pt"))
    torch.save(net.state_dict(), path("legacy.pt"), _use_new_zipfile_serialization=False)


def export(name, net, x, **options):
    with torch.no_grad():
        torch.onnx.export(net, x, path(name + ".onnx"), **options)
    case(name, net, x, file=name + ".onnx")


def onnx_files():
    x = torch.randn(1, 3, 32, 48)
    free = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n", 2: "h", 3: "w"}, "y": {0: "n", 2: "h", 3: "w"}}}
    training = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    export("folded", scramble(Milesial(3, 2), 11), x)
    export("free", scramble(Milesial(3, 2), 12), x, **free)
    export("kept", scramble(Milesial(3, 1, bias=True, eps=1e-3), 13), x, opset_version=17, **training, **free)
    export("old", scramble(Milesial(3, 3, depth=2), 14), x, opset_version=11, **training)
    export("up first", scramble(Brain(3, 1), 15), x, **free)
    export("sigmoid", nn.Sequential(scramble(Brain(3, 1), 16), nn.Sigmoid()), x)
    cases.pop()
    case("sigmoid", scramble(Brain(3, 1), 16), x, file="sigmoid.onnx")
    export("softmax", nn.Sequential(scramble(Brain(3, 3), 16), nn.Softmax(1)), x)
    cases.pop()
    case("softmax", scramble(Brain(3, 3), 16), x, file="softmax.onnx")
    with open(REFERENCE) as f:
        reference = {}
        exec(f.read().rsplit("main()", 1)[0], reference)
    for i, (name, fields) in enumerate(reference["VARIANTS"].items()):
        c = SimpleNamespace(**{**reference["DEFAULTS"], **fields})
        x = torch.randn(1, c.in_channels, 32, 48)
        net = scramble(reference["UNet"](c), 20)
        if i % 2 == 0 or "all" in sys.argv:
            export("reference " + name, net, x, opset_version=17, **free)
        if i % 2 == 1 or "all" in sys.argv:
            export("kept " + name, net, x, opset_version=17, **training)


state_dicts()
onnx_files()
with open(path("cases.json"), "w") as f:
    json.dump(cases, f)
