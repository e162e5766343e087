//! What a request costs, counted: commits, SQL statements, evaluations of policy, calls to the
//! manager. Counts, because time on a shared machine says little.

use std::fmt;

use countersign::store::DatabaseCounts;
use serde_json::json;

use crate::harness::{ALERT, World, fixtures::own_set, line::limit_steps};

/// What may be spent, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Costs {
    /// Each is a sync of the disk.
    commits: usize,
    /// On all connections.
    statements: usize,
    /// Of those, on the connection that writes: others wait meanwhile.
    on_writer: usize,
    evaluations: usize,
    /// Logins apart.
    calls: usize,
}

/// An ask that people are to decide.
const ASK: Costs = Costs { commits: 1, statements: 36, on_writer: 9, evaluations: 6, calls: 1 };
/// What the worker does with a request that people approved.
const EXECUTION: Costs =
    Costs { commits: 2, statements: 49, on_writer: 22, evaluations: 2, calls: 2 };
/// An ask that policy lets run at once, to its outcome, where a sender is free.
const AT_ONCE: Costs =
    Costs { commits: 2, statements: 63, on_writer: 28, evaluations: 2, calls: 2 };

/// The calls of a request from the ask to the outcome.
const CALLS_MAX: usize = 3;

/// Counts what a world spends.
struct Meter<'a> {
    world: &'a World,
}

impl Meter<'_> {
    fn now(&self) -> Costs {
        let world = self.world;
        let DatabaseCounts { commits, statements, on_writer } =
            world.store.as_ref().unwrap().counts();
        let evaluations = world.broker().engine().evaluations();
        Costs {
            commits: commits.try_into().unwrap(),
            statements: statements.try_into().unwrap(),
            on_writer: on_writer.try_into().unwrap(),
            evaluations: evaluations.try_into().unwrap(),
            calls: world.manager.calls(),
        }
    }

    /// What something costs, and what came of it.
    async fn measure<T>(&self, what: impl Future<Output = T>) -> (T, Costs) {
        let before = self.now();
        let done = what.await;
        let after = self.now();
        let costs = Costs {
            commits: after.commits - before.commits,
            statements: after.statements - before.statements,
            on_writer: after.on_writer - before.on_writer,
            evaluations: after.evaluations - before.evaluations,
            calls: after.calls - before.calls,
        };
        (done, costs)
    }
}

impl Costs {
    /// Fails where it is more, and where nothing was counted: then the counter is broken.
    #[track_caller]
    fn assert_within(self, most: Self) {
        let each = [
            ("commits", self.commits, most.commits),
            ("statements", self.statements, most.statements),
            ("statements on the writer", self.on_writer, most.on_writer),
            ("evaluations", self.evaluations, most.evaluations),
            ("calls", self.calls, most.calls),
        ];
        for (what, spent, most) in each {
            assert!((1..=most).contains(&spent), "{spent} {what}, at most {most}: {self}");
        }
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, statements, on_writer, evaluations, calls } = self;
        write!(
            f,
            "{commits} commits, {statements} statements, {on_writer} of them on the writer, "
        )?;
        write!(f, "{evaluations} evaluations, {calls} calls")
    }
}

/// A world with its own set of policies, whose manager has said which installation it is, and how its
/// endpoints are set: both are asked once in a while. Its agent has a history, so policy is asked what it would say
/// without that too.
async fn world() -> World {
    // What ran without people within a day stops nothing here.
    let set = own_set().replace("automatic_last_day < 100", "automatic_last_day < 1000000");
    let world = World::builder().with_only_policy(&set).start().await;
    let first =
        world.agent().await.block("203.0.113.1", json!({ "agent_ids": ["001", "002"] })).await;
    world.person("bob").await.approve(&first.id()).await;
    world.work().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_request_stays_within_its_costs() {
    let world = world().await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let meter = Meter { world: &world };
    let ask = agent.block("203.0.113.2", json!({ "agent_ids": ["002"] }));
    let (asked, ask) = meter.measure(ask).await;
    assert_eq!(asked.state(), "pending");
    ask.assert_within(ASK);
    bob.approve(&asked.id()).await;
    let ((), execution) = Box::pin(meter.measure(world.work())).await;
    execution.assert_within(EXECUTION);
    assert!(ask.calls + execution.calls <= CALLS_MAX, "{ask}; {execution}");
    assert_eq!(agent.get(&asked.id()).await.outcomes(), ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_runs_at_once_stays_within_its_costs() {
    let world = world().await;
    world.broker().open_senders("test");
    let agent = world.agent().await;
    let meter = Meter { world: &world };
    let run = async {
        let found = json!({ "agent_ids": ["001"], "alert_id": ALERT });
        let asked = agent.block("203.0.113.7", found).await;
        assert_eq!(asked.state(), "dispatching", "{asked:?}");
        world.work().await;
        asked.id()
    };
    let (id, costs) = Box::pin(meter.measure(run)).await;
    costs.assert_within(AT_ONCE);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"]);
}

/// What one agent did to two endpoints, 4,000 times: each request is a copy of one that is there, with
/// its own target, and is active now.
const ACTIVE: &str = "
    CREATE TABLE copy AS
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
        SELECT request.* FROM n CROSS JOIN request;
    UPDATE copy SET id = printf('req_%032x', rowid),
        argument = printf('10.1.%d.%d', rowid / 250, rowid % 250);
    INSERT INTO request SELECT * FROM copy;
    DROP TABLE copy;
    CREATE TABLE copy AS SELECT attempt.* FROM attempt, request WHERE request.id LIKE 'req_000%';
    UPDATE copy SET id = printf('att_%032x', rowid), request_id = printf('req_%032x', rowid);
    INSERT INTO attempt SELECT * FROM copy;
    DROP TABLE copy;
    CREATE TABLE copy AS
        SELECT request_endpoint.*, request.id AS copied FROM request_endpoint, request
        WHERE request.id LIKE 'req_000%';
    UPDATE copy SET request_id = copied;
    ALTER TABLE copy DROP COLUMN copied;
    INSERT INTO request_endpoint SELECT * FROM copy;
    DROP TABLE copy;
    UPDATE request SET automatic = 1 WHERE id LIKE 'req_000%';";

/// Steps of the database's virtual machine for one statement. Counting what ran without people within a
/// day takes six for each; to read a row and look up another takes more than twice as much.
const STEPS_MAX: i32 = 32_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_active_makes_no_statement_long() {
    let world = world().await;
    world.execute(ACTIVE).await;
    let agent = world.another_agent("hunt-bot", "alice").await;
    world.broker().open_senders("test");
    limit_steps(world.store.as_ref().unwrap(), STEPS_MAX).await;
    let asked = agent.block("203.0.113.2", json!({ "agent_ids": ["002"] })).await;
    assert_eq!(asked.state(), "pending");
    for active in
        [json!({ "target": "10.1.0.7" }), json!({ "target": "10.1.0.7", "agent_ids": ["002"] })]
    {
        let found = agent.call("find_responses", active).await;
        assert!(!found.json["responses"].as_array().unwrap().is_empty(), "{found:?}");
    }
    let found = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let ran = agent.block("203.0.113.7", found).await;
    assert_eq!(ran.state(), "dispatching", "{ran:?}");
    world.person("bob").await.approve(&asked.id()).await;
    world.work().await;
    world.look().await;
    for (id, endpoint) in [(ran.id(), "001"), (asked.id(), "002")] {
        assert_eq!(agent.get(&id).await.outcomes(), [format!("{endpoint}: sent")]);
    }
}
