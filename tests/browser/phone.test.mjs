// One hand and a thumb.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { LIGHT, NARROW, PHONE, PLAIN, shows, stage, steady } from "./stage.mjs";

let scene;
before(async () => {
  scene = await stage();
  await scene.ask();
});
after(() => scene.close());

/** What a finger meets and what is smaller than 44 pixels; links within a sentence are let be. */
const small = (page) => steady(() => page.evaluate(() => {
  const wanted = "button, input:not([type=hidden]), select, textarea, summary, nav a, .me a, .lift, dialog a";
  return [...document.querySelectorAll(wanted)].filter((one) => one.checkVisibility()).filter((one) => {
    const target = one.closest("label.pick") ?? one;
    return target.getBoundingClientRect().height < 43.5;
  }).map((one) => one.outerHTML.slice(0, 120));
}));

test("what a finger meets is 44 pixels high", async () => {
  const { place } = await scene.ask();
  const [bob, dora] = [await scene.person("bob", PHONE), await scene.person("dora", NARROW)];
  for (const at of ["/", place, "/requests", "/in-force", "/audit", "/system", "/password"]) {
    await scene.open(bob, at);
    assert.deepEqual(await small(bob), [], at);
  }
  for (const at of ["/people", "/agents", "/agents/triage-bot", "/policy"]) {
    await scene.open(dora, at);
    assert.deepEqual(await small(dora), [], at);
  }
});

for (const [look, options] of Object.entries({ phone: PHONE, narrow: NARROW, "no script": { ...PHONE, javaScriptEnabled: false } })) {
  test(`four sections are a bar at the bottom, the others under More: ${look}`, async () => {
    const bob = await scene.person("bob", options);
    const bar = bob.locator("nav .often a");
    await shows(bar, 4);
    for (const link of await bar.all()) {
      const box = await link.boundingBox();
      assert.ok(box.y + box.height > options.viewport.height - 70, "it is at the bottom");
      assert.ok(box.x >= 0 && box.x + box.width <= options.viewport.width + 0.5);
    }
    const policy = bob.locator("nav a[href='/policy']");
    assert.ok(await policy.isHidden());
    await bob.click("button.more");
    await policy.click();
    await bob.locator("h1", { hasText: "Policy" }).waitFor();
  });
}

test("nothing hides behind the bar at the end of a page", async () => {
  const bob = await scene.person("bob", NARROW);
  for (const place of ["/requests", "/system", "/help"]) {
    await scene.open(bob, place);
    const free = await steady(() => bob.evaluate(() => {
      scrollTo(0, document.documentElement.scrollHeight);
      const last = document.querySelector("main").lastElementChild.getBoundingClientRect();
      return document.querySelector(".often").getBoundingClientRect().top - last.bottom;
    }));
    assert.ok(free >= 0, `${place}: ${free}`);
  }
});

test("a tap anywhere on a card leads to its request", async () => {
  const { place } = await scene.ask({ srcip: "198.51.100.201" });
  const bob = await scene.person("bob", PHONE);
  const card = bob.locator(".card", { has: bob.locator(`a[href="${place}"]`) });
  await card.locator(".second b").first().tap({ force: true });
  await bob.waitForURL(`**${place}`);
  await scene.open(bob, "/requests");
  const row = bob.locator("tbody tr", { has: bob.locator(`a[href="${place}"]`) });
  await row.locator("td[data-is='State']").tap({ force: true });
  await bob.waitForURL(`**${place}`);
});

test("a password can be looked at, and is hidden again when it is sent", async () => {
  const page = await scene.page(PHONE);
  await scene.open(page, "/sign-in");
  await page.fill("#password", "what I meant");
  await page.click("button:text-is('Show password')");
  assert.equal(await page.getAttribute("#password", "type"), "text");
  assert.equal(await page.inputValue("#password"), "what I meant");
  await page.click("button:text-is('Hide password')");
  assert.equal(await page.getAttribute("#password", "type"), "password");
  const plain = await scene.page(PLAIN);
  await scene.open(plain, "/sign-in");
  await shows(plain.locator("button:text-is('Show password')"), 0);
});

test("where the window is wide every section is in sight", async () => {
  const bob = await scene.person("bob", LIGHT);
  for (const link of await bob.locator("nav a").all()) assert.ok(await link.isVisible());
  assert.ok(await bob.locator("button.more").isHidden());
});
