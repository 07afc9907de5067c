// Recordings that the reader has: they are taken from a folder that is chosen here, are
// found by the names of their utterances, and never leave this machine.

const recordings = { byPath: new Map(), byStem: new Map(), ambiguous: new Set() };

const stem = (path) => path.split("/").at(-1).replace(/\.[^.]*$/, "").toLowerCase();

function takeFolder(files) {
  recordings.byPath.clear();
  recordings.byStem.clear();
  for (const file of files) {
    const path = (file.webkitRelativePath || file.name).split("/");
    for (let from = 0; from < path.length; from += 1) {
      const name = path.slice(from).join("/");
      keep(recordings.byPath, name, file);
      keep(recordings.byPath, name.replace(/\.[^./]*$/, ""), file);
    }
    if (!/\.(txt|csv|json|xml|lab|md|pdf)$/i.test(file.name)) {
      keep(recordings.byStem, stem(file.name), file);
    }
  }
}

/** Keep a file by a name; a name that several files have stands for none of them. */
function keep(files, name, file) {
  files.set(name, files.has(name) && files.get(name) !== file ? null : file);
}

/** Find a recording by its path; by its bare name only where no other has that. */
function recordingOf(utterance) {
  const name = stem(utterance);
  const alone = recordings.ambiguous.has(name) ? null : recordings.byStem.get(name);
  return recordings.byPath.get(utterance) ?? alone ?? null;
}

/** Note which bare names several utterances share. */
function noteNames(utterances) {
  const seen = new Set();
  recordings.ambiguous.clear();
  for (const name of [...new Set(utterances)].map(stem)) {
    if (seen.has(name)) recordings.ambiguous.add(name);
    seen.add(name);
  }
}

/** Let the reader choose a folder; `found` is called once there is one. */
function folderChoice(utterances, found) {
  const chosen = make("input", { type: "file", id: "folder", multiple: true,
    webkitdirectory: true });
  const state = make("span", { className: "count", role: "status" });
  const report = () => {
    if (!recordings.byPath.size) return;
    noteNames(utterances);
    const names = [...new Set(utterances)];
    const there = names.filter(recordingOf).length;
    state.textContent = `${there} of ${names.length} recordings found.`;
    if (there) found();
  };
  chosen.addEventListener("change", () => { takeFolder(chosen.files); report(); });
  report();
  return make("div", { className: "tools" },
    make("label", { htmlFor: "folder", textContent: "Play recordings from your folder of "
      + "this corpus (nothing is sent)" }), chosen, state);
}

const player = make("audio", { controls: true, hidden: true });
const playing = make("span", { className: "count", role: "status" });
player.addEventListener("error", () => {
  playing.textContent = "This browser cannot play that file.";
});

function play(utterance) {
  const file = recordingOf(utterance);
  URL.revokeObjectURL(player.src);
  player.hidden = false;
  playing.textContent = file ? utterance : `${utterance} is not in that folder.`;
  if (!file) return;
  player.src = URL.createObjectURL(file);
  player.play().catch(() => {}); // the error event says why
}

function playButton(utterance) {
  const press = button("▶", () => play(utterance));
  press.className = "play";
  press.setAttribute("aria-label", `Play ${utterance}`);
  return press;
}

/** Put a button into the first cell of each row that has a recording. */
function addPlayButtons(rows) {
  for (const [row, one] of rows) {
    if (!row.querySelector(".play") && recordingOf(one.utterance)) {
      row.cells[0].prepend(playButton(one.utterance), " ");
    }
  }
}
