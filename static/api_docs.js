// Tells Swagger UI, which has a dark theme of its own, which one the page is in.
"use strict";

(() => {
  const apply = () => document.documentElement.classList.toggle("dark-mode", window.currentTheme() === "dark");
  apply();
  document.addEventListener("themechange", apply);
})();
