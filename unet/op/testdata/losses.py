"""Writes losses.json: loss and gradient of every segmentation loss, in float64.

    python3 losses.py > losses.json

Made with PyTorch 1.13.1. The terms follow their papers and are differentiated
by autograd. Cross-entropy with class weights is PyTorch's own.
"""
import json
import math

import torch

N, C, H, W = 2, 3, 4, 5
IGNORED = 255


def inputs():
    logits = torch.tensor([3 * math.sin(0.7 * i) for i in range(N * C * H * W)], dtype=torch.float64)
    labels = torch.tensor([[0, 1, 2, 1, 0, IGNORED, 2][i % 7] for i in range(N * H * W)])
    weights = torch.tensor([1 + 2 * math.cos(0.3 * i) ** 2 for i in range(N * H * W)], dtype=torch.float64)
    return logits.reshape(N, C, H, W).requires_grad_(), labels.reshape(N, H, W), weights.reshape(N, H, W)


def loss(case):
    logits, labels, weights = inputs()
    known = labels != IGNORED
    classes = torch.tensor(case.get("Classes") or [1.0] * C, dtype=torch.float64)
    y = torch.where(known, labels, 0)
    total = 0
    if case.get("Pixel"):
        if case.get("Gamma") or case.get("Weighted"):
            log = torch.log_softmax(logits, 1).gather(1, y[:, None])[:, 0]
            w = classes[y] * known
            if case.get("Weighted"):
                w = w * weights
            total = total - (w * (1 - log.exp()) ** case.get("Gamma", 0) * log).sum() / w.sum()
        else:
            total = total + torch.nn.functional.cross_entropy(logits, labels, weight=classes, ignore_index=IGNORED)
    if case.get("Overlap"):
        p = torch.softmax(logits, 1)
        index = 0
        for c in range(1, C):
            hit = (labels == c).double()
            tp = (p[:, c] * hit).sum()
            fp = (p[:, c] * (1 - hit) * known).sum()
            fn = ((1 - p[:, c]) * hit).sum()
            index = index + classes[c] * (2 * tp + 1) / (2 * tp + 2 * case["Alpha"] * fp + 2 * case["Beta"] * fn + 1)
        total = total + 1 - index / classes[1:].sum()
    total.backward()
    return {**case, "Loss": total.item(), "Gradient": logits.grad.flatten().tolist()}


cases = [
    {"Name": "ce", "Pixel": True},
    {"Name": "dice", "Overlap": True, "Alpha": 0.5, "Beta": 0.5},
    {"Name": "ce+dice", "Pixel": True, "Overlap": True, "Alpha": 0.5, "Beta": 0.5},
    {"Name": "focal", "Pixel": True, "Gamma": 2},
    {"Name": "focal 0.5", "Pixel": True, "Gamma": 0.5},
    {"Name": "focal+tversky", "Pixel": True, "Gamma": 3, "Overlap": True, "Alpha": 0.3, "Beta": 0.7},
    {"Name": "tversky", "Overlap": True, "Alpha": 0.2, "Beta": 1.1},
    {"Name": "class weights", "Pixel": True, "Classes": [0.5, 2, 5], "Overlap": True, "Alpha": 0.5, "Beta": 0.5},
    {"Name": "border", "Pixel": True, "Weighted": True},
    {"Name": "border+dice, class weights", "Pixel": True, "Weighted": True, "Classes": [1, 3, 0.25], "Overlap": True, "Alpha": 0.5, "Beta": 0.5},
]
print(json.dumps([loss(c) for c in cases], indent=0))
