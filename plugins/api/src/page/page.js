// The page of a run: what it shows comes by one WebSocket, what it tells goes by REST.

const $ = (id) => document.getElementById(id);
const text = (x, digits = 2) => (x === null || x === undefined ? "-" : x.toFixed(digits));

/// Sends a request; shows what is wrong with it. Returns the answer's content, or null.
async function tell(method, path, body, headers = {}) {
  try {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await fetch(path, { method, headers, ...sent });
    const content = await answer.text();
    if (answer.ok) {
      say("");
      return content === "" ? {} : JSON.parse(content);
    }
    say(JSON.parse(content).detail);
  } catch (error) {
    say(`No answer: ${error.message}`);
  }
  return null;
}

const say = (message) => { $("message").textContent = message; };

// The code in the address is good once, and is not sent with it.
const code = new URLSearchParams(location.hash.slice(1)).get("code");
if (code) {
  history.replaceState(null, "", location.pathname);
  await tell("POST", "/v1/session", { code });
}

const version = await tell("GET", "/v1/version");
if (version) {
  $("scene").textContent = version.scene;
  document.title = `${version.scene} - BecomingONE`;
} else {
  say("This page is not signed in: open the address that the run prints at its start.");
}

// --- The stream -----------------------------------------------------------------------------------------------------

let view = null;
// When a message, and a view, came last.
let latest = 0;
let seen = 0;
let socket = null;
const paths = new Map();

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/stream`);
  socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", sensors: ["*"], rate_hz: 20 }));
  socket.onmessage = (message) => take(JSON.parse(message.data));
  socket.onclose = () => setTimeout(connect, 500);
}

function take(message) {
  latest = performance.now();
  if (message.type === "view") {
    if (view && message.tick < view.tick) {
      paths.clear();
    }
    view = message;
    seen = latest;
    for (const agent of message.agents) {
      if (!agent.pose) continue;
      const path = paths.get(agent.agent) ?? [];
      const last = path.at(-1);
      if (!last || Math.hypot(agent.pose.x_m - last[0], agent.pose.y_m - last[1]) > 0.05) path.push([agent.pose.x_m, agent.pose.y_m]);
      if (path.length > 4000) path.splice(0, 1000);
      paths.set(agent.agent, path);
    }
  } else if (message.type === "events") {
    for (const event of message.events) {
      const item = document.createElement("li");
      item.textContent = `${event.time_s.toFixed(1)} s  ${event.agent}: ${event.text}`;
      $("events").prepend(item);
    }
    while ($("events").children.length > 200) $("events").lastChild.remove();
  }
}

if (version) connect();

// --- What is shown --------------------------------------------------------------------------------------------------

function cells(row, contents) {
  contents.forEach((content, k) => {
    const cell = row.cells[k] ?? row.insertCell();
    if (cell.textContent !== content) cell.textContent = content;
  });
}

/// Rows of a table by a key, in order: they are kept, so that the focus stays where it is.
function rows(body, items, key, fill) {
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  for (const item of items) {
    let row = known.get(key(item));
    if (!row) {
      row = body.insertRow();
      row.dataset.key = key(item);
    }
    known.delete(key(item));
    fill(row, item);
  }
  for (const row of known.values()) row.remove();
}

function show() {
  const age = (performance.now() - latest) / 1000;
  const still = (performance.now() - seen) / 1000;
  const live = seen > 0 && age < 1 && still < 1;
  $("link").className = live ? "live" : "dead";
  // The server may answer while the run does not.
  const state = live ? "live" : latest === 0 ? "connecting" : age < 1 ? `no tick for ${still.toFixed(0)} s` : `no data for ${age.toFixed(0)} s`;
  if ($("link").textContent !== state) $("link").textContent = state;
  if (!view) return;
  $("clock").textContent = `${view.time_s.toFixed(1)} s, tick ${view.tick}${view.is_paused ? ", paused" : ""}`;
  $("pause").textContent = view.is_paused ? "Resume" : "Pause";
  rows($("agents"), view.agents, (a) => a.agent, (row, a) => {
    const kernel = a.kernel ?? {};
    cells(row, [a.agent, a.mode.replaceAll("_", " ") + (a.stopped_by ? ` by ${a.stopped_by}` : ""), a.pose ? `${text(a.pose.x_m)}, ${text(a.pose.y_m)}` : "-",
      text(a.velocity?.linear_m_s), text(kernel.order), text(kernel.surprise), a.alarm ? (a.cause ?? "alarm") : "-"]);
    row.cells[6].className = a.alarm ? "alarm" : "";
    if (!row.cells[7]) {
      const actions = row.insertCell();
      for (const [name, path] of [["Stop", "stop"], ["Clear stop", "clear_stop"]]) {
        const button = document.createElement("button");
        button.textContent = name;
        button.setAttribute("aria-label", `${name}: ${a.agent}`);
        button.onclick = () => tell("POST", `/v1/agents/${encodeURIComponent(a.agent)}/${path}`);
        actions.append(button, " ");
      }
    }
  });
  const names = view.agents.filter((a) => a.mode !== "no_drive").map((a) => a.agent);
  const chosen = $("driven");
  if ([...chosen.options].map((o) => o.value).join() !== names.join()) {
    chosen.replaceChildren(...names.map((name) => new Option(name, name)));
  }
  rows($("sensors"), view.sensors, (s) => s.sensor, (row, s) => {
    const few = s.values.slice(0, 4).map((x) => text(x, 3)).join(", ");
    const more = s.values.length > 4 ? `, .. ${s.values.length} numbers` : "";
    cells(row, [s.sensor, s.kind, `${s.readings}`, `${s.dropped}`, s.link ? s.link + (s.is_stale ? ", stale" : "") : "simulated", few + more]);
  });
  draw();
}

function draw() {
  const canvas = $("map");
  const scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  // A canvas knows no variables, nor the colours of light and dark.
  const colour = (name) => {
    canvas.style.color = `var(${name})`;
    return getComputedStyle(canvas).color;
  };
  const at = canvas.getContext("2d");
  at.setTransform(scale, 0, 0, scale, 0, 0);
  at.clearRect(0, 0, width, height);
  const points = [...paths.values()].flat();
  for (const a of view.agents) if (a.pose) points.push([a.pose.x_m, a.pose.y_m]);
  if (points.length === 0) return;
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const span = (all) => all.reduce(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [Infinity, -Infinity]);
  const [[left, right], [low, high]] = [span(xs), span(ys)];
  const metre = Math.min(width / (right - left + 4), height / (high - low + 4));
  const x = (m) => width / 2 + (m - (left + right) / 2) * metre;
  const y = (m) => height / 2 - (m - (low + high) / 2) * metre;
  // A grid of metres, or of tens.
  const step = metre > 12 ? 1 : metre > 1.2 ? 10 : 100;
  at.strokeStyle = colour("--line");
  at.lineWidth = 0.5;
  at.beginPath();
  for (let m = Math.floor(left - 2); m <= right + width / metre; m += step) { at.moveTo(x(m), 0); at.lineTo(x(m), height); }
  for (let m = Math.floor(low - 2); m <= high + height / metre; m += step) { at.moveTo(0, y(m)); at.lineTo(width, y(m)); }
  at.stroke();
  at.fillStyle = colour("--soft");
  at.font = "12px system-ui, sans-serif";
  at.fillText(`grid ${step} m`, 6, height - 6);
  for (const a of view.agents) {
    if (!a.pose) continue;
    at.strokeStyle = colour("--soft");
    at.lineWidth = 1.5;
    at.beginPath();
    for (const [px, py] of paths.get(a.agent) ?? []) at.lineTo(x(px), y(py));
    at.stroke();
    const scan = view.sensors.find((s) => s.kind === "lidar" && s.sensor.startsWith(`${a.agent}/`));
    if (scan) {
      at.fillStyle = colour("--good");
      scan.values.forEach((range, k) => {
        if (range === null) return;
        // Ray 0 points backwards, the middle one forward.
        const angle = a.pose.yaw_rad - Math.PI + (2 * Math.PI * k) / scan.values.length;
        at.fillRect(x(a.pose.x_m + range * Math.cos(angle)) - 1, y(a.pose.y_m + range * Math.sin(angle)) - 1, 2, 2);
      });
    }
    at.save();
    at.translate(x(a.pose.x_m), y(a.pose.y_m));
    at.rotate(-a.pose.yaw_rad);
    at.fillStyle = colour(a.alarm || a.stopped_by || a.mode === "safety_stop" ? "--bad" : "--blue");
    at.beginPath();
    at.moveTo(12, 0);
    at.lineTo(-8, 7);
    at.lineTo(-8, -7);
    at.fill();
    at.restore();
    at.fillStyle = colour("--ink");
    at.fillText(a.agent, x(a.pose.x_m) + 12, y(a.pose.y_m) - 10);
  }
}

setInterval(show, 100);

// --- What is told ---------------------------------------------------------------------------------------------------

$("stop").onclick = () => tell("POST", "/v1/stop");
$("pause").onclick = () => tell("POST", view?.is_paused ? "/v1/run/resume" : "/v1/run/pause");
$("step").onclick = () => tell("POST", "/v1/run/step", { ticks: 1 });
$("reset").onclick = () => tell("POST", "/v1/run/reset");
$("pace").onchange = (event) => {
  const factor = event.target.value;
  tell("POST", "/v1/run/pace", { factor: factor === "" ? null : Number(factor) });
};

let lease = null;
$("lease").onclick = async () => {
  if (lease) {
    await tell("DELETE", `/v1/agents/${encodeURIComponent(lease.agent)}/lease`, undefined, { Lease: lease.id });
    lease = null;
  } else {
    lease = await tell("POST", `/v1/agents/${encodeURIComponent($("driven").value)}/lease`, { for_s: 600, heartbeat_s: 2 });
  }
  $("lease").textContent = lease ? "Release the lease" : "Take the lease";
  $("lease-state").textContent = lease ? `${lease.agent} is yours` : "";
  if (lease) $("pad").focus();
};

const stick = { forward: 0, left: 0 };
const keys = new Set();
let dragged = null;

function place(forward, left) {
  [stick.forward, stick.left] = [forward, left];
  $("knob").style.transform = `translate(${-left * 180}%, ${-forward * 180}%)`;
}

const pad = $("pad");
pad.onpointerdown = (event) => { dragged = event.pointerId; pad.setPointerCapture(dragged); drag(event); };
pad.onpointermove = (event) => { if (event.pointerId === dragged) drag(event); };
pad.onpointerup = pad.onpointercancel = pad.onlostpointercapture = () => { dragged = null; place(0, 0); };
function drag(event) {
  const box = pad.getBoundingClientRect();
  const unit = (x) => Math.max(-1, Math.min(1, x));
  place(unit(1 - (2 * (event.clientY - box.top)) / box.height), unit(1 - (2 * (event.clientX - box.left)) / box.width));
}
const arrows = { ArrowUp: [0.5, 0], ArrowDown: [-0.5, 0], ArrowLeft: [0, 0.5], ArrowRight: [0, -0.5] };
pad.onkeydown = (event) => { if (arrows[event.key]) { keys.add(event.key); event.preventDefault(); byKeys(); } };
pad.onkeyup = (event) => { keys.delete(event.key); byKeys(); };
pad.onblur = () => { keys.clear(); byKeys(); };
function byKeys() {
  if (dragged !== null) return;
  const held = [...keys].map((key) => arrows[key]);
  place(held.reduce((sum, [f]) => sum + f, 0), held.reduce((sum, [, l]) => sum + l, 0));
}

// While the lease lasts, the position of the pad is sent, at rest too: the agent stands when it is let go. A position
// holds for 0.3 s only: a page that hangs drives nothing.
setInterval(async () => {
  if (!lease) return;
  const path = `/v1/agents/${encodeURIComponent(lease.agent)}/requests`;
  const done = await tell("POST", path, { kind: "stick", ...stick, for_s: 0.3 }, { Lease: lease.id });
  if (!done && $("message").textContent.includes("lease")) {
    lease = null;
    $("lease").textContent = "Take the lease";
    $("lease-state").textContent = "The lease is over";
  }
}, 100);
