// What a dialog shows of predicted numbers, in the place of confusions: true against
// predicted ones, every prediction, and how far off each speaker's are.

const SQUARE = 320;
const MOST_DOTS = 3000;

function digits(value) {
  return String(Number(value.toPrecision(3)));
}

/** Draw true numbers (across) against predicted ones (up), with the line where they agree. */
function scatterOf(listed) {
  const values = listed.flatMap((one) => [one.true, one.said]);
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)),
    values.reduce((a, b) => Math.max(a, b))];
  const place = (value) => SQUARE * (value - low) / ((high - low) || 1);
  const step = Math.ceil(listed.length / MOST_DOTS);
  const dots = listed.filter((_, place) => place % step === 0);
  const label = `True numbers across, predicted ones up, both from ${digits(low)} to `
    + `${digits(high)}; on the line they agree. Predictions of all seeds and folds: `
    + `${listed.length}${step > 1 ? `, of which every ${step}th is drawn` : ""}.`;
  return make("figure", {},
    draw("svg", { viewBox: `-6 -6 ${SQUARE + 12} ${SQUARE + 12}`, class: "scatter",
      role: "img", "aria-label": label },
    draw("rect", { width: SQUARE, height: SQUARE }),
    draw("line", { x1: 0, y1: SQUARE, x2: SQUARE, y2: 0 }),
    ...dots.map((one) => draw("circle", { cx: place(one.true).toFixed(1),
      cy: (SQUARE - place(one.said)).toFixed(1), r: 2.5 },
    draw("title", {}, `${one.utterance}: ${digits(one.true)}, predicted ${digits(one.said)}`)))),
    make("figcaption", { textContent: label }));
}

/** List predictions in a table like the others, the furthest from the truth first. */
function numberTable(listed) {
  const heads = { utterance: "name", speaker: "name", true: "", predicted: "", error: "",
    seed: "", fold: "name" };
  const error = (one) => one.said - one.true;
  const sorted = [...listed].sort((a, b) => Math.abs(error(b)) - Math.abs(error(a)));
  const rows = new Map(sorted.map((one) => [make("tr", {},
    make("th", { scope: "row", className: "name", textContent: one.utterance }),
    make("td", { className: "name", textContent: one.speaker }),
    ...[one.true, one.said, error(one)].map((value) => valued(value, digits(value))),
    valued(one.seed, one.seed),
    make("td", { className: "name", textContent: one.fold })), one]));
  const search = make("input", { type: "search", id: "said" });
  const box = make("div", { className: "predictions" },
    make("div", { className: "tools" },
      make("label", { htmlFor: "said", textContent: "Rows that contain" }), search),
    folderChoice(listed.map((one) => one.utterance), () => addPlayButtons(rows)),
    make("div", { className: "tools" }, player, playing),
    make("div", { className: "scroll" }, make("table", {},
      make("caption", { textContent: "What was predicted of each utterance of the test, the "
        + "furthest from the truth first." }),
      make("thead", {}, make("tr", {}, ...Object.entries(heads).map(([text, kind]) =>
        make("th", { scope: "col", className: kind, textContent: text })))),
      make("tbody", {}, ...rows.keys()))));
  const table = takeOver(box, { allows: () => true, searches: () => false });
  const texts = new Map([...rows.keys()].map((row) => [row, row.textContent.toLowerCase()]));
  table.fits = (row) => texts.get(row).includes(search.value.toLowerCase());
  search.addEventListener("input", table.show);
  table.show();
  return box;
}

/** Return how far off each speaker's numbers are, the furthest first. */
function errorsOf(listed) {
  const found = new Map();
  for (const one of listed) {
    const [count, square] = found.get(one.speaker) ?? [0, 0];
    found.set(one.speaker, [count + 1, square + (one.said - one.true) ** 2]);
  }
  const rows = [...found].map(([name, [count, square]]) => [name, count, Math.sqrt(square / count)])
    .sort((a, b) => b[2] - a[2])
    .map(([name, count, error]) => [name, count, digits(error)]);
  return plainTable("Test speakers, the furthest from the truth first; predictions of all "
    + "seeds and folds.", ["speaker", "predictions", "RMSE"], rows);
}
