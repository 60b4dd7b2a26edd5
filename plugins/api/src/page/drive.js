// One agent that is driven: its lease, its goal, and the pad.

import { $, ask, base, isFree, number, ofAgent, set } from "./api.js";
import { allow, map } from "./map.js";
import { stream } from "./stream.js";

const LEASE = { for_s: 600, heartbeat_s: 5 };
/// Between positions of the pad, and between heartbeats (ms).
const EVERY = 100;
const HEARTBEAT_EVERY = 500;
/// A position of the pad holds for this time of ours: a page that hangs drives nothing (s).
const HOLDS = 0.3;
const GOAL_LASTS = 3600;

const ABOUT = $("lease-state").textContent;

let lease = null;
let ends = 0;
/// What the agent does: `stand` (it is held, or driven by the pad), `goal`.
let doing = "stand";
/// Of the goal: whether its answer is awaited, when it was sent, whether a view had it.
let sending = false;
let sent = 0;
let isSeen = false;
/// When no view had it any more, as long as its end is not told; else 0.
let over = 0;
/// Last word of an event about a goal.
let outcome = "";
/// Why the pad does nothing, by the run.
let refused = "";
let beaten = 0;
const stick = { forward: 0, left: 0 };
let inFlight = 0;

const headers = () => ({ Lease: lease.id });
const agentOf = (view) => view?.agents.find((agent) => agent.agent === (lease?.agent ?? $("driven").value));

// --- The lease ------------------------------------------------------------------------------------------------------

function lost(why) {
  lease = null;
  doing = "stand";
  map.marker = null;
  map.isDraft = false;
  sending = false;
  set("lease-state", why);
  set("goal-state", "");
  set("pad-state", "");
  show();
}

$("lease").addEventListener("click", async () => {
  const button = $("lease");
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  if (lease) {
    const answer = await ask("DELETE", ofAgent(lease.agent, "lease"), { headers: headers() });
    lost(answer.ok ? `${lease.agent} is released: its own controller goes on.` : answer.detail);
  } else {
    const agent = $("driven").value;
    const answer = await ask("POST", ofAgent(agent, "lease"), { body: LEASE });
    if (answer.ok) {
      lease = answer.content;
      ends = performance.now() + lease.ends_in_s * 1000;
      [refused, outcome, doing] = ["", "", "stand"];
      set("lease-state", `${agent} is yours: it stands until you send it to a goal or hold the pad.`);
    } else {
      set("lease-state", answer.detail);
    }
  }
  button.removeAttribute("aria-busy");
  show();
});

addEventListener("pagehide", () => {
  if (lease) ask("DELETE", ofAgent(lease.agent, "lease"), { headers: headers(), keepalive: true });
});

// --- The goal -------------------------------------------------------------------------------------------------------

const canvas = $("map");
canvas.addEventListener("goal-moved", () => {
  $("place").value = "";
  fields();
  set("goal-state", map.marker ? `${at(map.marker)}: not sent` : "");
});
canvas.addEventListener("goal-set", go);
$("go").addEventListener("click", go);
for (const id of ["goal-x", "goal-y"]) {
  $(id).addEventListener("input", () => {
    $("place").value = "";
    fromFields();
  });
  $(id).addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
}
$("place").addEventListener("change", () => {
  const place = map.places.find((one) => one.name === $("place").value);
  if (!place) return;
  map.marker = { x: place.x_m, y: place.y_m };
  map.isDraft = true;
  fields();
  set("goal-state", `${place.name}: not sent`);
});

const at = ({ x, y }) => `${x.toFixed(2)}, ${y.toFixed(2)} m`;
function fromFields() {
  const [x, y] = [$("goal-x").valueAsNumber, $("goal-y").valueAsNumber];
  map.marker = Number.isFinite(x) && Number.isFinite(y) ? { x, y } : null;
  map.isDraft = map.marker !== null;
}

function fields() {
  $("goal-x").value = map.marker ? map.marker.x.toFixed(2) : "";
  $("goal-y").value = map.marker ? map.marker.y.toFixed(2) : "";
}

async function go() {
  if (!map.canSet || !lease || sending) return;
  if (!map.marker) fromFields();
  if (!map.marker) {
    set("goal-state", "Expected a position: two numbers, a place, or a point of the map.");
    return;
  }
  const { x, y } = map.marker;
  const name = $("place").value;
  const to = name === "" ? at(map.marker) : name;
  sending = true;
  [doing, isSeen, over, outcome] = ["goal", false, 0, ""];
  set("goal-state", `${to}: sent`);
  const held = lease;
  const body = { kind: "go_to", x_m: x, y_m: y, for_s: GOAL_LASTS };
  const answer = await ask("POST", ofAgent(held.agent, "requests"), { body, headers: headers() });
  sending = false;
  if (lease !== held) return;
  if (answer.ok) {
    sent = performance.now();
    map.isDraft = false;
    set("goal-state", `On its way to ${to}`);
  } else {
    doing = "stand";
    set("goal-state", `Refused: ${answer.detail}`);
    check(answer);
  }
}

/// Events tell how a goal ended.
export function noteEvent({ agent, text }) {
  if (lease && agent === lease.agent && /^request of .* (done|dropped|refused): /.test(text)) outcome = text;
}

function follow(agent) {
  if (doing === "goal" && !sending) {
    if (agent?.goal) {
      isSeen = true;
      if (!map.isDraft) map.marker = { x: agent.goal.x_m, y: agent.goal.y_m };
    } else if (stream.seen > sent && (isSeen || performance.now() - sent > 1000)) {
      // At the goal it stands.
      doing = "stand";
      position(2);
      over = performance.now();
      if (!map.isDraft) map.marker = null;
    }
  }
  // Its event may be a moment behind the view.
  if (over === 0 || (outcome === "" && performance.now() - over < 500)) return;
  over = 0;
  const [, how, what] = /^request of .*? (done|dropped|refused): (.*)$/.exec(outcome) ?? [];
  set("goal-state", how === undefined ? "The goal is over." : `${how === "done" ? "Reached" : `Not reached, ${how}`}: ${what}`);
}

// --- The pad --------------------------------------------------------------------------------------------------------

const pad = $("pad");
const keys = new Set();
let dragged = null;

function place(forward, left) {
  const was = stick.forward !== 0 || stick.left !== 0;
  [stick.forward, stick.left] = [forward, left];
  $("knob").style.transform = `translate(${-left * 180}%, ${-forward * 180}%)`;
  const is = forward !== 0 || left !== 0;
  if (is && doing === "goal") {
    doing = "stand";
    set("goal-state", "The goal is given up: driven by hand.");
    map.marker = null;
  }
  // Who lets go does not wait.
  if (was && !is) position(2);
}

pad.addEventListener("pointerdown", (event) => {
  dragged = event.pointerId;
  pad.setPointerCapture(dragged);
  drag(event);
});
pad.addEventListener("pointermove", (event) => { if (event.pointerId === dragged) drag(event); });
for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  pad.addEventListener(end, (event) => {
    if (event.pointerId !== dragged) return;
    dragged = null;
    place(0, 0);
  });
}
function drag(event) {
  const box = pad.getBoundingClientRect();
  const unit = (x) => Math.max(-1, Math.min(1, x));
  place(unit(1 - (2 * (event.clientY - box.top)) / box.height), unit(1 - (2 * (event.clientX - box.left)) / box.width));
}

const ARROWS = { ArrowUp: [0.5, 0], ArrowDown: [-0.5, 0], ArrowLeft: [0, 0.5], ArrowRight: [0, -0.5] };
pad.addEventListener("keydown", (event) => {
  if (!ARROWS[event.key]) return;
  keys.add(event.key);
  event.preventDefault();
  byKeys();
});
pad.addEventListener("keyup", (event) => { if (keys.delete(event.key)) byKeys(); });
function letGo() {
  keys.clear();
  dragged = null;
  place(0, 0);
}
pad.addEventListener("blur", letGo);
addEventListener("blur", letGo);
document.addEventListener("visibilitychange", () => { if (document.hidden) letGo(); });
function byKeys() {
  if (dragged !== null) return;
  const held = [...keys].map((key) => ARROWS[key]);
  place(held.reduce((sum, [f]) => sum + f, 0), held.reduce((sum, [, l]) => sum + l, 0));
}

/// Whether an answer says that the lease is over.
function check(answer) {
  if (answer.status === 403 && /no lease|another lease/.test(answer.detail)) {
    lost("The lease is over: its own controller goes on.");
    return false;
  }
  return true;
}

/// Sends the position of the pad, at rest too: the agent stands. At most so many at once.
async function position(most) {
  if (!lease || doing !== "stand" || sending || refused !== "" || inFlight >= most || !isFree()) return;
  const held = lease;
  inFlight += 1;
  // Of the run's time, as much as passes in a moment of ours.
  const for_s = Math.min(60, Math.max(0.01, HOLDS * Math.max(0.01, stream.pace)));
  const answer = await ask("POST", ofAgent(held.agent, "requests"), { body: { kind: "stick", ...stick, for_s }, headers: headers(), within: 1000 });
  inFlight -= 1;
  if (lease !== held || !check(answer)) return;
  beaten = performance.now();
  if (answer.status === 400) refused = answer.detail;
  set("pad-state", answer.ok ? "" : answer.detail);
}

async function heartbeat() {
  if (!lease || performance.now() - beaten < HEARTBEAT_EVERY || !isFree()) return;
  const held = lease;
  beaten = performance.now();
  const answer = await ask("POST", ofAgent(held.agent, "lease/heartbeat"), { headers: headers(), within: 1000 });
  if (lease === held) check(answer);
}

setInterval(() => {
  if (!lease) return;
  const stopped = agentOf(stream.view)?.mode === "stopped";
  if (doing === "stand" && refused === "" && !stopped) position(1);
  else heartbeat();
}, EVERY);

// --- What is shown --------------------------------------------------------------------------------------------------

export function show() {
  const { view } = stream;
  if (!view) return;
  const names = view.agents.filter((agent) => agent.mode !== "no_drive").map((agent) => agent.agent);
  const chosen = $("driven");
  if ([...chosen.options].map((option) => option.value).join("\n") !== names.join("\n")) {
    const was = chosen.value;
    chosen.replaceChildren(...names.map((name) => new Option(name, name)));
    if (names.includes(was)) chosen.value = was;
  }
  chosen.disabled = lease !== null;
  $("lease").disabled = names.length === 0;
  set("lease", lease ? "Release the lease" : "Take the lease");
  if (names.length === 0) set("lease-state", "No agent of this scene has a drive.");
  else if (!lease && $("lease-state").textContent === "") set("lease-state", ABOUT);
  const left = lease ? Math.max(0, Math.ceil((ends - performance.now()) / 1000)) : 0;
  set("lease-left", lease ? `ends in ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "");
  const agent = agentOf(view);
  map.agent = agent?.agent ?? null;
  follow(agent);
  // The run's own words tell why there is no goal.
  const refusal = agent?.goal_refusal ?? null;
  const may = lease !== null && refusal === null;
  if (map.canSet !== may) allow(may);
  for (const id of ["place", "goal-x", "goal-y", "go"]) $(id).disabled = !may;
  if (refusal !== null) set("goal-state", `No goals: ${refusal}`);
  else if (!lease) set("goal-state", "Take the lease to set a goal.");
  else if (/^(No goals|Take the lease)/.test($("goal-state").textContent)) set("goal-state", "");
  const distance = doing === "goal" ? agent?.goal?.distance_m : null;
  set("goal-left", distance === null || distance === undefined ? "" : `${number(distance)} m left`);
  if (doing === "goal" && document.activeElement !== $("goal-x") && document.activeElement !== $("goal-y") && !map.isDraft) fields();
  pad.classList.toggle("active", lease !== null && refused === "" && agent?.mode !== "stopped");
  if (lease && agent?.mode === "stopped") set("pad-state", "Stopped: clear the stop first.");
  else if ($("pad-state").textContent === "Stopped: clear the stop first.") set("pad-state", "");
}

/// Places of the scene.
export function places(all) {
  map.places = all;
  $("place").append(...all.map((place) => new Option(place.name, place.name)));
}

/// Buttons of an agent that need no lease.
export const clearStop = (agent) => ask("POST", ofAgent(agent, "clear_stop"));
export const stopOne = (agent) => ask("POST", `${base}/agents/${encodeURIComponent(agent)}/stop`);
