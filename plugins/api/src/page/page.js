// The page of a run: what it shows comes by one WebSocket (`stream.js`), what it tells goes by REST (`api.js`). The stop
// button is `stop.js`, and needs nothing of this.

import { $, ask, base, button, cells, number, pause, rows, run, set, tell } from "./api.js";
import * as drive from "./drive.js";
import * as kernel from "./kernel.js";
import * as picture from "./map.js";
import { list } from "./runs.js";
import * as sensors from "./sensors.js";
import { shown } from "./stop.js";
import { DEAD_AFTER, HANGS_AFTER, start, stream } from "./stream.js";
import { talk } from "./talk.js";

const NOT_SIGNED_IN = "This page is not signed in: open the address that is printed at the start.";
const MOST_EVENTS = 200;

/// Asks until there is an answer.
async function until(path) {
  for (;;) {
    const answer = await ask("GET", path);
    if (answer.status !== 0) return answer;
    set("notice", answer.detail);
    await pause(1000);
  }
}

async function open(version) {
  $("run").hidden = false;
  start({ onView, onEvent, onAnswer });
  setInterval(alive, 50);
  const [state, places, kinds, scenes] = await Promise.all([`${base}/run`, `${base}/places`, `${base}/sensors`, "/v1/scenes"].map(until));
  const scene = state.ok ? state.content.scene : (version.content.scene ?? "");
  set("scene", scene || "BecomingONE");
  document.title = `${scene} - BecomingONE`;
  viewer(state.content);
  drive.places(places.content.places ?? []);
  for (const kind of kinds.content.sensors ?? []) {
    sensors.kinds.set(kind.sensor, kind);
    picture.map.mounts.set(kind.sensor, kind.mount);
  }
  $("all-runs").hidden = !scenes.ok;
  if (scenes.ok) $("all-runs").href = "?";
}

/// What is known of a stream that is opened, or was closed.
async function onAnswer(answer) {
  if (answer.status === 401) set("notice", NOT_SIGNED_IN);
  else if (answer.ok && $("notice").textContent === NOT_SIGNED_IN) set("notice", "");
  if (run === null || !answer.ok) return;
  const all = await ask("GET", "/v1/runs");
  const mine = all.content.runs?.find((one) => one.run === run);
  if (all.ok) set("notice", mine === undefined ? `There is no run ${run}.` : mine.state === "ended" ? `The run ${run} has ended.` : "");
}

/// The 3D view, where one is served.
function viewer({ viewer: address = null, viewer_page: page = null }) {
  const place = $("viewer");
  place.replaceChildren();
  const words = (text) => place.append(text);
  const command = (text) => {
    const made = document.createElement("code");
    made.textContent = text;
    place.append(made);
  };
  if (page !== null) {
    const link = document.createElement("a");
    Object.assign(link, { href: page, target: "_blank", rel: "noopener", textContent: "Open Rerun's web viewer" });
    place.append(link);
    words(" (on the machine of the run).");
  } else if (address !== null) {
    words("Rerun is not installed beside the run, so that no page of it is served. To look from a terminal: ");
    command(`rerun ${address}`);
  } else {
    words("No viewer is served. Start the run with ");
    command("--rerun serve");
    words(", and with ");
    command("rerun");
    words(" installed, for a view in 3D.");
  }
}

// --- What is shown --------------------------------------------------------------------------------------------------

let isDrawn = true;

function onView(view, began) {
  picture.keep(view, began);
  kernel.keep(view, began);
  sensors.keep(view, began);
  isDrawn = false;
}

function onEvent(event) {
  drive.noteEvent(event);
  const item = document.createElement("li");
  item.textContent = `${event.time_s.toFixed(1)} s  ${event.agent}: ${event.text}`;
  const events = $("events");
  events.prepend(item);
  while (events.children.length > MOST_EVENTS) events.lastChild.remove();
}

/// Whether the stream lives. It is asked apart from what is drawn, which may fail or take long.
function alive() {
  const now = performance.now();
  const [age, still] = [now - stream.latest, now - stream.seen];
  const isDead = stream.latest === 0 || age > DEAD_AFTER;
  const hangs = !isDead && still > HANGS_AFTER;
  const isLive = !isDead && !hangs;
  const seconds = (ms) => Math.max(1, Math.round(ms / 1000));
  // The server may answer while the run does not.
  const words = isLive ? "live" : stream.latest === 0 ? "connecting" : isDead ? `no data for ${seconds(age)} s` : `no tick for ${seconds(still)} s`;
  $("link").className = isLive ? "live" : "dead";
  document.body.classList.toggle("stale", !isLive && stream.view !== null);
  set("link", words);
  const { view } = stream;
  if (view) {
    const stopped = view.agents.every((agent) => agent.mode === "stopped");
    shown({ stopped, at: stream.seen, paused: view.is_paused, hangs });
  }
}

let drawn = 0;
function frame() {
  requestAnimationFrame(frame);
  if (!stream.view) return;
  const now = performance.now();
  // The goal is dragged in between.
  if (isDrawn && now - drawn < 100) return;
  const isNew = now - drawn >= 100;
  isDrawn = true;
  if (isNew) {
    drawn = now;
    tables();
    drive.show();
    kernel.show();
    sensors.show();
  }
  picture.draw();
}
requestAnimationFrame(frame);

function tables() {
  const { view } = stream;
  set("clock", `${view.time_s.toFixed(1)} s${view.is_paused ? ", paused" : ""}`);
  set("pause", view.is_paused ? "Resume" : "Pause");
  $("step").disabled = !view.is_paused;
  rows($("agents"), view.agents, (agent) => agent.agent, (row, agent) => {
    cells(row, [agent.agent, agent.mode.replaceAll("_", " ") + (agent.stopped_by ? ` by ${agent.stopped_by}` : ""),
      agent.pose ? `${number(agent.pose.x_m)}, ${number(agent.pose.y_m)}` : "-", agent.velocity ? `${number(agent.velocity.linear_m_s)} m/s` : "-", agent.alarm ? (agent.cause ?? "alarm") : "-"]);
    row.cells[4].className = agent.alarm ? "alarm" : "";
    if (!row.cells[5]) {
      const say = async (asked) => set("agents-said", (await asked).detail);
      row.insertCell().append(
        button("Stop", `Stop: ${agent.agent}`, () => say(drive.stopOne(agent.agent))), " ",
        button("Clear", `Clear the stop: ${agent.agent}`, () => say(drive.clearStop(agent.agent))),
      );
    }
    row.cells[5].lastChild.disabled = agent.mode !== "stopped";
  });
}

// --- What is told ---------------------------------------------------------------------------------------------------

const control = (path, body) => tell("control-said", "POST", `${base}/run/${path}`, body === undefined ? {} : { body });
$("pause").addEventListener("click", () => control(stream.view?.is_paused ? "resume" : "pause"));
$("step").addEventListener("click", () => control("step", { ticks: 1 }));
$("reset").addEventListener("click", () => control("reset"));
$("pace").addEventListener("change", (event) => {
  const factor = event.target.value;
  control("pace", { factor: factor === "" ? null : Number(factor) });
});

// --- The beginning --------------------------------------------------------------------------------------------------

// The code in the address is good once, and is not sent with it.
const code = new URLSearchParams(location.hash.slice(1)).get("code");
if (code) {
  history.replaceState(null, "", location.pathname + location.search);
  await tell("notice", "POST", "/v1/session", { body: { code } });
}

const version = await until("/v1/version");
if (version.status === 401) {
  set("notice", NOT_SIGNED_IN);
} else {
  if (version.ok) set("notice", "");
  talk();
  const all = run === null ? await until("/v1/runs") : null;
  const going = all?.ok ? all.content.runs.filter((one) => one.state !== "ended") : null;
  if (going !== null && going.length !== 1) await list();
  else await open(version);
}
