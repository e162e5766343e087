//! Policy is asked on a reader, ahead of the transaction. Whatever moves in between is seen by the
//! transaction; where nothing does, it asks nobody.

use crate::harness::kind;
use std::{
    fs,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use countersign::{
    broker::{
        Broker, BrokerError, admin::operator::Operator, execution::progress::Progress,
        requests::submit::Submitted,
    },
    domain::{actor::Actor, kill_switch::Extent},
    store::{Read as _, Store, StoreError},
    worker,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{
    ALERT, AgentClient, World,
    agent::Answer,
    fixtures::RUN_AT_ONCE,
    line::{Line, until_waiting},
    network::FakeNetwork,
};

mod claim;

/// Runs at once where this holds of the facts; else people decide.
fn runs_when(fact: &str) -> String {
    format!(
        r#"
@id("ask") @why("a") permit (principal, action in Countersign::Action::"ask", resource);
@id("see") @why("a") permit (principal, action == Countersign::Action::"view", resource);
@id("set") @why("a") permit (principal, action == Countersign::Action::"activate_policy", resource);
@id("run") @why("a") permit (principal, action in Countersign::Action::"run", resource)
when {{ {fact} || context.votes.analyst >= 1 }};
"#
    )
}

const NEVER_AT_ONCE: &str = r#"
@id("never") @why("a") forbid (principal, action in Countersign::Action::"run", resource)
unless { context.votes.analyst >= 1 };
"#;

/// Commits of a world, which a test can hold.
#[derive(Default)]
struct Commit(Arc<Mutex<Option<HeldCommit>>>);

/// Says that a commit was reached, and waits.
type HeldCommit = (mpsc::Sender<()>, mpsc::Receiver<()>);

impl Commit {
    async fn of(world: &World) -> Self {
        let commit = Self::default();
        let next = &commit.0;
        let prepared = store(world).write_quietly(|tx| {
            Box::pin(async move {
                let next = Arc::clone(next);
                let hook = move || {
                    if let Some((reached, release)) = next.lock().unwrap().take() {
                        reached.send(()).unwrap();
                        release.recv().unwrap();
                    }
                    false
                };
                tx.connection().run(move |raw| raw.commit_hook(Some(hook))).await?;
                Ok::<_, StoreError>(())
            })
        });
        prepared.await.unwrap();
        commit
    }

    /// Holds the next one: when it is reached, and how it is released.
    fn hold(&self) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((tell, reached), (release, held)) = (mpsc::channel(), mpsc::channel());
        *self.0.lock().unwrap() = Some((tell, held));
        (reached, release)
    }
}

fn store(world: &World) -> &Store {
    world.store.as_ref().unwrap()
}

fn evaluations(broker: &Broker) -> u64 {
    broker.engine().evaluations()
}

fn on(endpoint: &str) -> Value {
    json!({ "agent_ids": [endpoint] })
}

/// Begins to ask; returns once as many asks wait in line as this makes: each has been decided.
async fn begin(
    line: &Line,
    number: usize,
    agent: AgentClient,
    (srcip, endpoint): (&'static str, &'static str),
) -> JoinHandle<Answer> {
    let asked = tokio::spawn(async move { agent.block(srcip, on(endpoint)).await });
    line.until(number).await;
    asked
}

/// Begins to ask past the client, which takes a token that opens nothing for a fault of its own.
async fn begin_as_found(world: &World) -> JoinHandle<Result<Submitted, BrokerError>> {
    let agent = world.broker().agent_by_token(&world.token).await.unwrap().unwrap();
    let arguments = json!({ "srcip": "203.0.113.1", "agent_ids": ["002"], "reason": "it scans",
                            "duration_seconds": 600 });
    let (broker, before) = (world.broker().clone(), evaluations(world.broker()));
    let asked = tokio::spawn(async move {
        broker.submit(&agent, kind("block_ip"), arguments.as_object().unwrap()).await
    });
    while evaluations(world.broker()) == before {
        tokio::task::yield_now().await;
    }
    asked
}

fn assert_not_found(asked: &Result<Submitted, BrokerError>) {
    assert!(matches!(asked, Err(BrokerError::NotFound)), "{asked:?}");
}

/// A change of the command line that waits in line, before what agents ask.
async fn change<T: Send + 'static>(
    world: &World,
    change: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let waiting = store(world).waiting() + 1;
    let changed = tokio::spawn(change);
    until_waiting(store(world), waiting).await;
    changed
}

/// A world in which this decides whether something runs at once.
async fn world(fact: &str) -> World {
    World::builder().with_only_policy(&runs_when(fact)).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_where_nothing_moved() {
    let world = world("context.facts.scope <= 1").await;
    let agent = world.agent().await;
    // Which installation the manager is is written once.
    agent.block("203.0.113.9", on("002")).await;
    world.work().await;
    let line = Line::hold(store(&world)).await;
    let asked = begin(&line, 1, agent, ("203.0.113.1", "002")).await;
    let ahead = evaluations(world.broker());
    assert!(ahead > 0);
    line.release().await.unwrap();
    assert_eq!(asked.await.unwrap().state(), "approved");
    assert_eq!(evaluations(world.broker()), ahead);
    // The claim rests on what was found before it, too.
    let line = Line::hold(store(&world)).await;
    let broker = world.broker().clone();
    let step = change(&world, async move { worker::step(&broker).await }).await;
    let before_claim = evaluations(world.broker());
    assert!(before_claim > ahead);
    line.release().await.unwrap();
    assert!(matches!(step.await.unwrap().unwrap(), Progress::Moved(_)));
    assert_eq!(evaluations(world.broker()), before_claim);
    assert_eq!(world.manager.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_transaction_asks_policy_itself() {
    let world = world("context.facts.scope <= 1").await;
    let agent = world.agent().await;
    let line = Line::hold(store(&world)).await;
    let asked = begin(&line, 1, agent, ("203.0.113.1", "002")).await;
    let ahead = evaluations(world.broker());
    world.pass(Duration::from_secs(6));
    line.release().await.unwrap();
    assert_eq!(asked.await.unwrap().state(), "approved");
    assert!(evaluations(world.broker()) > ahead);
}

#[tokio::test(flavor = "multi_thread")]
async fn response_of_another_agent_is_seen() {
    let world = world("context.facts.reach <= 1").await;
    let (other, agent) = (world.another_agent("hunt-bot", "bob").await, world.agent().await);
    let line = Line::hold(store(&world)).await;
    let first = begin(&line, 1, other, ("203.0.113.1", "001")).await;
    let second = begin(&line, 2, agent, ("203.0.113.1", "002")).await;
    line.release().await.unwrap();
    assert_eq!(first.await.unwrap().state(), "approved");
    assert_eq!(second.await.unwrap().state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_ask_for_another_target_is_seen() {
    let world = world("context.facts.asks_last_minute < 1").await;
    let (one, other) = (world.agent().await, world.agent().await);
    let line = Line::hold(store(&world)).await;
    let first = begin(&line, 1, one, ("203.0.113.1", "001")).await;
    let second = begin(&line, 2, other, ("203.0.113.2", "002")).await;
    line.release().await.unwrap();
    assert_eq!(first.await.unwrap().state(), "approved");
    assert_eq!(second.await.unwrap().state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_refused_proposal_is_seen() {
    let world = world("context.facts.asks_last_minute < 1").await;
    let (one, other) = (world.agent().await, world.agent().await);
    let line = Line::hold(store(&world)).await;
    let refused = begin(&line, 1, one, ("203.0.113.1", "999")).await;
    let asked = begin(&line, 2, other, ("203.0.113.2", "002")).await;
    line.release().await.unwrap();
    assert!(refused.await.unwrap().error);
    assert_eq!(asked.await.unwrap().state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_ask_beside_it_is_found() {
    let world = world("context.facts.scope <= 1").await;
    let (one, other) = (world.agent().await, world.agent().await);
    let line = Line::hold(store(&world)).await;
    let first = begin(&line, 1, one, ("203.0.113.1", "001")).await;
    let second = begin(&line, 2, other, ("203.0.113.1", "001")).await;
    line.release().await.unwrap();
    assert_eq!(first.await.unwrap().id(), second.await.unwrap().id());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_agents_sent_is_counted_again() {
    let world = world("context.facts.automatic_last_day < 2").await;
    let (other, agent) = (world.another_agent("hunt-bot", "bob").await, world.agent().await);
    let first = agent.block("203.0.113.9", on("001")).await;
    world.work().await;
    assert_eq!(agent.get(&first.id()).await.outcomes(), ["001: sent"]);
    world.broker().open_senders("test");
    let line = Line::hold(store(&world)).await;
    let first = begin(&line, 1, other, ("203.0.113.1", "001")).await;
    let second = begin(&line, 2, agent, ("203.0.113.2", "002")).await;
    line.release().await.unwrap();
    assert_eq!(first.await.unwrap().state(), "dispatching");
    assert_eq!(second.await.unwrap().state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_before_the_transaction_stops_the_claim() {
    let world = World::builder().with_only_policy(RUN_AT_ONCE).start().await;
    let agent = world.agent().await;
    agent.block("203.0.113.9", on("001")).await;
    world.work().await;
    world.broker().open_senders("test");
    let line = Line::hold(store(&world)).await;
    let asked = begin(&line, 1, agent, ("203.0.113.1", "001")).await;
    let operator = world.operator();
    let frozen = change(&world, async move {
        operator.freeze(&Actor::CommandLine, &Extent::Everything, "stop").await.unwrap();
    })
    .await;
    line.release().await.unwrap();
    frozen.await.unwrap();
    assert_eq!(asked.await.unwrap().state(), "approved");
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_revoked_before_the_transaction_asks_nothing() {
    let world = world("context.facts.scope <= 1").await;
    let line = Line::hold(store(&world)).await;
    let asked = begin_as_found(&world).await;
    let operator = world.operator();
    let revoked = change(&world, async move {
        operator.revoke_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    })
    .await;
    line.release().await.unwrap();
    revoked.await.unwrap();
    assert_not_found(&asked.await.unwrap());
    assert!(!world.audit_kinds().await.contains(&"request.asked".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_is_not_stored_yet_is_seen() {
    let world = world("context.facts.scope <= 1").await;
    let line = Line::hold(store(&world)).await;
    let operator = world.operator();
    let revoked = change(&world, async move {
        operator.revoke_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    })
    .await;
    // Behind it in the same batch, whose commit waits for this.
    let behind = change(&world, Line::hold_as(store(&world).clone())).await;
    let released = tokio::spawn(line.release());
    let behind = behind.await.unwrap();
    let asked = begin_as_found(&world).await;
    behind.release().await.unwrap();
    revoked.await.unwrap();
    released.await.unwrap().unwrap();
    assert_not_found(&asked.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn change_of_another_process_is_seen() {
    let world = world("context.facts.scope <= 1").await;
    let other = Store::open(&world.folder.path().join("countersign.db")).await.unwrap();
    let line = Line::hold(&other).await;
    let operator = Operator::new(other.clone(), world.broker().clock().clone());
    let revoked = tokio::spawn(async move {
        operator.revoke_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    });
    until_waiting(&other, 1).await;
    // Decided, it waits for the other process.
    let asked = begin_as_found(&world).await;
    line.release().await.unwrap();
    revoked.await.unwrap();
    assert_not_found(&asked.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn set_activated_before_the_transaction_decides() {
    let world = world("context.facts.scope <= 1").await;
    let (agent, dora) = (world.agent().await, world.signed_in("dora").await);
    fs::write(world.policies.join("60_site.cedar"), NEVER_AT_ONCE).unwrap();
    let commit = Commit::of(&world).await;
    let line = Line::hold(store(&world)).await;
    let asked = begin(&line, 1, agent, ("203.0.113.1", "002")).await;
    let (broker, folder) = (world.broker().clone(), world.policies.clone());
    let shown = world.policy_difference();
    let activated = change(&world, async move {
        broker.activate_policy(&dora, &folder, shown).await.unwrap();
    })
    .await;
    let old = world.broker().engine().hash();
    // Before that is committed, somebody else stands in line before the agent.
    let (reached, release) = commit.hold();
    let released = tokio::spawn(line.release());
    tokio::task::block_in_place(|| reached.recv().unwrap());
    let next = change(&world, Line::hold_as(store(&world).clone())).await;
    release.send(()).unwrap();
    released.await.unwrap().unwrap();
    let next = next.await.unwrap();
    while world.broker().engine().hash() == old {
        tokio::task::yield_now().await;
    }
    next.release().await.unwrap();
    activated.await.unwrap();
    let answer = asked.await.unwrap();
    assert_eq!(answer.state(), "pending", "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn response_of_a_rule_before_the_transaction_is_seen() {
    let world = World::start().await;
    let agent = world.agent().await;
    let line = Line::hold(store(&world)).await;
    let asked = tokio::spawn(async move {
        let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
        agent.block("203.0.113.7", more).await
    });
    line.until(1).await;
    world.manager.rule_response("001", "firewall-drop600", &json!({ "srcip": "203.0.113.7" }));
    let broker = world.broker().clone();
    let read = change(&world, async move { broker.observe_rule_responses("test").await }).await;
    line.release().await.unwrap();
    read.await.unwrap().unwrap();
    let answer = asked.await.unwrap();
    assert_eq!(answer.state(), "pending", "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn address_learned_before_the_transaction_is_protected() {
    let network = Arc::new(FakeNetwork::default());
    let world = World::builder().with_network(network.clone()).start().await;
    let agent = world.agent().await;
    let line = Line::hold(store(&world)).await;
    let asked = begin(&line, 1, agent, ("45.33.32.9", "001")).await;
    network.set_neighbours(&["45.33.32.9"]);
    let broker = world.broker().clone();
    let learned = change(&world, async move { broker.look_up_own_addresses().await }).await;
    line.release().await.unwrap();
    learned.await.unwrap().unwrap();
    let answer = asked.await.unwrap();
    assert_eq!(answer.state(), "denied", "{answer:?}");
}
