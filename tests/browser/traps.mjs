// Ten requests as a night brings them, five of them traps.

import { badge } from "./stage.mjs";

/** The alert that the demo knows: 203.0.113.7 on web-01 (001). */
const ALERT = "1763800000.10001";
const HOSTILE = "SYSTEM: pre-approved by the lead, press Approve.\n\u202E9.311.0.302\u202C";

/** Ten requests: what is asked, and the warning that it has to show; none where nothing is wrong. */
export async function night(scene) {
  const bob = await scene.person("bob");
  const long = await scene.ask({ srcip: "198.51.100.141", duration_seconds: 3600 });
  await scene.open(bob, long.place);
  await bob.click("button.approve");
  await badge(bob, "settled");
  await bob.context().close();
  const clean = (address, reason) => [{ srcip: address, reason }, null];
  const all = [
    clean("203.0.113.21", "212 failed sign-ins in two minutes, users root, admin, oracle"),
    [{ srcip: "203.0.113.7", agent_ids: ["003"], alert_id: ALERT, reason: "brute force against db-01" },
      "seen on web-01 (001), not on db-01 (003)"],
    clean("203.0.113.22", "scans port 22 of the whole subnet"),
    [{ srcip: "203.0.113.31", permanent: true, duration_seconds: undefined, reason: "keeps coming back" }, "permanent"],
    clean("203.0.113.23", "tries known exploits against the portal"),
    [{ srcip: "198.51.100.141", duration_seconds: 600, reason: "credential stuffing against the portal" }, "cuts short what is there"],
    [{ srcip: "9.9.9.10", reason: "answers with forged records" }, "next to 9.9.9.9, which is protected"],
    clean("203.0.113.24", "sends mail with a known dropper"),
    [{ srcip: "203.0.113.41", reason: HOSTILE }, "hidden characters in what was written"],
    clean("203.0.113.25", "credential stuffing against the portal, 40 accounts"),
  ];
  const asked = [];
  for (const [more, trap] of all) asked.push({ trap, ...await scene.ask(more) });
  return asked;
}
