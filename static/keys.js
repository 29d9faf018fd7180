// Keyboard shortcuts: any link or button with data-keys="g r" is one. "?" opens <dialog id="shortcuts">, whose list is
// made from the page's own shortcuts. Keys typed into a field, or with a modifier, are left alone.
"use strict";

(() => {
  const SEQUENCE_MS = 1200;
  let typed = "";
  let forget = 0;

  const sheet = document.getElementById("shortcuts");

  const isTyping = (target) => target.isContentEditable || target.closest("input:not([type=checkbox], [type=radio]), textarea, select");

  function term(keys) {
    const dt = document.createElement("dt");
    for (const key of keys.split(" ")) {
      const kbd = document.createElement("kbd");
      kbd.textContent = key;
      dt.append(kbd);
    }
    return dt;
  }

  function describe(label) {
    const dd = document.createElement("dd");
    dd.textContent = label;
    return dd;
  }

  function showSheet() {
    const list = sheet.querySelector(".keys");
    list.replaceChildren(term("?"), describe("Show these shortcuts"));
    for (const element of document.querySelectorAll("[data-keys]")) {
      list.append(term(element.dataset.keys), describe(element.dataset.keysLabel || element.textContent.trim()));
    }
    sheet.showModal();
  }

  function press(key) {
    clearTimeout(forget);
    forget = setTimeout(() => { typed = ""; }, SEQUENCE_MS);
    for (const keys of [`${typed} ${key}`.trim(), key]) {
      const element = document.querySelector(`[data-keys="${CSS.escape(keys)}"]`);
      if (element) {
        typed = "";
        element.click();
        return true;
      }
    }
    typed = key;
    return false;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
    if (document.querySelector("dialog:modal")) return;
    if (event.key === "?") {
      event.preventDefault();
      showSheet();
    } else if (event.key.length === 1 && press(event.key)) {
      event.preventDefault();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-show-shortcuts]")) showSheet();
    // An open menu closes when something else is clicked, as menus do.
    for (const menu of document.querySelectorAll("details.menu[open], details.how[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  // A panel that opens below the window's edge is brought into sight.
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details.how[open]")) event.target.querySelector(".how-panel").scrollIntoView({ block: "nearest" });
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open], details.how[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();
