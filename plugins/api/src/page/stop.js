// The stop button, by itself: it needs no stream, no lease, no other part of the page, and none of its requests. A stop is
// asked for again until the server has taken it.

/// Between two attempts, and longest time of one (ms).
const AGAIN = 300;
const WITHIN = 1500;
/// Attempts at once: with those of `api.js`, fewer than the connections that a browser opens to a server.
const AT_ONCE = 2;
/// After this time without an answer the person is told (ms).
const PATIENCE = 1000;

const WORDS = {
  none: "",
  asking: "stopping...",
  stopped: "stopped",
  open: "NOT CONFIRMED: use the hardware stop",
};

const button = document.getElementById("stop");
let state = "none";
/// Of the last press, and of the answer to it.
let begun = 0;
let answered = 0;
let attempts = 0;
let timer = null;

function become(next) {
  if (state === next) return;
  state = next;
  button.dataset.state = next;
  document.getElementById("stop-state").textContent = WORDS[next];
  document.getElementById("stop-said").textContent = WORDS[next];
}

async function attempt() {
  if (attempts >= AT_ONCE) return;
  attempts += 1;
  const press = begun;
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), WITHIN);
  try {
    const answer = await fetch("/v1/stop", { method: "POST", keepalive: true, cache: "no-store", signal: abort.signal });
    if (answer.ok && press === begun) {
      clearInterval(timer);
      timer = null;
      answered = performance.now();
      become("stopped");
    }
  } catch {
    // The next attempt follows.
  } finally {
    clearTimeout(limit);
    attempts -= 1;
  }
}

button.addEventListener("click", () => {
  begun = performance.now();
  become("asking");
  attempt();
  timer ??= setInterval(() => {
    if (performance.now() - begun > PATIENCE) become("open");
    attempt();
  }, AGAIN);
});

/// What the stream shows, if there is one: whether all agents are stopped in a view of this time, whether the run is paused,
/// and whether its server sends, but no views.
export function shown({ stopped, at, paused, hangs }) {
  if (timer !== null || answered === 0) return;
  const late = performance.now() - answered > PATIENCE;
  // The stop was taken, and no tick applies it.
  if (state === "stopped" && late && hangs && at < answered) become("open");
  if (state === "open" && at > answered && stopped) become("stopped");
  // It was cleared since.
  if (state === "stopped" && at > answered + PATIENCE && !stopped && !paused && !hangs) become("none");
}
