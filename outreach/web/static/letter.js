// The supporter's page: fills the sheet in as one types, counts down, previews. Without this file everything works all the same.
"use strict";
(() => {
  const form = document.getElementById("write");
  if (!form) return;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const input = (name) => form.elements.namedItem(name);
  const value = (name) => (input(name)?.value ?? "").trim();

  // -- the sheet --------------------------------------------------------------------------------------------------------
  const show = (name) => {
    const typed = value(name);
    for (const span of all(`[data-field="${name}"]`)) {
      const text = typed || span.dataset.blank;
      if (span.textContent === text) continue;
      span.textContent = text;
      span.classList.toggle("blank", !typed);
      span.classList.toggle("fresh", Boolean(typed));
    }
    for (const group of all(`[data-if="${name}"]`)) group.hidden = !typed;
    for (const group of all(`[data-unless="${name}"]`)) group.hidden = Boolean(typed);
  };

  const sheets = all("[data-sheet]");
  const asWritten = new Map(sheets.map((s) => [s, [s.querySelector("[data-subject]"), s.querySelector("[data-body]")]
    .map((place) => [...place.childNodes].map((n) => n.cloneNode(true)))]));
  const ownSubject = input("subject"), ownBody = input("body");
  const first = ownBody && { subject: ownSubject.defaultValue, body: ownBody.defaultValue };
  const placeholders = ownBody ? JSON.parse(ownBody.dataset.placeholders || "{}") : {};

  const filled = (text, sheet) => {
    // Text of the supporter's own: [brackets] that we know become live fields; nothing is ever read as markup.
    const known = JSON.parse(sheet.dataset.known || "{}");
    return text.split(/(\[[^[\]\n]{1,60}\])/).map((piece) => {
      const field = placeholders[piece];
      if (field) {
        const span = document.createElement("span");
        span.dataset.field = field;
        span.dataset.blank = piece;
        span.textContent = value(field) || piece;
        span.classList.toggle("blank", !value(field));
        return span;
      }
      return document.createTextNode(known[piece] ?? piece);
    });
  };
  const rewrite = () => {
    if (!ownBody) return;
    const edited = ownSubject.value !== first.subject || ownBody.value !== first.body || form.hasAttribute("data-own");
    for (const sheet of sheets) {
      const [subject, body] = [sheet.querySelector("[data-subject]"), sheet.querySelector("[data-body]")];
      const [s, b] = edited ? [filled(ownSubject.value, sheet), filled(ownBody.value, sheet)]
        : asWritten.get(sheet).map((nodes) => nodes.map((n) => n.cloneNode(true)));
      subject.replaceChildren(...s);
      body.replaceChildren(...b);
    }
    if (!edited) fields.forEach(show);
  };
  const fields = ["name", "email", "street", "city", "postal_code", "phone", "affiliation"];

  // -- what the button says, and the link to one's own mail ------------------------------------------------------------
  const labels = JSON.parse(form.dataset.labels || "{}");
  const button = form.querySelector("[data-send]");
  const channel = () => form.querySelector("[name=channel]:checked")?.value ?? value("channel");
  const reach = () => {
    // An office without an address on the chosen channel cannot be ticked; its hint says by what it can be reached.
    for (const box of all("input[type=checkbox][name=targets]", form)) {
      const open = box.dataset.channels.split(" ").includes(channel());
      if (!open && box.checked) box.dataset.again = "yes";
      if (open && box.disabled && box.dataset.again) { box.checked = true; delete box.dataset.again; }
      if (!open) box.checked = false;
      box.disabled = !open;
    }
  };
  const relabel = () => {
    if (!button) return;
    const boxes = all("input[type=checkbox][name=targets]", form);
    const many = boxes.length ? boxes.filter((b) => b.checked).length : 1;
    for (const place of all("[data-channel-label]", button)) place.textContent = labels[place.dataset.channelLabel]?.[many] ?? place.textContent;
    for (const sheet of sheets) {
      const box = boxes.find((b) => b.value === sheet.dataset.sheet);
      sheet.classList.toggle("left-out", Boolean(box && !box.checked));
    }
  };
  const plain = (node) => node.nodeType === Node.TEXT_NODE ? node.data : node.hidden ? "" : [...node.childNodes].map(plain).join("");
  const remail = () => {
    for (const link of all("[data-mailto]")) {
      const sheet = sheets.find((s) => s.dataset.sheet === link.dataset.mailto);
      if (!sheet) continue;
      const parts = [["cc", link.dataset.cc], ["subject", plain(sheet.querySelector("[data-subject]")).trim()],
        ["body", plain(sheet.querySelector("[data-body]")).trim().replace(/\n/g, "\r\n")]];
      link.href = `mailto:${encodeURIComponent(link.dataset.to).replace(/%40/g, "@")}?`
        + parts.filter(([, text]) => text).map(([name, text]) => `${name}=${encodeURIComponent(text)}`).join("&");
    }
  };

  form.addEventListener("input", (event) => {
    const name = event.target.name;
    if (name === "subject" || name === "body") rewrite();
    else if (fields.includes(name)) show(name);
    if (name === "channel") reach();
    relabel();
    remail();
  });
  fields.forEach(show);
  rewrite();
  reach();
  relabel();
  remail();
  addEventListener("pageshow", () => { fields.forEach(show); rewrite(); reach(); relabel(); remail(); });

  // -- the countdown: no live region, so that it stays silent -----------------------------------------------------------
  for (const place of all("[data-countdown]")) {
    const end = Date.parse(place.dataset.countdown), words = JSON.parse(place.dataset.words);
    const say = (n, [one, many]) => (n === 1 ? one : many).replace("%s", n);
    const tick = () => {
      const minutes = Math.floor((end - Date.now()) / 60000);
      if (minutes < 0) { place.textContent = words.past; return; }
      const days = Math.floor(minutes / 1440), hours = Math.floor(minutes / 60) % 24;
      const text = days >= 3 ? say(days, words.day) : days ? `${say(days, words.day)} ${say(hours, words.hour)}`
        : hours ? `${say(hours, words.hour)} ${say(minutes % 60, words.minute)}` : say(minutes, words.minute);
      place.textContent = words.left.replace("%s", text);
      setTimeout(tick, 60000 - Date.now() % 60000 + 50);
    };
    tick();
  }
  for (const place of all("[data-own-time]")) {
    const at = new Date(place.dataset.ownTime);
    if (-at.getTimezoneOffset() === Number(place.dataset.offset)) continue;
    place.textContent = place.dataset.words.replace("%s", at.toLocaleString(document.documentElement.lang,
      { weekday: "long", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));
    place.hidden = false;
  }

  // -- the preview, shown here instead of in a new tab --------------------------------------------------------------------
  const box = document.getElementById("preview-box");
  const preview = form.querySelector("[data-preview]");
  if (box?.showModal) preview?.addEventListener("click", async (event) => {
    event.preventDefault();
    preview.setAttribute("aria-disabled", "true");
    try {
      const answer = await fetch(preview.formAction, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const content = page.querySelector("[data-preview-content]");
      if (!content) throw new Error("no preview");
      box.replaceChildren(document.importNode(content, true));
      box.querySelector("[data-close]")?.addEventListener("click", (e) => { e.preventDefault(); box.close(); });
      box.showModal();
    } catch {
      form.requestSubmit(preview); // the new tab says what is wrong
    } finally {
      preview.removeAttribute("aria-disabled");
    }
  });
  box?.addEventListener("click", (event) => { if (event.target === box) box.close(); });

  // -- one send, however often one clicks; a little work that earns trust ------------------------------------------------
  let sending = false;
  form.addEventListener("submit", (event) => {
    if (event.submitter && event.submitter !== button) return;
    if (sending) { event.preventDefault(); return; }
    sending = true;
    button?.setAttribute("aria-disabled", "true");
    addEventListener("pageshow", () => { sending = false; button?.removeAttribute("aria-disabled"); }, { once: true });
  });
  const bits = Number(form.dataset.proof);
  const proof = input("proof"), token = value("token");
  if (bits && proof && crypto.subtle) {
    const encoder = new TextEncoder();
    let n = 0;
    const work = async () => {
      for (const until = n + 400; n < until; n++) {
        const digest = new DataView(await crypto.subtle.digest("SHA-256", encoder.encode(`${token}:${n}`)));
        if (digest.getUint32(0) >>> (32 - bits) === 0) { proof.value = String(n); return; }
      }
      setTimeout(work, 4);
    };
    form.addEventListener("focusin", () => setTimeout(work, 300), { once: true });
  }
})();
