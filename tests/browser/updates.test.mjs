// The page keeps up by itself, and says so where it cannot.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { badge, shows, stage, reject } from "./stage.mjs";

let scene;
before(async () => { scene = await stage(); });
after(() => scene.close());

/** Somebody else decides. */
async function rejects(name, place) {
  const page = await scene.person(name);
  await scene.open(page, place);
  await reject(page, "a test rejects");
  await badge(page, "rejected");
}

test("a page shows what somebody else decided without being asked to", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  await rejects("carol", place);
  await badge(bob, "rejected");
});

test("a new request appears in the inbox, and its number in the title, by itself", async () => {
  const bob = await scene.person("bob");
  const before = Number((await bob.title()).match(/^\((\d+)\) /)[1]);
  const { place } = await scene.ask();
  await bob.locator(`a[href="${place}"]`).waitFor();
  assert.equal(await bob.title(), `(${before + 1}) Inbox · Countersign`);
});

test("a list that is pointed at says how many are new, and shows them when asked", async () => {
  const bob = await scene.person("bob");
  await bob.locator("#live .row").first().hover();
  const { place } = await scene.ask();
  await bob.locator("#fresh button", { hasText: "1 new: show" }).waitFor();
  await shows(bob.locator(`a[href="${place}"]`), 0);
  await bob.click("#fresh button");
  await bob.locator(`a[href="${place}"]`).waitFor();
  await bob.locator("#fresh").waitFor({ state: "hidden" });
});

test("what is ticked in a list stays ticked when it is replaced", async () => {
  const { id } = await scene.ask();
  const bob = await scene.person("bob");
  await bob.locator(`input[value="${id}"]`).check();
  await bob.mouse.move(0, 0);
  await bob.locator("h1").click();
  await bob.evaluate(() => document.activeElement.blur());
  const { place } = await scene.ask();
  await bob.locator(`a[href="${place}"], #fresh:not([hidden])`).first().waitFor();
  await bob.evaluate(() => document.querySelector("#fresh button")?.click());
  await shows(bob.locator(`input[value="${id}"]:checked`), 1);
});

test("a page says that the connection is lost, and catches up when it is back", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  await bob.context().setOffline(true);
  await bob.locator("#disconnected").waitFor();
  await rejects("carol", place);
  await shows(bob.locator("header.effect .badge.pending"), 1);
  await bob.context().setOffline(false);
  await badge(bob, "rejected");
  await bob.locator("#disconnected").waitFor({ state: "hidden" });
});

test("a connection that broke is tried again", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob");
  let broken = 0;
  await bob.route("**/events?*", (route) => {
    broken += 1;
    return broken > 2 ? route.continue() : route.abort("connectionreset");
  });
  const third = bob.waitForResponse(/\/events\?/);
  await scene.open(bob, place);
  await rejects("carol", place);
  await third;
  assert.ok(broken >= 3, String(broken));
  await badge(bob, "rejected");
});

test("what was begun in a form is not thrown away when something changes", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  await bob.click("summary.danger");
  await bob.fill("#reject-comment", "half a thought");
  await rejects("carol", place);
  await bob.locator("#news").waitFor();
  assert.equal(await bob.inputValue("#reject-comment"), "half a thought");
  await bob.click("#news a");
  await badge(bob, "rejected");
});

test("looking again after a form that was not taken leads back to the request", async () => {
  const { place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  await reject(bob, "   ");
  await bob.locator("[role=alert]", { hasText: "Nothing was changed" }).waitFor();
  await rejects("carol", place);
  await bob.click("#news a");
  await badge(bob, "rejected");
  assert.equal(new URL(bob.url()).pathname, place);
});
