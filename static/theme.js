// Applies the chosen theme and the folded rail before the first paint, so that no page flashes. Load it blocking, in the head.
"use strict";

(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // Storage may be forbidden (private windows); then a choice lasts for the page.
  const recall = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* the choice lasts for the page */ } };

  function applyTheme(choice) {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === (choice || "auto")));
    }
  }

  function applyRail(state) {
    root.dataset.rail = state === "closed" ? "closed" : "open";
  }

  // What plots are drawn in: the choice, or what the system prefers.
  window.currentTheme = () =>
    root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  const announce = () => document.dispatchEvent(new CustomEvent("themechange"));

  applyTheme(recall("theme"));
  applyRail(recall("rail"));

  document.addEventListener("DOMContentLoaded", () => applyTheme(recall("theme")));
  document.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-theme-choice]");
    if (choice) {
      remember("theme", choice.dataset.themeChoice);
      applyTheme(choice.dataset.themeChoice);
      announce();
    }
    const rail = event.target.closest("[data-rail-choice]");
    if (rail) {
      remember("rail", rail.dataset.railChoice);
      applyRail(rail.dataset.railChoice);
      window.dispatchEvent(new Event("resize")); // plots measure themselves again
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (!root.dataset.theme) announce(); });
  window.addEventListener("storage", (event) => {
    if (event.key !== "theme") return;
    applyTheme(event.newValue);
    announce();
  });
})();
