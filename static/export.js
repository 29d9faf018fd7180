// A button with data-plot-save="png" (or svg) and data-plot-of="ID" saves the plot in that box as it is drawn now, on the
// page's own ground, its panels in one picture. The file is made in the browser; nothing is sent anywhere.
"use strict";

(() => {
  const DRAWN_MS = 10000;
  const PNG_SCALE = 2;
  const SVG = "http://www.w3.org/2000/svg";

  async function drawn(box) {
    box.closest("details.unfolds")?.setAttribute("open", "");
    box.scrollIntoView({ block: "nearest" }); // what is out of sight is not drawn
    const until = Date.now() + DRAWN_MS;
    while (!("drawn" in box.dataset)) {
      if (Date.now() > until) throw new Error("the plot is not drawn");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return [...box.querySelectorAll(".plot-canvas")];
  }

  // The box as one SVG: Plotly writes each panel, and each stands where it stands on the page.
  async function pictureOf(box) {
    const ground = getComputedStyle(document.body).backgroundColor;
    const canvases = await drawn(box);
    const corner = box.getBoundingClientRect();
    const [width, height] = [box.scrollWidth, box.scrollHeight];
    const picture = document.implementation.createDocument(SVG, "svg").documentElement;
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) picture.setAttribute(name, value);
    const back = picture.appendChild(document.createElementNS(SVG, "rect"));
    for (const [name, value] of Object.entries({ width, height, fill: ground })) back.setAttribute(name, value);
    for (const canvas of canvases) {
      const at = canvas.getBoundingClientRect();
      const written = await window.Plotly.toImage(canvas, { format: "svg", imageDataOnly: true, width: at.width, height: at.height });
      const panel = new DOMParser().parseFromString(written, "image/svg+xml").documentElement;
      panel.setAttribute("x", at.left - corner.left);
      panel.setAttribute("y", at.top - corner.top);
      picture.append(panel);
    }
    return { text: new XMLSerializer().serializeToString(picture), width, height };
  }

  const FILES = {
    svg: async (picture) => new Blob([picture.text], { type: "image/svg+xml" }),
    png: async (picture) => {
      const image = new Image();
      image.src = `data:image/svg+xml,${encodeURIComponent(picture.text)}`;
      await image.decode();
      const canvas = new OffscreenCanvas(PNG_SCALE * picture.width, PNG_SCALE * picture.height);
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      return canvas.convertToBlob({ type: "image/png" });
    },
  };

  function save(file, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-plot-save]");
    if (!button) return;
    const format = button.dataset.plotSave;
    button.closest("details.menu")?.removeAttribute("open");
    try {
      const picture = await pictureOf(document.getElementById(button.dataset.plotOf));
      save(await FILES[format](picture), `${button.dataset.plotName}.${format}`);
    } catch (error) {
      button.textContent = `Not saved: ${error.message ?? error}`;
      button.closest("details.menu")?.setAttribute("open", "");
    }
  });
})();
