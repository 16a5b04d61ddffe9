// The requests, results and state of one opened file.

import { decodeMask } from "./mask.js";
import { ask, Problem, whole } from "./server.js";
import { stem } from "./source.js";
import { floats } from "./values.js";
import { unzip } from "./zip.js";

const keptFrames = 24;

// Session is one file, or the files of an image's channels, with one model. Another
// file or model is another session, so late answers for an earlier session cannot
// reach the current one. end cancels its requests; nothing of it is shown afterwards.
export class Session {
  shown = null;       // the frame on the screen, as frame returns it
  wanted = 1;         // number of the frame requested last
  hidden = new Set(); // classes that are not drawn
  tasks = 0;          // requests under way

  #taken;
  #frames = new Map(); // by frame number, so that going back is immediate
  #life = new AbortController();
  #turn = null; // AbortController of the running request

  // model is a name from v1/models, or auto; channels says whether it may take
  // several channels in separate files.
  constructor(source, model, channels) {
    this.source = source;
    this.model = model;
    this.#taken = source.take(channels);
  }

  get name() { return this.#taken.name; }
  get notice() { return this.#taken.notice; }
  get stem() { return stem(this.name); } // base name of the outputs

  end() {
    this.#turn?.abort();
    this.#life.abort();
  }

  // turn cancels the running request and returns the signal for the next one.
  turn() {
    this.#turn?.abort();
    this.#turn = new AbortController();
    return this.#turn.signal;
  }

  // frame returns everything about a frame: {base, mask or values, result, …}.
  async frame(number, signal) {
    let r = this.#frames.get(number);
    if (!r) {
      r = await this.#load(number, signal);
      this.#frames.set(number, r);
      if (this.#frames.size > keptFrames) {
        this.#frames.delete(this.#frames.keys().next().value);
      }
    }
    return r;
  }

  // object returns a DICOM object as a Blob, with the server's warnings. Without a
  // number it covers all frames.
  async object(output, number, extra) {
    const answer = await this.#segment(output, number, this.#life.signal, extra);
    return { blob: await whole(answer, "blob"), warnings: answer.headers.get("Segd-Warnings") ?? "" };
  }

  // #segment requests an output for one frame or, without a number, for all.
  async #segment(output, number, signal, extra = {}) {
    const query = new URLSearchParams({ model: this.model, output, ...extra });
    if (number) {
      query.set("frame", number);
    }
    const body = new FormData();
    for (const [field, file] of await this.#taken.parts(signal)) {
      await readable(file);
      body.append(field, file, file.name);
    }
    return ask(`v1/segment?${query}`, { method: "POST", body, signal });
  }

  // #load gets everything about a frame in one answer, so that the network runs
  // once: the picture, the measurements, and the mask or values.
  async #load(number, signal) {
    const start = performance.now();
    const files = await unzip(await whole(await this.#segment("zip", number, signal), "arrayBuffer"));
    const named = (kind, ending) => files.get(`${kind}_${String(number).padStart(4, "0")}.${ending}`);
    const blob = (bytes, type) => bytes && new Blob([bytes], { type });
    const text = new TextDecoder().decode(files.get("segd.json"));
    const result = JSON.parse(text);
    const base = await bitmapData(blob(named("image", "png"), "image/png"));
    const mask = named("mask", "png"), tiff = named("tiff", "tiff");
    return {
      number, base, text, result,
      mask: mask && await decodeMask(mask.buffer),
      values: tiff && floats(tiff, base.width * base.height),
      files: { mask: blob(mask, "image/png"), value: blob(named("value", "png"), "image/png"), tiff: blob(tiff, "image/tiff") },
      frame: result.frames[0],
      seconds: (performance.now() - start) / 1000,
    };
  }
}

// readable rejects folders, and files that were changed or removed after they were
// chosen, which a browser can no longer read.
async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Problem("Cannot read this file", `${file.name} is a folder, or was changed or removed after you chose it. Choose a file.`);
  }
}

// bitmapData returns the stored pixels of a PNG.
async function bitmapData(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  return pen.getImageData(0, 0, bitmap.width, bitmap.height);
}
