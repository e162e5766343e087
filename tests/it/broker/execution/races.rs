//! Several things in the same instant, through the real doors: exactly one wins, the others get a
//! clear answer, and state, audit and manager agree.
//!
//! Each race is run in several orders: every runner waits at the start, then gives way to the
//! others a number of times that the round draws. Nothing sleeps.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign::{broker::execution::progress::Progress, domain::actor::Role, worker};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    sync::Barrier,
    task::{JoinHandle, yield_now},
};

use crate::harness::{AgentClient, PersonClient, World, page::Page};

/// In how many orders a race is run.
const ROUNDS: u8 = 10;

/// Where the runners of one round wait for each other.
struct Start {
    line: Arc<Barrier>,
    draw: u64,
}

impl Start {
    fn new(runners: usize, round: u8) -> Self {
        Self { line: Arc::new(Barrier::new(runners)), draw: u64::from(round) * 7919 + 17 }
    }

    /// Runs when all are there.
    fn run<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.draw = self.draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (line, steps) = (Arc::clone(&self.line), (self.draw >> 33) % 40);
        tokio::spawn(async move {
            line.wait().await;
            for _ in 0..steps {
                yield_now().await;
            }
            work.await
        })
    }
}

/// A form that is filled in and not yet sent.
struct Form {
    person: Arc<PersonClient>,
    path: String,
    fields: BTreeMap<String, String>,
}

impl Form {
    async fn open(person: &Arc<PersonClient>, id: &str, verb: &str) -> Self {
        let mut fields = person.form(id, verb).await;
        fields.insert("comment".to_owned(), "at the same instant".to_owned());
        Self { person: Arc::clone(person), path: format!("/requests/{id}/{verb}"), fields }
    }

    async fn send(self) -> Page {
        self.person.post(&self.path, &self.fields).await
    }
}

/// Whether a form was taken; otherwise the page must say why, and that nothing changed.
#[track_caller]
fn won(page: &Page, who: &str) -> bool {
    if page.status == StatusCode::SEE_OTHER {
        return true;
    }
    assert_eq!(page.status, StatusCode::CONFLICT, "{who}: {}", page.html);
    assert!(page.html.contains("Nothing was changed: "), "{who}: {}", page.html);
    false
}

struct Track {
    world: World,
    agent: Arc<AgentClient>,
}

impl Track {
    async fn start() -> Self {
        let world = World::start().await;
        for (name, role) in
            [("anna", Role::Analyst), ("ben", Role::Analyst), ("cleo", Role::Senior)]
        {
            world.add_person(name, role).await;
        }
        let agent = Arc::new(world.agent().await);
        Self { world, agent }
    }

    async fn person(&self, name: &str) -> Arc<PersonClient> {
        Arc::new(self.world.person(name).await)
    }

    /// The agent asks for something that only this round asks for.
    async fn asked(&self, round: u8, endpoint: &str) -> String {
        let asked = self.agent.block(&target(round), json!({ "agent_ids": [endpoint] })).await;
        assert_eq!(asked.state(), "pending", "{asked:?}");
        asked.id()
    }

    async fn state(&self, id: &str) -> String {
        self.agent.get(id).await.state().to_owned()
    }

    /// One step of the worker, which must not fail.
    fn step(&self) -> impl Future<Output = Progress> + Send + 'static + use<> {
        let broker = self.world.broker().clone();
        async move { worker::step(&broker).await.unwrap() }
    }

    /// The kinds of the audit entries of a request, oldest first, with their places.
    async fn audit(&self, id: &str) -> Vec<(u64, String)> {
        let entries = self.world.operator().audit_after(0).await.unwrap();
        let mine = entries.into_iter().filter(|entry| entry.request.as_deref() == Some(id));
        mine.map(|entry| (entry.seq, entry.kind)).collect()
    }

    /// State, audit and manager agree about a request. How often the manager was called for it.
    async fn agree(&self, round: u8, id: &str) -> usize {
        let state = self.state(id).await;
        let kinds = self.audit(id).await;
        let count = |kind: &str| kinds.iter().filter(|(_, k)| k == kind).count();
        let received = self.world.manager.received();
        let calls = received.iter().filter(|call| names(&call.alert, &target(round))).count();
        assert!(calls <= 1, "{id} was sent {calls} times");
        assert!(count("dispatch.claimed") <= 1, "{kinds:?}");
        assert!(calls <= count("dispatch.claimed"), "sent without a claim: {kinds:?}");
        let ends = ["request.rejected", "request.cancelled", "request.expired"];
        let ended: usize = ends.into_iter().map(count).sum();
        let claimed = count("dispatch.claimed");
        match state.as_str() {
            "settled" => assert_eq!((ended, claimed), (0, 1), "{kinds:?}"),
            "pending" | "approved" => assert_eq!((ended, claimed, calls), (0, 0, 0), "{kinds:?}"),
            "rejected" | "cancelled" | "expired" => {
                assert_eq!((ended, claimed, calls), (1, 0, 0), "{kinds:?}");
                assert_eq!(count(&format!("request.{state}")), 1, "{kinds:?}");
            }
            other => panic!("{id} is {other}: {kinds:?}"),
        }
        let verified = self.world.operator().verify_audit().await.unwrap();
        assert_eq!(verified.broken, None);
        calls
    }
}

fn target(round: u8) -> String {
    format!("198.51.100.{}", 100 + round)
}

fn names(alert: &Value, target: &str) -> bool {
    alert.to_string().contains(&format!("\"{target}\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_approvals_and_rejection_have_one_winner() {
    let track = Track::start().await;
    let mut people = Vec::new();
    for name in ["anna", "ben", "bob", "cleo", "carol"] {
        people.push(track.person(name).await);
    }
    for round in 0..ROUNDS {
        // One approval is enough on 001; 003 needs two.
        let (endpoint, enough) = if round % 2 == 0 { ("001", true) } else { ("003", false) };
        let id = track.asked(round, endpoint).await;
        let mut start = Start::new(people.len(), round);
        let rejects = usize::from(round) % people.len();
        let mut forms = Vec::new();
        for (at, person) in people.iter().enumerate() {
            let verb = if at == rejects { "reject" } else { "approve" };
            forms.push((verb, Form::open(person, &id, verb).await));
        }
        let runs: Vec<_> =
            forms.into_iter().map(|(verb, form)| (verb, start.run(form.send()))).collect();
        let mut winners = Vec::new();
        for (verb, run) in runs {
            if won(&run.await.unwrap(), verb) {
                winners.push(verb);
            }
        }
        // Every form says which version it shows, and the first one that counts makes another.
        let [winner] = winners.as_slice() else { panic!("round {round}: {winners:?} won") };
        let expected = match (*winner, enough) {
            ("reject", _) => "rejected",
            (_, true) => "approved",
            (_, false) => "pending",
        };
        assert_eq!(track.state(&id).await, expected, "round {round}");
        let votes = track.audit(&id).await;
        let votes = votes.iter().filter(|(_, kind)| kind == "vote.approved").count();
        assert_eq!(votes, usize::from(*winner == "approve"), "round {round}");
        track.world.work().await;
        let calls = track.agree(round, &id).await;
        assert_eq!(calls, usize::from(expected == "approved"), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retraction_and_claim_never_both_win() {
    let track = Track::start().await;
    let bob = track.person("bob").await;
    for round in 0..ROUNDS {
        let id = track.asked(round, "001").await;
        bob.approve(&id).await;
        let form = Form::open(&bob, &id, "retract").await;
        let mut start = Start::new(2, round);
        let (retracted, stepped) = (start.run(form.send()), start.run(track.step()));
        let (retracted, _) = (won(&retracted.await.unwrap(), "bob"), stepped.await.unwrap());
        track.world.work().await;
        let state = track.state(&id).await;
        assert_eq!(state, if retracted { "pending" } else { "settled" }, "round {round}");
        assert_eq!(track.agree(round, &id).await, usize::from(!retracted), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_at_deadline_and_expiry_never_both_win() {
    let track = Track::start().await;
    for round in 0..ROUNDS {
        let id = track.asked(round, "001").await;
        // Microseconds before the deadline; it comes while they run.
        track.world.pass(Duration::from_hours(4) - Duration::from_micros(1));
        let bob = track.person("bob").await;
        let form = Form::open(&bob, &id, "approve").await;
        let clock = track.world.clock.clone();
        let mut start = Start::new(3, round);
        let approved = start.run(form.send());
        let ticked = start.run(async move { clock.advance(Duration::from_micros(1)) });
        let stepped = start.run(track.step());
        let approved = won(&approved.await.unwrap(), "bob");
        ticked.await.unwrap();
        stepped.await.unwrap();
        track.world.work().await;
        let state = track.state(&id).await;
        assert_eq!(state, if approved { "settled" } else { "expired" }, "round {round}");
        assert_eq!(track.agree(round, &id).await, usize::from(approved), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_at_use_by_and_expiry_never_both_win() {
    let track = Track::start().await;
    for round in 0..ROUNDS {
        let id = track.asked(round, "001").await;
        let bob = track.person("bob").await;
        bob.approve(&id).await;
        track.world.pass(Duration::from_mins(10) - Duration::from_micros(1));
        let clock = track.world.clock.clone();
        let mut start = Start::new(2, round);
        let ticked = start.run(async move { clock.advance(Duration::from_micros(1)) });
        let stepped = start.run(track.step());
        ticked.await.unwrap();
        stepped.await.unwrap();
        track.world.work().await;
        let state = track.state(&id).await;
        assert!(state == "settled" || state == "expired", "round {round}: {state}");
        let calls = track.agree(round, &id).await;
        assert!(state == "settled" || calls == 0, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_cancellations_and_claim_have_one_winner() {
    let track = Track::start().await;
    let (alice, bob) = (track.person("alice").await, track.person("bob").await);
    for round in 0..ROUNDS {
        let id = track.asked(round, "001").await;
        bob.approve(&id).await;
        let form = Form::open(&alice, &id, "cancel").await;
        let (agent, asked) = (Arc::clone(&track.agent), id.clone());
        let mut start = Start::new(3, round);
        let by_owner = start.run(form.send());
        let by_agent = start.run(async move { agent.cancel(&asked).await });
        let stepped = start.run(track.step());
        let by_owner = won(&by_owner.await.unwrap(), "alice");
        let by_agent = by_agent.await.unwrap();
        stepped.await.unwrap();
        track.world.work().await;
        let state = track.state(&id).await;
        let winners = [by_owner, !by_agent.error, state == "settled"];
        let won = winners.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1, "round {round}: {winners:?}, {state}, {by_agent:?}");
        assert!(!by_agent.error || by_agent.text.contains("Nothing changed: "), "{by_agent:?}");
        assert!(state == "cancelled" || state == "settled", "round {round}: {state}");
        track.agree(round, &id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_after_kill_switch_unless_claimed_before() {
    for round in 0..4 {
        let track = Track::start().await;
        let bob = track.person("bob").await;
        let id = track.asked(round, "001").await;
        bob.approve(&id).await;
        let next = track.asked(round + 50, "001").await;
        let form = Form::open(&bob, &next, "approve").await;
        let mut fields = bob.get("/system").await.form("/freeze").unwrap();
        fields.insert("reason".to_owned(), "stop it".to_owned());
        fields.insert("what".to_owned(), "everything".to_owned());
        let (hand, broker) = (Arc::clone(&bob), track.world.broker().clone());
        let mut start = Start::new(2, round);
        let frozen = start.run(async move { hand.post("/freeze", &fields).await });
        let stepped = start.run(async move { worker::step(&broker).await.unwrap() });
        assert!(won(&frozen.await.unwrap(), "bob"), "the kill switch always wins");
        stepped.await.unwrap();
        let calls = track.agree(round, &id).await;
        let audit = track.world.operator().audit_after(0).await.unwrap();
        let place = |kind: &str| audit.iter().find(|entry| entry.kind == kind).map(|e| e.seq);
        let (claimed, thrown) = (place("dispatch.claimed"), place("kill_switch.frozen").unwrap());
        let before = claimed.is_some_and(|claimed| claimed < thrown);
        assert!(claimed.is_none() || before, "round {round}: claimed while it was on");
        assert!(calls == 0 || before, "round {round}: sent without an earlier claim");
        // What comes after it is refused, from a form that was open before.
        assert!(!won(&form.send().await, "bob"), "round {round}");
        track.world.work().await;
        assert_eq!(track.state(&next).await, "pending", "round {round}");
        assert_eq!(track.agree(round + 50, &next).await, 0, "round {round}");
        assert_eq!(track.agree(round, &id).await, calls, "round {round}: sent afterwards");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_in_two_browsers_has_one_vote() {
    let track = Track::start().await;
    let browsers = [track.person("bob").await, track.person("bob").await];
    for round in 0..ROUNDS {
        let endpoint = if round % 2 == 0 { "001" } else { "003" };
        let id = track.asked(round, endpoint).await;
        let mut start = Start::new(2, round);
        let mut runs = Vec::new();
        for browser in &browsers {
            let form = Form::open(browser, &id, "approve").await;
            runs.push(form);
        }
        let runs: Vec<_> = runs.into_iter().map(|form| start.run(form.send())).collect();
        let mut taken = 0;
        for run in runs {
            taken += usize::from(won(&run.await.unwrap(), "bob"));
        }
        assert_eq!(taken, 1, "round {round}");
        let votes = track.audit(&id).await;
        let votes = votes.iter().filter(|(_, kind)| kind == "vote.approved").count();
        assert_eq!(votes, 1, "round {round}");
        let expected = if endpoint == "001" { "approved" } else { "pending" };
        assert_eq!(track.state(&id).await, expected, "round {round}");
        track.world.work().await;
        assert_eq!(track.agree(round, &id).await, usize::from(endpoint == "001"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_identical_proposals_become_one_request() {
    let track = Track::start().await;
    let clients = [track.agent.clone(), Arc::new(track.world.agent().await)];
    for round in 0..ROUNDS {
        let mut start = Start::new(4, round);
        let runs: Vec<_> = (0..4_usize)
            .map(|n| {
                let client = Arc::clone(&clients[n % 2]);
                let mut more = json!({ "agent_ids": ["001"] });
                if round % 2 == 1 {
                    more["idempotency_key"] = json!(format!("key-{round}"));
                }
                start.run(async move { client.block(&target(round), more).await })
            })
            .collect();
        let mut ids = Vec::new();
        for run in runs {
            ids.push(run.await.unwrap().id());
        }
        ids.sort_unstable();
        ids.dedup();
        let [id] = ids.as_slice() else { panic!("round {round}: {ids:?}") };
        let asked = track.audit(id).await;
        assert_eq!(asked.iter().filter(|(_, kind)| kind == "request.asked").count(), 1);
        let all = track.world.operator().audit_after(0).await.unwrap();
        let all = all.iter().filter(|entry| entry.kind == "request.asked").count();
        assert_eq!(all, usize::from(round) + 1, "round {round}");
    }
}
