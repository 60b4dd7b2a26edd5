// The stream: views and events as they come. It is dead when nothing comes for a second, heals by itself, and waits longer
// from attempt to attempt.

import { ask, base, pause } from "./api.js";

/// Without a message for this time the stream is dead: the server sends twice a second (ms).
export const DEAD_AFTER = 750;
/// Without a view for this time the run hangs (ms).
export const HANGS_AFTER = 1000;
/// Without one for this time, or without a connection, another connection is tried (ms).
const GIVE_UP_AFTER = 2500;
/// Between attempts (ms).
const FIRST_WAIT = 250;
const LONGEST_WAIT = 4000;

export const stream = {
  view: null,
  /// When a message, and a view, came last.
  latest: 0,
  seen: 0,
  /// Time of the run that passes in one of ours; the last one while it went on.
  pace: 1,
};

let socket = null;
let opened = 0;
let wait = FIRST_WAIT;
let last = 0;
let process = null;
let mark = null;

export function start({ onView, onEvent, onAnswer }) {
  /// The events that came while there was no stream.
  async function missed() {
    for (;;) {
      const answer = await ask("GET", `${base}/events?after=${last}&most=1000`);
      if (!answer.ok) return;
      answer.content.events.forEach(event);
      if (answer.content.events.length < 1000) return;
    }
  }

  function event(one) {
    if (one.number <= last) return;
    last = one.number;
    onEvent(one);
  }

  function take(message) {
    stream.latest = performance.now();
    wait = FIRST_WAIT;
    if (message.type === "view") {
      const began = stream.view !== null && message.tick < stream.view.tick;
      if (began) mark = null;
      stream.view = message;
      stream.seen = stream.latest;
      measure(message);
      onView(message, began);
    } else if (message.type === "events") {
      message.events.forEach(event);
    }
  }

  function measure(view) {
    if (view.is_paused) {
      mark = null;
    } else if (mark === null) {
      mark = [stream.seen, view.time_s];
    } else if (stream.seen - mark[0] > 500) {
      stream.pace = (view.time_s - mark[1]) / ((stream.seen - mark[0]) / 1000);
      mark = [stream.seen, view.time_s];
    }
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const mine = new WebSocket(`${scheme}://${location.host}${base}/stream`);
    socket = mine;
    opened = performance.now();
    mine.onopen = () => {
      opened = performance.now();
      mine.send(JSON.stringify({ type: "subscribe", sensors: ["*"], rate_hz: 20 }));
      check();
      missed();
    };
    mine.onmessage = (message) => {
      if (socket === mine) take(JSON.parse(message.data));
    };
    mine.onclose = () => again(mine);
  }

  async function again(mine) {
    if (socket !== mine) return;
    socket = null;
    mine.onmessage = mine.onclose = null;
    mine.close();
    check();
    await pause(wait * (0.75 + Math.random() / 2));
    wait = Math.min(2 * wait, LONGEST_WAIT);
    connect();
  }

  /// A socket does not tell why it is closed: another run may be there, or this page is not signed in any more.
  async function check() {
    const answer = await ask("GET", "/v1/version");
    if (answer.ok && process !== null && answer.content.process !== process) location.reload();
    if (answer.ok) process = answer.content.process;
    onAnswer(answer);
  }

  setInterval(() => {
    const since = Math.max(opened, stream.latest);
    if (socket !== null && performance.now() - since > GIVE_UP_AFTER) again(socket);
  }, 250);
  connect();
}
