// Two systems side by side, utterance by utterance.

const OUTCOMES = ["both are right", "only this one", "only the other", "neither is right"];

/** Offer the other systems of the same corpus, and show the two of them. */
function pairing(number, of, listed) {
  const here = behindRow(number);
  const others = all("#behind [data-cell]").filter((cell) =>
    cell.dataset.cell !== number && cell.dataset.cell in stored.cells
    && cell.textContent === here.cells[2].textContent);
  if (!others.length) return null;
  const select = make("select", { id: "other" }, make("option", { textContent: "–", value: "" }),
    ...others.map((cell) => make("option", { value: cell.dataset.cell,
      textContent: namesOfRow(cell.parentElement).slice(0, 2).join(" · ") })));
  const box = make("div");
  select.addEventListener("change", async () => {
    const other = select.value ? await detailsOf(select.value) : null;
    box.replaceChildren(...(other
      ? pairOf(of, listed, predictions(other), select.selectedOptions[0].textContent, other)
      : []));
  });
  return make("div", {}, make("div", { className: "tools" },
    make("label", { htmlFor: "other", textContent: "Beside" }), select), box);
}

function keyOf(one) {
  return JSON.stringify([one.seed, one.fold, one.utterance]);
}

function pairOf(of, listed, others, name, other) {
  const byKey = new Map(others.map((one) => [keyOf(one), one]));
  const pairs = listed.filter((one) => byKey.has(keyOf(one))).map((one) => {
    const theirs = byKey.get(keyOf(one));
    const [mine, right] = [one.label === one.predicted,
      of.labels[one.label] === other.labels[theirs.predicted]];
    return { ...one, theirs: other.labels[theirs.predicted],
      outcome: mine ? (right ? 0 : 1) : (right ? 2 : 3) };
  });
  if (!pairs.length) {
    return [make("p", { textContent: "They share no utterance in the same fold and seed." })];
  }
  const counts = OUTCOMES.map((_, place) =>
    pairs.filter((one) => one.outcome === place).length);
  const summary = plainTable(`${pairs.length} predictions of the same utterances in the same `
    + "folds and seeds. Whether the difference is more than chance says 'harness compare'.",
    ["", "predictions", "share"], OUTCOMES.map((text, place) =>
      [text, counts[place], `${(100 * counts[place] / pairs.length).toFixed(1)} %`]));
  return [summary, pairTable(of, pairs, name)];
}

function pairTable(of, pairs, name) {
  const heads = ["utterance", "speaker", "true", "this one", name, "right", "seed", "fold"];
  const rows = new Map(pairs.map((one) => [make("tr", {},
    make("th", { scope: "row", className: "name", textContent: one.utterance }),
    ...[one.speaker, of.labels[one.label], of.labels[one.predicted], one.theirs,
      OUTCOMES[one.outcome]].map((text) => make("td", { className: "name", textContent: text })),
    valued(one.seed, one.seed),
    make("td", { className: "name", textContent: one.fold })), one]));
  const outcome = make("select", { id: "outcome" }, make("option", { textContent: "all" }),
    ...OUTCOMES.map((text) => make("option", { textContent: text })));
  const box = make("div", { className: "predictions pair" },
    make("div", { className: "tools" },
      make("label", { htmlFor: "outcome", textContent: "Show" }), outcome),
    make("div", { className: "scroll" }, make("table", {},
      make("caption", { textContent: "What each of the two predicted." }),
      make("thead", {}, make("tr", {}, ...heads.map((text) =>
        make("th", { scope: "col", className: text === "seed" ? "" : "name",
          textContent: text })))),
      make("tbody", {}, ...rows.keys()))));
  const table = takeOver(box, { allows: () => true, searches: () => false });
  table.fits = (row) => !outcome.selectedIndex
    || rows.get(row).outcome === outcome.selectedIndex - 1;
  outcome.addEventListener("change", table.show);
  table.show();
  if (recordings.byPath.size) addPlayButtons(rows);
  return box;
}
