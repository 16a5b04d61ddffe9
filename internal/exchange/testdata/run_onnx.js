// Runs ONNX models: node run_onnx.js JOBS.json, a list of
// {"model", "input", "shape", "output"}; tensors are raw float32.
'use strict';
const fs = require('fs');
const ort = require('onnxruntime-node');
(async () => {
  let net, model;
  for (const job of JSON.parse(fs.readFileSync(process.argv[2]))) {
    if (model !== job.model) {
      model = job.model;
      net = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
    }
    const b = fs.readFileSync(job.input);
    const x = new Float32Array(b.buffer.slice(b.byteOffset, b.byteOffset + b.length));
    const out = await net.run({ [net.inputNames[0]]: new ort.Tensor('float32', x, job.shape) });
    const y = out[net.outputNames[0]].data;
    fs.writeFileSync(job.output, Buffer.from(y.buffer, y.byteOffset, y.byteLength));
  }
})().catch((e) => { console.error(e); process.exit(1); });
