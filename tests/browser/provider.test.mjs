// People sign in at a real identity provider, and are asked again there for what takes a fresh proof.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CLIENT, identityProvider, signInThere } from "./provider.mjs";
import { unset, violations, authenticator } from "./stage.mjs";

let scene, provider;
before(async () => {
  scene = await unset(async (page) => {
    provider = await identityProvider(`${page}/sign-in/provider/back`);
    const config = `
      [oidc]
      name = "Corp Login"
      issuer = "${provider.issuer}"
      client_id = "${CLIENT.id}"
      client_secret_file = "oidc.secret"
      scopes = ["profile", "groups"]
      roles = [{ group = "soc-admins", role = "admin" }, { group = "soc-seniors", role = "senior" }]
    `;
    return { config, files: { "oidc.secret": `${CLIENT.secret}\n` } };
  });
  const root = await scene.page();
  await scene.open(root, "/");
  const fields = { code: scene.facts.code, name: "root", new: "a long enough secret" };
  for (const [field, value] of Object.entries(fields)) await root.fill(`#${field}`, value);
  await root.click("main button.main");
  await root.locator("h1", { hasText: "Sign in" }).waitFor();
});
after(async () => {
  await scene.close();
  provider.close();
});

/** A browser at the provider, which was sent there by the page to sign in. */
async function sent() {
  const page = await scene.page();
  await scene.open(page, "/sign-in");
  await page.click("text=Sign in with Corp Login");
  await page.waitForURL(`${provider.issuer}/**`);
  return page;
}

async function signIn(name) {
  const page = await sent();
  await signInThere(page, provider.issuer, name);
  return page;
}

const inside = (page, name) => page.locator(".me", { hasText: name }).waitFor();
const refused = (page, words) => page.locator("main", { hasText: words }).waitFor();

test("an admin signs in at the provider, and confirms there that a passkey is theirs", async () => {
  const erin = await signIn("erin");
  await inside(erin, "erin");
  await scene.open(erin, "/people");
  assert.deepEqual(await violations(erin), []);
  await erin.locator("main", { hasText: "erin of the SOC" }).waitFor();
  await authenticator(erin);
  await scene.open(erin, "/account");
  assert.deepEqual(await violations(erin), []);
  await erin.fill("#passkey-name", "security key");
  await erin.click("button[data-ask]");
  await erin.waitForURL(`${provider.issuer}/**`);
  await signInThere(erin, provider.issuer, "erin");
  await erin.locator("h1", { hasText: "Corp Login confirmed that it is you" }).waitFor();
  assert.deepEqual(await violations(erin), []);
  await erin.click("text=Go on");
  await erin.locator("summary", { hasText: "security key" }).waitFor();
});

test("somebody else's sign-in there confirms nothing", async () => {
  const erin = await signIn("erin");
  await inside(erin, "erin");
  await authenticator(erin);
  await scene.open(erin, "/account");
  await erin.fill("#passkey-name", "another key");
  await erin.click("button[data-ask]");
  await erin.waitForURL(`${provider.issuer}/**`);
  await signInThere(erin, provider.issuer, "mallory");
  await refused(erin, "somebody else signed in there");
});

test("a token that does not hold signs nobody in", async () => {
  const forged = {
    nonce: (claims) => { claims.nonce = "of somebody else"; },
    audience: (claims) => { claims.aud = "another client"; },
    expired: (claims) => { claims.exp = claims.iat - 1; },
  };
  for (const [what, forge] of Object.entries(forged)) {
    provider.state.forge = forge;
    const page = await signIn("mallory");
    await refused(page, "Corp Login does not confirm who you are");
    assert.equal(await page.locator(".me", { hasText: "mallory" }).count(), 0, what);
  }
  provider.state.forge = null;
});

test("somebody of no group gets in nowhere", async () => {
  provider.state.groups = ["everybody"];
  const page = await signIn("mallory");
  await refused(page, "none of the groups");
  provider.state.groups = ["soc-seniors"];
});

test("a key that the provider changed is read again", async () => {
  await provider.rotate();
  await inside(await signIn("carol"), "carol");
});

test("while the provider is down nobody new gets in, and who is in stays", async () => {
  const carol = await signIn("carol");
  await inside(carol, "carol");
  provider.state.down = true;
  const page = await sent();
  assert.match(await page.locator("body").textContent(), /down for today/);
  await scene.open(carol, "/requests");
  await inside(carol, "carol");
  provider.state.down = false;
});
