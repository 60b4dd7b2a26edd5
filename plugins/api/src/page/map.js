// The map: agents from above with the way they came, the last scan of their lidar, places of the scene, and a goal to drag.

import { $ } from "./api.js";
import { stream } from "./stream.js";

/// Around everything that is shown (m), and least movement that is kept of a way.
const MARGIN = 2;
const APART = 0.05;
const LONGEST_WAY = 4000;
/// Steps of the goal by keys (m).
const STEP = 0.1;
const FAR_STEP = 1;

export const map = {
  places: [],
  /// By their sensor: where a lidar sits.
  mounts: new Map(),
  /// Name of the agent that is driven, and whether a goal may be set for it.
  agent: null,
  canSet: false,
  /// The marker: `{x, y}`, not sent yet while `isDraft`.
  marker: null,
  isDraft: false,
};

const canvas = $("map");
const ways = new Map();
let frame = null;
/// From metres to pixels of the page, and back.
let scale = null;
let dragged = null;
let before = null;
let colours = new Map();

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours = new Map(); });

/// A canvas knows no variables, nor the colours of light and dark.
export function colour(name) {
  let value = colours.get(name);
  if (value === undefined) {
    canvas.style.color = `var(${name})`;
    value = getComputedStyle(canvas).color;
    colours.set(name, value);
  }
  return value;
}

/// Keeps the ways of a view; those of a run that began anew are forgotten.
export function keep(view, began) {
  if (began) {
    ways.clear();
    frame = null;
  }
  for (const { agent, pose } of view.agents) {
    if (!pose) continue;
    const way = ways.get(agent) ?? [];
    const last = way.at(-1);
    if (!last || Math.hypot(pose.x_m - last[0], pose.y_m - last[1]) > APART) way.push([pose.x_m, pose.y_m]);
    if (way.length > LONGEST_WAY) way.splice(0, 1000);
    ways.set(agent, way);
  }
}

/// The part of the world that is shown. It only grows, so that the picture does not swim.
function framed(view) {
  const points = map.places.map((place) => [place.x_m, place.y_m]);
  for (const { pose, goal } of view.agents) {
    if (pose) points.push([pose.x_m, pose.y_m]);
    if (goal) points.push([goal.x_m, goal.y_m]);
  }
  if (map.marker && dragged === null) points.push([map.marker.x, map.marker.y]);
  if (points.length === 0) return null;
  frame ??= { left: points[0][0], right: points[0][0], low: points[0][1], high: points[0][1] };
  for (const [x, y] of points) {
    if (x < frame.left) frame.left = x - 0.5;
    if (x > frame.right) frame.right = x + 0.5;
    if (y < frame.low) frame.low = y - 0.5;
    if (y > frame.high) frame.high = y + 0.5;
  }
  return frame;
}

export function draw() {
  const { view } = stream;
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (width === 0) return;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const at = canvas.getContext("2d");
  at.setTransform(ratio, 0, 0, ratio, 0, 0);
  at.clearRect(0, 0, width, height);
  const box = framed(view);
  if (box === null) {
    at.fillStyle = colour("--soft");
    at.font = "14px system-ui, sans-serif";
    at.fillText("No agent of this scene has a position.", 12, 24);
    return;
  }
  if (dragged === null) {
    const metre = Math.min(width / (box.right - box.left + 2 * MARGIN), height / (box.high - box.low + 2 * MARGIN));
    scale = { metre, x0: width / 2 - ((box.left + box.right) / 2) * metre, y0: height / 2 + ((box.low + box.high) / 2) * metre };
  }
  const { metre } = scale;
  const x = (m) => scale.x0 + m * metre;
  const y = (m) => scale.y0 - m * metre;
  grid(at, width, height, x, y, metre);
  for (const agent of view.agents) {
    if (agent.pose) scan(at, view, agent, x, y);
  }
  for (const agent of view.agents) line(at, agent, x, y);
  for (const place of map.places) named(at, place, x, y, width);
  for (const agent of view.agents) {
    if (agent.goal && agent.agent !== map.agent) cross(at, x(agent.goal.x_m), y(agent.goal.y_m), colour("--soft"));
  }
  for (const agent of view.agents) {
    if (agent.pose) body(at, agent, x, y, width);
  }
  goal(at, view, x, y, width);
}

function grid(at, width, height, x, y, metre) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((m) => m * metre >= 24) ?? 1000;
  at.strokeStyle = colour("--line");
  at.lineWidth = 0.5;
  at.beginPath();
  for (let m = Math.ceil(-scale.x0 / metre / step) * step; x(m) < width; m += step) { at.moveTo(x(m), 0); at.lineTo(x(m), height); }
  for (let m = Math.ceil((scale.y0 - height) / metre / step) * step; y(m) > 0; m += step) { at.moveTo(0, y(m)); at.lineTo(width, y(m)); }
  at.stroke();
  at.font = "12px system-ui, sans-serif";
  write(at, `grid ${step} m`, 8, height - 8, width, colour("--soft"));
}

/// A text with a margin of the paper's colour, within the canvas.
function write(at, text, x, y, width, ink) {
  const left = Math.max(4, Math.min(x, width - at.measureText(text).width - 4));
  at.lineWidth = 3;
  at.lineJoin = "round";
  at.strokeStyle = colour("--card");
  at.strokeText(text, left, y);
  at.fillStyle = ink;
  at.fillText(text, left, y);
}

function scan(at, view, agent, x, y) {
  at.fillStyle = colour("--good");
  for (const { sensor, rays, values } of view.sensors) {
    if (!rays || !sensor.startsWith(`${agent.agent}/`)) continue;
    const mount = map.mounts.get(sensor) ?? { x_m: 0, y_m: 0, yaw_rad: 0 };
    const { x_m, y_m, yaw_rad } = agent.pose;
    const [sin, cos] = [Math.sin(yaw_rad), Math.cos(yaw_rad)];
    const from = [x_m + mount.x_m * cos - mount.y_m * sin, y_m + mount.x_m * sin + mount.y_m * cos];
    values.forEach((range, k) => {
      if (range === null || range >= rays.range_max_m) return;
      const angle = yaw_rad + mount.yaw_rad + rays.first_rad + k * rays.step_rad;
      at.fillRect(x(from[0] + range * Math.cos(angle)) - 1, y(from[1] + range * Math.sin(angle)) - 1, 2, 2);
    });
  }
}

function line(at, agent, x, y) {
  at.strokeStyle = colour("--soft");
  at.lineWidth = 1.5;
  at.beginPath();
  for (const [px, py] of ways.get(agent.agent) ?? []) at.lineTo(x(px), y(py));
  if (agent.pose) at.lineTo(x(agent.pose.x_m), y(agent.pose.y_m));
  at.stroke();
}

function named(at, place, x, y, width) {
  at.strokeStyle = colour("--soft");
  at.lineWidth = 1.5;
  at.strokeRect(x(place.x_m) - 4, y(place.y_m) - 4, 8, 8);
  write(at, place.name, x(place.x_m) + 9, y(place.y_m) + 4, width, colour("--soft"));
}

function body(at, agent, x, y, width) {
  const { pose } = agent;
  at.save();
  at.translate(x(pose.x_m), y(pose.y_m));
  at.rotate(-pose.yaw_rad);
  at.fillStyle = colour(agent.alarm || agent.stopped_by || agent.mode === "safety_stop" ? "--bad" : "--blue");
  at.beginPath();
  at.moveTo(12, 0);
  at.lineTo(-8, 7);
  at.lineTo(-8, -7);
  at.closePath();
  at.fill();
  at.restore();
  write(at, agent.agent, x(pose.x_m) + 12, y(pose.y_m) - 10, width, colour("--ink"));
}

function cross(at, px, py, ink) {
  at.strokeStyle = ink;
  at.lineWidth = 2;
  at.beginPath();
  at.moveTo(px - 7, py);
  at.lineTo(px + 7, py);
  at.moveTo(px, py - 7);
  at.lineTo(px, py + 7);
  at.stroke();
}

function goal(at, view, x, y, width) {
  const agent = view.agents.find((one) => one.agent === map.agent);
  const marker = map.marker;
  if (!agent || !marker) return;
  const ink = colour(map.isDraft ? "--soft" : "--blue");
  const [px, py] = [x(marker.x), y(marker.y)];
  if (agent.pose) {
    at.setLineDash([5, 5]);
    at.strokeStyle = ink;
    at.lineWidth = 1.5;
    at.beginPath();
    at.moveTo(x(agent.pose.x_m), y(agent.pose.y_m));
    at.lineTo(px, py);
    at.stroke();
    at.setLineDash([]);
  }
  at.lineWidth = 2.5;
  at.strokeStyle = ink;
  at.beginPath();
  at.arc(px, py, 10, 0, 2 * Math.PI);
  at.stroke();
  cross(at, px, py, ink);
  write(at, `${marker.x.toFixed(1)}, ${marker.y.toFixed(1)}`, px + 14, py + 18, width, colour("--ink"));
}

const within = (m) => Math.round(Math.max(-1000, Math.min(1000, m)) * 1000) / 1000;

function place(event) {
  const box = canvas.getBoundingClientRect();
  move((event.clientX - box.left - scale.x0) / scale.metre, (scale.y0 - (event.clientY - box.top)) / scale.metre);
}

function move(x, y) {
  map.marker = { x: within(x), y: within(y) };
  map.isDraft = true;
  canvas.dispatchEvent(new CustomEvent("goal-moved"));
}

const send = () => canvas.dispatchEvent(new CustomEvent("goal-set"));

/// While a goal may be set a finger drags it, else it scrolls the page.
export function allow(may) {
  map.canSet = may;
  canvas.classList.toggle("active", may);
  if (!may) dragged = null;
}

canvas.addEventListener("pointerdown", (event) => {
  if (!map.canSet || scale === null || event.button !== 0) return;
  before = map.isDraft ? null : map.marker;
  dragged = event.pointerId;
  canvas.setPointerCapture(dragged);
  place(event);
});
canvas.addEventListener("pointermove", (event) => { if (event.pointerId === dragged) place(event); });
canvas.addEventListener("pointerup", (event) => {
  if (event.pointerId !== dragged) return;
  place(event);
  dragged = null;
  send();
});
canvas.addEventListener("pointercancel", (event) => {
  if (event.pointerId !== dragged) return;
  dragged = null;
  map.marker = before;
  map.isDraft = false;
});

const ARROWS = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

canvas.addEventListener("keydown", (event) => {
  if (!map.canSet) return;
  const arrow = ARROWS[event.key];
  if (arrow) {
    const step = event.shiftKey ? FAR_STEP : STEP;
    const pose = stream.view?.agents.find((one) => one.agent === map.agent)?.pose;
    const from = map.marker ?? { x: Math.round((pose?.x_m ?? 0) * 10) / 10, y: Math.round((pose?.y_m ?? 0) * 10) / 10 };
    move(from.x + arrow[0] * step, from.y + arrow[1] * step);
  } else if (event.key === "Enter" && map.marker) {
    send();
  } else if (event.key === "Escape" && map.isDraft) {
    map.marker = null;
    map.isDraft = false;
    canvas.dispatchEvent(new CustomEvent("goal-moved"));
  } else {
    return;
  }
  event.preventDefault();
});
