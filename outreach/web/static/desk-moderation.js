// The moderator's keys. Everything they do, the page's own buttons and links do too; they can be switched off (WCAG 2.1.4).
"use strict";
(() => {
  const KEPT = "outreach.moderation.keys";
  const box = document.getElementById("keys-on"), help = document.getElementById("keys"), reject = document.getElementById("reject");
  if (!box || !help) return;
  const kept = () => { try { return localStorage.getItem(KEPT) !== "off"; } catch { return true; } };
  const show = (on) => {
    box.checked = on;
    for (const hint of document.querySelectorAll("button > kbd, a > kbd, summary > kbd")) hint.hidden = !on;
    for (const [id, key] of [["approve", "a"], ["next", "n"], ["previous", "p"]]) {
      const place = document.getElementById(id);
      if (place) on ? place.setAttribute("aria-keyshortcuts", key) : place.removeAttribute("aria-keyshortcuts");
    }
  };
  help.hidden = false;
  show(kept());
  box.addEventListener("change", () => {
    try { localStorage.setItem(KEPT, box.checked ? "on" : "off"); } catch { /* then only on this page */ }
    show(box.checked);
  });
  document.querySelector(".error-summary")?.focus();

  let left = false; // one key, one decision: what is pressed while the answer is on its way is not for the next letter
  for (const form of document.querySelectorAll(".mod form")) form.addEventListener("submit", (e) => left ? e.preventDefault() : (left = true));
  addEventListener("pageshow", () => { left = false; });
  const press = (id) => document.getElementById(id)?.click();
  const typing = (e) => e.target.matches?.("textarea, select, input:not([type=radio], [type=checkbox])") || e.target.isContentEditable;
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && reject?.open && reject.contains(document.activeElement)) {
      reject.open = false;
      reject.querySelector("summary").focus();
      return;
    }
    if (reject?.open && reject.contains(document.activeElement)) return; // whoever is choosing a reason approves nothing by a slip
    if (!box.checked || left || e.repeat || e.ctrlKey || e.metaKey || e.altKey || e.isComposing || typing(e)) return;
    const act = {
      a: () => press("approve"), n: () => press("next"), p: () => press("previous"),
      r: () => { if (reject) { reject.open = true; reject.querySelector("input[type=radio]").focus(); } },
      "?": () => { help.open = !help.open; help.querySelector("summary").focus(); },
    }[e.key.length === 1 ? e.key.toLowerCase() : ""];
    if (act) { e.preventDefault(); act(); }
  });
})();
