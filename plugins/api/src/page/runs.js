// The list of runs, and of scenes that can be started: of a server of several runs.

import { $, ask, button, cells, pause, rows, set, tell } from "./api.js";

const EVERY = 1000;

/// Shows both, until the page is left.
export async function list() {
  document.title = "Runs - BecomingONE";
  set("scene", "BecomingONE");
  $("list").hidden = false;
  scenes();
  for (;;) {
    const answer = await ask("GET", "/v1/runs");
    $("link").className = answer.ok ? "live" : "dead";
    set("link", answer.ok ? "live" : answer.detail);
    if (answer.ok) runs(answer.content.runs);
    await pause(EVERY);
  }
}

function runs(all) {
  $("no-runs").hidden = all.length > 0;
  rows($("runs"), all, (run) => run.run, (row, run) => {
    const exit = run.exit === null || run.exit === undefined ? "" : ` (${run.exit})`;
    if (!row.cells[3]) {
      const link = document.createElement("a");
      link.textContent = run.run;
      row.insertCell().append(link);
      row.insertCell();
      row.insertCell();
      const end = button("End", `End: ${run.run}`, () => tell("notice", "DELETE", `/v1/runs/${encodeURIComponent(run.run)}`));
      row.insertCell().append(end);
    }
    set(row.cells[1], run.scene);
    set(row.cells[2], run.state + exit);
    const isOver = run.state === "ended";
    row.cells[3].firstChild.disabled = isOver;
    // One that is over has no page.
    const link = row.cells[0].firstChild;
    if (isOver) link.removeAttribute("href");
    else link.setAttribute("href", `?run=${encodeURIComponent(run.run)}`);
  });
}

async function scenes() {
  const answer = await ask("GET", "/v1/scenes");
  if (!answer.ok) {
    set("notice", answer.detail);
    return;
  }
  rows($("scenes"), answer.content.scenes, (scene) => scene.scene, (row, scene) => {
    cells(row, [scene.scene]);
    const start = button("Start", `Start: ${scene.scene}`, async () => {
      start.disabled = true;
      const begun = await tell("notice", "POST", "/v1/runs", { body: { scene: scene.scene }, within: 20000 });
      start.disabled = false;
      if (begun.ok) location.search = `?run=${encodeURIComponent(begun.content.run)}`;
    });
    row.insertCell().append(start);
    row.insertCell().textContent = scene.about ?? (scene.from === "file" ? "a file" : "");
    row.cells[2].className = "about";
  });
}
