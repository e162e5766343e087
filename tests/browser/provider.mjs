// The identity provider `oidc-provider`, certified for OpenID Connect, on this machine: it signs in whoever
// gives a name. A test may change what it says, take it down, or have its tokens forged.

import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const from = createRequire(path.resolve(process.env.COUNTERSIGN_NODE_MODULES) + "/");
const load = (name) => import(pathToFileURL(from.resolve(name)));
const { default: Provider } = await load("oidc-provider");
const { SignJWT, decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair } = await load("jose");

export const CLIENT = { id: "countersign", secret: "a-secret-of-the-client-long-enough" };

/** A provider. `forge` changes the claims of each ID token, which is signed again with the right key. */
export async function identityProvider(redirect) {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const state = { groups: ["soc-admins"], forge: null, down: false };
  let handle;

  const begin = async () => {
    const { privateKey } = await generateKeyPair("RS256", { extractable: true });
    const key = { ...await exportJWK(privateKey), use: "sig", alg: "RS256", kid: crypto.randomUUID() };
    const provider = new Provider(issuer, {
      clients: [{
        client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirect],
        grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
      }],
      jwks: { keys: [key] },
      cookies: { keys: ["only for tests"] },
      claims: { openid: ["sub"], profile: ["name", "preferred_username"], groups: ["groups"] },
      conformIdTokenClaims: false,
      pkce: { required: () => true },
      issueRefreshToken: () => true,
      findAccount: (_, id) => ({ accountId: id, claims: () => ({
        sub: id, preferred_username: id, name: `${id} of the SOC`, groups: state.groups,
      }) }),
    });
    provider.use(async (ctx, next) => {
      await next();
      if (ctx.path !== "/token" || !state.forge || !ctx.body.id_token) return;
      const claims = decodeJwt(ctx.body.id_token);
      state.forge(claims);
      const header = decodeProtectedHeader(ctx.body.id_token);
      ctx.body.id_token = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
    });
    handle = provider.callback();
  };
  await begin();
  server.on("request", (request, response) => {
    if (!state.down) return handle(request, response);
    response.writeHead(503).end("down for today");
  });
  const close = () => { server.closeAllConnections(); server.close(); };
  return { issuer, state, rotate: begin, close };
}

/** Signs in on the provider's pages, as often as they ask, until the browser is back. */
export async function signInThere(page, issuer, name) {
  while (page.url().startsWith(issuer)) {
    const login = page.locator("input[name=login]");
    if (await login.count()) {
      await login.fill(name);
      await page.fill("input[name=password]", "whatever");
    }
    await Promise.all([page.waitForEvent("framenavigated"), page.click("button[type=submit]")]);
    await page.waitForLoadState();
  }
}
