// What the page does by itself. Everything works without it.
"use strict";
(() => {
  // A page looks again by itself only while somebody is there: else its session would never be idle.
  const AWAY_MS = 10 * 60 * 1000;
  const news = document.getElementById("news");
  const seen = document.body.dataset.seen;
  const touch = () => sessionStorage.setItem("touched", String(Date.now()));
  const away = () => Date.now() - Number(sessionStorage.getItem("touched") || 0) > AWAY_MS;
  // Coming here is a sign of somebody, looking again is not.
  if (performance.getEntriesByType("navigation")[0]?.type !== "reload") touch();
  ["pointerdown", "keydown", "scroll"].forEach((kind) => addEventListener(kind, touch, { passive: true }));

  // What somebody has begun is never thrown away: a field, an opened part, a selection.
  let begun = document.querySelector("[role=alert]") !== null;
  document.addEventListener("input", () => { begun = true; });
  document.addEventListener("click", (event) => {
    if (event.target.closest("summary")) begun = true;
  });
  const busy = () =>
    begun || document.activeElement.matches("input, textarea, select") || String(getSelection()) !== "";

  let source = null;
  let leaving = false;
  const close = () => { if (source) source.close(); source = null; };
  const changed = (event) => {
    document.body.dataset.seen = event.lastEventId;
    if (busy() || away()) { news.hidden = false; close(); } else { location.reload(); }
  };
  const open = () => {
    if (source || leaving || document.hidden || !news.hidden) return;
    source = new EventSource("/events?after=" + document.body.dataset.seen);
    source.onmessage = changed;
  };
  if (seen !== undefined && "EventSource" in window) {
    open();
    // Only the page that is looked at waits for news: browsers keep few connections.
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    // Where one goes may itself be news (reading the audit is written down): looking again now
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
    if (seconds < 172800) left.textContent = spoken(seconds);
  });
  setInterval(count, 1000);

  // The exact time stays; the reader's own zone shows on top.
  document.querySelectorAll("time").forEach((time) => {
    time.title = new Date(time.dateTime).toLocaleString();
  });
})();
