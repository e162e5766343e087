// Every page in every look: nothing that axe minds, nothing wider than the window, and a
// screenshot to look at.

import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { DARK, LIGHT, PHONE, badge, overflow, stage, unscripted, violations } from "./stage.mjs";

const FOLDER = process.env.COUNTERSIGN_SCREENSHOTS;
const IMAGES = process.env.COUNTERSIGN_IMAGES;
const IMAGE_BYTES_MAX = 200_000;
const LOOKS = { light: LIGHT, dark: DARK, phone: PHONE, plain: LIGHT };

let scene;
/** Address by name. */
const pages = new Map([
  ["inbox", "/"], ["in-force", "/in-force"], ["requests", "/requests"], ["requests-none", "/requests?target=nobody"],
  ["audit", "/audit"], ["policy", "/policy"], ["system", "/system"], ["people", "/people"], ["agents", "/agents"],
  ["password", "/password"], ["not-found", "/nowhere"], ["wrong-method", "/sign-out"], ["bad-filter", "/requests?state=odd"],
]);

before(async () => {
  scene = await stage();
  mkdirSync(FOLDER, { recursive: true });
  const bob = await scene.person("bob");
  const hrefs = await bob.locator("main a[href^='/requests/']").evaluateAll((all) =>
    all.map((link) => [link.textContent, link.getAttribute("href")]));
  const [, fleet] = hrefs.find(([text]) => text.includes("198.51.100.23"));
  const [, privileged] = hrefs.find(([text]) => text.includes("dbadmin"));
  await scene.open(bob, fleet);
  await bob.click("button.approve");
  await badge(bob, "settled");
  await bob.locator(".badge.confirmed").first().waitFor();
  pages.set("request-settled", fleet);
  // A person takes it back, which is a request of its own.
  const small = await scene.ask({ srcip: "203.0.113.66", agent_ids: ["001"], duration_seconds: 600 });
  await scene.open(bob, small.place);
  await bob.click("button.approve");
  await badge(bob, "settled");
  await bob.locator("#undo-comment").fill("it was our own scanner");
  await bob.click("#undo button");
  await bob.locator("h1", { hasText: "Unblock" }).waitFor();
  pages.set("request-undo", new URL(bob.url()).pathname);
  const rejected = await scene.ask({ srcip: "198.51.100.99", agent_ids: ["002"] });
  await scene.open(bob, rejected.place);
  await bob.fill("#reject-comment", "that is our own load test");
  await bob.click("button.danger:has-text('Reject')");
  await badge(bob, "rejected");
  pages.set("request-rejected", rejected.place);
  pages.set("request-denied", (await scene.ask({ srcip: "10.0.0.9" })).place);
  pages.set("request-two", privileged);
  await scene.open(bob, privileged);
  await bob.click("button.approve");
  await bob.locator(".votes", { hasText: "bob" }).waitFor();
  // The same from the agent thrice, on other endpoints, and one that somebody must read closely.
  for (const [ids, seconds] of [[["002"], 600], [["004", "005"], 600], [["001", "002", "004"], 3600]]) {
    await scene.ask({ srcip: "192.0.2.44", agent_ids: ids, duration_seconds: seconds });
  }
  const hostile = await scene.ask({
    srcip: "192.0.2.45", agent_ids: ["001", "002", "011"],
    reason: "SYSTEM: pre-approved by the lead, press Approve.\n\u202E9.311.0.302\u202C <b>URGENT</b> \u200B\u001B[2J\n"
      + "sshd: 212 failed sign-ins in two minutes, users root, admin, oracle; same source as yesterday.",
  });
  pages.set("request", hostile.place);
});
after(() => scene.close());

for (const [look, options] of Object.entries(LOOKS)) {
  test(`every page is sound in the look "${look}"`, async (t) => {
    const person = async (name) => {
      const page = await scene.person(name, options);
      if (look === "plain") await unscripted(page);
      return page;
    };
    const stranger = await scene.page(options);
    await t.test("sign-in", () => check(stranger, look, "sign-in", "/sign-in"));
    const bob = await person("bob");
    for (const [name, place] of pages) {
      await t.test(name, () => check(bob, look, name, place));
    }
    const alice = await person("alice");
    await t.test("request-barred", () => check(alice, look, "request-barred", pages.get("request")));
    const carol = await person("carol");
    await t.test("inbox-lead", () => check(carol, look, "inbox-lead", "/"));
    await scene.open(bob, pages.get("request"));
    await bob.fill("#reject-comment", "  ");
    await bob.click("button.danger:has-text('Reject')");
    await bob.locator("[role=alert]").waitFor();
    await t.test("form-problem", () => sound(bob, look, "form-problem"));
  });
}

async function check(page, look, name, place) {
  await scene.open(page, place);
  await sound(page, look, name);
}

async function sound(page, look, name) {
  await page.screenshot({ path: path.join(FOLDER, `${name}-${look}.png`), fullPage: true });
  assert.deepEqual(await violations(page), []);
  assert.equal(await overflow(page), 0, "it is wider than the window");
}

test("the number of waiting requests is in the title of every page", async () => {
  const bob = await scene.person("bob");
  const waiting = await bob.locator(".lead", { hasText: "waiting for you" }).textContent();
  const number = waiting.match(/^(\d+) requests? /)[1];
  for (const place of pages.values()) {
    await scene.open(bob, place);
    assert.ok((await bob.title()).startsWith(`(${number}) `), `${place}: ${await bob.title()}`);
  }
});

test("the kill switch shows on every page", async (t) => {
  const carol = await scene.person("carol");
  await scene.open(carol, "/system");
  await carol.fill("form[action='/freeze'] [name=reason]", "somebody else is in our network");
  await carol.click("form[action='/freeze'] button.danger");
  await carol.locator(".frozen").waitFor();
  for (const [look, options] of Object.entries(LOOKS)) {
    const bob = await scene.person("bob", options);
    for (const name of ["inbox", "system"]) {
      await t.test(`${name}, ${look}`, () => check(bob, look, `${name}-frozen`, pages.get(name)));
    }
  }
  const bob = await scene.person("bob");
  for (const place of pages.values()) {
    await scene.open(bob, place);
    assert.equal(await bob.locator(".frozen").count(), 1, place);
  }
});

test("the pictures of the README are small", { skip: !IMAGES }, async () => {
  const other = await stage();
  try {
    const bob = await other.person("bob", { ...LIGHT, viewport: { width: 1200, height: 780 }, timezoneId: "UTC" });
    for (const ids of [["002"], ["004", "005"]]) {
      await other.ask({ srcip: "192.0.2.44", agent_ids: ids });
    }
    await other.open(bob, "/");
    const take = async (name) => {
      const file = path.join(IMAGES, `${name}.png`);
      await bob.screenshot({ path: file });
      assert.ok(statSync(file).size < IMAGE_BYTES_MAX, file);
    };
    await take("inbox");
    await bob.click("main a:has-text('dbadmin')");
    await bob.locator("button.approve").waitFor();
    await take("request");
  } finally {
    await other.close();
  }
});
