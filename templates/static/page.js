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
  const changed = (event) => {
    document.body.dataset.seen = event.lastEventId;
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

  // The reader's own zone, with the exact UTC beside it: the day too, where it is another one.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const two = (number) => String(number).padStart(2, "0");
  document.querySelectorAll("time").forEach((time) => {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) return;
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const hour = `${two(at.getHours())}:${two(at.getMinutes())}`;
    const [utcDay, utcHour] = time.dateTime.slice(0, -1).split("T");
    const short = time.className === "clock";
    const own = document.createElement("span");
    own.textContent = short ? hour : `${day} ${hour}:${two(at.getSeconds())}`;
    const utc = document.createElement("small");
    utc.textContent = (day === utcDay ? "" : utcDay + " ") + (short ? utcHour.slice(0, 5) : utcHour) + " UTC";
    time.title = `${zone}; ${utcDay} ${utcHour} UTC`;
    time.replaceChildren(own, " ", utc);
  });
  const told = document.getElementById("zone");
  if (told && document.querySelector("time small")) {
    told.textContent = `Times are in ${zone}, with UTC beside them.`;
    told.hidden = false;
  }
})();
