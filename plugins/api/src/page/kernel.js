// The panel of the coherence kernel of one agent.

import { $, number, set } from "./api.js";
import { colour } from "./map.js";
import { stream } from "./stream.js";

/// Seconds of the curves (s of the run), and least time between two values of them.
const SPAN = 60;
const EVERY = 0.2;
/// The end of the bar and of the curves; the alarm's threshold is 1.
const TOP = 2;

const SYNC = {
  aligned: "aligned: short and long window agree",
  apart: "apart: short and long window have diverged",
  neither: "neither: between aligned and apart",
  collapsed: "collapsed: phase-locked",
  dissipated: "dissipated: alarm",
};

/// By agent: `[time_s, surprise, order]`.
const pasts = new Map();
let told = 0;

export function keep(view, began) {
  if (began) pasts.clear();
  for (const { agent, kernel } of view.agents) {
    if (!kernel) continue;
    const past = pasts.get(agent) ?? [];
    pasts.set(agent, past);
    if (past.length > 0 && view.time_s - past.at(-1)[0] < EVERY) continue;
    past.push([view.time_s, kernel.surprise, kernel.order]);
    while (past[0][0] < view.time_s - SPAN) past.shift();
  }
}

export function show() {
  const { view } = stream;
  const names = view.agents.filter((agent) => agent.kernel).map((agent) => agent.agent);
  $("no-kernel").hidden = names.length > 0;
  $("kernel").hidden = names.length === 0;
  if (names.length === 0) return;
  const chosen = $("watched");
  if ([...chosen.options].map((option) => option.value).join("\n") !== names.join("\n")) {
    const was = chosen.value;
    chosen.replaceChildren(...names.map((name) => new Option(name, name)));
    if (names.includes(was)) chosen.value = was;
  }
  const agent = view.agents.find((one) => one.agent === chosen.value);
  const { kernel } = agent;
  const { surprise } = kernel;
  const others = view.agents.filter((one) => one.alarm && one !== agent).map((one) => one.agent);
  set("kernel-alarm", [agent.alarm ? `Alarm: ${agent.cause ?? "no channel isolated"}` : "", others.length > 0 ? `Alarm of ${others.join(", ")}` : ""].filter(Boolean).join("; "));
  set("k-surprise", surprise === null ? "-, no trained self-model yet" : number(surprise));
  set("k-coherence", number(kernel.coherence));
  set("k-order", number(kernel.order));
  set("k-master", number(kernel.order_master));
  set("k-sync", SYNC[kernel.synchronization] ?? kernel.synchronization);
  set("k-cause", agent.cause ?? (agent.alarm ? "none" : "-"));
  const bar = $("bar");
  $("bar-value").style.width = `${(Math.min(surprise ?? 0, TOP) / TOP) * 100}%`;
  bar.classList.toggle("over", (surprise ?? 0) > 1);
  bar.setAttribute("aria-valuenow", Math.min(surprise ?? 0, TOP).toFixed(2));
  bar.setAttribute("aria-valuetext", surprise === null ? "no trained self-model yet" : `${number(surprise)}, alarm above 1`);
  spark(pasts.get(agent.agent) ?? [], view.time_s);
}

function spark(past, now) {
  const canvas = $("spark");
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (width === 0) return;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const at = canvas.getContext("2d");
  at.setTransform(ratio, 0, 0, ratio, 0, 0);
  at.clearRect(0, 0, width, height);
  const x = (time) => width * (1 - (now - time) / SPAN);
  const y = (value) => height - 2 - (Math.min(value, TOP) / TOP) * (height - 4);
  at.strokeStyle = colour("--line");
  at.lineWidth = 1;
  at.setLineDash([4, 4]);
  at.beginPath();
  at.moveTo(0, y(1));
  at.lineTo(width, y(1));
  at.stroke();
  at.setLineDash([]);
  for (const [index, name] of [[2, "--good"], [1, "--blue"]]) {
    at.strokeStyle = colour(name);
    at.lineWidth = 1.5;
    at.beginPath();
    let isDown = false;
    for (const value of past) {
      if (value[index] === null) { isDown = false; continue; }
      if (isDown) at.lineTo(x(value[0]), y(value[index]));
      else at.moveTo(x(value[0]), y(value[index]));
      isDown = true;
    }
    at.stroke();
  }
  // By ear once a second is enough.
  if (performance.now() - told < 1000) return;
  told = performance.now();
  const range = (index) => {
    const values = past.map((value) => value[index]).filter((value) => value !== null);
    return values.length === 0 ? "none" : `${number(Math.min(...values))} to ${number(Math.max(...values))}, now ${number(values.at(-1))}`;
  };
  canvas.setAttribute("aria-label", `Last ${SPAN} s: surprise ${range(1)}; order ${range(2)}`);
}
