// Works without this: it grows text boxes, proposes the browser's time zone, and warns before what was typed is left behind.
(() => {
  const form = document.querySelector("form[data-editor]");
  if (!form) return;
  const save = form.querySelector(".ed-save .button");
  let changed = false;
  const grow = (box) => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 4, 1200)}px`;
  };
  form.querySelectorAll("textarea").forEach((box) => {
    grow(box);
    box.addEventListener("input", () => grow(box));
  });
  form.addEventListener("input", () => {
    changed = true;
    save.classList.add("ed-changed");
  });
  form.addEventListener("submit", () => { changed = false; });
  const zone = form.elements["deadline.zone"];
  if (zone && !zone.value && !zone.hasAttribute("aria-invalid")) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && zone.selectedIndex < 0) zone.value = "";
  addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
  const wrong = document.querySelector(".error-summary");
  if (wrong) { wrong.tabIndex = -1; wrong.focus(); changed = true; }
})();
