// The demo, a browser that is never downloaded, people in it, and an agent that asks over MCP.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

const { env } = process;
const program = path.resolve(env.COUNTERSIGN_PROGRAM);
const from = createRequire(path.resolve(env.COUNTERSIGN_NODE_MODULES) + "/");
const { chromium } = from("playwright-core");
const axe = readFileSync(from.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--no-first-run",
];
/** So long anything may take to appear, in milliseconds. */
const PATIENCE_MS = 60_000;
/** What Playwright says where the page loaded again by itself in the same moment. */
const AGAIN = /ERR_ABORTED|interrupted by another|context was destroyed/;

export const LIGHT = { viewport: { width: 1200, height: 900 }, colorScheme: "light" };
export const DARK = { ...LIGHT, colorScheme: "dark" };
export const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: "light", hasTouch: true };
export const FORCED = { ...LIGHT, forcedColors: "active" };
/** 200 % zoom of a window of 1200 pixels. */
export const ZOOMED = { ...LIGHT, viewport: { width: 600, height: 450 }, deviceScaleFactor: 2 };
/** The narrowest phone. */
export const NARROW = { ...PHONE, viewport: { width: 360, height: 740 } };
export const PLAIN = { ...LIGHT, javaScriptEnabled: false };

/**
 * A folder as `init` makes it where nobody can be asked: it knows no person and one receiver that never
 * answers. `more` adds to it, once the page's address is known: files of secrets, and configuration.
 */
async function folder(more) {
  const made = mkdtempSync(path.join(tmpdir(), "countersign-browser-"));
  spawnSync(program, ["init", made], { stdio: ["ignore", "ignore", "inherit"] });
  const port = await new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
  const { config = "", files = {} } = await more(`http://localhost:${port}`);
  for (const [name, text] of Object.entries({ ...files, "manager.password": "no manager is there\n" })) {
    writeFileSync(path.join(made, name), text, { mode: 0o600 });
  }
  writeFileSync(path.join(made, "countersign.toml"), `
    [server]
    listen = "127.0.0.1:${port}"
    public_url = "http://localhost:${port}"
    [manager.main]
    url = "http://127.0.0.1:9"
    user = "nobody"
    password_file = "manager.password"
    [notify.webhook.duty]
    url = "http://127.0.0.1:9/duty"
    format = "ntfy"
  ` + config);
  return made;
}

/** A server that nobody has set up yet. */
export async function unset(more = () => ({})) {
  const made = await folder(more);
  const scene = await stage(["serve", "--json", "--config", path.join(made, "countersign.toml")]);
  const close = async () => {
    await scene.close();
    rmSync(made, { recursive: true });
  };
  return { ...scene, close };
}

/** Everything that a file of tests needs. `close` ends all of it. */
export async function stage(args = ["demo", "--json"]) {
  const demo = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => demo.once("exit", resolve));
  const lines = createInterface({ input: demo.stdout });
  const first = await new Promise((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("close", () => reject(new Error("it ended before it said where it is")));
  });
  const facts = JSON.parse(first);
  facts.page ??= new URL(facts.set_up).origin;
  const browser = await chromium.launch({ executablePath: env.CHROMIUM, args: FLAGS });

  const page = async (options = {}) => {
    const context = await browser.newContext({ timezoneId: "Europe/Berlin", ...LIGHT, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    return context.newPage();
  };
  /**
   * Goes to a place as a link does, again where the page reloaded itself instead. Not with `goto`:
   * Chromium drops that one in silence when it meets a reload that the page began.
   */
  const open = async (page, place) => {
    const target = facts.page + place;
    if (page.url() === "about:blank") return page.goto(target);
    for (;;) {
      await steady(() => page.evaluate((target) => { window.left = true; location.assign(target); }, target));
      let shown;
      do {
        await pause(10);
        shown = await steady(() => page.evaluate(() => ({
          whole: !window.left && document.readyState === "complete",
          by: performance.getEntriesByType("navigation")[0]?.type,
        })));
      } while (!shown.whole);
      if (shown.by === "navigate") return;
    }
  };
  const password = (name) => facts.people.find((person) => person.name === name).password;
  /** Somebody's browser, signed in: a context of its own. */
  const person = async (name, options = {}) => {
    const theirs = await page(options);
    await open(theirs, "/sign-in");
    await theirs.fill("#name", name);
    await theirs.fill("#password", password(name));
    await theirs.click("main button.main");
    await theirs.locator("h1", { hasText: "Inbox" }).waitFor();
    await theirs.waitForLoadState();
    return theirs;
  };

  const post = (token, name, args) => fetch(facts.page + "/mcp", {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      Authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({
      jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args },
    }),
  });
  /** What the door answers to whoever has a token. */
  const list = (token) => post(token, "list_requests", {});
  const call = async (name, args) => {
    const answer = await post(facts.token, name, args);
    const text = await answer.text();
    const found = text.match(/\{.*\}/s);
    if (!answer.ok || !found) throw new Error(`${name}: ${answer.status} ${text}`);
    const { result, error } = JSON.parse(found[0]);
    if (error) throw new Error(`${name}: ${error.message}`);
    if (!result.structuredContent) throw new Error(`${name}: ${text}`);
    return result.structuredContent;
  };
  let last = 0;
  /** Asks for a block that one person must approve. */
  const ask = async (more = {}) => {
    last += 1;
    const asked = await call("block_ip", {
      srcip: `198.51.100.${100 + last}`, agent_ids: ["002"], duration_seconds: 600,
      reason: "many failed sign-ins from this address", ...more,
    });
    return { id: asked.request_id, place: `/requests/${asked.request_id}`, state: asked.state };
  };
  const state = async (id) => (await call("get_request", { request_id: id })).state;

  const close = async () => {
    await browser.close();
    demo.kill("SIGTERM");
    await ended;
  };
  return { facts, page, open, password, person, call, list, ask, state, close };
}

/** Gives a browser a virtual authenticator; what speaks to that. */
export async function authenticator(page, verified = true) {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", { options: {
    protocol: "ctap2", transport: "usb", hasResidentKey: true, hasUserVerification: true,
    isUserVerified: verified, automaticPresenceSimulation: true,
  } });
  return (command, more = {}) => session.send(`WebAuthn.${command}`, { authenticatorId, ...more });
}

/** Waits until the page, when all of it is there, has so many of these. */
export async function shows(locator, number, why) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const [found, whole] = await steady(() =>
      locator.evaluateAll((all) => [all.length, document.readyState === "complete"]));
    if (whole && found === number) return;
    if (Date.now() > until) assert.equal(found, number, why);
    await pause(50);
  }
}

/** What a page answers that may load again by itself in the same moment. */
export async function steady(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!AGAIN.test(String(error))) throw error;
    }
  }
}

/** Approves what is of the high tier, which takes the password each time. */
export async function approveWith(page, password) {
  await page.fill("#approve-password", password);
  await page.click("button.approve");
}

/** Rejects with a reason, by the form that is behind "Reject". */
export async function reject(page, reason) {
  if (!(await page.locator("#reject-comment").isVisible())) await page.click("summary.danger");
  await page.fill("#reject-comment", reason);
  await page.click("button.danger:has-text('Reject it')");
}

/** Waits until the page shows the request in a state. */
export const badge = (page, state) => page.locator(`header.effect .badge.${state}`).waitFor();

/** Waits until evidence of it was seen. Until then the request changes once more, and a form is out of date. */
export async function confirmed(page) {
  await badge(page, "settled");
  await page.locator(".badge.confirmed").first().waitFor();
}

/** Shows the page as somebody without scripts sees it, to a browser that runs those of tests. */
export async function unscripted(page) {
  await page.route("**/page.js*", (route) => route.abort());
  await page.addInitScript(() => addEventListener("DOMContentLoaded", () => {
    // Where scripts run, what is meant for those without is but text.
    for (const part of document.querySelectorAll("noscript")) {
      part.replaceWith(document.createRange().createContextualFragment(part.textContent));
    }
  }));
}

/** What axe finds wrong with the page, in lines that name the rule and the place. */
export async function violations(page, { contrast = true } = {}) {
  const options = JSON.stringify({
    resultTypes: ["violations"], preload: false, rules: { "color-contrast": { enabled: contrast } },
  });
  // Not as a script of the page: its content security policy would refuse that, rightly.
  const run = `${axe}\n;globalThis.axe.run(${options}).then((result) => result.violations);`;
  const found = await steady(() => page.evaluate(run));
  return found.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html}`));
}

/** How much wider the page is than the window, in pixels. */
export const overflow = (page) =>
  steady(() => page.evaluate(() =>
    document.documentElement.scrollWidth - document.documentElement.clientWidth));
