// Feeds the page of a run with server-sent events, and lets its log be filtered and followed.
"use strict";

(() => {
  const LONGEST_LOG = 2000; // Lines; older ones are removed.
  const AGAIN_MS = 3000;
  const run = document.getElementById("run");
  const log = document.getElementById("log");
  const level = document.getElementById("log-level");
  const follow = document.getElementById("log-follow");

  function showEnd() {
    if (log && follow.checked) log.scrollTop = log.scrollHeight;
  }

  if (log) {
    document.getElementById("log-tools").hidden = false;
    level.addEventListener("change", () => { log.dataset.least = level.value; showEnd(); });
    follow.addEventListener("change", showEnd);
    showEnd();
  }

  // Replaces what has changed and leaves the rest alone: what is selected, focused or open there stays so.
  function showState(text) {
    const received = document.createElement("template");
    received.innerHTML = text;
    const parts = new Map([...run.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
    for (const part of received.content.querySelectorAll("[data-part]")) {
      const shown = parts.get(part.dataset.part);
      if (!shown) { run.replaceChildren(received.content); return; }
      parts.delete(part.dataset.part);
    }
    if (parts.size) { run.replaceChildren(received.content); return; }
    for (const part of received.content.querySelectorAll("[data-part]")) {
      const shown = run.querySelector(`[data-part="${part.dataset.part}"]`);
      if (shown.innerHTML === part.innerHTML || shown.contains(document.activeElement) && part.querySelector("form")) continue;
      shown.replaceChildren(...part.childNodes);
    }
  }

  function showLines(text) {
    if (!log) { location.reload(); return; } // The first line of a run whose page was open before.
    const received = document.createElement("template");
    received.innerHTML = text;
    const lines = log.firstElementChild;
    lines.append(received.content);
    while (lines.children.length > LONGEST_LOG) lines.firstElementChild.remove();
    showEnd();
  }

  function listen(after) {
    let last = after;
    const source = new EventSource(`${run.dataset.live}?after=${last}`);
    source.addEventListener("state", (event) => showState(event.data));
    source.addEventListener("lines", (event) => { last = event.lastEventId; showLines(event.data); });
    source.addEventListener("ended", (event) => {
      source.close();
      if (run.contains(document.activeElement)) document.getElementById("content").focus();
      document.getElementById("announcements").textContent = `The run has ended: ${event.data}.`;
    });
    // The browser comes back by itself, except after an answer that is no stream: the manager is starting again, say.
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(last), AGAIN_MS);
    });
    addEventListener("pagehide", () => source.close(), { once: true });
  }

  if (run && run.dataset.live) listen(run.dataset.after);
})();
