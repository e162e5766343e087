// The pictures of the README, where they are asked for: the inbox and a request, and each page in all looks.

import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { DARK, FORCED, LIGHT, PHONE, ZOOMED, badge, confirmed, stage } from "./stage.mjs";
import { night } from "./traps.mjs";

const IMAGES = process.env.COUNTERSIGN_IMAGES;
const IMAGE_BYTES_MAX = 250_000;
const LOOKS = { light: LIGHT, dark: DARK, "forced colours": FORCED, phone: PHONE, "200 % zoom": ZOOMED };
/** How high each look stands in a picture, in pixels. */
const HIGH = 440;

let scene;
const skip = !IMAGES;
before(async () => { if (!skip) scene = await stage(); });
after(() => scene?.close());

test("the pictures of the README are small", { skip }, async () => {
  mkdirSync(path.join(IMAGES, "pages"), { recursive: true });
  const requests = await night(scene);
  const bob = await scene.person("bob", { ...LIGHT, viewport: { width: 1200, height: 780 }, timezoneId: "UTC" });
  const small = (file) => assert.ok(statSync(file).size < IMAGE_BYTES_MAX, `${file}: ${statSync(file).size} bytes`);
  const take = async (name) => {
    const file = path.join(IMAGES, `${name}.png`);
    await bob.screenshot({ path: file });
    small(file);
  };
  await scene.open(bob, "/");
  await take("inbox");
  await scene.open(bob, requests[1].place);
  await bob.locator("button.approve").waitFor();
  await take("request");
  const done = await scene.ask({ srcip: "203.0.113.9", agent_ids: ["001"], duration_seconds: 3600 });
  await scene.open(bob, done.place);
  await bob.click("button.approve");
  await badge(bob, "settled");
  await confirmed(bob);
  const pages = {
    inbox: "/", request: requests[1].place, "request-settled": done.place, reject: "/reject?all=yes",
    "active-responses": "/in-force", requests: "/requests", audit: "/audit", target: "/targets?is=203.0.113.9",
    agent: "/agents/triage-bot", person: "/people/bob", endpoint: "/endpoints/demo/001", overview: "/overview",
    policy: "/policy", system: "/system", people: "/people", agents: "/agents", help: "/help", "sign-in": "/sign-in",
  };
  const sheet = await scene.page();
  const people = {};
  for (const [look, options] of Object.entries(LOOKS)) {
    people[look] = [await scene.person("bob", options), await scene.page(options)];
  }
  for (const [name, place] of Object.entries(pages)) {
    const shots = [];
    for (const [look, [theirs, stranger]] of Object.entries(people)) {
      const page = place === "/sign-in" ? stranger : theirs;
      await scene.open(page, place);
      const shot = (await page.screenshot()).toString("base64");
      shots.push(`<figure><img src="data:image/png;base64,${shot}"><figcaption>${look}</figcaption></figure>`);
    }
    await sheet.setContent(`<style>
      body { margin: 0; padding: 8px; width: 1400px; display: flex; flex-wrap: wrap; gap: 8px; background: #888; font: 16px sans-serif }
      figure { margin: 0 } img { display: block; height: ${HIGH}px; border: 1px solid #444 } figcaption { color: #fff }
    </style>${shots.join("")}`);
    const file = path.join(IMAGES, "pages", `${name}.jpg`);
    await sheet.locator("body").screenshot({ path: file, type: "jpeg", quality: 50 });
    small(file);
  }
});
