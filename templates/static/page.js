// What the page does by itself. Everything works without it.
"use strict";
(() => {
  // A page reloads by itself only while its reader is there: else its session would never be idle.
  const AWAY_MS = 10 * 60 * 1000;
  // The server holds an answer for 25 seconds, and the browser asks again after two.
  const LOST_MS = 40 * 1000;
  const news = document.getElementById("news");
  const disconnected = document.getElementById("disconnected");
  const touch = () => sessionStorage.setItem("touched", String(Date.now()));
  const away = () => Date.now() - Number(sessionStorage.getItem("touched") || 0) > AWAY_MS;
  // Opening the page is a sign of its reader, a reload is not.
  if (performance.getEntriesByType("navigation")[0]?.type !== "reload") touch();
  ["pointerdown", "keydown", "scroll"].forEach((kind) => addEventListener(kind, touch, { passive: true }));

  // What the reader has begun is never thrown away: a field, an opened part, a selection.
  let begun = document.querySelector("[role=alert]") !== null;
  document.addEventListener("input", () => { begun = true; keep(); });
  document.addEventListener("click", (event) => {
    if (event.target.closest("summary")) { begun = true; keep(); }
  });
  document.addEventListener("focusin", () => keep());
  // Nor is the place of a reader who uses the keyboard.
  const held = "input, textarea, select, :focus-visible";
  const busy = () =>
    begun || document.activeElement.matches(held) || String(getSelection()) !== "";

  let source = null;
  let leaving = false;
  let loading = false;
  let lost = null;
  const close = () => {
    if (source) source.close();
    clearTimeout(lost);
    source = lost = null;
  };
  // A list is replaced in its place, unless that would move what is under the pointer or in use:
  // then it says how many are new.
  const fresh = document.getElementById("fresh");
  let next = null;
  const boxes = (root, which = "") => [...root.querySelectorAll(`#live [name="pick"]${which}`)];
  const replace = () => {
    if (!next) return;
    const ticked = new Set(boxes(document, ":checked").map((box) => box.value));
    document.getElementById("live").replaceWith(document.adoptNode(next.getElementById("live")));
    boxes(document).forEach((box) => { box.checked = ticked.has(box.value); });
    document.title = next.title;
    const [old, now] = [document, next].map((root) => root.querySelector("nav .number"));
    if (old && now) old.replaceWith(document.adoptNode(now));
    fresh.hidden = true;
    next = null;
    count();
  };
  const update = async () => {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok || !page.getElementById("live")) throw new Error("no list");
    next = page;
    const live = document.getElementById("live");
    const known = new Set(boxes(document).map((box) => box.value));
    const number = boxes(page).filter((box) => !known.has(box.value)).length;
    if (!live.matches(":hover") && !live.contains(document.activeElement)) return replace();
    fresh.firstElementChild.textContent = number > 0 ? `${number} new: show` : "Something has changed: show";
    fresh.hidden = false;
  };
  fresh?.firstElementChild.addEventListener("click", replace);
  const changed = (event) => {
    document.body.dataset.seen = event.lastEventId;
    if (fresh && !away()) { update().catch(() => { news.hidden = false; close(); }); return; }
    if (busy() || away()) { news.hidden = false; close(); } else { loading = true; location.reload(); }
  };
  // The page that comes has not arrived yet, and somebody begins on this one.
  const keep = () => {
    if (!loading || !busy()) return;
    stop();
    loading = leaving = false;
    news.hidden = false;
  };
  // The browser asks again by itself, unless the answer was none that it understands, which may
  // come from a proxy before a server that starts.
  const broken = () => {
    lost ??= setTimeout(() => { disconnected.hidden = !news.hidden; close(); open(); }, LOST_MS);
  };
  const heard = () => {
    clearTimeout(lost);
    lost = null;
    disconnected.hidden = true;
  };
  const open = () => {
    if (source || leaving || document.hidden || !news.hidden) return;
    source = new EventSource("/events?after=" + document.body.dataset.seen);
    source.onmessage = changed;
    source.onopen = heard;
    source.onerror = broken;
  };
  if (news && "EventSource" in window) {
    open();
    // Only the page that is looked at waits for news: browsers keep few connections.
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("offline", () => { disconnected.hidden = !news.hidden; close(); });
    addEventListener("online", () => { disconnected.hidden = true; open(); });
    // Where one goes may itself be news (reading the audit is recorded): reloading now
    // would undo the going.
    addEventListener("beforeunload", () => { leaving = true; close(); });
    addEventListener("pageshow", (event) => { if (event.persisted) { leaving = false; open(); } });
  }

  const spoken = (seconds) => {
    if (seconds <= 0) return "no time left";
    const [count, unit] = seconds < 60 ? [seconds, "second"] : [Math.floor(seconds / 60), "minute"];
    if (seconds < 3600) return `${count} ${unit}${count === 1 ? "" : "s"} left`;
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min left`;
  };
  const count = () => document.querySelectorAll("[data-until]").forEach((left) => {
    const seconds = Math.floor(Number(left.dataset.until) - Date.now() / 1000);
    const text = spoken(seconds);
    if (seconds < 172800 && left.textContent !== text) left.textContent = text;
  });
  count();
  setInterval(count, 1000);

  // Times once, in the reader's own zone or in UTC: near ones as "4 min ago", the exact one on focus.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const two = (number) => String(number).padStart(2, "0");
  const chosen = (name) => { try { return localStorage.getItem(name) === "yes"; } catch { return false; } };
  const choose = (name, yes) => { try { localStorage.setItem(name, yes ? "yes" : "no"); } catch { /* It lasts for this page. */ } };
  let utc = chosen("utc");
  /** What a clock in the zone of the page shows at a moment, as if that were UTC. */
  const shifted = (at) => new Date(at.getTime() - (utc ? 0 : at.getTimezoneOffset() * 60_000));
  const day = (at) => shifted(at).toISOString().slice(0, 10);
  const clock = (at, end) => shifted(at).toISOString().slice(11, end);
  const offset = (at) => {
    const minutes = utc ? 0 : -at.getTimezoneOffset();
    const size = Math.abs(minutes);
    return minutes === 0 ? "UTC" : `UTC${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  };
  const exact = (at) => `${day(at)} ${clock(at, 19)} ${offset(at)}`;
  const near = (at) => {
    const minutes = Math.trunc((Date.now() - at.getTime()) / 60_000);
    if (minutes === 0) return "just now";
    if (Math.abs(minutes) >= 60) return null;
    return minutes > 0 ? `${minutes} min ago` : `in ${-minutes} min`;
  };
  const brief = (at) => (day(at) === day(new Date()) ? "" : day(at) + " ") + clock(at, 16);
  const said = (time, at) => {
    const { classList } = time;
    return (classList.contains("ago") && near(at)) || (classList.contains("when") ? "at " : "") + brief(at);
  };
  const tell = (time) => {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const text = time === document.activeElement ? exact(at) : said(time, at);
    if (time.textContent !== text) time.textContent = text;
    time.title = exact(at);
  };
  const times = () => document.querySelectorAll("main time, .frozen time");
  const tellAll = () => times().forEach(tell);
  // Filters speak of the zone that the page speaks of; what is sent is UTC.
  const fields = document.querySelectorAll("input[type=datetime-local][name]");
  const show = (field, at) => { field.value = at ? shifted(at).toISOString().slice(0, 16) : ""; };
  const read = (field) => {
    const at = new Date(field.value + (utc ? "Z" : ""));
    return field.value && !Number.isNaN(at.getTime()) ? at : null;
  };
  const switchTo = (to) => {
    const typed = [...fields].map(read);
    utc = to;
    fields.forEach((field, index) => show(field, typed[index]));
    document.querySelectorAll(".zone").forEach((name) => { name.textContent = utc ? "UTC" : zone; });
    tellAll();
  };
  fields.forEach((field) => {
    const at = field.value ? new Date(field.value + "Z") : null;
    show(field, at && !Number.isNaN(at.getTime()) ? at : null);
    field.form.addEventListener("formdata", (event) => {
      const at = read(field);
      event.formData.set(field.name, at ? at.toISOString().slice(0, 16) : "");
    });
  });
  times().forEach((time) => { if (!time.closest("a, button, summary, label")) time.tabIndex = 0; });
  switchTo(utc);
  addEventListener("pageshow", (event) => { if (event.persisted) tellAll(); });
  const turn = (event) => { if (event.target.matches("time")) tell(event.target); };
  document.addEventListener("focusin", turn);
  // The focus has gone only after this event.
  document.addEventListener("focusout", (event) => setTimeout(turn, 0, event));
  setInterval(tellAll, 20_000);
  const told = document.getElementById("zone");
  const always = [0, 6].every((month) => new Date(2026, month, 1).getTimezoneOffset() === 0);
  if (told && !always && (times().length > 0 || fields.length > 0)) {
    const words = document.createElement("span");
    const change = document.createElement("button");
    change.className = "quiet";
    const label = () => {
      words.textContent = `Times are in ${utc ? "UTC" : zone}.`;
      change.textContent = `Show them in ${utc ? zone : "UTC"}`;
    };
    change.addEventListener("click", () => { switchTo(!utc); choose("utc", utc); label(); });
    label();
    told.append(words, " ", change);
    told.hidden = false;
  }

  // Keys lead to places and fields. None of them decides: that takes the button.
  const dialog = document.getElementById("keys");
  const off = document.getElementById("keys-off");
  const items = () => [...document.querySelectorAll("main .cards h2 a, main .cards h3 a, main tbody th a")]
    .filter((link) => link.checkVisibility());
  const step = (by) => {
    const all = items();
    const here = all.indexOf(document.activeElement);
    const next = all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1)];
    if (next) next.focus({ focusVisible: true });
  };
  const form = (verb) => {
    const found = document.querySelector(`main form[action$="/${verb}"]`);
    if (!found) return;
    for (let part = found.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    const fields = [...found.querySelectorAll("textarea, input:not([type=hidden])")];
    const field = fields.find((one) => one.checkVisibility()) ?? found.querySelector("button");
    field.focus({ focusVisible: true });
    field.scrollIntoView({ block: "nearest" });
  };
  const search = () => {
    const field = document.querySelector("form[role=search] input:not([type=hidden]), form[role=search] select");
    if (field) field.focus(); else location.assign("/requests");
  };
  const keys = {
    j: () => step(1), k: () => step(-1), a: () => form("approve"), r: () => form("reject"), "/": search, "?": () => dialog.showModal(),
  };
  const places = { i: "/", a: "/in-force", r: "/requests" };
  let going = 0;
  if (dialog) {
    off.checked = chosen("keys-off");
    off.addEventListener("change", () => choose("keys-off", off.checked));
    document.addEventListener("keydown", (event) => {
      const { key, target } = event;
      const typing = target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing || dialog.open) return;
      if (off.checked && key !== "?") return;
      const went = Date.now() - going < 1500;
      going = key === "g" ? Date.now() : 0;
      const place = went ? places[key] : undefined;
      if (place) { event.preventDefault(); location.assign(place); return; }
      if (!event.repeat || key === "j" || key === "k") {
        const act = Object.hasOwn(keys, key) ? keys[key] : null;
        if (act) { event.preventDefault(); act(); }
      }
    });
  }

  // What somebody typed blind they may look at.
  document.querySelectorAll("input[type=password]").forEach((field) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "reveal";
    button.setAttribute("aria-controls", field.id);
    const label = () => {
      button.textContent = field.type === "password" ? "Show password" : "Hide password";
    };
    button.addEventListener("click", () => {
      field.type = field.type === "password" ? "text" : "password";
      label();
    });
    field.form?.addEventListener("submit", () => { field.type = "password"; });
    label();
    field.after(button);
  });
})();
