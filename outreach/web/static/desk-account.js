// Signing in and the account: show a password, copy, print. Each button appears only where it works.
"use strict";
(() => {
  for (const input of document.querySelectorAll("input[type=password]")) {
    const button = document.createElement("button");
    const label = document.querySelector(`label[for="${input.id}"]`)?.textContent.trim() ?? "";
    button.type = "button";
    button.className = "link reveal";
    const name = () => {
      button.textContent = input.type === "password" ? "Show" : "Hide";
      button.setAttribute("aria-label", `${button.textContent}: ${label}`);
    };
    button.addEventListener("click", () => { input.type = input.type === "password" ? "text" : "password"; name(); });
    input.form?.addEventListener("submit", () => { input.type = "password"; });
    name();
    input.after(button);
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) break;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = [...document.getElementById(button.dataset.copy).innerText.split("\n")].map((l) => l.trim()).filter(Boolean).join("\n");
      try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Select and copy it yourself"; }
    });
  }
  const print = document.querySelector("[data-print]");
  if (print) { print.hidden = false; print.addEventListener("click", () => window.print()); }
})();
