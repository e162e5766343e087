// A passkey is added, signs an approval, and refuses to sign what it should not: with the virtual
// authenticator of Chromium.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { authenticator, badge, overflow, stage, violations } from "./stage.mjs";

let scene;
before(async () => { scene = await stage(); });
after(() => scene.close());

/** Somebody's browser with an authenticator, and what speaks to that. */
async function withKey(name, { verified = true } = {}) {
  const page = await scene.person(name);
  return { page, key: await authenticator(page, verified) };
}

let keys = 0;
/** Adds a passkey, of a name of its own: the same people have those of earlier tests. */
async function added({ page }, name) {
  keys += 1;
  await scene.open(page, "/account");
  await page.fill("#passkey-name", `security key ${keys}`);
  await page.fill("#add-password", scene.password(name));
  await page.click("button[data-ask]");
  await page.locator("summary", { hasText: `security key ${keys}` }).waitFor();
}

/** Endpoints and terms, each of which makes another request of the high tier. It takes a proof of its own. */
const OTHERS = ["001", "003", "006", "007"].flatMap((id) => [
  { agent_ids: [id], duration_seconds: 600 }, { agent_ids: [id], permanent: true },
]);
async function privileged(reason, more = OTHERS.shift()) {
  const asked = await scene.call("disable_account", { dstuser: "dbadmin", reason, ...more });
  return { id: asked.request_id, place: `/requests/${asked.request_id}` };
}

const touch = (page) => page.click("button.approve[data-ask]");
const voted = (page, name) => page.locator(".votes", { hasText: name }).waitFor();
const problem = (page, words) => page.locator("[role=alert]", { hasText: words }).waitFor();

test("a passkey is added with the password, and approves with one touch", async () => {
  const bob = await withKey("bob");
  await added(bob, "bob");
  assert.deepEqual(await violations(bob.page), []);
  const { place } = await privileged("signed in from two countries");
  await scene.open(bob.page, place);
  assert.deepEqual(await violations(bob.page), []);
  assert.equal(await overflow(bob.page), 0);
  await touch(bob.page);
  await voted(bob.page, "bob");
  await bob.page.locator("main", { hasText: "approved with a passkey" }).waitFor();
});

test("a lead breaks the glass with one touch", async () => {
  const carol = await withKey("carol");
  await added(carol, "carol");
  const { place } = await privileged("it opens shells on every server", { agent_ids: ["002"], duration_seconds: 600 });
  await scene.open(carol.page, place);
  await carol.page.click("summary:has-text('Break the glass')");
  await carol.page.fill("#glass-typed", await carol.page.locator(".digest strong").textContent());
  await carol.page.fill("#glass-comment", "everybody else is on a plane");
  await carol.page.click("button.danger[data-ask]");
  await badge(carol.page, "settled");
});

test("a form that is not whole is not signed", async () => {
  const carol = await withKey("carol");
  await added(carol, "carol");
  const { id, place } = await privileged("a form without its reason");
  await scene.open(carol.page, place);
  await carol.page.click("summary:has-text('Break the glass')");
  await carol.page.click("button.danger[data-ask]");
  assert.equal(await carol.page.evaluate(() => document.activeElement.id), "glass-typed");
  assert.equal(await scene.state(id), "pending");
});

test("an authenticator that does not know its holder signs nothing", async () => {
  const bob = await withKey("bob");
  await added(bob, "bob");
  const { place } = await privileged("nobody is verified");
  await bob.key("setUserVerified", { isUserVerified: false });
  await scene.open(bob.page, place);
  await touch(bob.page);
  await problem(bob.page, "Nothing was changed.");
  assert.equal(await bob.page.locator(".votes", { hasText: "bob" }).count(), 0);
  await bob.key("setUserVerified", { isUserVerified: true });
  await touch(bob.page);
  await voted(bob.page, "bob");
});

test("a copy of a passkey that counts fewer uses is refused", async () => {
  const bob = await withKey("bob");
  await added(bob, "bob");
  const first = await privileged("the first use");
  await scene.open(bob.page, first.place);
  await touch(bob.page);
  await voted(bob.page, "bob");
  const { credentials } = await bob.key("getCredentials");
  for (const credential of credentials) {
    await bob.key("removeCredential", { credentialId: credential.credentialId });
    await bob.key("addCredential", { credential: { ...credential, signCount: 0 } });
  }
  const { place } = await privileged("the use of a copy");
  await scene.open(bob.page, place);
  await touch(bob.page);
  await bob.page.locator("#problem", { hasText: "may have a copy" }).waitFor();
  assert.equal(await bob.page.locator(".votes", { hasText: "bob" }).count(), 0);
});

test("what a passkey signed is taken once", async () => {
  const bob = await withKey("bob");
  await added(bob, "bob");
  const { place } = await privileged("signed once, sent twice");
  await scene.open(bob.page, place);
  const sent = bob.page.waitForRequest((request) => request.url().endsWith("/approve"));
  await touch(bob.page);
  const body = (await sent).postData();
  await voted(bob.page, "bob");
  const other = await privileged("another request");
  await scene.open(bob.page, other.place);
  // By the browser's cookies, not its page, which may load again meanwhile.
  const headers = { "Content-Type": "application/x-www-form-urlencoded", Origin: scene.facts.page };
  const answer = await bob.page.request.post(`${scene.facts.page}${other.place}/approve`, { headers, data: body });
  assert.match(await answer.text(), /Nothing was changed/);
  await scene.open(bob.page, other.place);
  assert.equal(await bob.page.locator(".votes", { hasText: "bob" }).count(), 0);
});

test("somebody signs in with a passkey and nothing else", async () => {
  const bob = await withKey("bob");
  await added(bob, "bob");
  await bob.page.click("text=Sign out");
  await bob.page.click("button[data-ask]");
  await bob.page.locator("h1", { hasText: "Inbox" }).waitFor();
  await bob.page.locator(".me", { hasText: "bob" }).waitFor();
});

test("a page of another origin gets no signature", async () => {
  const bob = await withKey("bob");
  await added(bob, "bob");
  const elsewhere = scene.facts.page.replace("localhost", "127.0.0.1");
  await bob.page.goto(`${elsewhere}/sign-in`);
  const refused = await bob.page.evaluate(() => navigator.credentials.get({ publicKey: {
    challenge: new Uint8Array(32), rpId: "localhost", userVerification: "required",
  } }).then(() => "signed", (error) => error.name));
  assert.equal(refused, "SecurityError");
});

/** Gives name and password, and comes to the page that asks for more. */
async function halfway(page, name) {
  await page.click("text=Sign out");
  await page.fill("#name", name);
  await page.fill("#password", scene.password(name));
  await page.click("main button.main");
  await page.locator("h1", { hasText: "Confirm that it is you" }).waitFor();
}
const inbox = (page) => page.locator("h1", { hasText: "Inbox" }).waitFor();

test("the password takes a passkey or a recovery code beside it", async () => {
  const bob = await withKey("bob");
  await added(bob, "bob");
  await bob.page.fill("#on-password", scene.password("bob"));
  await bob.page.click("text=Switch the second factor on");
  await bob.page.locator("h1", { hasText: "Your recovery codes" }).waitFor();
  assert.deepEqual(await violations(bob.page), []);
  assert.equal(await overflow(bob.page), 0);
  const codes = await bob.page.locator("#codes code").allTextContents();
  assert.equal(codes.length, 10);
  await halfway(bob.page, "bob");
  assert.deepEqual(await violations(bob.page), []);
  await bob.page.click("button[data-ask]");
  await inbox(bob.page);
  await halfway(bob.page, "bob");
  await bob.page.fill("#code", codes[0].toUpperCase());
  await bob.page.click("text=Sign in with this code");
  await inbox(bob.page);
  await halfway(bob.page, "bob");
  await bob.page.fill("#code", codes[0]);
  await bob.page.click("text=Sign in with this code");
  await bob.page.locator("#problem", { hasText: "was used already" }).waitFor();
  await bob.page.click("button[data-ask]");
  await inbox(bob.page);
  await scene.open(bob.page, "/account");
  assert.deepEqual(await violations(bob.page), []);
  await bob.page.locator("main", { hasText: "Recovery codes left: 9" }).waitFor();
  await bob.page.click("summary:has-text('Switch it off')");
  await bob.page.fill("#off-password", scene.password("bob"));
  await bob.page.click("text=Switch the second factor off");
  await bob.page.locator("button", { hasText: "Switch the second factor on" }).waitFor();
});
