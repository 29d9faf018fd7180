// Live updates: <body data-live-url="..."> opens an EventSource there, and each of its messages becomes a DOM event
// "live" on body (detail: the message's text), and "live-stages" too unless it tells of steps alone, which change no
// score and no status. Fragments listen with hx-trigger="live from:body throttle:500ms", plots by themselves. When the
// stream fails three times in a row, both are fired every 3 s instead, and the stream is tried again every 30 s. The
// element [data-live-indicator] says which of these holds.
"use strict";

(() => {
  const FAILURES_BEFORE_POLLING = 3;
  const POLL_MS = 3000;
  const RETRY_STREAM_MS = 30000;
  const REOPEN_MS = 1000;

  // What a reader opened stays open when its part of the page is renewed: the server knows nothing of it.
  window.htmx?.registerExtension("keep-open", {
    htmx_before_morph_attr: (element, { attrName, newValue }) => attrName !== "open" || newValue !== null,
  });

  const url = document.body.dataset.liveUrl;
  if (!url) return;

  let stream = null;
  let failures = 0;
  let pollTimer = 0;
  let reopenTimer = 0;

  function fire(detail, { onlySteps = false } = {}) {
    const names = onlySteps ? ["live"] : ["live", "live-stages"];
    for (const name of names) document.body.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }

  function tellsOfStepsAlone(text) {
    try { return JSON.parse(text).changed.every((what) => what === "steps"); } catch { return false; }
  }

  function show(state) {
    for (const indicator of document.querySelectorAll("[data-live-indicator]")) {
      if (indicator.dataset.state === state) continue;
      indicator.hidden = false;
      indicator.dataset.state = state;
      indicator.textContent = state;
    }
  }

  function poll() {
    if (pollTimer) return;
    pollTimer = setInterval(() => { if (!document.hidden) fire("poll"); }, POLL_MS);
  }

  function succeeded() {
    const missed = failures > 0; // messages sent while the stream was down are gone; look once
    failures = 0;
    clearInterval(pollTimer);
    pollTimer = 0;
    show("live");
    if (missed) fire("reconnected");
  }

  function failed() {
    failures += 1;
    if (failures < FAILURES_BEFORE_POLLING) {
      show("reconnecting");
      // The browser reconnects by itself unless the answer was no event stream; then it gives up and we open anew.
      if (stream.readyState === EventSource.CLOSED) reopenTimer = setTimeout(open, REOPEN_MS);
      return;
    }
    stream.close();
    show("polling");
    poll();
    reopenTimer = setTimeout(open, RETRY_STREAM_MS);
  }

  function open() {
    if (stream) stream.close();
    stream = new EventSource(url);
    stream.onopen = succeeded;
    stream.onmessage = (message) => fire(message.data, { onlySteps: tellsOfStepsAlone(message.data) });
    stream.onerror = failed;
  }

  function close() {
    if (stream) stream.close();
    clearInterval(pollTimer);
    clearTimeout(reopenTimer);
    pollTimer = 0;
  }

  show("reconnecting");
  open();
  // An open stream would keep a page out of the back/forward cache and hold one of the browser's few connections.
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) { open(); fire("restored"); } });
})();
