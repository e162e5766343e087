// Everything works with scripts off.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { PLAIN, badge, stage, reject } from "./stage.mjs";

let scene;
before(async () => { scene = await stage(); });
after(() => scene.close());

test("without scripts somebody signs in, approves, and looks again until it is sent", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob", PLAIN);
  await bob.click(`a[href="${place}"]`);
  await bob.click("button.approve");
  await bob.locator(".votes", { hasText: "bob" }).waitFor();
  const settled = bob.locator("header.effect .badge.settled");
  while (await settled.count() === 0) {
    await Promise.all([bob.waitForEvent("load"), bob.click("noscript a")]);
  }
});

test("without scripts somebody rejects, and a form without a reason says what is missing", async () => {
  const { id, place } = await scene.ask();
  const bob = await scene.person("bob", PLAIN);
  await scene.open(bob, place);
  await reject(bob, "  ");
  await bob.locator("[role=alert]", { hasText: "a reason is required" }).waitFor();
  assert.equal(await scene.state(id), "pending");
  await reject(bob, "our own scanner");
  await badge(bob, "rejected");
});

test("without scripts times are in UTC, say so, and say how long ago", async () => {
  await scene.ask();
  const bob = await scene.person("bob", PLAIN);
  await scene.open(bob, "/requests");
  const texts = (await bob.locator("main time").allTextContents()).map((text) => text.trim());
  assert.notEqual(texts.length, 0);
  for (const text of texts) {
    assert.match(text, /^((just now|\d+ min ago|in \d+ min) )?(at )?(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC$/);
  }
  assert.ok(texts.some((text) => /^(just now|\d+ min ago)/.test(text)), texts);
});
