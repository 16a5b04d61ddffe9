// What belongs to one opened file: its requests, its results and its state.

import { decodeMask } from "./mask.js";
import { ask, Problem, whole } from "./server.js";
import { floats } from "./values.js";
import { unzip } from "./zip.js";

const keptFrames = 24;

// Session is a file under one model. Another file or another model is another
// session, so that whatever comes late from an earlier one has no place in the
// present one. end gives up its requests; nothing of it is shown after that.
export class Session {
  shown = null;       // the frame on the screen, as frame returns it
  wanted = 1;         // number of the frame that was asked for last
  hidden = new Set(); // classes that are not drawn
  tasks = 0;          // requests under way

  #source;
  #frames = new Map(); // of frames by number, so that going back is at once
  #life = new AbortController();
  #turn = null; // AbortController of the frame under way

  // A source has the name of a file and files(signal), which resolves to its Files.
  // model is a name of v1/models, or auto.
  constructor(source, model) {
    this.#source = source;
    this.model = model;
  }

  get source() { return this.#source; }
  get name() { return this.#source.name; }

  // stem names what is made of the file: its name without the extension of a
  // scan. Other endings (1.2.840.10008) belong to the name.
  get stem() { return this.name.replace(/(?<=.)\.(png|jpe?g|tiff?|dcm|dicom|nii|nii\.gz)$/i, ""); }

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
    for (const file of await this.#source.files(signal)) {
      await readable(file);
      body.append("file", file, file.name);
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

// readable refuses a file that was replaced or removed since it was chosen, of
// which a browser reads nothing more.
async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Problem("This file has changed or is gone", "Choose it again to see what it holds now.");
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
