// What takes more than one person, or an admin.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { badge, confirmed, shows, stage } from "./stage.mjs";

let scene;
before(async () => { scene = await stage(); });
after(() => scene.close());

test("a lead on call breaks the glass, and somebody else reviews it", async () => {
  const asked = await scene.call("disable_account", {
    dstuser: "dbadmin", agent_ids: ["002"], duration_seconds: 600, reason: "signed in from two countries",
  });
  const place = `/requests/${asked.request_id}`;
  const [bob, carol] = await Promise.all([scene.person("bob"), scene.person("carol")]);
  await scene.open(bob, place);
  await shows(bob.locator("#glass-typed"), 0);
  await scene.open(carol, place);
  await carol.click("summary:has-text('Break the glass')");
  const prefix = await carol.locator(".digest strong").textContent();
  const glass = async (typed) => {
    await carol.fill("#glass-typed", typed);
    await carol.fill("#glass-comment", "nobody answers the phone");
    await carol.fill("#glass-password", scene.password("carol"));
    await carol.click("button.danger:has-text('Break the glass')");
  };
  await glass("0".repeat(prefix.length));
  await carol.locator("[role=alert]", { hasText: "digest" }).waitFor();
  assert.equal(await scene.state(asked.request_id), "pending");
  await glass(prefix);
  await confirmed(carol);
  await carol.locator(".votes", { hasText: "broke the glass" }).waitFor();
  await carol.locator("#review", { hasText: "somebody else must review it" }).waitFor();
  await shows(carol.locator("#review form"), 0);
  await scene.open(bob, "/in-force");
  const active = bob.locator("tbody tr", { has: bob.locator(`a[href="${place}"]`) });
  await active.locator("td", { hasText: "carol (broke the glass)" }).waitFor();
  await scene.open(bob, "/");
  await bob.click(`a[href="${place}#review"]`);
  await bob.fill("#review-comment", "it was right: the account was taken over");
  await bob.click("button:has-text('Record the review')");
  await bob.locator("#review", { hasText: "bob reviewed it" }).waitFor();
  await scene.open(bob, "/");
  await shows(bob.locator(`a[href="${place}#review"]`), 0);
});

test("identical requests are looked at and approved together", async () => {
  const ask = (ids, seconds = 600) =>
    scene.ask({ srcip: "192.0.2.44", agent_ids: ids, duration_seconds: seconds });
  const [one, other, longer] = [await ask(["002"]), await ask(["004"]), await ask(["001"], 3600)];
  const bob = await scene.person("bob");
  await bob.locator(".card", { hasText: "Block 192.0.2.44" }).locator("a:has-text('together')").click();
  await bob.locator("h1", { hasText: "Identical requests" }).waitFor();
  const boxes = bob.locator("input[name=pick]");
  await shows(boxes, 2);
  await shows(bob.locator("input[name=pick]:checked"), 0, "nothing is ticked beforehand");
  for (const box of await boxes.all()) await box.check();
  await bob.click("button.approve");
  await bob.locator("h1", { hasText: "Inbox" }).waitFor();
  for (const { place } of [one, other]) {
    await scene.open(bob, place);
    await badge(bob, "settled");
  }
  assert.equal(await scene.state(longer.id), "pending");
});

test("a request alone offers nothing to look at together", async () => {
  await scene.ask({ srcip: "192.0.2.55" });
  await scene.ask({ srcip: "192.0.2.55", agent_ids: ["001"], duration_seconds: 3600 });
  const bob = await scene.person("bob");
  const card = bob.locator(".card", { hasText: "Block 192.0.2.55" });
  await shows(card.locator(".row"), 2);
  await shows(card.locator("a:has-text('together')"), 0);
});

test("a comment is no vote, and everybody who looks reads it", async () => {
  const { id, place } = await scene.ask();
  const [alice, bob] = await Promise.all([scene.person("alice"), scene.person("bob")]);
  await scene.open(bob, place);
  await scene.open(alice, place);
  await alice.fill("#note", "the scanner of the vendor has this address");
  await alice.click("button:text-is('Comment')");
  const comments = (page) => page.locator("[aria-labelledby=comments]");
  await comments(alice).locator("b", { hasText: "alice" }).waitFor();
  await comments(bob).locator(".fence", { hasText: "the scanner of the vendor" }).waitFor();
  assert.equal(await scene.state(id), "pending");
});

test("one person stops an agent, two in two browsers let it go on", async () => {
  const { id, place } = await scene.ask();
  const [bob, carol, dora] = await Promise.all(["bob", "carol", "dora"].map((name) => scene.person(name)));
  await scene.open(bob, place);
  await bob.click(".stops a:has-text('this agent')");
  assert.equal(await bob.inputValue("#what"), "agent:triage-bot");
  await bob.fill("#reason-0", "it asks for nonsense");
  await bob.click("button:has-text('Throw the kill switch')");
  await bob.locator(".frozen", { hasText: "no request by the agent triage-bot is sent" }).waitFor();
  await bob.locator(".stop", { hasText: "You may not release it" }).waitFor();
  await scene.open(bob, place);
  await bob.locator(".decision-bar", { hasText: "Release first" }).waitFor();
  await shows(bob.locator("button.approve"), 0);

  const release = async (page, words) => {
    await scene.open(page, "/system");
    await page.fill(".stop input[name=reason]", "its prompt is mended");
    await page.click(`.stop button:has-text('${words}')`);
  };
  await release(carol, "first of two");
  await carol.locator(".stop", { hasText: "A second person must confirm" }).waitFor();
  await shows(carol.locator(".stop form"), 0);
  assert.equal(await scene.state(id), "pending");
  await release(dora, "second of two");
  await dora.locator("section", { hasText: "Off. Approved requests are sent." }).waitFor();
  await shows(dora.locator(".frozen"), 0);
  await scene.open(bob, place);
  await bob.click("button.approve");
  await badge(bob, "settled");
});

test("an admin adds an agent and sees its token once", async () => {
  const dora = await scene.person("dora");
  await scene.open(dora, "/agents");
  await dora.fill("#name", "night-bot");
  await dora.selectOption("#owner", "alice");
  await dora.click("button:has-text('Add, and show its token')");
  const token = await dora.locator("#secret").textContent();
  const heard = async () => (await scene.list(token)).status;
  assert.equal(await heard(), 200);
  await dora.click("a:has-text('I have saved it')");
  await dora.locator("h1", { hasText: "night-bot" }).waitFor();
  for (const place of ["/agents/night-bot", "/agents", "/audit"]) {
    await scene.open(dora, place);
    assert.ok(!(await dora.content()).includes(token), place);
  }
  await scene.open(dora, "/agents/night-bot");
  await dora.click("button:has-text('Revoke the token')");
  await dora.locator("dd", { hasText: "revoked" }).waitFor();
  assert.equal(await heard(), 401);
});
