// Draws the figures of an exported report. It is inlined into the file, so it must not ask for anything else.
"use strict";

for (const [name, figure] of Object.entries(JSON.parse(document.getElementById("figures").textContent))) {
  const box = document.getElementById(`figure-${name}`);
  const layout = { ...figure.layout, autosize: true };
  delete layout.width;
  window.Plotly.newPlot(box, figure.data, layout, {
    responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  });
}
