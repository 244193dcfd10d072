// The live desk looks again by itself: as soon as the server says, later where it does not answer, not at all while nobody looks.
"use strict";
(() => {
  const place = document.getElementById("live");
  if (!place) return;
  const headline = document.getElementById("headline"), asOf = document.getElementById("as-of"), how = document.getElementById("as-of-how");
  const USUAL = 5, FAILING = 60;
  let tag = place.dataset.tag, wait = Number(place.dataset.again), timer = 0, busy = false, failed = 0, kept = false;
  how.textContent = "Kept up to date while you look.";

  // Whoever goes through a section by keyboard is not to lose their place in it, nor hear it again every few seconds.
  function isRead(section) {
    const at = document.activeElement;
    return section.contains(at) && at.matches(":focus-visible");
  }

  // Only the sections that differ are exchanged; what was folded out or scrolled stays so.
  function exchange(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    const open = new Set([...place.querySelectorAll("details[open]")].map((d) => d.id));
    let left = false, before = null;
    for (const now of [...fresh.children]) {
      const old = document.getElementById(now.id);
      for (const d of now.querySelectorAll("details")) if (open.has(d.id)) d.open = true;
      if (!old) {
        const made = document.importNode(now, true);
        before ? before.after(made) : place.prepend(made);
        before = made;
        continue;
      }
      before = old;
      if (old.isEqualNode(now)) continue;
      if (isRead(old)) { left = true; continue; }
      const at = [...old.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
      before = document.importNode(now, true);
      old.replaceWith(before);
      [...before.querySelectorAll(".scroll")].forEach((s, i) => { s.scrollLeft = at[i] || 0; });
    }
    for (const old of [...place.children]) if (!fresh.querySelector(`#${old.id}`) && !isRead(old)) old.remove();
    return !left;
  }

  function speak() {
    const words = [...place.querySelectorAll(".answer")].map((a) =>
      `${a.querySelector("h2").textContent} ${a.querySelector(".answer-short").textContent.trim()}.`).join(" ");
    if (words && words !== headline.textContent) headline.textContent = words; // told once, politely, and only when it is another
  }

  async function look() {
    if (busy || document.visibilityState !== "visible") return;
    busy = true;
    try {
      const answer = await fetch(place.dataset.source, { headers: { "if-none-match": tag }, cache: "no-store", redirect: "manual" });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 404) { location.reload(); return; }
      if (answer.status !== 200 && answer.status !== 304) throw new Error(answer.status);
      wait = Number(answer.headers.get("x-look-again")) || USUAL;
      if (answer.status === 200) {
        kept = !exchange(await answer.text());
        if (!kept) tag = answer.headers.get("etag");
        speak();
      }
      failed = 0;
      asOf.textContent = `As of ${answer.headers.get("x-look-at")}.`;
    } catch {
      failed += 1;
      wait = Math.min(FAILING, 5 * 2 ** failed);
    } finally {
      busy = false;
    }
    asOf.parentElement.classList.toggle("late", failed > 1);
    how.textContent = failed > 1 ? "The desk does not answer; it is asked again by itself."
      : kept ? "Kept up to date, but for the part that you are in." : "Kept up to date while you look.";
    next();
  }

  function next() {
    clearTimeout(timer);
    // A little apart from each other: desks that were opened together must not ask together for ever.
    if (document.visibilityState === "visible") timer = setTimeout(look, wait * 1000 * (0.9 + Math.random() * 0.2));
  }

  document.addEventListener("visibilitychange", () => { clearTimeout(timer); if (document.visibilityState === "visible") look(); });
  next();
})();
