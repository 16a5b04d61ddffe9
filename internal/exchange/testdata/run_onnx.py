"""Runs ONNX models: python3 run_onnx.py JOBS.json, a list of
{"model", "input", "shape", "output"}; tensors are raw float32."""
import json
import os
import sys

import numpy as np
import onnxruntime as ort

try:
    from onnx import checker
except ImportError:
    checker = None

options = ort.SessionOptions()
options.intra_op_num_threads = 1
net, model = None, None
for job in json.load(open(sys.argv[1])):
    if model != job["model"]:
        model = job["model"]
        if checker and os.path.getsize(model) < 1 << 24:
            checker.check_model(model, full_check=True)
        net = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = np.fromfile(job["input"], "<f4").reshape(job["shape"])
    net.run(None, {net.get_inputs()[0].name: x})[0].astype("<f4").tofile(job["output"])
