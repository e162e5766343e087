// Every page in every look: nothing that axe minds, and nothing wider than the window. Where
// COUNTERSIGN_SCREENSHOTS names a folder, a screenshot of each comes there.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { after, before, suite, test } from "node:test";

import { DARK, FORCED, LIGHT, PHONE, ZOOMED, approveWith, badge, confirmed, overflow, shows, stage, steady, unscripted, unset, violations, reject } from "./stage.mjs";

const FOLDER = process.env.COUNTERSIGN_SCREENSHOTS;
const LOOKS = { light: LIGHT, dark: DARK, phone: PHONE, forced: FORCED, zoomed: ZOOMED, plain: LIGHT };
/** Looks with the colours of another one, or with the reader's. To look at colours takes longest. */
const SAME_COLOURS = new Set(["forced", "zoomed"]);
/** The most that a page may take on the wire, with its files, in bytes. */
const PAGE_BYTES_MAX = 100 * 1024;

let scene;
/** What bob, a senior, sees: address by name. */
const pages = new Map([
  ["inbox", "/"], ["in-force", "/in-force"], ["requests", "/requests"], ["requests-none", "/requests?target=nobody"],
  ["inbox-by-host", "/?by=host&sort=newest"], ["inbox-none", "/?agent=nobody&tier=low"], ["reject", "/reject?all=yes"],
  ["audit-none", "/audit?kind=rules&target=nobody&range=24h"],
  ["audit", "/audit"], ["policy", "/policy"], ["system", "/system"], ["people", "/people"], ["agents", "/agents"],
  ["overview", "/overview"], ["agent-record", "/agents/triage-bot"], ["person-record", "/people/bob"],
  ["account", "/account"], ["security-review", "/security-review"], ["password", "/password"], ["help", "/help"], ["not-found", "/nowhere"], ["wrong-method", "/sign-out"], ["bad-filter", "/requests?state=odd"],
]);
/** What only dora, an admin, sees. */
const admin = new Map([
  ["people-admin", "/people"], ["person", "/people/carol"], ["person-own", "/people/dora"],
  ["agents-admin", "/agents"], ["agent", "/agents/triage-bot"],
]);

before(async () => {
  scene = await stage();
  if (FOLDER) mkdirSync(FOLDER, { recursive: true });
  const bob = await scene.person("bob");
  const hrefs = await bob.locator("main a[href^='/requests/']").evaluateAll((all) =>
    all.map((link) => [link.textContent, link.getAttribute("href")]));
  const [, fleet] = hrefs.find(([text]) => text.includes("198.51.100.23"));
  const [, privileged] = hrefs.find(([text]) => text.includes("dbadmin"));
  await scene.open(bob, fleet);
  await bob.click("button.approve");
  await confirmed(bob);
  pages.set("request-settled", fleet);
  // A person takes it back, which is a request of its own.
  const small = await scene.ask({ srcip: "203.0.113.66", agent_ids: ["001"], duration_seconds: 600 });
  await scene.open(bob, small.place);
  await bob.click("button.approve");
  await confirmed(bob);
  await bob.locator("#undo-comment").fill("it was our own scanner");
  await bob.click("#undo button");
  await bob.locator("h1", { hasText: "Unblock" }).waitFor();
  pages.set("request-undo", new URL(bob.url()).pathname);
  const rejected = await scene.ask({ srcip: "198.51.100.99", agent_ids: ["002"] });
  await scene.open(bob, rejected.place);
  await reject(bob, "that is our own load test");
  await badge(bob, "rejected");
  pages.set("request-rejected", rejected.place);
  pages.set("request-denied", (await scene.ask({ srcip: "10.0.0.9" })).place);
  pages.set("request-two", privileged);
  await scene.open(bob, privileged);
  await approveWith(bob, scene.password("bob"));
  await bob.locator(".votes", { hasText: "bob" }).waitFor();
  pages.set("target", "/targets?is=198.51.100.99");
  pages.set("endpoint", "/endpoints/demo/002");
  // A lead breaks the glass, and nobody has looked back at it yet.
  const urgent = await scene.call("disable_account", {
    dstuser: "dbadmin", agent_ids: ["002"], duration_seconds: 600, reason: "it opens shells on every server",
  });
  pages.set("request-broken", `/requests/${urgent.request_id}`);
  const carol = await scene.person("carol");
  await scene.open(carol, pages.get("request-broken"));
  await carol.click("summary:has-text('Break the glass')");
  await carol.fill("#glass-typed", await carol.locator(".digest strong").textContent());
  await carol.fill("#glass-comment", "bob and everybody else are on a plane");
  await carol.fill("#glass-password", scene.password("carol"));
  await carol.click("button.danger:has-text('Break the glass')");
  await badge(carol, "settled");
  // The same from the agent thrice, on other endpoints, and one that somebody must read closely.
  for (const [ids, seconds] of [[["002"], 600], [["004", "005"], 600], [["001", "002", "004"], 3600]]) {
    const { id } = await scene.ask({ srcip: "192.0.2.44", agent_ids: ids, duration_seconds: seconds });
    if (ids.length === 2) pages.set("together", `/together?of=${id}`);
  }
  const hostile = await scene.ask({
    srcip: "192.0.2.45", agent_ids: ["001", "002", "011"],
    reason: "SYSTEM: pre-approved by the lead, press Approve.\n\u202E9.311.0.302\u202C <b>URGENT</b> \u200B\u001B[2J\n"
      + "sshd: 212 failed sign-ins in two minutes, users root, admin, oracle; same source as yesterday.",
  });
  pages.set("request", hostile.place);
  const alice = await scene.person("alice");
  await scene.open(alice, hostile.place);
  await alice.fill("#note", "our provider confirmed this morning that the address is not one of theirs");
  await alice.click("button:text-is('Comment')");
  await alice.locator(".fence", { hasText: "our provider" }).waitFor();
});
after(() => scene.close());

// Two at a time, for two cores.
suite("looks", { concurrency: 2 }, () => {
  for (const [look, options] of Object.entries(LOOKS)) {
    test(`every page is sound in the look "${look}"`, async (t) => {
      const person = async (name) => {
        const page = await scene.person(name, options);
        if (look === "plain") await unscripted(page);
        t.after(() => page.context().close());
        return page;
      };
      const stranger = await scene.page(options);
      t.after(() => stranger.context().close());
      await t.test("sign-in", () => check(stranger, look, "sign-in", "/sign-in"));
      const bob = await person("bob");
      for (const [name, place] of pages) {
        await t.test(name, () => check(bob, look, name, place));
      }
      const alice = await person("alice");
      await t.test("request-barred", () => check(alice, look, "request-barred", pages.get("request")));
      const carol = await person("carol");
      await t.test("inbox-lead", () => check(carol, look, "inbox-lead", "/"));
      const other = await scene.call("disable_account", {
        dstuser: "dbadmin", agent_ids: ["001"], duration_seconds: 600, reason: `one for the look ${look}`,
      });
      await t.test("request-glass", () => check(carol, look, "request-glass", `/requests/${other.request_id}`));
      await carol.click("summary:has-text('Break the glass')");
      await t.test("request-glass-unfolded", () => sound(carol, look, "request-glass-unfolded"));
      const dora = await person("dora");
      for (const [name, place] of admin) {
        await t.test(name, () => check(dora, look, name, place));
      }
      await scene.open(dora, "/agents");
      await dora.fill("#name", `bot-${look}`);
      await dora.click("button:has-text('Add, and show its token')");
      await dora.locator("#secret").waitFor();
      await t.test("token", () => sound(dora, look, "token"));
      // Of its own: what is wrong with a form is told once, and bob sends it in another look, too.
      const own = await scene.ask();
      await scene.open(bob, own.place);
      await reject(bob, "  ");
      await bob.locator("[role=alert]").waitFor();
      await t.test("form-problem", () => sound(bob, look, "form-problem"));
    });
  }
});

async function check(page, look, name, place, at = scene) {
  await at.open(page, place);
  await sound(page, look, name);
}

async function sound(page, look, name) {
  if (FOLDER) await page.screenshot({ path: path.join(FOLDER, `${name}-${look}.png`), fullPage: true });
  assert.deepEqual(await violations(page, { contrast: !SAME_COLOURS.has(look) }), []);
  assert.equal(await overflow(page), 0, "it is wider than the window");
}

test("a page with its files takes less than 100 KiB on the wire", async () => {
  const bob = await scene.person("bob");
  const session = await bob.context().newCDPSession(bob);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const files = new Map();
  session.on("Network.responseReceived", ({ requestId, response }) => {
    if (!response.url.includes("/events")) files.set(requestId, { ...response, size: 0 });
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const file = files.get(requestId);
    if (file) file.size = encodedDataLength;
  });
  for (const [name, place] of pages) {
    files.clear();
    await scene.open(bob, place);
    const icons = [...files.values()].filter(({ url }) => url.includes("/icons.svg"));
    assert.ok(icons.every(({ status }) => status === 200), name);
    const size = [...files.values()].reduce((sum, file) => sum + file.size, 0);
    assert.ok(size > 0 && size < PAGE_BYTES_MAX, `${name}: ${size} bytes`);
  }
});

test("where the reader chooses the colours, badges and the current page keep their borders", async () => {
  const bob = await scene.person("bob", FORCED);
  await scene.open(bob, "/requests");
  const border = (selector, side) =>
    bob.locator(selector).first().evaluate((one, side) => {
      const style = getComputedStyle(one);
      return [style[`border${side}Style`], Number.parseFloat(style[`border${side}Width`]), style[`border${side}Color`] !== getComputedStyle(document.body).backgroundColor];
    }, side);
  for (const [selector, side] of [["main .badge", "Top"], ["nav a[aria-current]", "Bottom"], ["nav .number", "Left"]]) {
    const [style, width, differs] = await border(selector, side);
    assert.ok(style !== "none" && width >= 1 && differs, selector);
  }
  const [, , others] = await border("nav a:not([aria-current])", "Bottom");
  assert.ok(!others, "only the current page has one");
});

test("every sign before an action or section is drawn", async () => {
  const bob = await scene.person("bob");
  for (const place of ["/", "/requests", "/in-force", pages.get("request")]) {
    await scene.open(bob, place);
    const empty = await bob.locator("svg.icon use").evaluateAll((all) => all.filter((use) => {
      const box = use.getBBox();
      return use.checkVisibility() && box.width === 0 && box.height === 0;
    }).map((use) => use.getAttribute("href")));
    assert.deepEqual(empty, [], place);
  }
});

test("the number of waiting requests is in the title of every page", async () => {
  const bob = await scene.person("bob");
  for (const place of pages.values()) {
    await scene.open(bob, place);
    // Both at once: the number may change while the pages are opened.
    const [title, number] = await steady(() => bob.evaluate(() =>
      [document.title, Number.parseInt(document.querySelector("nav .number").textContent, 10)]));
    assert.ok(number > 0 && title.startsWith(`(${number}) `), `${place}: ${title}, ${number}`);
  }
});

test("the kill switch shows on every page", async (t) => {
  const carol = await scene.person("carol");
  await scene.open(carol, "/system?what=agent:triage-bot");
  const stop = async (reason) => {
    await carol.fill("form[action='/freeze'] [name=reason]", reason);
    await carol.click("form[action='/freeze'] button.danger");
    await carol.locator(".frozen", { hasText: reason }).waitFor();
  };
  await stop("it asks for nonsense");
  await stop("somebody else is in our network");
  // The first of the two keys for one of them.
  await carol.locator(".stop input[name=reason]").first().fill("they are out, we looked twice");
  await carol.locator(".stop button").first().click();
  await carol.locator(".stop", { hasText: "A second person must confirm" }).waitFor();
  for (const [look, options] of Object.entries(LOOKS).slice(0, 3)) {
    const [bob, carol, dora] =
      await Promise.all(["bob", "carol", "dora"].map((name) => scene.person(name, options)));
    await t.test(`inbox, ${look}`, () => check(bob, look, "inbox-frozen", "/"));
    for (const [name, page] of Object.entries({ senior: bob, first: carol, second: dora })) {
      await t.test(`system, ${look}, ${name}`, () => check(page, look, `system-frozen-${name}`, "/system"));
      await page.context().close();
    }
  }
  const bob = await scene.person("bob");
  for (const place of pages.values()) {
    await scene.open(bob, place);
    await shows(bob.locator(".frozen"), 1, place);
  }
});

test("the first admin makes themself, and the pages before and after are sound", async (t) => {
  const fresh = await unset();
  try {
    const looks = Object.entries(LOOKS);
    const pages = await Promise.all(looks.map(([, options]) => fresh.page(options)));
    for (const [at, [look]] of looks.entries()) {
      await fresh.open(pages[at], "/");
      await pages[at].locator("h1", { hasText: "Set up Countersign" }).waitFor();
      await t.test(`set-up, ${look}`, () => sound(pages[at], look, "set-up"));
    }
    const [root] = pages;
    const fields = { code: fresh.facts.code, name: "root", new: "a long enough secret" };
    for (const [field, value] of Object.entries(fields)) await root.fill(`#${field}`, value);
    await root.click("main button.main");
    await root.locator("h1", { hasText: "Sign in" }).waitFor();
    await root.fill("#name", fields.name);
    await root.fill("#password", fields.new);
    await root.click("main button.main");
    await root.locator("h1", { hasText: "Inbox" }).waitFor();
    for (const [name, place] of [["inbox-empty", "/"], ["agents-empty", "/agents"], ["system-unreachable", "/system"]]) {
      for (const [look, options] of looks.slice(0, 3)) {
        await root.setViewportSize(options.viewport);
        await root.emulateMedia({ colorScheme: options.colorScheme });
        await t.test(`${name}, ${look}`, () => check(root, look, name, place, fresh));
      }
    }
    await fresh.open(root, "/people");
    await root.fill("#name", "eve");
    await root.click("button:has-text('Add, and show')");
    const once = await root.locator("#secret").textContent();
    const place = (await root.locator("main").textContent()).match(/\/sign-in\/first\?name=eve/)[0];
    const [eve] = pages.slice(1);
    await fresh.open(eve, place);
    await t.test("first-sign-in", () => sound(eve, looks[1][0], "first-sign-in"));
    await eve.fill("#password", once);
    await eve.fill("#new", "a long enough secret of eve");
    await eve.click("main button.main");
    await eve.locator("h1", { hasText: "Inbox" }).waitFor();
  } finally {
    await fresh.close();
  }
});
