"use strict";
const body = document.querySelector("#board tbody");
const rows = [...body.rows];
const heads = [...document.querySelectorAll("#board thead th")];
const filter = document.querySelector("#filter");
const count = document.querySelector("#count");

function show() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    shown += !row.hidden;
  }
  count.textContent = `${shown} of ${rows.length} rows`;
}

function sort(column) {
  const head = heads[column];
  const rising = head.getAttribute("aria-sort") === "descending";
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const keys = new Map(rows.map((row) => {
    const cell = row.cells[column];
    return [row, "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent];
  }));
  const missing = (key) => key === "" || (typeof key === "string" && head.dataset.numbers);
  rows.sort((one, other) => {
    const [a, b] = [keys.get(one), keys.get(other)];
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    const order = typeof a === "number" && typeof b === "number"
      ? a - b : String(a).localeCompare(String(b));
    return rising ? order : -order;
  });
  body.append(...rows);
}

function download() {
  const quote = (cell) => `"${(cell.dataset.value ?? cell.textContent).replaceAll('"', '""')}"`;
  const lines = [heads, ...rows.filter((row) => !row.hidden).map((row) => [...row.cells])]
    .map((cells) => cells.map(quote).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  link.download = "leaderboard.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

heads.forEach((head, column) =>
  head.querySelector("button").addEventListener("click", () => sort(column)));
filter.addEventListener("input", show);
document.querySelector("#download").addEventListener("click", download);
show();
