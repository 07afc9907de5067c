// What the leaderboard has beyond its tables: a choice among several of a section, and a
// dialog with what stands behind a figure. It follows page.js, in the same script, and
// behind.js, play.js, pair.js and numbers.js, which have the parts of the dialog.

// ---------------------------------------------------------------- sections

for (const link of all("nav a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault(); // the address holds what is chosen, not where one reads
    const heading = document.getElementById(link.getAttribute("href").slice(1));
    heading.scrollIntoView();
    heading.focus({ preventScroll: true });
  });
}

for (const section of all("main > section")) {
  const panes = all(".pane", section);
  if (panes.length > 1) section.querySelector(".about").after(paneChoice(section, panes));
}

function paneChoice(section, panes) {
  const name = section.getAttribute("aria-labelledby");
  const select = make("select", { id: `${name}-pane` });
  for (const pane of panes) select.append(make("option", { textContent: pane.dataset.pane }));
  const show = () => panes.forEach((pane, place) => {
    pane.hidden = place !== select.selectedIndex;
  });
  const asked = panes.findIndex((pane) => pane.dataset.pane === address.get(name));
  select.selectedIndex = Math.max(asked, 0);
  select.addEventListener("change", () => { remember(name, select.value); show(); });
  show();
  return make("div", { className: "tools" },
    make("label", { htmlFor: select.id, textContent: "Show" }), select);
}

// ---------------------------------------------------------------- figures that open

document.querySelector("#board + .about").append(" Press a heading to sort by it, and a "
  + "figure to see what stands behind it: confusions, predictions (also beside those of "
  + "another system), speakers, curves, layers, cost and files; arrow keys go from figure "
  + "to figure.");

document.querySelector("main").addEventListener("click", (event) => {
  const cell = event.target.closest("td[data-cell]");
  if (cell && event.target.closest("button")) openCell(cell.dataset.cell, event.target);
});

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it
});

// ---------------------------------------------------------------- stored details

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

/** Return the task and the cell of a figure, or nothing where the page holds none. */
async function detailsOf(number) {
  stored ??= JSON.parse(document.querySelector("#details").textContent);
  if (!(number in stored.cells)) return null;
  const cell = await unpack(stored.cells[number]);
  return { ...await unpack(stored.tasks[cell.task]), ...cell };
}

/** Return every prediction of a cell by name. */
function predictions(of) {
  return of.runs.flatMap((run) => {
    let utterance = 0;
    return of.tests[run.test].map((step, place) => {
      utterance += step;
      return {
        utterance: of.utterances[utterance],
        speaker: of.speakers[of.speaker[utterance]],
        label: of.label[utterance],
        predicted: run.predicted[place],
        true: of.value?.[utterance],
        said: run.number?.[place],
        score: run.score[place],
        seed: run.seed,
        fold: run.fold,
      };
    });
  });
}

// ---------------------------------------------------------------- the dialog

async function openCell(number, opener) {
  const behind = behindRow(number);
  const names = namesOfRow(behind);
  const title = make("h2", { id: "cell-title", tabIndex: -1, autofocus: true,
    textContent: names.join(" · ") });
  const of = await detailsOf(number);
  dialog.replaceChildren(
    make("div", { className: "top" }, title, make("div", { className: "tools" },
      copyButton(names.join(" · "), number, behind, of),
      button("Close", () => dialog.close()))),
    make("p", { textContent: figureOf(number) }),
    ...(of ? seen(number, of) : [make("p", { textContent:
      "This page does not hold its predictions: there are too many. Choose fewer "
      + "results with --only." })]),
    ...part("What stands behind it", provenance(behind), of && runsOf(of)));
  remember("cell", ...names);
  dialog.onclose = () => { player.pause(); remember("cell"); opener?.focus(); };
  if (!dialog.open) dialog.showModal();
}

/** Say a figure, and how sure it is, in the words of the tables. */
function figureOf(number) {
  const metric = document.querySelector("#systems caption").textContent;
  const [figure, sure] = ["systems", "sure"].map((table) =>
    document.querySelector(`#${table} [data-cell="${number}"]`)?.textContent);
  return `${metric}: ${figure}${sure ? `; 95 % interval and ranks: ${sure}` : ""}`;
}

function provenance(row) {
  const heads = [...row.closest("table").tHead.rows[0].cells];
  return terms(heads.map((head, column) =>
    [nameOf(head), row.cells[column].dataset.full ?? row.cells[column].textContent]));
}

/** Show what was predicted: a confusion matrix whose fields choose, or a scatter. */
function seen(number, of) {
  const listed = predictions(of);
  const beside = part("Two systems, utterance by utterance", pairing(number, of, listed));
  return [
    ...(of.value ? seenNumbers(listed, beside) : seenClasses(of, listed, beside)),
    ...part("Learning curves", curvesOf(of)),
    ...part("Layers", layersOf(of)),
    ...part("Cost", costOf(of)),
  ];
}

function seenClasses(of, listed, beside) {
  const table = predictionTable(of, listed);
  return [
    ...part("What is taken for what", truths(of, table.choose)),
    ...part("Predictions", table.box),
    ...beside,
    ...part("Speakers", speakersOf(of, listed)),
  ];
}

function seenNumbers(listed, beside) {
  return [
    ...part("True against predicted", scatterOf(listed)),
    ...part("Predictions", numberTable(listed)),
    ...beside,
    ...part("Speakers", errorsOf(listed)),
  ];
}

function truths(of, choose) {
  const rows = of.confusion.map((counts, label) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const fields = counts.map((count, guess) => {
      const share = total ? count / total : 0;
      const text = `${count} (${(100 * share).toFixed(0)} %)`;
      const cell = make("td", { className: `heat s${Math.round(10 * share)}` });
      cell.classList.toggle("right", label === guess);
      if (count) {
        const press = button(text, () => {
          const off = press.getAttribute("aria-pressed") === "true";
          for (const other of all("button", box)) other.setAttribute("aria-pressed", false);
          press.setAttribute("aria-pressed", !off);
          choose(off ? null : { label, guess });
        });
        press.setAttribute("aria-pressed", false);
        cell.append(press);
      } else {
        cell.textContent = "0";
      }
      return cell;
    });
    return make("tr", {},
      make("th", { scope: "row", className: "name", textContent: of.labels[label] }),
      ...fields, make("td", { textContent: total }));
  });
  const heads = ["true ↓ predicted →", ...of.labels, "all"].map((text) =>
    make("th", { scope: "col", textContent: text }));
  const box = make("div", { className: "scroll truths" }, make("table", {},
    make("caption", { textContent: "Rows are the true label, columns the predicted one; "
      + "counts over all seeds and folds, and their share of the row. The framed "
      + "fields are right. Press a field to see its utterances below." }),
    make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)));
  return box;
}

/** List predictions in a table like the others, with a choice of its own. */
function predictionTable(of, listed) {
  const columns = { utterance: "name", speaker: "name", true: "name", predicted: "name",
    score: "", seed: "", fold: "name" };
  const rows = new Map();
  for (const one of listed) {
    const wrong = one.label !== one.predicted;
    const row = make("tr", {},
      make("th", { scope: "row", className: "name", textContent: one.utterance }),
      make("td", { className: "name", textContent: one.speaker }),
      make("td", { className: "name", textContent: of.labels[one.label] }),
      make("td", { className: wrong ? "name wrong" : "name",
        textContent: `${of.labels[one.predicted]}${wrong ? " ✗" : ""}` }),
      valued(one.score, one.score === null ? "" : `${one.score} %`),
      valued(one.seed, one.seed),
      make("td", { className: "name", textContent: one.fold }));
    row.cells[3].dataset.full = of.labels[one.predicted];
    rows.set(row, one);
  }
  const search = make("input", { type: "search", id: "said" });
  const wrong = make("input", { type: "checkbox" });
  const box = make("div", { className: "predictions" },
    make("div", { className: "tools" },
      make("label", { htmlFor: "said", textContent: "Rows that contain" }), search,
      make("label", {}, wrong, " only wrong ones")),
    folderChoice(listed.map((one) => one.utterance), () => addPlayButtons(rows)),
    make("div", { className: "tools" }, player, playing),
    make("div", { className: "scroll" }, make("table", {},
      make("caption", { textContent: "What was predicted of each utterance of the test. The "
        + "score is the probability that the head has for it." }),
      make("thead", {}, make("tr", {}, ...Object.entries(columns).map(([text, kind]) =>
        make("th", { scope: "col", className: kind, textContent: text })))),
      make("tbody", {}, ...rows.keys()))));
  const table = takeOver(box, { allows: () => true, searches: () => false });
  const texts = new Map([...rows.keys()].map((row) => [row, row.textContent.toLowerCase()]));
  let pair = null;
  table.fits = (row) => {
    const one = rows.get(row);
    return (!wrong.checked || one.label !== one.predicted)
      && (!pair || (one.label === pair.label && one.predicted === pair.guess))
      && texts.get(row).includes(search.value.toLowerCase());
  };
  search.addEventListener("input", table.show);
  wrong.addEventListener("change", table.show);
  table.show();
  return { box, choose: (chosen) => { pair = chosen; table.show(); } };
}

function valued(value, text) {
  const cell = make("td", { textContent: text });
  if (value !== null) cell.dataset.value = value;
  return cell;
}

// ---------------------------------------------------------------- from the address

const asked = address.getAll("cell");
const found = asked.length === 3 && all("#behind [data-cell]").find((cell) =>
  asked.every((name, place) => namesOfRow(cell.parentElement)[place] === name));
if (found) openCell(found.dataset.cell, null);
