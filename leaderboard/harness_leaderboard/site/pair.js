// Two systems side by side, utterance by utterance.

const RIGHT = ["both are right", "only this one", "only the other", "neither is right"];
const NEARER = ["this one is nearer", "the other is nearer", "both are as near"];

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
    if (of.value) {
      const gap = Math.abs(one.said - one.true) - Math.abs(theirs.said - one.true);
      return { ...one, shown: [one.true, one.said, theirs.said].map(digits),
        outcome: gap < 0 ? 0 : gap > 0 ? 1 : 2 };
    }
    const [mine, right] = [one.label === one.predicted,
      of.labels[one.label] === other.labels[theirs.predicted]];
    return { ...one, shown: [of.labels[one.label], of.labels[one.predicted],
      other.labels[theirs.predicted]], outcome: mine ? (right ? 0 : 1) : (right ? 2 : 3) };
  });
  if (!pairs.length) {
    return [make("p", { textContent: "They share no utterance in the same fold and seed." })];
  }
  const outcomes = of.value ? NEARER : RIGHT;
  const counts = outcomes.map((_, place) =>
    pairs.filter((one) => one.outcome === place).length);
  const summary = plainTable(`${pairs.length} predictions of the same utterances in the same `
    + "folds and seeds. Whether the difference is more than chance says 'harness compare'.",
    ["", "predictions", "share"], outcomes.map((text, place) =>
      [text, counts[place], `${(100 * counts[place] / pairs.length).toFixed(1)} %`]));
  return [summary, pairTable(outcomes, pairs, name)];
}

function pairTable(outcomes, pairs, name) {
  const last = outcomes === NEARER ? "nearer" : "right";
  const heads = ["utterance", "speaker", "true", "this one", name, last, "seed", "fold"];
  const rows = new Map(pairs.map((one) => [make("tr", {},
    make("th", { scope: "row", className: "name", textContent: one.utterance }),
    ...[one.speaker, ...one.shown, outcomes[one.outcome]].map((text) => make("td", { className: "name", textContent: text })),
    valued(one.seed, one.seed),
    make("td", { className: "name", textContent: one.fold })), one]));
  const outcome = make("select", { id: "outcome" }, make("option", { textContent: "all" }),
    ...outcomes.map((text) => make("option", { textContent: text })));
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
