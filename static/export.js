// A button with data-plot-save="png" (or svg) and data-plot-of="ID" saves the plot in that box as it is drawn now, on the
// page's own ground. Plotly makes the file in the browser; nothing is sent anywhere.
"use strict";

(() => {
  const DRAWN_MS = 10000;

  async function drawn(box) {
    box.closest("details.unfolds")?.setAttribute("open", "");
    box.scrollIntoView({ block: "nearest" }); // what is out of sight is not drawn
    const until = Date.now() + DRAWN_MS;
    while (!("drawn" in box.dataset)) {
      if (Date.now() > until) throw new Error("the plot is not drawn");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return box.querySelector(".plot-canvas");
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-plot-save]");
    if (!button) return;
    const format = button.dataset.plotSave;
    button.closest("details.menu")?.removeAttribute("open");
    try {
      const canvas = await drawn(document.getElementById(button.dataset.plotOf));
      const ground = getComputedStyle(document.body).backgroundColor;
      await window.Plotly.downloadImage(
        { data: canvas.data, layout: { ...canvas.layout, paper_bgcolor: ground } },
        { format, filename: button.dataset.plotName, width: canvas.clientWidth, height: canvas.clientHeight, scale: format === "png" ? 2 : 1 },
      );
    } catch (error) {
      button.textContent = `Not saved: ${error.message ?? error}`;
      button.closest("details.menu")?.setAttribute("open", "");
    }
  });
})();
