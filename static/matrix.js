// The drift page's matrix. Arrow keys go from cell to cell, and the cell in focus, or under the pointer, is written out
// below. Its links and its form change the page where it is, and so does a new score: nothing scrolls, no plot is lost.
"use strict";

(() => {
  const page = document.getElementById("drift");
  if (!page) return;

  const rows = () => [...document.querySelectorAll(".matrix tbody:not(.published-rows) tr")].map((row) => [...row.querySelectorAll(".cell-link")]);
  let at = [0, 0];

  // One cell is a tab stop; the others are reached with the arrows.
  function rove() {
    const cells = rows();
    if (!cells.length) return;
    at = [Math.min(at[0], cells.length - 1), Math.min(at[1], cells[0].length - 1)];
    cells.forEach((row, down) => row.forEach((cell, across) => { cell.tabIndex = down === at[0] && across === at[1] ? 0 : -1; }));
  }

  function placeOf(cell) {
    const cells = rows();
    const down = cells.findIndex((row) => row.includes(cell));
    return down < 0 ? null : [down, cells[down].indexOf(cell)];
  }

  function tell(cell) {
    const about = document.querySelector("[data-cell-about]");
    if (about) about.textContent = cell.title;
  }

  const cellOf = (event) => event.target.closest?.(".matrix .cell-link");

  page.addEventListener("pointerover", (event) => { const cell = cellOf(event); if (cell) tell(cell); });
  page.addEventListener("focusin", (event) => {
    const cell = cellOf(event);
    if (!cell) return;
    at = placeOf(cell) ?? at;
    rove();
    tell(cell);
  });

  page.addEventListener("keydown", (event) => {
    const cell = cellOf(event);
    if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
    const cells = rows();
    const [down, across] = placeOf(cell);
    const moves = {
      ArrowUp: [down - 1, across], ArrowDown: [down + 1, across], ArrowLeft: [down, across - 1],
      ArrowRight: [down, across + 1], Home: [down, 0], End: [down, cells[down].length - 1],
    };
    const to = moves[event.key];
    if (!to) return;
    event.preventDefault();
    cells[to[0]]?.[to[1]]?.focus();
  });

  // One request at a time, and the address bar says what the next one asks for: an answer never undoes a later choice.
  let isStale = false;
  let isBusy = false;
  async function renew() {
    isStale = true;
    if (isBusy) return;
    isBusy = true;
    while (isStale) {
      isStale = false;
      const part = new URL(location.href);
      part.searchParams.set("part", "drift");
      part.hash = "";
      await window.htmx.ajax("GET", part.href, { target: "#drift", swap: "outerMorph" }).catch(() => {}); // the next event asks again
      rove();
    }
    isBusy = false;
  }

  async function goTo(address) {
    history.pushState(null, "", address);
    await renew();
    document.getElementById(location.hash.slice(1))?.scrollIntoView({ block: "nearest" });
  }

  page.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='?']");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    goTo(new URL(link.getAttribute("href"), location.href).href);
  });
  page.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "get") return; // what changes something goes its own way
    event.preventDefault();
    goTo(`${location.pathname}?${new URLSearchParams(new FormData(form))}${form.getAttribute("action") ?? ""}`);
  });
  page.addEventListener("change", (event) => { if ("submits" in event.target.dataset) event.target.form.requestSubmit(); });
  window.addEventListener("popstate", renew);
  document.body.addEventListener("live-stages", renew);
  rove();
})();
