// The talk with the assistant, where one is beside the run.

import { $, ask, pause, set } from "./api.js";

const EVERY = 700;
const MOST = 200;

let last = 0;
let sending = 0;

function add({ number, is_reply: isReply, text }) {
  last = Math.max(last, number);
  const item = document.createElement("p");
  item.className = isReply ? "reply" : "own";
  item.textContent = text;
  const list = $("said");
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  while (list.children.length > MOST) list.firstChild.remove();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

async function say(event) {
  event.preventDefault();
  const text = $("sentence").value.trim();
  if (text === "") return;
  sending += 1;
  // A sentence whose answer is lost is not followed twice.
  const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${sending}` };
  const answer = await ask("POST", "/v1/talk", { body: { text }, headers });
  sending -= 1;
  set("talk-said", answer.detail);
  if (answer.ok && $("sentence").value.trim() === text) $("sentence").value = "";
}

/// Shows the talk for as long as the page is open, if there is an assistant.
export async function talk() {
  for (;;) {
    const answer = await ask("GET", `/v1/talk?after=${last}`);
    if (answer.status === 403) return;
    const isThere = answer.ok && answer.content.is_there;
    if (isThere) {
      $("talk").hidden = false;
      answer.content.messages.forEach(add);
    }
    // It may come later.
    await pause(isThere ? EVERY : 5 * EVERY);
  }
}

$("talk-form").addEventListener("submit", say);
