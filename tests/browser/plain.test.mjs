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

test("without scripts times are in UTC and say so", async () => {
  const bob = await scene.person("bob", PLAIN);
  for (const text of await bob.locator("time").allTextContents()) {
    assert.match(text, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
  }
});

test("with scripts times are in the reader's zone, with the exact UTC beside them", async () => {
  const bob = await scene.person("bob", { timezoneId: "Asia/Kolkata" });
  const times = await bob.locator("time").evaluateAll((all) =>
    all.map((time) => [time.dateTime, time.innerText.replace(/\s+/g, " ")]));
  assert.notEqual(times.length, 0);
  for (const [exact, text] of times) {
    const own = new Date(Date.parse(exact) + 5.5 * 3600 * 1000).toISOString();
    assert.ok(text.startsWith(own.slice(0, 19).replace("T", " ")), text);
    assert.ok(text.endsWith(`${exact.slice(11, 19)} UTC`) || text.includes(`${exact.slice(11, 19)} UTC`), text);
  }
  await bob.locator("#zone", { hasText: "Asia/" }).waitFor();
});
