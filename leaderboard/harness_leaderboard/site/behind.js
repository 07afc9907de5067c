// What a dialog shows of a figure beside its predictions: its speakers, the learning
// curves, the layers, what it cost, its runs and their files; and all of it as text.

const dialog = document.querySelector("#cell");
let stored;

/** Return the row that says what stands behind a figure. */
function behindRow(number) {
  return document.querySelector(`#behind [data-cell="${number}"]`).parentElement;
}

function namesOfRow(row) {
  return [...row.cells].slice(0, 3).map((cell) => cell.textContent);
}

const DRAWING = "http://www.w3.org/2000/svg";

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(DRAWING, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Return a part of the dialog, or nothing where it has nothing to show. */
function part(heading, ...children) {
  const found = children.filter(Boolean);
  return found.length ? [make("h3", { textContent: heading }), ...found] : [];
}

function plainTable(caption, heads, rows) {
  return make("div", { className: "scroll" }, make("table", { className: "plain" },
    make("caption", { textContent: caption }),
    make("thead", {}, make("tr", {}, ...heads.map((text, column) =>
      make("th", { scope: "col", textContent: text, className: column ? "" : "name" })))),
    make("tbody", {}, ...rows.map(([name, ...cells]) => make("tr", {},
      make("th", { scope: "row", className: "name", textContent: name }),
      ...cells.map((text) => make("td", { textContent: text })))))));
}

// ---------------------------------------------------------------- speakers

function speakersOf(of, listed) {
  const found = new Map();
  for (const one of listed) {
    const [count, right] = found.get(one.speaker) ?? [0, 0];
    found.set(one.speaker, [count + 1, right + (one.label === one.predicted)]);
  }
  const rows = [...found].map(([name, [count, right]]) => [name, count, 100 * right / count])
    .sort((a, b) => a[2] - b[2])
    .map(([name, count, share]) => [name, count, `${share.toFixed(0)} %`]);
  return rows.length ? plainTable("Test speakers, the least often right first; predictions "
    + "of all seeds and folds.", ["speaker", "predictions", "right"], rows) : null;
}

// ---------------------------------------------------------------- curves and layers

const WIDE = 320;
const HIGH = 110;

function curve(values, [least, most], kind) {
  const step = WIDE / Math.max(values.length - 1, 1);
  const points = values.map((value, place) =>
    `${(place * step).toFixed(1)},${(HIGH * (most - value) / (most - least)).toFixed(1)}`);
  return draw("polyline", { points: points.join(" "), class: kind });
}

function curvesOf(of) {
  if (!of.curves?.length) return null;
  const losses = of.curves.flatMap((run) => [...run.train_loss, ...run.valid_loss]);
  const top = Math.max(...losses);
  const least = Math.min(0, ...of.curves.flatMap((run) => run.score)); // of CCC
  const [first] = of.curves;
  const reached = first.score[Math.min(first.best, first.score.length) - 1];
  const box = (label, ...lines) => make("figure", {},
    draw("svg", { viewBox: `-4 -4 ${WIDE + 8} ${HIGH + 8}`, class: "curves", role: "img",
      "aria-label": label }, ...lines),
    make("figcaption", { textContent: label }));
  return make("div", { className: "figures" },
    box(`${of.reached} in validation by epoch, from ${(100 * least).toFixed(0)} to 100 %; `
      + `in the first run ${(100 * reached).toFixed(1)} % at epoch ${first.best}, `
      + "which was kept.",
      ...of.curves.map((run) => curve(run.score, [least, 1], "score"))),
    box("Loss by epoch, in training (line) and in validation (dashes); "
      + `the top is ${top.toFixed(2)}.`,
      ...of.curves.flatMap((run) => [
        curve(run.train_loss, [0, top], "train"),
        curve(run.valid_loss, [0, top], "valid")])));
}

function layersOf(of) {
  const values = of.layers?.values;
  if (!values?.length) return null;
  const highest = Math.max(...values);
  const wide = WIDE / values.length;
  const label = `Layers 1 to ${values.length}: ${of.layers.about}; layer `
    + `${values.indexOf(highest) + 1} has the most, ${highest.toFixed(1)}.`;
  return make("figure", {},
    draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "curves", role: "img",
      "aria-label": label }, ...values.map((value, place) => {
      const high = HIGH * Math.max(value, 0) / (highest || 1);
      return draw("rect", { x: place * wide + 1, y: HIGH - high, width: wide - 2,
        height: high }, draw("title", {}, `layer ${place + 1}: ${value}`));
    })),
    make("figcaption", { textContent: label }));
}

// ---------------------------------------------------------------- cost, runs, files

function costOf(of) {
  const known = Object.entries(of.cost ?? {}).filter(([, value]) => value !== null);
  return known.length ? terms(known.map(([name, value]) =>
    [name, value.toLocaleString("en")])) : null;
}

function runsOf(of) {
  if (!of.ids?.length) return null;
  const names = of.ids.map((id, place) => of.files[place] || id);
  return make("details", {},
    make("summary", { textContent: `${of.ids.length} ${of.ids.length === 1 ? "run" : "runs"}, `
      + "by file, or by id where files were packed" }),
    make("ul", { className: "runs" }, ...names.map((name) =>
      make("li", {}, make("code", { textContent: name })))));
}

function terms(pairs) {
  const list = make("dl");
  for (const [name, value] of pairs) {
    list.append(make("dt", { textContent: name }), make("dd", { textContent: value }));
  }
  return list;
}

// ---------------------------------------------------------------- all of it as text

function copyButton(title, number, row, of) {
  const pairs = [...row.closest("table").tHead.rows[0].cells].map((head, column) =>
    `${nameOf(head)}: ${row.cells[column].dataset.full ?? row.cells[column].textContent}`);
  const text = [title, figureOf(number), ...pairs,
    ...Object.entries(of?.cost ?? {}).map(([name, value]) => `${name}: ${value ?? "unknown"}`),
    `run ids: ${(of?.ids ?? []).join(" ")}`, location.href].join("\n");
  const press = button("Copy", async () => {
    press.textContent = await copied(text) ? "Copied" : "Could not be copied";
    setTimeout(() => { press.textContent = "Copy"; }, 2000);
  });
  return press;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { value: text });
    dialog.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
