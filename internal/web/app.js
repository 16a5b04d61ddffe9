// The page: takes a file, asks the server, shows what it answers.

import { compose, decodeMask } from "./mask.js";
import { showCard, showFound, showHow, showModels, showValues } from "./panel.js";
import { composeValues, floats } from "./values.js";
import { unzip } from "./zip.js";

const $ = (id) => document.getElementById(id);

let cards = [];          // of the models, as v1/models gives them
let file = null;         // what is segmented
let shown = null;        // its result on the screen: {base, mask or values, result, …}
let kept = new Map();    // results of the file's frames, by number
let hidden = new Set();  // classes that are not drawn
let running = null;      // AbortController of the request under way

// Problem is an error in words: a title and what lies behind it.
class Problem extends Error {
  constructor(title, detail) {
    super(detail);
    this.title = title;
  }
}

// ask fetches an address below the page's and turns what fails into a Problem.
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (err) {
    if (err.name === "AbortError") {
      throw err;
    }
    throw new Problem("The server does not answer", "Is segd still running, and is the network up? Then try again.");
  }
  if (answer.ok) {
    return answer;
  }
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(heading(problem), sentence(problem.detail ?? `the server answered with status ${answer.status}`));
}

// sentence makes one of a detail, which begins with a package and a kind, as
// in "scanio: malformed input: 12 bytes": the heading says the kind.
function sentence(detail) {
  const text = detail.replace(/^[a-z0-9]+: [a-z ]+: /, "");
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// heading says in a few words what went wrong, by the problem's stable type.
function heading(problem) {
  switch (problem.type?.replace("urn:segd:problem:", "")) {
    case "malformed-input": return "This file is damaged or cut off";
    case "too-large": return "This is too large";
    case "unsupported": return "This kind of file is not supported";
    case "unprocessable": return "This cannot be segmented";
    case "not-found": return "There is no such model or frame";
    case "busy": return "The server is busy; try again in a moment";
    case "timeout": return "This took too long";
    case "slow-upload": return "The upload took too long";
    case "internal": return "The server failed";
  }
  return problem.title ?? "Something went wrong";
}

// segment asks for an output of a frame; without one, of all.
function segment(output, frame, signal, extra = {}) {
  const query = new URLSearchParams({ model: $("model").value, output, ...extra });
  if (frame) {
    query.set("frame", frame);
  }
  const body = new FormData();
  body.append("file", file, file.name);
  return ask(`v1/segment?${query}`, { method: "POST", body, signal });
}

// bitmapData returns the pixels of a PNG as they are stored.
async function bitmapData(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  return pen.getImageData(0, 0, bitmap.width, bitmap.height);
}

// load gets all there is of a frame in one answer, so that the network runs once:
// the picture, the measurements, and the mask or, of a model of values, these.
async function load(frame, signal) {
  const start = performance.now();
  const answer = await segment("zip", frame, signal);
  const buffer = await answer.arrayBuffer().catch((err) => {
    if (err.name === "AbortError") {
      throw err;
    }
    throw new Problem("The answer was cut off", "Try again; if that happens again, the server's log says why.");
  });
  const files = await unzip(buffer);
  const named = (kind, ending) => files.get(`${kind}_${String(frame).padStart(4, "0")}.${ending}`);
  const blob = (bytes, type) => bytes && new Blob([bytes], { type });
  const text = new TextDecoder().decode(files.get("segd.json"));
  const result = JSON.parse(text);
  const base = await bitmapData(blob(named("image", "png"), "image/png"));
  const mask = named("mask", "png"), tiff = named("tiff", "tiff");
  return {
    base, text, result,
    mask: mask && await decodeMask(mask.buffer),
    values: tiff && floats(tiff, base.width * base.height),
    files: { mask: blob(mask, "image/png"), value: blob(named("value", "png"), "image/png"), tiff: blob(tiff, "image/tiff") },
    frame: result.frames[0],
    seconds: (performance.now() - start) / 1000,
  };
}

// show segments a frame of the file and puts it on the screen. What was asked
// before and is not there yet is given up.
async function show(number) {
  running?.abort();
  const control = running = new AbortController();
  problem(null);
  try {
    let r = kept.get(number);
    if (!r) {
      busy(`Segmenting ${file.name}…`);
      r = await load(number, control.signal);
      keep(number, r);
    }
    if (control.signal.aborted) {
      return;
    }
    shown = r;
    present(number);
    say(`${file.name}: done in ${r.seconds.toFixed(1)} s.`);
  } catch (err) {
    if (control.signal.aborted) {
      return;
    }
    if (kept.size === 0) {
      clear();
    } else { // another frame of the same file is still shown
      present(shown.frame.frame);
    }
    problem(err, file.name);
  } finally {
    if (running === control) {
      running = null;
      busy(null);
    }
  }
}

// keep holds on to the latest frames, so that going back is at once.
function keep(number, r) {
  kept.set(number, r);
  if (kept.size > 24) {
    kept.delete(kept.keys().next().value);
  }
}

function present(number) {
  const { result, frame, values } = shown;
  const card = cards.find((c) => c.name === result.model);
  draw();
  $("canvas").hidden = false;
  $("canvas").dataset.frame = number;
  $("drop").hidden = true;
  $("tools").hidden = false;
  const found = values ? [frame.values ? `Values from ${frame.values.min} to ${frame.values.max}` : "No value is a number"]
    : frame.classes.filter((c) => c.pixels > 0).map((c) => `${c.name} ${c.pixels} pixels`);
  $("canvas").setAttribute("aria-label", `${file.name}, ${frame.width} by ${frame.height} pixels. ${found.join(", ") || "Nothing found"}.`);
  const count = result.frame_count;
  $("frames").hidden = count < 2;
  $("frame").max = count;
  $("frame").value = number;
  $("frame-value").textContent = `${number} of ${count}`;
  $("frame-back").disabled = number <= 1;
  $("frame-on").disabled = number >= count;
  $("objects").hidden = result.format !== "dicom" || Boolean(values);
  $("get-mask").hidden = Boolean(values);
  $("get-value").hidden = $("get-tiff").hidden = !values;
  values ? showValues(shown) : showFound(shown, card, hidden, toggle);
  showHow(shown, card);
  about(card);
}

// about shows a model's card, or what models there are.
function about(card) {
  showCard(card);
  $("models").hidden = Boolean(card) || cards.length === 0;
}

function draw() {
  const { base, mask, values } = shown;
  const canvas = $("canvas");
  if (canvas.width !== base.width || canvas.height !== base.height) {
    canvas.width = base.width;
    canvas.height = base.height;
  }
  // The image fills the stage, small ones with square pixels, in the shape that
  // it has in millimetres where they are known.
  const s = shown.frame.spacing;
  const tall = s?.row_mm > 0 && s?.col_mm > 0 ? s.row_mm / s.col_mm : 1;
  const enlarge = Math.min($("view").clientWidth / base.width, 0.74 * innerHeight / (base.height * tall));
  canvas.style.width = `${Math.floor(base.width * enlarge)}px`;
  canvas.style.aspectRatio = base.width / (base.height * tall);
  canvas.classList.toggle("enlarged", enlarge >= 2);
  const opacity = $("opacity").value / 100;
  const picture = values ? composeValues(base, values, shown.frame.values ?? {}, opacity) : compose(base, mask, opacity, hidden);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function toggle(index, on) {
  on ? hidden.delete(index) : hidden.add(index);
  draw();
}

// clear takes the old result off the screen: it does not belong to what failed.
function clear() {
  shown = null;
  for (const id of ["canvas", "tools", "found", "how"]) {
    $(id).hidden = true;
  }
  $("drop").hidden = false;
  about(cards.find((c) => c.name === $("model").value));
}

function busy(text) {
  $("view").setAttribute("aria-busy", String(text !== null));
  $("busy").hidden = text === null;
  $("sample").disabled = text !== null;
  if (text !== null) {
    say(text);
  }
}

function say(text) {
  $("status").textContent = text;
}

function problem(err, name) {
  $("problem").hidden = err === null;
  if (err === null) {
    return;
  }
  $("problem-title").textContent = (name ? `${name}: ` : "") + (err.title ?? "Something went wrong");
  $("problem-detail").textContent = err.message;
  say("");
}

function open(f) {
  file = f;
  kept = new Map();
  hidden = new Set();
  show(1);
}

// save hands a Blob to the browser as a download.
function save(blob, ending, stem = file.name.replace(/\.[^.]*$/, "")) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = stem + ending;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// saveObject fetches a DICOM object and hands it on: of all frames, but for the
// Secondary Capture. Its name does not tell of the patient where it must not.
async function saveObject(output) {
  problem(null);
  busy(`Making the ${output.toUpperCase()}…`);
  try {
    const frame = output === "sc" ? shown.frame.frame : null;
    const clean = $("deidentify").checked;
    const answer = await segment(output, frame, undefined, clean ? { deidentify: 1 } : {});
    const ending = output === "sc" ? frameEnding("-sc.dcm") : `-${output}.dcm`;
    save(await answer.blob(), ending, clean ? "deidentified" : undefined);
    say(answer.headers.get("Segd-Warnings") ?? "");
  } catch (err) {
    problem(err, file.name);
  } finally {
    busy(null);
  }
}

function frameEnding(ending) {
  const count = shown.result.frame_count ?? shown.result.frames.length;
  return count > 1 ? `_${String(shown.frame.frame).padStart(4, "0")}${ending}` : ending;
}

function listen() {
  $("form").addEventListener("submit", (e) => e.preventDefault());
  $("file").addEventListener("change", (e) => {
    if (e.target.files.length > 0) {
      open(e.target.files[0]);
    }
    e.target.value = ""; // the same file again is a change again
  });
  $("sample").addEventListener("click", async () => {
    problem(null);
    busy("Fetching the sample…");
    try {
      const blob = await (await ask("v1/sample.png")).blob();
      open(new File([blob], "sample.png", { type: "image/png" }));
    } catch (err) {
      busy(null);
      problem(err);
    }
  });
  $("model").addEventListener("change", () => {
    about(cards.find((c) => c.name === $("model").value));
    if (file) {
      kept = new Map();
      hidden = new Set();
      show(shown ? Number($("frame").value) : 1);
    }
  });
  $("opacity").addEventListener("input", () => {
    $("opacity-value").textContent = `${$("opacity").value} %`;
    draw();
  });
  $("frame").addEventListener("input", () => {
    $("frame-value").textContent = `${$("frame").value} of ${$("frame").max}`;
  });
  $("frame").addEventListener("change", () => show(Number($("frame").value)));
  $("frame-back").addEventListener("click", () => show(Number($("frame").value) - 1));
  $("frame-on").addEventListener("click", () => show(Number($("frame").value) + 1));

  $("get-overlay").addEventListener("click", () => $("canvas").toBlob((b) => save(b, frameEnding("-overlay.png"))));
  $("get-mask").addEventListener("click", () => save(shown.files.mask, frameEnding("-mask.png")));
  $("get-value").addEventListener("click", () => save(shown.files.value, frameEnding("-value.png")));
  $("get-tiff").addEventListener("click", () => save(shown.files.tiff, frameEnding("-value.tiff")));
  $("get-json").addEventListener("click", () => save(new Blob([shown.text], { type: "application/json" }), frameEnding(".json")));

  for (const button of document.querySelectorAll("#objects [data-output]")) {
    button.addEventListener("click", () => saveObject(button.dataset.output));
  }

  let depth = 0; // dragenter and dragleave also come from the elements within
  const over = (step) => {
    depth = step === 0 ? 0 : Math.max(0, depth + step);
    document.body.classList.toggle("over", depth > 0);
  };
  addEventListener("dragenter", (e) => { e.preventDefault(); over(1); });
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (e) => e.preventDefault());
  addEventListener("drop", (e) => {
    e.preventDefault();
    over(0);
    if (e.dataTransfer.files.length > 0) {
      open(e.dataTransfer.files[0]);
    }
  });
  addEventListener("paste", (e) => {
    if (e.clipboardData.files.length > 0) {
      open(e.clipboardData.files[0]);
    }
  });
  addEventListener("resize", () => shown && draw());
}

async function start() {
  $("origin").textContent = new URL(".", location).href;
  listen();
  try {
    cards = (await (await ask("v1/models")).json()).models;
  } catch (err) {
    problem(err);
    return;
  }
  for (const c of cards) {
    $("model").append(new Option(c.title || c.name, c.name));
  }
  showModels(cards);
  about(null);
  if (cards.length === 0) {
    say("This server has no models yet: start it with --models DIR.");
  }
}

start();
