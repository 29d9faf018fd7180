// Ties the drift page's matrix to its curves, panel by panel: the cell under the pointer or in focus shows its point in the
// domain's panel, and a point its cell. A click on a point opens the problems that flipped there, as one on the cell does.
"use strict";

(() => {
  const page = document.getElementById("drift");
  if (!page) return;

  const panels = () => [...page.querySelectorAll("[data-follows-matrix] .plot-canvas")];
  const cellAt = (row, column) => page.querySelector(".matrix tbody")?.rows[row]?.cells[column + 1];
  let shown = null; // the panel that shows a point of ours

  function forget() {
    if (shown?.isConnected) window.Plotly.Fx.unhover(shown);
    shown = null;
  }

  function showPoint(cell) {
    const [row, column] = [cell.parentElement.sectionRowIndex, cell.cellIndex - 1];
    const panel = panels()[column];
    const curve = panel?.data?.findIndex((trace) => trace.mode === "markers" && trace.x.includes(row)) ?? -1;
    if (panel !== shown) forget();
    if (curve < 0) return;
    shown = panel;
    window.Plotly.Fx.hover(panel, [{ curveNumber: curve, pointNumber: panel.data[curve].x.indexOf(row) }]);
  }

  function markCell(cell) {
    page.querySelector(".matrix [data-pointed]")?.removeAttribute("data-pointed");
    cell?.setAttribute("data-pointed", "");
  }

  for (const kind of ["pointerover", "focusin"]) {
    page.addEventListener(kind, (event) => {
      const cell = event.target.closest?.(".matrix tbody td.cell");
      if (cell) showPoint(cell);
      else if (kind === "pointerover" && shown && !shown.contains(event.target)) forget();
    });
  }

  const cellOf = (event) => cellAt(event.detail.x, panels().indexOf(event.target));
  page.addEventListener("plot-point", (event) => { if (event.target !== shown) markCell(event.detail ? cellOf(event) : null); });
  page.addEventListener("plot-point-chosen", (event) => cellOf(event)?.querySelector("a.cell-link")?.click());
})();
