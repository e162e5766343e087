// The two pictures of the README, where they are asked for.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { LIGHT, stage } from "./stage.mjs";

const IMAGES = process.env.COUNTERSIGN_IMAGES;
const IMAGE_BYTES_MAX = 200_000;

test("the pictures of the README are small", { skip: !IMAGES }, async () => {
  const scene = await stage();
  try {
    const bob = await scene.person("bob", { ...LIGHT, viewport: { width: 1200, height: 780 }, timezoneId: "UTC" });
    for (const ids of [["002"], ["004", "005"]]) {
      await scene.ask({ srcip: "192.0.2.44", agent_ids: ids });
    }
    await scene.open(bob, "/");
    const take = async (name) => {
      const file = path.join(IMAGES, `${name}.png`);
      await bob.screenshot({ path: file });
      assert.ok(statSync(file).size < IMAGE_BYTES_MAX, file);
    };
    await take("inbox");
    await bob.click("main a:has-text('dbadmin')");
    await bob.locator("button.approve").waitFor();
    await take("request");
  } finally {
    await scene.close();
  }
});
