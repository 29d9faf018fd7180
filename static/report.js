// Draws the figures of an exported report, one per task. It is inlined into the file, so it must not ask for anything else.
"use strict";

(async () => {
  for (const [name, answer] of Object.entries(JSON.parse(document.getElementById("figures").textContent))) {
    const box = document.getElementById(`figure-${name}`);
    for (const figure of answer.panels ?? [answer]) {
      const canvas = document.createElement("div");
      canvas.style.height = `${figure.layout.height}px`;
      box.append(canvas);
      const layout = { ...figure.layout, autosize: true };
      delete layout.width;
      window.Plotly.newPlot(canvas, figure.data, layout, {
        responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      });
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
})();
