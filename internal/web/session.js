// What belongs to one opened file: its requests, its results and its state.

import { decodeMask } from "./mask.js";
import { ask, Problem, whole } from "./server.js";
import { stem } from "./source.js";
import { floats } from "./values.js";
import { unzip } from "./zip.js";

const keptFrames = 24;

// Session is a file, or the files of an image's channels, under one model. Another file or another model is another
// session, so that whatever comes late from an earlier one has no place in the
// present one. end gives up its requests; nothing of it is shown after that.
export class Session {
  shown = null;       // the frame on the screen, as frame returns it
  wanted = 1;         // number of the frame that was asked for last
  hidden = new Set(); // classes that are not drawn
  tasks = 0;          // requests under way

  #taken;
  #frames = new Map(); // of frames by number, so that going back is at once
  #life = new AbortController();
  #turn = null; // AbortController of the frame under way

  // model is a name of v1/models, or auto; channels says whether it may take
  // channels that are files of their own.
  constructor(source, model, channels) {
    this.source = source;
    this.model = model;
    this.#taken = source.take(channels);
  }

  get name() { return this.#taken.name; }
  get notice() { return this.#taken.notice; }
  get stem() { return stem(this.name); } // names what is made of the file

  end() {
    this.#turn?.abort();
    this.#life.abort();
  }

  // turn gives up the frame under way and returns the signal of the next one.
  turn() {
    this.#turn?.abort();
    this.#turn = new AbortController();
    return this.#turn.signal;
  }

  // frame returns all there is of a frame: {base, mask or values, result, …}.
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

  // object returns a DICOM object, of one frame or, without a number, of all, as a
  // Blob, and what the server warns of.
  async object(output, number, extra) {
    const answer = await this.#segment(output, number, this.#life.signal, extra);
    return { blob: await whole(answer, "blob"), warnings: answer.headers.get("Segd-Warnings") ?? "" };
  }

  // #segment asks for an output of a frame; without one, of all.
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

  // #load gets all there is of a frame in one answer, so that the network runs
  // once: the picture, the measurements, and the mask or, of a model of values,
  // these.
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

// readable refuses a folder, and a file that was replaced or removed since it was
// chosen: a browser reads nothing more of it.
async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Problem("This cannot be read", `${file.name} is a folder, or has changed or gone since it was chosen. Choose a file, again if need be.`);
  }
}

// bitmapData returns the pixels of a PNG as they are stored.
async function bitmapData(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  return pen.getImageData(0, 0, bitmap.width, bitmap.height);
}
