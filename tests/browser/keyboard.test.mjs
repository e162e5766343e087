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
  for (let steps = 0; steps < 400; steps += 1) {
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
  const keys = [..."abcdefghijklmnopqrstuvwxyz0123456789/?", "Enter", "Space", "Delete", "Backspace", "Escape"];
  for (const key of keys) {
    for (const press of [key, `Shift+${key}`, `Control+${key}`]) {
      await bob.keyboard.press(press).catch(() => {});
      await steady(() => bob.evaluate(() => {
        document.querySelector("dialog[open]")?.close();
        document.activeElement.blur();
      }));
      if (new URL(bob.url()).pathname !== place) await scene.open(bob, place);
    }
  }
  assert.deepEqual(sent, []);
  assert.equal(await scene.state(id), "pending");
  await shows(bob.locator("button.approve"), 1);
});

test("a and r lead to their forms, where letters are letters", async () => {
  const { id, place } = await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, place);
  await bob.keyboard.press("a");
  assert.ok(await focused(bob, "form[action$='/approve'] *"));
  await bob.locator("h1").click();
  await bob.keyboard.press("r");
  assert.ok(await focused(bob, "#reject-comment"));
  await bob.keyboard.type("a rerun, /jk?");
  assert.equal(await bob.inputValue("#reject-comment"), "a rerun, /jk?");
  assert.equal(await scene.state(id), "pending");
});

test("j and k go along a list, and Enter opens what has the focus", async () => {
  await scene.ask();
  await scene.ask();
  const bob = await scene.person("bob");
  await scene.open(bob, "/requests");
  const links = await bob.locator("main tbody th a").evaluateAll((all) => all.map((link) => link.pathname));
  const here = () => steady(() => bob.evaluate(() => document.activeElement.pathname));
  await bob.keyboard.press("j");
  assert.equal(await here(), links[0]);
  await bob.keyboard.press("j");
  assert.equal(await here(), links[1]);
  await bob.keyboard.press("k");
  await bob.keyboard.press("k");
  assert.equal(await here(), links[0], "it stays at the end");
  await bob.keyboard.press("Enter");
  await bob.waitForURL(`**${links[0]}`);
});

test("/ leads to the filter, g i to the inbox, ? to the list of keys", async () => {
  const bob = await scene.person("bob");
  await scene.open(bob, "/requests");
  await bob.keyboard.press("/");
  assert.ok(await focused(bob, "form[role=search] *"));
  await bob.locator("h1").click();
  await bob.keyboard.press("?");
  await bob.locator("dialog#keys", { hasText: "no key decides" }).waitFor();
  await bob.keyboard.press("j");
  assert.ok(await focused(bob, "dialog *"), "keys rest while the list is open");
  await bob.keyboard.press("Escape");
  await bob.locator("dialog#keys").waitFor({ state: "hidden" });
  await bob.keyboard.press("g");
  await bob.keyboard.press("i");
  await bob.locator("h1", { hasText: "Inbox" }).waitFor();
});

test("whoever wants no keys switches them off", async () => {
  const bob = await scene.person("bob");
  await scene.open(bob, "/requests");
  await bob.keyboard.press("?");
  await bob.check("#keys-off");
  await bob.keyboard.press("Escape");
  await bob.locator("dialog#keys").waitFor({ state: "hidden" });
  await scene.open(bob, "/requests");
  await bob.keyboard.press("j");
  assert.ok(await focused(bob, "body"));
  await bob.keyboard.press("?");
  await bob.uncheck("#keys-off");
  await bob.keyboard.press("Escape");
  await bob.keyboard.press("j");
  assert.ok(await focused(bob, "main tbody th a"));
});
