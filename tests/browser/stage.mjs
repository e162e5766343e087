// The demo, a browser that is never downloaded, people in it, and an agent that asks over MCP.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

const { env } = process;
const from = createRequire(path.resolve(env.COUNTERSIGN_NODE_MODULES) + "/");
const { chromium } = from("playwright-core");
const axe = readFileSync(from.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--no-first-run",
];
/** So long anything may take to appear, in milliseconds. */
const PATIENCE_MS = 30_000;

export const LIGHT = { viewport: { width: 1200, height: 900 }, colorScheme: "light" };
export const DARK = { ...LIGHT, colorScheme: "dark" };
export const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: "light", hasTouch: true };
export const PLAIN = { ...LIGHT, javaScriptEnabled: false };

/** Everything that a file of tests needs. `close` ends all of it. */
export async function stage() {
  const demo = spawn(env.COUNTERSIGN_PROGRAM, ["demo", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => demo.once("exit", resolve));
  const lines = createInterface({ input: demo.stdout });
  const first = await new Promise((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("close", () => reject(new Error("the demo ended before it said where it is")));
  });
  const facts = JSON.parse(first);
  const browser = await chromium.launch({ executablePath: env.CHROMIUM, args: FLAGS });

  const page = async (options = {}) => {
    const context = await browser.newContext({ timezoneId: "Europe/Berlin", ...LIGHT, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    return context.newPage();
  };
  const open = async (page, place) => {
    for (;;) {
      try {
        return await page.goto(facts.page + place);
      } catch (error) {
        // The page looked again by itself in the same moment.
        if (!/ERR_ABORTED|interrupted by another navigation/.test(String(error))) throw error;
      }
    }
  };
  const password = (name) => facts.people.find((person) => person.name === name).password;
  /** Somebody's browser, signed in: a context of its own. */
  const person = async (name, options = {}) => {
    const theirs = await page(options);
    await open(theirs, "/sign-in");
    await theirs.fill("#name", name);
    await theirs.fill("#password", password(name));
    await theirs.click("main button");
    await theirs.locator("h1", { hasText: "Inbox" }).waitFor();
    return theirs;
  };

  const call = async (name, args) => {
    const answer = await fetch(facts.page + "/mcp", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        Authorization: `Bearer ${facts.token}`,
      },
      body: JSON.stringify({
        jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args },
      }),
    });
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
  return { facts, page, open, password, person, call, ask, state, close };
}

/** Waits until the page shows the request in a state. */
export const badge = (page, state) => page.locator(`header.effect .badge.${state}`).waitFor();

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
export async function violations(page) {
  // Not as a script of the page: its content security policy would refuse that, rightly.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await globalThis.axe.run()).violations);
  return found.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html}`));
}

/** How much wider the page is than the window, in pixels. */
export const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
