// A button with data-copy="ID" copies the text of that element, and says so.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const words = button.querySelector("span") ?? button;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    words.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source); // no clipboard over plain HTTP: leave it selected
    words.textContent = "Selected; press Ctrl-C";
  }
});
