// The log's tail: <pre data-log-url> is fetched again on every "live" event while #log-follow is checked, and kept
// scrolled to its end. Scrolling up lets go, so that what is being read stays; scrolling to the end follows again.
"use strict";

(() => {
  const log = document.querySelector("[data-log-url]");
  const follow = document.getElementById("log-follow");
  if (!log || !follow) return;

  let isBusy = false;
  let isStale = false;

  const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };

  async function refresh() {
    isStale = true;
    if (isBusy) return;
    isBusy = true;
    while (isStale && follow.checked) {
      isStale = false;
      try {
        const response = await fetch(log.dataset.logUrl);
        const text = response.ok ? (await response.text()) || log.dataset.empty : log.textContent;
        if (text !== log.textContent) {
          log.textContent = text;
          toEnd();
        }
      } catch { /* the next event asks again */ }
    }
    isBusy = false;
  }

  log.addEventListener("scroll", () => {
    const was = follow.checked;
    follow.checked = isAtEnd();
    if (!was && follow.checked) refresh();
  });
  follow.addEventListener("change", () => { if (follow.checked) { toEnd(); refresh(); } });
  document.body.addEventListener("live", refresh);
  toEnd();
})();
