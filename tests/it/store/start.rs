//! A start does no work that grows with what was done before.

use std::fs;

use serde_json::json;

use crate::harness::World;

/// A long history: 40,000 audit entries, and 5,000 requests that have ended, with their endpoints and
/// calls, each a copy of one that is there.
const HISTORY: &str = "
    INSERT INTO audit (seq, at, kind, actor_kind, actor_name, detail, previous, hash, steady_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
        SELECT (SELECT max(seq) FROM audit) + i, (SELECT max(at) FROM audit) + i, 'agent.added',
               'system', 'system', '{}', printf('%064x', i), printf('%064x', i + 1),
               (SELECT max(steady_at) FROM audit) + i
        FROM n;
    CREATE TABLE copy AS
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT request.* FROM n CROSS JOIN request WHERE state = 'settled';
    UPDATE copy SET id = 'copy' || rowid;
    INSERT INTO request SELECT * FROM copy;
    DROP TABLE copy;
    CREATE TABLE copy AS
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT attempt.* FROM n CROSS JOIN attempt;
    UPDATE copy SET id = 'copy' || rowid, request_id = 'copy' || rowid;
    INSERT INTO attempt SELECT * FROM copy;
    DROP TABLE copy;
    CREATE TABLE copy AS
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT request_endpoint.* FROM n CROSS JOIN request_endpoint
        WHERE request_id IN (SELECT id FROM request WHERE state = 'settled');
    UPDATE copy SET request_id = 'copy' || rowid, attempt_id = 'copy' || rowid;
    INSERT INTO request_endpoint SELECT * FROM copy;
    DROP TABLE copy;";

#[tokio::test(flavor = "multi_thread")]
async fn start_reads_no_more_with_a_long_history() {
    let world = World::start().await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let done = agent.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await.id();
    bob.approve(&done).await;
    world.work().await;
    // It is over, so it is not what is active either.
    world.pass_for_all(std::time::Duration::from_hours(48));
    world.look().await;
    let open = agent.block("203.0.113.2", json!({ "agent_ids": ["002"] })).await.id();
    world.execute(HISTORY).await;
    fs::write(world.policies.join("99_site.cedar"), "// Another text.\n").unwrap();
    let world = world.restart_with(|builder| builder.with_steps_max_at_start(10_000)).await;
    let ready = reqwest::get(format!("{}/readyz", world.url())).await.unwrap();
    assert!(ready.status().is_success(), "{}", ready.text().await.unwrap());
    assert_eq!(world.agent().await.get(&open).await.state(), "pending");
}
