// A time is said once, in the reader's zone or in UTC.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { LIGHT, PHONE, overflow, shows, stage, steady } from "./stage.mjs";

const ZONES = ["Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "UTC"];
const LISTS = ["/", "/requests", "/in-force", "/audit", "/agents", "/system"];

let scene;
before(async () => {
  scene = await stage();
  await scene.ask();
});
after(() => scene.close());

/** Each time of the page: the moment, what it says, and whether it stays within what it stands in. */
const times = (page) => steady(() => page.locator("main time").evaluateAll((all) => all.map((time) => {
  const [own, around] = [time, time.parentElement.closest("td, th, p, li, dd, summary")].map((one) => one.getBoundingClientRect());
  return {
    at: time.dateTime,
    text: time.innerText.trim(),
    inside: own.left >= around.left - 1 && own.right <= around.right + 1,
    seen: own.width > 0,
  };
})));

for (const zone of ZONES) {
  for (const [look, options] of Object.entries({ wide: LIGHT, phone: PHONE })) {
    test(`times of ${zone} overlap nothing, ${look}`, async () => {
      const bob = await scene.person("bob", { ...options, timezoneId: zone });
      for (const place of LISTS) {
        await scene.open(bob, place);
        for (const { text, inside, seen } of await times(bob)) {
          assert.ok(inside || !seen, `${place}: ${text}`);
          assert.match(text, /^(just now|\d+ min ago|in \d+ min|(at )?(\d{4}-\d\d-\d\d )?\d\d:\d\d)$/, place);
        }
        assert.equal(await overflow(bob), 0, place);
      }
    });
  }
}

test("the exact time shows while a time has the focus, and takes no more room", async () => {
  const bob = await scene.person("bob", { timezoneId: "Asia/Kathmandu" });
  await scene.open(bob, "/requests");
  const time = bob.locator("main td time").first();
  const at = new Date(await time.getAttribute("datetime"));
  assert.match(await time.innerText(), /^(just now|\d+ min ago)$/);
  await time.focus();
  const own = new Date(at.getTime() + 5.75 * 3600 * 1000).toISOString().slice(0, 19).replace("T", " ");
  assert.equal((await time.innerText()).replace(/\s+/g, " "), `${own} UTC+05:45`);
  assert.ok((await times(bob)).every(({ inside }) => inside));
  assert.equal(await overflow(bob), 0);
  await bob.locator("h1").click();
  await time.and(bob.getByText(/^(just now|\d+ min ago)$/)).waitFor();
});

test("a tap shows the exact time", async () => {
  const bob = await scene.person("bob", PHONE);
  await scene.open(bob, "/requests");
  const time = bob.locator("main td time").first();
  await time.tap();
  assert.match(await time.innerText(), /UTC\+0[12]:00$/);
});

test("a switch shows UTC, and stays", async () => {
  const bob = await scene.person("bob", { timezoneId: "America/St_Johns" });
  await scene.open(bob, "/system");
  await bob.locator("#zone", { hasText: "America/St_Johns" }).waitFor();
  await bob.click("#zone button");
  await bob.locator("#zone", { hasText: "Times are in UTC." }).waitFor();
  await scene.open(bob, "/requests");
  const time = bob.locator("main td time").first();
  await time.focus();
  const at = (await time.getAttribute("datetime")).replace("T", " ").replace("Z", " UTC");
  assert.equal((await time.innerText()).replace(/\s+/g, " "), at);
  await bob.click("#zone button");
  await bob.locator("#zone", { hasText: "Times are in America/St_Johns." }).waitFor();
});

test("whoever is in UTC is offered no switch", async () => {
  const bob = await scene.person("bob", { timezoneId: "UTC" });
  await scene.open(bob, "/requests");
  await shows(bob.locator("main td time[tabindex]"), await bob.locator("main td time").count());
  assert.ok(await bob.locator("#zone").isHidden());
});

test("the filter speaks of the zone of the table, and asks in UTC", async () => {
  const carol = await scene.person("carol", { timezoneId: "Asia/Kathmandu" });
  await scene.open(carol, "/audit");
  await shows(carol.locator("label .zone", { hasText: "Asia/" }), 2);
  await carol.fill("#since", "2026-01-01T05:45");
  await carol.click("form[role=search] button");
  await carol.waitForURL(/since=2026-01-01T00%3A00(&|$)/);
  assert.equal(await carol.inputValue("#since"), "2026-01-01T05:45");
  assert.equal(await carol.inputValue("#until"), "");
  await carol.click("#zone button");
  assert.equal(await carol.inputValue("#since"), "2026-01-01T00:00");
});
