// The page with a keyboard alone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { badge, shows, stage, steady } from "./stage.mjs";

let scene;
before(async () => { scene = await stage(); });
after(() => scene.close());

const focused = (page, selector) =>
  steady(() => page.evaluate((wanted) => document.activeElement.matches(wanted), selector));

/** Goes on by Tab until something has the focus. */
async function tab(page, selector) {
  for (let steps = 0; steps < 200; steps += 1) {
    await page.keyboard.press("Tab");
    if (await focused(page, selector)) return;
  }
  assert.fail(`Tab never reaches ${selector}`);
}

test("Tab and Enter lead from the inbox to an approval", async () => {
  const { id, place } = await scene.ask();
  const bob = await scene.person("bob");
  await tab(bob, `a[href="${place}"]`);
  await bob.keyboard.press("Enter");
  await bob.waitForURL(`**${place}`);
  await tab(bob, "button.approve");
  assert.notEqual(await bob.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
  await bob.keyboard.press("Enter");
  await badge(bob, "settled");
  assert.equal(await scene.state(id), "settled");
});

test("the first Tab offers to skip to the content, and Enter does it", async () => {
  const bob = await scene.person("bob");
  await bob.keyboard.press("Tab");
  assert.ok(await focused(bob, "a.skip"));
  const box = await bob.locator("a.skip").boundingBox();
  assert.ok(box.x >= 0 && box.y >= 0, "it shows while it has the focus");
  await bob.keyboard.press("Enter");
  assert.ok(await focused(bob, "main"));
});

test("whoever goes by the keyboard keeps their place when something changes", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  await tab(bob, "a[href='/policy']");
  await scene.ask();
  await bob.locator("#news").waitFor();
  assert.ok(await focused(bob, "a[href='/policy']"));
});

test("approve does not have the focus when the page opens", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  assert.ok(await focused(bob, "body"));
});

test("no single key approves or rejects", async () => {
  const { id, place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  const sent = [];
  bob.on("request", (request) => { if (request.method() !== "GET") sent.push(request.url()); });
  const keys = [..."abcdefghijklmnopqrstuvwxyz0123456789", "Enter", "Space", "Delete", "Backspace", "Escape"];
  for (const key of keys) {
    await bob.keyboard.press(key);
    await bob.keyboard.press(`Shift+${key}`);
    await bob.keyboard.press(`Control+${key}`).catch(() => {});
    assert.ok(await focused(bob, "body"), key);
  }
  assert.deepEqual(sent, []);
  assert.equal(await scene.state(id), "pending");
  await shows(bob.locator("button.approve"), 1);
});
