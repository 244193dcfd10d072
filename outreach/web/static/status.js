// The status page: looks again by itself, less and less often, and only while somebody looks. Says only what changed.
"use strict";
(() => {
  const place = document.getElementById("letters");
  if (!place?.dataset.watch) return;
  const said = document.getElementById("said");
  let known = place.dataset.known, wait = 2000;

  const redraw = async () => {
    const page = new DOMParser().parseFromString(await (await fetch(location.href, { cache: "no-store" })).text(), "text/html");
    const before = new Map([...place.querySelectorAll("[data-letter]")].map((li) => [li.dataset.letter, li.dataset.state]));
    const news = [];
    for (const part of ["letters", "about", "confirm", "acts"]) {
      const [old, fresh] = [document.getElementById(part), page.getElementById(part)];
      if (!old || old.contains(document.activeElement) && (part === "confirm" || part === "acts") && fresh) continue;
      if (fresh) old.replaceChildren(...[...fresh.childNodes].map((n) => document.importNode(n, true)));
      else old.remove();
    }
    document.title = page.title;
    place.dataset.watch = page.getElementById("letters")?.dataset.watch ?? "";
    for (const li of place.querySelectorAll("[data-letter]")) {
      if (before.get(li.dataset.letter) === li.dataset.state) continue;
      news.push(li.dataset.news);
      li.querySelector(".stamp")?.classList.add("fresh-stamp");
    }
    if (news.length) said.textContent = news.join(" ");
  };

  const look = async () => {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(place.dataset.watch, { cache: "no-store" });
        if (answer.status === 404) return;
        const now = (await answer.json()).letters.map((l) => l.state).join(" ");
        if (now !== known) { known = now; wait = 2000; await redraw(); }
        else wait = Math.min(wait * 1.25, 30000);
      } catch { wait = Math.min(wait * 2, 60000); }
    }
    if (place.dataset.watch) setTimeout(look, wait);
  };
  setTimeout(look, wait);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") wait = 2000; });
})();
