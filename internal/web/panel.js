// The panel next to the image: findings, details, and the model's card. All text
// is inserted as text, never as markup.

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const whole = new Intl.NumberFormat("en");

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) {
    e.textContent = text;
  }
  if (className) {
    e.className = className;
  }
  return e;
}

// facts fills a <dl> from pairs and skips those without a value.
function facts(list, pairs) {
  list.replaceChildren();
  for (const [term, value] of pairs) {
    if (value !== undefined && value !== null && value !== "") {
      list.append(element("dt", term), element("dd", value));
    }
  }
}

function items(list, texts) {
  list.replaceChildren(...texts.map((t) => element("li", t)));
}

// showFound lists the classes of a frame with their measurements. It calls
// toggle(index, on) when a class is switched on or off.
export function showFound({ result, frame, mask }, card, hidden, toggle) {
  const area = frame.classes.some((c) => c.area_mm2 !== undefined);
  $("area-head").hidden = !area;
  $("classes").replaceChildren(...frame.classes.map((c) => {
    const row = element("tr");
    const head = element("th");
    head.scope = "row";
    const label = element("label", undefined, "class");
    const box = element("input");
    box.type = "checkbox";
    box.checked = !hidden.has(c.index);
    box.title = "Show this class";
    box.addEventListener("change", () => toggle(c.index, box.checked));
    const swatch = element("span", undefined, "swatch");
    const color = mask.colors[c.index] ?? card?.classes[c.index]?.color ?? [128, 128, 128];
    swatch.style.backgroundColor = `rgb(${color.join(" ")})`;
    label.append(box, swatch, element("span", c.name));
    head.append(label);
    row.append(head, element("td", whole.format(c.components)), element("td", whole.format(c.pixels)));
    if (area) {
      row.append(element("td", c.area_mm2 === undefined ? "" : `${number.format(c.area_mm2)} mm²`));
    }
    row.append(element("td", c.mean_probability === undefined ? "–" : c.mean_probability.toFixed(2)));
    return row;
  }));
  showWarnings(result, frame, "Found");
}

// showValues shows the range of the values of a frame.
export function showValues({ result, frame }) {
  const r = frame.values;
  facts($("range"), r ? [["Lowest", number.format(r.min)], ["Highest", number.format(r.max)], ["Mean", number.format(r.mean)]]
    : [["Values", "not finite"]]);
  showWarnings(result, frame, "Values");
}

// showWarnings completes the panel of findings, which shows classes or values.
function showWarnings(result, frame, title) {
  $("found-title").textContent = title;
  $("class-table").hidden = title !== "Found";
  $("values").hidden = title === "Found";
  const warnings = [...result.warnings, ...(frame.warnings ?? [])];
  items($("warnings"), warnings);
  $("warnings").hidden = warnings.length === 0;
  $("found").hidden = false;
}

// showHow shows the file of a result and how it was processed.
export function showHow(name, { result, frame }, card) {
  const s = frame.spacing;
  facts($("facts"), [
    ["File", result.frame_count > 1 ? `${name}, frame ${frame.frame} of ${result.frame_count}` : name],
    ["Model", `${card?.title ?? result.model}, version ${result.model_version}`],
    ["Network", `${number.format(frame.network_ms)} ms`],
    ["Image", `${frame.width} × ${frame.height} pixels, ${kind(result)}`],
    ["Spacing", s?.row_mm > 0 ? `${number.format(s.row_mm)} × ${number.format(s.col_mm)} mm${s.source ? ` (${s.source})` : ""}` : frame.values ? "unknown" : "unknown; no areas in mm²"],
  ]);
  items($("steps"), [...result.steps, ...frame.steps]);
  $("how").hidden = false;
}

function kind(result) {
  const name = { dicom: "DICOM", nifti: "NIfTI", png: "PNG", jpeg: "JPEG", tiff: "TIFF" }[result.format] ?? result.format;
  return [name, result.modality].filter(Boolean).join(" ");
}

// showModels lists the server's models, each with its first figure on test data.
export function showModels(cards) {
  $("model-list").replaceChildren(...cards.map((card) => {
    const entry = element("li");
    entry.append(element("strong", card.title || card.name));
    const figure = (card.metrics ?? []).find((m) => m.split === "test") ?? card.metrics?.[0];
    for (const text of [card.description, figure && metric(figure)]) {
      if (text) {
        entry.append(element("p", text));
      }
    }
    return entry;
  }));
}

// showCard shows a model's card: purpose, figures and sources. Without a card it
// hides the section.
export function showCard(card) {
  $("about").hidden = !card;
  if (!card) {
    return;
  }
  $("card-title").textContent = card.title || card.name;
  $("card-description").textContent = card.description ?? "";
  facts($("card-facts"), [["Name", card.name], ["Version", card.version], ["Licence", card.license],
    ["Channels", card.channels && `${card.channels.join(", ")}: choose or drop the files of all channels together, named CASE_0000, CASE_0001 and so on`]]);
  const more = $("card-more");
  more.replaceChildren();
  const section = (title, texts) => {
    if (texts.length > 0) {
      const list = element("ul");
      items(list, texts);
      more.append(element("h3", title), list);
    }
  };
  section("Performance", (card.metrics ?? []).map(metric));
  section("Training data", (card.data ?? []).map((d) => [d.name, d.license, d.citation, d.source].filter(Boolean).join("; ")));
  section("References", card.references ?? []);
  $("card-use").textContent = card.intended_use ?? "";
}

function metric(m) {
  const name = m.name.replaceAll("_", " ").replace("dice", "Dice").replace("iou", "IoU");
  const of = m.class ? ` of ${m.class}` : "";
  const cases = m.cases ? `, ${whole.format(m.cases)} ${m.cases === 1 ? "case" : "cases"}` : "";
  const value = m.value.toFixed(3) + (m.unit ? ` ${m.unit}` : "");
  return `${value} ${name}${of} (${m.data}, ${m.split}${cases})`;
}
