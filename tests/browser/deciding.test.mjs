// Signing in and deciding, with a mouse and scripts on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { approveWith, badge, shows, stage, reject } from "./stage.mjs";

let scene;
before(async () => { scene = await stage(); });
after(() => scene.close());

test("somebody signs in, signs out, and is out", async () => {
  const bob = await scene.person("bob");
  await bob.click("text=Sign out");
  await bob.locator("h1", { hasText: "Sign in" }).waitFor();
  await scene.open(bob, "/system");
  assert.match(bob.url(), /\/sign-in\?next=%2Fsystem$/);
});

test("a wrong password says so and does not open the door", async () => {
  const page = await scene.page();
  await scene.open(page, "/sign-in");
  await page.fill("#name", "carol");
  await page.fill("#password", "not the password");
  await page.click("main button.main");
  await page.locator("[role=alert]", { hasText: "wrong" }).waitFor();
  assert.equal(await page.inputValue("#name"), "carol");
  await scene.open(page, "/");
  assert.match(page.url(), /\/sign-in$/);
});

test("two people in two browsers approve, and only then it is sent", async () => {
  const asked = await scene.call("disable_account", {
    dstuser: "dbadmin", agent_ids: ["002"], duration_seconds: 600, reason: "signed in from two countries",
  });
  const place = `/requests/${asked.request_id}`;
  const [bob, carol] = await Promise.all([scene.person("bob"), scene.person("carol")]);
  await scene.open(bob, place);
  await approveWith(bob, scene.password("bob"));
  await bob.locator(".votes", { hasText: "bob" }).waitFor();
  assert.equal(await scene.state(asked.request_id), "pending");
  await scene.open(carol, place);
  await carol.locator(".needed", { hasText: "has 1 (bob)" }).waitFor();
  await approveWith(carol, scene.password("carol"));
  await badge(carol, "settled");
  await badge(bob, "settled");
});

test("a rejection wants a reason, shows it, and nothing is sent", async () => {
  const { id, place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  await bob.click("summary.danger");
  await bob.click("button.danger:has-text('Reject it')");
  // The browser itself holds back a form without its reason.
  assert.equal(await bob.evaluate(() => document.activeElement.id), "reject-comment");
  assert.equal(await scene.state(id), "pending");
  await reject(bob, "that is our own scanner");
  await badge(bob, "rejected");
  await bob.locator(".standing", { hasText: "that is our own scanner" }).waitFor();
  assert.equal(await scene.state(id), "rejected");
});

test("the same asked twice is one card, and each of its requests says what is its own", async () => {
  const one = await scene.ask({ srcip: "198.51.100.77" });
  const other = await scene.ask({ srcip: "198.51.100.77", agent_ids: ["004"] });
  const bob = await scene.person("bob");
  const card = bob.locator(".card", { hasText: "Block 198.51.100.77" });
  await shows(card, 1);
  for (const { place } of [one, other]) await shows(card.locator(`a[href="${place}"]`), 1);
});

test("an active response names who allowed it, and the way to lift it", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  await bob.click("button.approve");
  await badge(bob, "settled");
  await scene.open(bob, "/in-force");
  const active = bob.locator("tbody tr", { has: bob.locator(`a[href="${place}"]`) });
  await active.locator("td", { hasText: "bob" }).waitFor();
  const nobody = bob.locator("tbody tr", { hasText: "policy; no approval was required" });
  await shows(nobody, 1);
  await active.locator("a.lift").click();
  await bob.locator("#undo").waitFor();
});
