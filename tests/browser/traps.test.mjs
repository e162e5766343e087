// What is wrong with a request is said in sight of the button, in words, before anything is opened or
// scrolled.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { LIGHT, PHONE, stage } from "./stage.mjs";
import { night } from "./traps.mjs";

let scene;
let requests;

before(async () => {
  scene = await stage();
  requests = await night(scene);
});
after(() => scene.close());

for (const [look, options] of Object.entries({ light: LIGHT, phone: PHONE })) {
  test(`each trap is told in sight of the button, ${look}`, async () => {
    const bob = await scene.person("bob", options);
    for (const { place, trap } of requests) {
      await scene.open(bob, place);
      const seen = await bob.locator("h1, .signs .bad, .decision-bar .risk").evaluateAll((all) => all
        .filter((one) => {
          const box = one.getBoundingClientRect();
          return box.top >= 0 && box.bottom <= innerHeight;
        })
        .map((one) => one.textContent));
      const told = seen.filter((text) => trap && text.includes(trap));
      if (trap) assert.ok(told.length > 0, `${place}: ${trap} is not in sight: ${seen}`);
      else assert.equal(seen.length, 1, `${place}: a warning where nothing is wrong: ${seen}`);
      await bob.locator("button.approve").waitFor();
    }
  });
}
