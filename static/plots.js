// Draws every <div class="plot" data-plot-url="..."> from the figure JSON at that address. The address also gets
// theme=light|dark and columns=N (how many panels fit side by side). The box's height is the page's, never the figure's;
// with data-plot-panels="8" (small multiples) the answer is {"panels": [figure, ...]}, each drawn as a plot of its own, one
// per task so that none holds the page up, and the box is as high as their rows.
// A plot is asked for anew on every "live" event, or on the one that data-plot-on="live-stages" names.
// When all plots in sight are drawn for the first time, performance.mark("plots-drawn") is set. On paper all are drawn, in
// the light theme and as wide as the stylesheet has them there (data-printing on the root).
"use strict";

(() => {
  const PANEL_WIDTH = 280;
  const PANEL_HEIGHT = 230; // a row of panels, as runs/plots/panels.py has it and the stylesheet
  const MAX_COLUMNS = 4;
  const MARGINS_HEIGHT = 60; // the names of checkpoints below the last row, less the gap between rows
  const REFRESH_MS = 1000;
  const NEAR = "200px"; // plots this close to the window count as in sight

  const CONFIG = {
    responsive: true,
    displaylogo: false,
    displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false, // on a phone it would cover the plot for good
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    toImageButtonOptions: { format: "png", scale: 2 },
  };

  const plots = new Map(); // box -> {near, stale, busy, text, address}
  const drawn = new WeakMap(); // canvas -> its figure as text
  let isMarked = false;

  function columnsOf(box) {
    const fitting = Math.max(1, Math.min(MAX_COLUMNS, Math.floor(box.clientWidth / PANEL_WIDTH)));
    const panels = Number(box.dataset.plotPanels || 0);
    if (!panels) return fitting;
    const columns = Math.min(fitting, panels);
    box.style.setProperty("--plot-columns", columns);
    box.style.setProperty("--plot-height", `${Math.ceil(panels / columns) * PANEL_HEIGHT + MARGINS_HEIGHT}px`);
    return columns;
  }

  const isPrinting = () => "printing" in document.documentElement.dataset;

  function addressOf(box) {
    const address = new URL(box.dataset.plotUrl, location.href);
    address.searchParams.set("theme", isPrinting() ? "light" : window.currentTheme());
    address.searchParams.set("columns", columnsOf(box));
    return address.href;
  }

  async function fetchFigure(address) {
    // no-cache: ask each time, and let the ETag answer "unchanged" cheaply.
    const response = await fetch(address, { cache: "no-cache", headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`the server answered ${response.status}, expected a figure`);
    return response.text();
  }

  async function draw(box, text) {
    const figures = figuresOf(text);
    const canvases = canvasesOf(box, figures.length);
    for (const [at, figure] of figures.entries()) {
      if (at) await nextTask();
      if (!box.isConnected) return; // adopt() has cleared it away
      await drawFigure(box, canvases[at], figure);
    }
    box.dataset.drawn = "";
  }

  function figuresOf(text) {
    const answer = JSON.parse(text);
    return answer.panels ?? [answer];
  }

  function nextTask() {
    return new Promise((resolve) => setTimeout(resolve)); // what is painted, typed or scrolled comes first
  }

  function canvasesOf(box, count) {
    const canvases = [...box.querySelectorAll(".plot-canvas")];
    for (const canvas of canvases.splice(count)) {
      window.Plotly.purge(canvas);
      canvas.remove();
    }
    while (canvases.length < count) {
      const canvas = document.createElement("div");
      canvas.className = "plot-canvas";
      box.append(canvas);
      canvases.push(canvas);
    }
    return canvases;
  }

  async function drawFigure(box, canvas, figure) {
    const text = JSON.stringify(figure);
    if (drawn.get(canvas) === text) return; // most panels stay as they are when a score comes in
    const layout = { ...figure.layout, autosize: true, uirevision: box.dataset.plotUrl }; // keeps zoom when data arrive
    if ("plotPanels" in box.dataset) canvas.style.height = `${layout.height}px`;
    delete layout.width;
    delete layout.height;
    await window.Plotly.react(canvas, figure.data, layout, { ...CONFIG, ...figure.config });
    if (!drawn.has(canvas)) tellPoints(canvas);
    for (const drawing of canvas.querySelectorAll(".main-svg")) drawing.setAttribute("aria-hidden", "true"); // the box's label says it
    drawn.set(canvas, text);
  }

  // Others on the page may follow what is pointed at: "plot-point" (detail: null when no more), "plot-point-chosen".
  function tellPoints(canvas) {
    const tell = (name, detail) => canvas.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
    canvas.on("plotly_hover", ({ points }) => tell("plot-point", { x: points[0].x }));
    canvas.on("plotly_unhover", () => tell("plot-point", null));
    canvas.on("plotly_click", ({ points }) => tell("plot-point-chosen", { x: points[0].x }));
  }

  function say(box, message) {
    box.querySelector(".plot-message")?.remove();
    if (!message) return;
    const note = document.createElement("div");
    note.className = "plot-message";
    note.classList.toggle("over-plot", "drawn" in box.dataset);
    note.setAttribute("role", "status");
    const words = document.createElement("span");
    words.textContent = message;
    const retry = document.createElement("button");
    retry.type = "button";
    retry.className = "button small-button";
    retry.textContent = "Retry";
    retry.addEventListener("click", () => refresh(box));
    note.append(words, retry);
    box.append(note);
  }

  async function refresh(box) {
    const plot = plots.get(box);
    plot.stale = true;
    if (plot.busy || !plot.near) return;
    plot.busy = true;
    while (plot.stale && plot.near) {
      plot.stale = false;
      try {
        const address = addressOf(box);
        const text = await fetchFigure(address);
        if (text !== plot.text) await draw(box, text);
        Object.assign(plot, { text, address });
        say(box, "");
      } catch (error) {
        say(box, "drawn" in box.dataset ? "Not up to date." : `This plot could not be drawn: ${error.message}.`);
      }
    }
    plot.busy = false;
    markWhenAllDrawn();
  }

  // A print does not wait for answers: this asks in the one way that does, and draws all panels at once.
  function drawForPrint() {
    document.documentElement.dataset.printing = "";
    for (const [box, plot] of plots) {
      if (!box.checkVisibility()) continue; // folded away
      const request = new XMLHttpRequest();
      request.open("GET", addressOf(box), false);
      try { request.send(); } catch { continue; } // without a server, what is drawn already has to do
      if (request.status !== 200) continue;
      const figures = figuresOf(request.responseText);
      const canvases = canvasesOf(box, figures.length);
      figures.forEach((figure, at) => drawFigure(box, canvases[at], figure));
      box.dataset.drawn = "";
      plot.text = ""; // what is drawn now is not what the page shows
    }
  }

  function drawForScreen() {
    delete document.documentElement.dataset.printing;
    for (const box of plots.keys()) columnsOf(box);
    refreshAll();
  }

  function markWhenAllDrawn() {
    if (isMarked) return;
    const inSight = [...plots].filter(([, plot]) => plot.near);
    if (!inSight.length || inSight.some(([box, plot]) => plot.busy || !("drawn" in box.dataset))) return;
    isMarked = true;
    performance.mark("plots-drawn");
  }

  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) plots.get(entry.target).near = entry.isIntersecting;
    for (const entry of entries) if (entry.isIntersecting && plots.get(entry.target).stale) refresh(entry.target);
  }, { rootMargin: NEAR });

  function adopt(root) {
    for (const box of plots.keys()) {
      if (!box.isConnected) {
        sight.unobserve(box);
        canvasesOf(box, 0);
        plots.delete(box);
      }
    }
    for (const box of root.querySelectorAll("[data-plot-url]")) {
      if (plots.has(box)) continue;
      plots.set(box, { near: false, stale: true, busy: false, text: "", address: "" });
      columnsOf(box);
      sight.observe(box);
    }
  }

  function refreshAll() {
    for (const box of plots.keys()) refresh(box);
  }

  function refreshOn(name) {
    for (const box of plots.keys()) if ((box.dataset.plotOn ?? "live") === name) refresh(box);
  }

  function atMostEvery(ms, act) {
    let timer = 0;
    let last = 0;
    return () => {
      if (timer) return;
      timer = setTimeout(() => { timer = 0; last = Date.now(); act(); }, Math.max(0, last + ms - Date.now()));
    };
  }

  adopt(document);
  document.addEventListener("htmx:after:swap", () => adopt(document));
  document.addEventListener("themechange", refreshAll);
  window.addEventListener("beforeprint", drawForPrint);
  window.addEventListener("afterprint", drawForScreen);
  for (const name of ["live", "live-stages"]) {
    document.body.addEventListener(name, atMostEvery(REFRESH_MS, () => refreshOn(name)));
  }
  window.addEventListener("resize", atMostEvery(250, () => {
    for (const [box, plot] of plots) if (plot.address && addressOf(box) !== plot.address) refresh(box);
  }));
})();
