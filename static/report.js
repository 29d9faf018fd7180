// Draws the figures of an exported report, one per task. It is inlined into the file, so it must not ask for anything else.
"use strict";

(async () => {
  const waiting = [];
  for (const [name, answer] of Object.entries(JSON.parse(document.getElementById("figures").textContent))) {
    for (const figure of answer.panels ?? [answer]) {
      const canvas = document.createElement("div");
      canvas.style.height = `${figure.layout.height}px`;
      document.getElementById(`figure-${name}`).append(canvas);
      waiting.push([canvas, figure]);
    }
  }
  for (const [canvas, figure] of waiting) { // only now is each as wide as it will be
    const layout = { ...figure.layout, autosize: true };
    delete layout.width;
    window.Plotly.newPlot(canvas, figure.data, layout, {
      responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    });
    await new Promise((resolve) => setTimeout(resolve));
  }
})();
