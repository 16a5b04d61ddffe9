// The page takes a file, sends it to the server, and shows the answer.

import { compose } from "./mask.js";
import { showCard, showFound, showHow, showModels, showValues } from "./panel.js";
import { ask, Problem } from "./server.js";
import { Session } from "./session.js";
import { local, sample } from "./source.js";
import { composeValues } from "./values.js";

const $ = (id) => document.getElementById(id);

let cards = [];     // model cards from v1/models
let current = null; // the session on the screen; no other session may write to it
let standing = "";  // notice of the page, in addition to that of the session

// begin opens a source at a frame with the chosen model. It ends the previous
// session and clears the screen at once.
function begin(source, number = 1) {
  current?.end();
  const model = $("model").value;
  current = new Session(source, model, model === "auto" ? cards.some(severalChannels) : severalChannels(chosen()));
  clear();
  showNotice();
  show(current, number);
}

// show segments a frame of a session and puts it on the screen. It cancels an
// earlier request that is still running.
async function show(s, number) {
  const signal = s.turn();
  s.wanted = number;
  problem(s, null);
  place(s);
  try {
    const r = await during(s, `Segmenting ${s.name}…`, () => s.frame(number, signal));
    if (signal.aborted) {
      return;
    }
    s.shown = r;
    present(s);
    say(s, `${s.name}: done in ${r.seconds.toFixed(1)} s.`);
  } catch (err) {
    if (signal.aborted) {
      return;
    }
    if (s.shown) { // another frame of the file stays on the screen
      s.wanted = s.shown.number;
      present(s);
    } else {
      empty(s);
    }
    problem(s, err);
  }
}

// during runs a task of a session and marks the session as busy meanwhile.
async function during(s, text, task) {
  s.tasks++;
  busy(s);
  say(s, text);
  try {
    return await task();
  } finally {
    s.tasks--;
    busy(s);
  }
}

function busy(s) {
  if (s === current) {
    $("view").setAttribute("aria-busy", String(s.tasks > 0));
    $("busy").hidden = s.tasks === 0;
  }
}

// clear removes everything of a session from the screen. The view keeps its height
// until there is something else to show.
function clear() {
  $("view").style.minHeight = `${$("view").clientHeight}px`;
  for (const id of ["canvas", "tools", "found", "how", "drop", "problem"]) {
    $(id).hidden = true;
  }
  $("canvas").width = $("canvas").height = 0;
  delete $("canvas").dataset.frame;
  about(chosen());
}

// empty restores the drop area after the first frame of a session failed.
function empty(s) {
  if (s === current) {
    $("view").style.minHeight = "";
    $("drop").hidden = false;
  }
}

// present shows the current result of a session.
function present(s) {
  if (s !== current) {
    return;
  }
  const { number, result, frame, values } = s.shown;
  const card = cards.find((c) => c.name === result.model);
  draw();
  $("view").style.minHeight = "";
  $("canvas").hidden = false;
  $("canvas").dataset.frame = number;
  $("drop").hidden = true;
  $("tools").hidden = false;
  const found = values ? [frame.values ? `Values from ${frame.values.min} to ${frame.values.max}` : "No finite values"]
    : frame.classes.filter((c) => c.pixels > 0).map((c) => `${c.name} ${c.pixels} pixels`);
  $("canvas").setAttribute("aria-label", `${s.name}, ${frame.width} by ${frame.height} pixels. ${found.join(", ") || "Nothing found"}.`);
  place(s);
  $("objects").hidden = result.format !== "dicom" || Boolean(values);
  $("get-mask").hidden = Boolean(values);
  $("get-value").hidden = $("get-tiff").hidden = !values;
  values ? showValues(s.shown) : showFound(s.shown, card, s.hidden, (index, on) => {
    on ? s.hidden.delete(index) : s.hidden.add(index);
    draw();
  });
  showHow(s.name, s.shown, card);
  about(card);
}

// place shows which frame was requested. Until it arrives, the figures of the
// previous frame are dimmed.
function place(s) {
  if (s !== current) {
    return;
  }
  const count = s.shown?.result.frame_count ?? 1;
  $("frames").hidden = count < 2;
  $("frame").max = count;
  $("frame").value = s.wanted;
  $("frame-value").textContent = `${s.wanted} of ${count}`;
  $("frame-back").disabled = s.wanted <= 1;
  $("frame-on").disabled = s.wanted >= count;
  $("found").inert = $("how").inert = Boolean(s.shown) && s.shown.number !== s.wanted;
}

// severalChannels reports whether a model takes several channels in separate files.
function severalChannels(card) { return card?.channels?.length > 1; }

function chosen() { return cards.find((c) => c.name === $("model").value); }

// about shows a model's card, or the list of models.
function about(card) {
  showCard(card);
  $("models").hidden = Boolean(card) || cards.length === 0;
}

function draw() {
  const s = current;
  if (!s?.shown) {
    return;
  }
  const { base, mask, values, frame } = s.shown;
  const canvas = $("canvas");
  if (canvas.width !== base.width || canvas.height !== base.height) {
    canvas.width = base.width;
    canvas.height = base.height;
  }
  // The image fills the stage. Its aspect ratio is that in millimetres if the
  // spacing is known, else that of square pixels.
  const mm = frame.spacing;
  const tall = mm?.row_mm > 0 && mm?.col_mm > 0 ? mm.row_mm / mm.col_mm : 1;
  const enlarge = Math.min($("view").clientWidth / base.width, 0.74 * innerHeight / (base.height * tall));
  canvas.style.width = `${Math.floor(base.width * enlarge)}px`;
  canvas.style.aspectRatio = base.width / (base.height * tall);
  canvas.classList.toggle("enlarged", enlarge >= 2);
  const opacity = $("opacity").value / 100;
  const picture = values ? composeValues(base, values, frame.values ?? {}, opacity) : compose(base, mask, opacity, s.hidden);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function say(s, text) {
  if (s === current) {
    $("status").textContent = text;
  }
}

// problem shows an error of a session; null removes the one on the screen.
function problem(s, err) {
  if (s !== current) {
    return;
  }
  $("problem").hidden = err === null;
  if (err !== null) {
    $("problem-title").textContent = `${s.name}: ${err.title ?? "Something went wrong"}`;
    $("problem-detail").textContent = err.message;
    say(s, "");
  }
}

// showNotice shows messages that are not errors of a file.
function showNotice() {
  const text = [standing, current?.notice].filter(Boolean).join(" ");
  $("notice").textContent = text;
  $("notice").hidden = text === "";
}

// save hands a Blob to the browser as a download. The caller passes the name,
// because the current session may have changed meanwhile.
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// saveShown saves a file of the frame on the screen. get(shown) returns it or a
// promise of it.
async function saveShown(ending, get) {
  const s = current;
  if (!s?.shown) {
    return;
  }
  const name = s.stem + frameEnding(s.shown, ending);
  const blob = await get(s.shown);
  if (s !== current) {
    return;
  }
  blob ? save(blob, name) : problem(s, new Problem("Cannot save the picture", "It is too large for this browser."));
}

// saveObject fetches a DICOM object and saves it. The object covers all frames; a
// Secondary Capture covers one. The name of a de-identified object is neutral.
async function saveObject(output) {
  const s = current, shown = s?.shown;
  if (!shown) {
    return;
  }
  problem(s, null);
  try {
    const clean = $("deidentify").checked;
    const name = (clean ? "deidentified" : s.stem) + (output === "sc" ? frameEnding(shown, "-sc.dcm") : `-${output}.dcm`);
    const { blob, warnings } = await during(s, `Creating ${output.toUpperCase()}…`,
      () => s.object(output, output === "sc" ? shown.number : null, clean ? { deidentify: 1 } : {}));
    if (s === current) {
      save(blob, name);
      say(s, warnings);
    }
  } catch (err) {
    problem(s, err);
  }
}

function frameEnding({ number, result }, ending) {
  return result.frame_count > 1 ? `_${String(number).padStart(4, "0")}${ending}` : ending;
}

function canvasBlob() {
  return new Promise((done) => $("canvas").toBlob(done));
}

function listen() {
  $("form").addEventListener("submit", (e) => e.preventDefault());
  const take = (files) => files.length > 0 && begin(local([...files]));
  $("file").addEventListener("change", (e) => {
    take(e.target.files);
    e.target.value = ""; // so that choosing the same file again fires change
  });
  $("sample").addEventListener("click", () => begin(sample()));
  $("model").addEventListener("change", () => current ? begin(current.source, current.wanted) : about(chosen()));
  $("opacity").addEventListener("input", () => {
    $("opacity-value").textContent = `${$("opacity").value} %`;
    draw();
  });
  $("frame").addEventListener("input", () => {
    $("frame-value").textContent = `${$("frame").value} of ${$("frame").max}`;
  });
  const step = (number) => current?.shown && show(current, Math.min(Math.max(number, 1), current.shown.result.frame_count));
  $("frame").addEventListener("change", () => step(Number($("frame").value)));
  $("frame-back").addEventListener("click", () => step(current.wanted - 1));
  $("frame-on").addEventListener("click", () => step(current.wanted + 1));

  $("get-overlay").addEventListener("click", () => saveShown("-overlay.png", canvasBlob));
  $("get-mask").addEventListener("click", () => saveShown("-mask.png", (r) => r.files.mask));
  $("get-value").addEventListener("click", () => saveShown("-value.png", (r) => r.files.value));
  $("get-tiff").addEventListener("click", () => saveShown("-value.tiff", (r) => r.files.tiff));
  $("get-json").addEventListener("click", () => saveShown(".json", (r) => new Blob([r.text], { type: "application/json" })));
  for (const button of document.querySelectorAll("#objects [data-output]")) {
    button.addEventListener("click", () => saveObject(button.dataset.output));
  }

  let depth = 0; // dragenter and dragleave also come from nested elements
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
    take(e.dataTransfer.files);
  });
  addEventListener("paste", (e) => take(e.clipboardData.files));
  addEventListener("resize", draw);
}

// start lists the models. The list may arrive after a file was opened.
async function start() {
  $("origin").textContent = new URL(".", location).href;
  listen();
  try {
    cards = (await (await ask("v1/models")).json()).models;
  } catch (err) {
    standing = `${err.title ?? "Cannot load the list of models"}. ${err.title ? err.message : "Reload the page."}`;
    showNotice();
    return;
  }
  for (const c of cards) {
    $("model").append(new Option(c.title || c.name, c.name));
  }
  showModels(cards);
  current?.shown ? present(current) : about(chosen());
  if (cards.length === 0) {
    standing = "This server has no models yet: start it with --models DIR.";
    showNotice();
  }
}

start();
