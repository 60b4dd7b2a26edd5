// Requests to the run, other than a stop: few at once, and each for a short time, so that one that hangs leaves connections
// of the browser to a stop.

/// At once, and longest time of one (ms).
const AT_ONCE = 3;
const WITHIN = 3000;

export const $ = (id) => document.getElementById(id);
export const number = (x, digits = 2) => (x === null || x === undefined ? "-" : x.toFixed(Math.abs(x) < 1000 ? digits : 0));

/// Sets a text only where it is another one: a person who reads it by ear is told of changes alone.
export function set(id, text) {
  const element = typeof id === "string" ? $(id) : id;
  if (element.textContent !== text) element.textContent = text;
}

/// The run of this page, where its address names one.
export const run = new URLSearchParams(location.search).get("run");
export const base = run === null ? "/v1" : `/v1/runs/${encodeURIComponent(run)}`;
export const ofAgent = (agent, what) => `${base}/agents/${encodeURIComponent(agent)}/${what}`;

let free = AT_ONCE;
const waiting = [];

/// Whether a request would go out at once.
export const isFree = () => free > 0;

/// Sends a request. `status` is 0 without an answer; `detail` says what is wrong.
export async function ask(method, path, { body, headers = {}, within = WITHIN, keepalive = false } = {}) {
  if (free > 0) free -= 1;
  else await new Promise((resolve) => waiting.push(resolve));
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), within);
  try {
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await fetch(path, { method, headers, keepalive, signal: abort.signal, ...content });
    const text = await answer.text();
    let read = {};
    try {
      if (text !== "") read = JSON.parse(text);
    } catch {
      read = { detail: text };
    }
    return { ok: answer.ok, status: answer.status, content: read, detail: answer.ok ? "" : (read.detail ?? `status ${answer.status}`) };
  } catch (error) {
    const detail = error.name === "AbortError" ? `no answer within ${within / 1000} s` : "no answer: the run is not reached";
    return { ok: false, status: 0, content: {}, detail };
  } finally {
    clearTimeout(limit);
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  }
}

/// Sends a request, and shows in this element what is wrong.
export async function tell(place, method, path, options) {
  const answer = await ask(method, path, options);
  set(place, answer.detail);
  return answer;
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/// Rows of a table by a key, in order: they are kept, so that the focus stays where it is.
export function rows(body, items, key, fill) {
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  items.forEach((item, k) => {
    const row = known.get(key(item)) ?? body.insertRow();
    row.dataset.key = key(item);
    known.delete(key(item));
    if (body.rows[k] !== row) body.insertBefore(row, body.rows[k] ?? null);
    fill(row, item);
  });
  for (const row of known.values()) row.remove();
}

export function cells(row, contents) {
  contents.forEach((content, k) => set(row.cells[k] ?? row.insertCell(), content));
}

export function button(text, label, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", press);
  return made;
}
