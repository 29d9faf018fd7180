// The composer posts its whole form on every change, and htmx morphs the answer in. This keeps what a morph would lose:
// what was typed meanwhile, which folds are open, and where the focus is.
"use strict";

(() => {
  const ID = "composer";
  const REST_MS = 600;
  let typed = 0; // counts changes, to know an answer that is older than the form
  const posted = new WeakMap();
  let openFolds = new Set();
  let focused = null;

  const form = () => document.getElementById(ID);
  const ofComposer = (event) => event.detail.ctx?.sourceElement?.id === ID;
  const opOf = (ctx) => ctx.request.submitter?.value ?? "check";

  // Text is checked when the typing rests; a field when it is left, as "change" says by itself.
  let rest = 0;
  document.addEventListener("input", (event) => {
    if (event.target.form?.id !== ID) return;
    typed += 1;
    if (event.target.id !== "f-text") return;
    clearTimeout(rest);
    rest = setTimeout(() => event.target.dispatchEvent(new Event("change", { bubbles: true })), REST_MS);
  });

  document.addEventListener("htmx:before:request", (event) => {
    if (ofComposer(event)) posted.set(event.detail.ctx, typed);
  });

  document.addEventListener("htmx:before:swap", (event) => {
    if (!ofComposer(event)) return;
    const { ctx } = event.detail;
    if (opOf(ctx) === "check" && posted.get(ctx) !== typed) {
      event.preventDefault(); // the next change brings an answer to what is there now
      return;
    }
    openFolds = new Set([...form().querySelectorAll("details[open]")].map((fold) => fold.id));
    focused = document.activeElement?.id ?? null;
  });

  document.addEventListener("htmx:after:swap", (event) => {
    if (!ofComposer(event)) return;
    for (const fold of form().querySelectorAll("details")) fold.open ||= openFolds.has(fold.id);
    showAnswered(form());
    focusAfter(opOf(event.detail.ctx));
  });

  // A morph sets attributes; a control that was touched no longer follows its attribute.
  function showAnswered(composer) {
    for (const control of composer.elements) {
      if (control === document.activeElement && control.type !== "checkbox") continue;
      if (control.type === "checkbox") control.checked = control.defaultChecked;
      else if (control.tagName === "SELECT") for (const option of control.options) option.selected = option.defaultSelected;
      else if (control.tagName === "INPUT") control.value = control.defaultValue;
    }
  }

  // After a stage moved, the focus is where it was within that stage; after a new one, on it.
  function focusAfter(op) {
    const lookedAt = form().dataset.lookedAt;
    const [verb, from] = op.split(":");
    if (lookedAt === undefined) return;
    const card = document.getElementById(`stage-${lookedAt}`);
    const same = ["up", "down"].includes(verb) && focused?.replace(/^(f-stages|stage)-\d+/, `$1-${lookedAt}`);
    const control = same && document.getElementById(same);
    const target = control && !control.disabled ? control : card;
    target?.focus({ preventScroll: true });
    card?.scrollIntoView({ block: "nearest" });
    delete form().dataset.lookedAt;
    if (from === undefined) return;
  }

  document.addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    const card = event.target.closest?.(".stage-card");
    if (!card || event.target.tagName === "SELECT") return; // there Alt and an arrow open the list
    event.preventDefault();
    const button = document.getElementById(`${card.id}-${event.key === "ArrowUp" ? "up" : "down"}`);
    if (button && !button.disabled) button.form.requestSubmit(button);
  });
})();
