"""Runs segd's weights in PyTorch: python3 load_torch.py JOBS.json, a list of
{"model", "network", "input", "shape", "output"}. model is a safetensors file and
network is the key of model.json. Tensors are raw float32. The script parses the
file itself, as described in github.com/huggingface/safetensors, so it needs only
PyTorch.
"""
import json
import os
import struct
import sys
from types import SimpleNamespace

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
reference = {}
with open(os.path.join(HERE, "..", "..", "..", "unet", "testdata", "torch_reference.py")) as f:
    exec(f.read().rsplit("main()", 1)[0], reference)
torch.set_num_threads(1)


def read(path):
    with open(path, "rb") as f:
        b = bytearray(f.read())
    (n,) = struct.unpack("<Q", b[:8])
    kinds, out = {"F32": torch.float32, "F16": torch.float16}, {}
    for name, e in json.loads(b[8 : 8 + n]).items():
        i, j = e["data_offsets"]
        out[name] = torch.frombuffer(b[8 + n + i : 8 + n + j], dtype=kinds[e["dtype"]]).reshape(e["shape"])
    return out


def raw(path, shape):
    with open(path, "rb") as f:
        return torch.frombuffer(bytearray(f.read()), dtype=torch.float32).reshape(shape)


with open(sys.argv[1]) as f:
    jobs = json.load(f)
for job in jobs:
    c = SimpleNamespace(**{**reference["DEFAULTS"], **job["network"]})
    reference.update(WIDTH=c.width, DEPTH=c.depth, CLASSES=c.out_channels, GROUPS=getattr(c, "groups", 0))
    net = reference["UNet"](c)
    weights = read(job["model"])
    names = [n for n in net.state_dict() if not n.endswith("num_batches_tracked")]
    assert names == list(weights), "names or their order differ"
    missing, unexpected = net.load_state_dict(weights, strict=False)
    assert not unexpected and all(n.endswith("num_batches_tracked") for n in missing)
    with torch.no_grad():
        y = net.eval()(raw(job["input"], job["shape"]))
    with open(job["output"], "wb") as f:
        f.write(y.numpy().astype("<f4").tobytes())
