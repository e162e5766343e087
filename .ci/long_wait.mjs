// The TypeScript SDK waits longer than its time-out, which progress resets: the documented way.
// usage: long_wait.mjs NODE_MODULES http URL TOKEN | stdio PROGRAM URL TOKEN

import { createRequire } from "node:module";

const [modules, kind, ...rest] = process.argv.slice(2);
const sdk = createRequire(`${modules}/here.js`);
const { Client } = sdk("@modelcontextprotocol/sdk/client/index.js");

function transport() {
  if (kind === "http") {
    const { StreamableHTTPClientTransport } = sdk("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const [url, token] = rest;
    const headers = { Authorization: `Bearer ${token}` };
    return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  }
  const { StdioClientTransport } = sdk("@modelcontextprotocol/sdk/client/stdio.js");
  const [command, COUNTERSIGN_URL, COUNTERSIGN_TOKEN] = rest;
  const env = { COUNTERSIGN_URL, COUNTERSIGN_TOKEN };
  return new StdioClientTransport({ command, args: ["stdio"], env });
}

const client = new Client({ name: "long-wait", version: "1" });
await client.connect(transport());
const asked = await client.callTool({
  name: "block_ip",
  arguments: {
    srcip: "198.51.100.130", agent_ids: ["002"], duration_seconds: 600, reason: "clients test",
  },
});
const { request_id, state } = asked.structuredContent;
let heard = 0;
const waited = await client.callTool(
  { name: "wait_for_decision", arguments: { request_id, timeout_seconds: 8 } },
  undefined,
  { timeout: 5000, resetTimeoutOnProgress: true, onprogress: () => { heard += 1; } },
);
await client.close();
if (state !== "pending" || waited.structuredContent.state !== "pending" || heard < 2) {
  throw new Error(`asked: ${state}, waited: ${JSON.stringify(waited)}, progress: ${heard}`);
}
