"use strict";
// Makes the tables of a page sortable, filterable and downloadable. The page is filled
// by textContent alone, and what is chosen stands in its address, after the #.

const LONG = 200; // rows of a table that are shown before a reader asks for all
const MANY = 150; // names beyond which a list of boxes to tick helps nobody
const AXES = ["upstream", "downstream", "corpus"];
const collator = new Intl.Collator("en", { numeric: true });

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function button(text, press) {
  const made = make("button", { type: "button", textContent: text });
  made.addEventListener("click", press);
  return made;
}

// ---------------------------------------------------------------- the address

const address = new URLSearchParams(location.hash.slice(1));

function remember(name, ...values) {
  address.delete(name);
  values.filter(Boolean).forEach((value) => address.append(name, value));
  history.replaceState(null, "", `#${address}`);
}

// ---------------------------------------------------------------- a table

/**
 * Take a table over: a row is shown where `choice` allows its names, has its words, and
 * `fits` agrees. Whoever changes one of these calls `show`.
 */
function takeOver(panel, choice) {
  const table = panel.querySelector("table");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows].at(-1).cells;
  const axes = AXES.map((axis) =>
    [...heads].findIndex((head) => head.dataset.axis === axis));
  const across = [...heads].map((head) => head.dataset.across);
  const order = [...heads].map((head) => head.getAttribute("aria-sort"));
  const rows = [...body.rows].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
    names: axes.map((column) => (column < 0 ? null : nameIn(row.cells[column]))),
  }));
  const original = [...rows];
  const count = make("span", { className: "count", role: panel.id ? null : "status" });
  const more = button("", () => { limit = Infinity; taken.show(); });
  let limit = LONG;
  let hidden = across.map(() => false);
  let entry;

  const taken = {
    panel,
    rows,
    axes,
    fits: () => true,

    show() {
      hideColumns();
      let found = 0;
      for (const one of rows) {
        one.fits = shown(one) && taken.fits(one.row);
        const hide = !one.fits || found >= limit;
        if (one.row.hidden !== hide) one.row.hidden = hide;
        if (!hide) dress(one);
        found += one.fits;
      }
      const some = Math.min(found, limit);
      const of = found < rows.length ? `${found} of ${rows.length}` : `${found}`;
      taken.summary = `${of} ${rows.length === 1 ? "row" : "rows"}`;
      count.textContent = some < found ? `the first ${some} of ${found} rows` : taken.summary;
      more.hidden = some === found;
      more.textContent = `Show all ${found}`;
      enter();
    },

    sort(column, wanted) {
      for (const [place, head] of [...heads].entries()) {
        const now = wanted ? place === column && wanted : order[place];
        if (now) head.setAttribute("aria-sort", now); else head.removeAttribute("aria-sort");
      }
      rows.splice(0, rows.length, ...(wanted ? sorted(column, wanted) : original));
      const fragment = document.createDocumentFragment();
      for (const one of rows) fragment.append(one.row);
      body.append(fragment);
      taken.show();
    },

    csv() {
      const fitting = rows.filter((one) => one.fits).map((one) => [...one.row.cells]);
      const lines = [[...heads], ...fitting].map((cells) =>
        cells.filter((cell) => !cell.hidden).flatMap(fields).map(quoted).join(","));
      return lines.join("\n") + "\n";
    },
  };

  function shown(one) {
    if (choice.searches(axes[0] >= 0) && !choice.words.every((word) =>
      one.text.includes(word))) return false;
    if (one.names.some((name, axis) => name !== null && !choice.allows(axis, name))) {
      return false;
    }
    return !hidden.includes(true)
      || across.some((axis, column) =>
        axis && !hidden[column] && one.row.cells[column].textContent);
  }

  /** Make buttons of figures that open something, once their row is seen. */
  function dress(one) {
    if (one.dressed) return;
    one.dressed = true;
    for (const cell of all("[data-cell]", one.row)) {
      const press = make("button", { type: "button", tabIndex: -1 });
      press.append(cell.firstChild); // its text; an interval's bar stays beside it
      cell.prepend(press);
    }
  }

  /** Hide the columns that are not chosen, and with any of them what is over all. */
  function hideColumns() {
    const wanted = across.map((name, column) =>
      name ? choice.allows(AXES.indexOf(name), nameOf(heads[column])) : true);
    const now = wanted.map((is) => !is);
    if (!table.tHead.rows[1] && now.some((is, column) => is !== hidden[column])) {
      for (const row of [table.tHead.rows[0], ...rows.map((one) => one.row)]) {
        now.forEach((is, column) => { row.cells[column].hidden = is; });
      }
      hidden = now;
    }
  }

  function sorted(column, order) {
    const key = new Map(rows.map((one) => [one, sortKey(one.row.cells[column])]));
    const sign = order === "ascending" ? 1 : -1;
    const numbers = [...key.values()].some((value) => typeof value === "number");
    const missing = (value) => value === "" || (numbers && typeof value === "string");
    return [...original].sort((one, other) => {
      const below = (of) => of.row.classList.contains("apart"); // controls stay there
      if (below(one) !== below(other)) return below(one) - below(other);
      const [a, b] = [key.get(one), key.get(other)];
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      return sign * (numbers ? a - b : collator.compare(a, b));
    });
  }

  // Of the figures that open something one is reached by Tab, the others by arrows.

  function enter() {
    if (entry && !entry.closest("tr").hidden && !entry.parentElement.hidden) return;
    reach(rows.filter((one) => !one.row.hidden).flatMap((one) =>
      all("td:not([hidden]) > button", one.row).slice(0, 1))[0]);
  }

  function reach(target) {
    if (entry) entry.tabIndex = -1;
    entry = target;
    if (entry) entry.tabIndex = 0;
  }

  function move(event) {
    const cell = event.target.closest("td[data-cell]");
    const step = {
      ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    }[event.key];
    if (!cell || !step) return;
    const seen = rows.filter((one) => !one.row.hidden).map((one) => one.row);
    let [row, column] = [seen.indexOf(cell.parentElement), cell.cellIndex];
    for (;;) {
      [row, column] = [row + step[0], column + step[1]];
      const next = seen[row]?.cells[column];
      if (!next) return;
      const target = next.hidden ? null : next.querySelector("button");
      if (target) {
        event.preventDefault();
        reach(target);
        target.focus();
        return;
      }
    }
  }

  let chosen = null;
  const sortedNow = (column) =>
    (chosen === column ? heads[column].getAttribute("aria-sort") : null);
  for (const [column, head] of [...heads].entries()) {
    const name = nameOf(head);
    const press = button(name, () => {
      const numbers = rows.some((one) => "value" in one.row.cells[column].dataset);
      const turns = numbers
        ? ["descending", "ascending", null] : ["ascending", "descending", null];
      const next = turns[(turns.indexOf(sortedNow(column)) + 1) % 3];
      chosen = next ? column : null;
      taken.sort(column, next);
      say(next ? `Sorted by ${name}, ${next}.` : "In the first order again.");
      if (panel.id) remember("sort", next && `${panel.id}.${column}.${next}`);
    });
    press.className = "head";
    head.replaceChildren(press, ...all("small", head));
  }
  holdNames(table, heads[0]);
  panel.classList.add("taken");
  panel.querySelector(".scroll").addEventListener("keydown", move);
  panel.querySelector(".scroll").after(make("div", { className: "tools" }, more,
    button("Download as CSV", () => save(`${panel.id || "predictions"}.csv`, taken.csv())),
    count));
  return taken;
}

/** Return what readers choose a cell by, where it says more than that. */
function nameIn(cell) {
  return cell.dataset.name ?? cell.textContent;
}

/** Return the name of a column, without what stands in small print below it. */
function nameOf(head) {
  return (head.querySelector(".head") ?? head).textContent;
}

/** Say how wide the first column is, so that the second name can stay beside it. */
function holdNames(table, head) {
  new ResizeObserver(() => {
    table.style.setProperty("--first", `${head.getBoundingClientRect().width}px`);
  }).observe(head, { box: "border-box" });
}

function sortKey(cell) {
  return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
}

// ---------------------------------------------------------------- CSV

/** Return the value of a cell, and what more it holds, as `--format csv` has them. */
function fields(cell) {
  const name = cell.dataset.full ?? nameOf(cell);
  const more = (cell.dataset.more ?? "").split(" ").map(decodeURIComponent);
  const rest = "more" in cell.dataset ? more : [];
  if (cell.tagName === "TH" && cell.scope === "col") {
    return [name, ...rest.map((detail) => `${name} ${detail}`)].map(harmless);
  }
  return [cell.dataset.value ?? harmless(name), ...rest.map(harmless)];
}

/** Keep a spreadsheet from taking a name for a formula; numbers stay as they are. */
function harmless(text) {
  const number = text.trim() !== "" && Number.isFinite(Number(text));
  return /^[=+\-@\t\r]/.test(text) && !number ? `'${text}` : text;
}

function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(name, text) {
  const link = make("a", { download: name });
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ---------------------------------------------------------------- choosing

const message = make("p", { role: "status" });
const say = (text) => { message.textContent = text; };

const choice = {
  words: [],
  sets: AXES.map(() => new Set()),
  allows: (axis, name) => !choice.sets[axis].size || choice.sets[axis].has(name),
  // words are looked for in rows of systems, or in the one table that there is
  searches: (hasSystems) => hasSystems || tables.length === 1,
};

const tables = [];
for (const panel of all(".panel")) tables.push(takeOver(panel, choice));

function show() {
  for (const table of tables) table.show();
}

/** Return every name of an axis, from the rows and the headings that have them. */
function namesOf(axis) {
  const rows = tables.flatMap((table) => table.rows.map((one) => one.names[axis]));
  return [...new Set(rows.filter(Boolean))].sort(collator.compare);
}

function facet(axis) {
  const names = namesOf(axis);
  if (names.length < 2 || names.length > MANY) return [];
  const summary = make("summary");
  const list = make("fieldset", {}, make("legend", {
    className: "unseen", textContent: `Only these: ${AXES[axis]}` }));
  const box = make("details", { className: "facet", name: "facet" }, summary, list);
  const label = () => {
    const chosen = choice.sets[axis].size;
    summary.textContent = `${AXES[axis]}: ${chosen ? `${chosen} of ${names.length}` : "all"}`;
    box.classList.toggle("on", chosen > 0);
  };
  for (const name of names) {
    const tick = make("input", { type: "checkbox", value: name });
    tick.addEventListener("change", () => {
      choice.sets[axis][tick.checked ? "add" : "delete"](name);
      remember(AXES[axis], ...choice.sets[axis]);
      refresh();
    });
    list.append(make("label", {}, tick, ` ${name}`));
  }
  box.refresh = () => {
    for (const tick of all("input", list)) tick.checked = choice.sets[axis].has(tick.value);
    label();
  };
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { box.open = false; summary.focus(); }
  });
  document.addEventListener("click", (event) => {
    if (!box.contains(event.target)) box.open = false;
  });
  return [box];
}

const search = make("input", { type: "search", autocomplete: "off", id: "words" });
const facets = AXES.flatMap((_, axis) => facet(axis));

function refresh() {
  choice.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const box of facets) box.refresh();
  show();
  if (tables.length) say(`${tables[0].summary} shown.`);
}

/** Choose what the address says. */
function restore() {
  search.value = address.get("rows") ?? "";
  AXES.forEach((axis, place) => {
    const known = new Set(namesOf(place));
    choice.sets[place] = new Set(address.getAll(axis).filter((name) => known.has(name)));
  });
  refresh();
  const [, id, column, order] = /^([\w-]+)\.(\d+)\.(\w+)$/.exec(address.get("sort")) ?? [];
  const table = tables.find((one) => one.panel.id === id);
  if (table && ["ascending", "descending"].includes(order)) table.sort(Number(column), order);
}

search.addEventListener("input", () => { remember("rows", search.value); refresh(); });

document.querySelector("#choice").append(
  make("div", { className: "tools", role: "search" },
    make("label", { htmlFor: "words", textContent: "Rows that contain" }), search,
    ...facets,
    button("Show everything", () => {
      for (const name of ["rows", ...AXES]) remember(name);
      restore();
      search.focus();
    }),
    message));
restore();
