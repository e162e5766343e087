//! A clock that jumps: by a glitch of NTP, after a machine stood still, or because somebody sets it.

use std::time::Duration;

use chrono::TimeDelta;
use countersign::{
    broker::{BrokerError, Settings},
    clock::Clock,
    domain::halt::HaltCause,
    store::audit::AuditFilter,
    worker,
};
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{ALERT, PersonClient, World, program::Program, stored};

mod command_line;

const MINUTE: Duration = Duration::from_mins(1);

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

/// The machine's clock is set, and the worker sees it.
async fn jump(world: &World, by: TimeDelta) {
    world.clock.jump(by);
    watch(world).await;
}

/// Why the clock is not trusted.
async fn watch(world: &World) -> Option<String> {
    world.broker().watch_clock().await.unwrap()
}

/// A block that bob approved.
async fn approved(world: &World) -> String {
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.approve(&id).await;
    id
}

async fn state(world: &World, id: &str) -> String {
    world.agent().await.get(id).await.state().to_owned()
}

/// Everything that may be sent is; how many calls there were.
async fn sent(world: &World) -> usize {
    world.work().await;
    world.manager.received().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_stores_the_clock_as_it_is() {
    let world = World::start().await;
    let began = world.clock.now();
    jump(&world, hours(5)).await;
    world.freeze("while the clock is wrong").await;
    jump(&world, hours(-5)).await;
    let entries = world.operator().audit_after(0).await.unwrap();
    let shown: Vec<_> = entries
        .iter()
        .filter(|entry| entry.kind == "clock.jumped" || entry.kind == "kill_switch.frozen")
        .map(|entry| (entry.kind.as_str(), (entry.time().unwrap() - began).num_seconds()))
        .collect();
    let five = hours(5).num_seconds();
    assert_eq!(shown, [("clock.jumped", five), ("kill_switch.frozen", five), ("clock.jumped", 0),]);
    let verified = world.operator().verify_audit().await.unwrap();
    assert_eq!((verified.rows, verified.broken), (entries.last().unwrap().seq, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn jump_is_recorded_with_its_length() {
    let world = World::start().await;
    let from = world.clock.now();
    jump(&world, TimeDelta::seconds(-61)).await;
    let entries = world.operator().audit_after(0).await.unwrap();
    let entry = entries.iter().find(|entry| entry.kind == "clock.jumped").unwrap();
    let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap();
    let to = from - TimeDelta::seconds(61);
    assert_eq!(detail, json!({ "from": from, "to": to, "by_seconds": -61 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_is_set_by_seconds_did_not_jump() {
    let world = World::start().await;
    for by in [59, -59, 59] {
        jump(&world, TimeDelta::seconds(by)).await;
    }
    assert_eq!(watch(&world).await, None);
    assert!(!world.audit_kinds().await.contains(&"clock.jumped".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_steps_are_a_jump() {
    for step in [20, -20] {
        let world = World::start().await;
        let id = approved(&world).await;
        for _ in 0..3 {
            jump(&world, TimeDelta::seconds(step)).await;
            assert_eq!(watch(&world).await, None);
            world.pass_for_all(MINUTE);
        }
        let (from, to) = (world.clock.wall() - TimeDelta::seconds(step * 3), world.clock.wall());
        jump(&world, TimeDelta::seconds(step)).await;
        assert!(is_halted(&world).await, "{step}");
        let entries = world.operator().audit_after(0).await.unwrap();
        let mut jumps = entries.iter().filter(|entry| entry.kind == "clock.jumped");
        let detail: serde_json::Value =
            serde_json::from_str(&jumps.next().unwrap().detail).unwrap();
        let to = to + TimeDelta::seconds(step);
        assert_eq!(detail, json!({ "from": from, "to": to, "by_seconds": step * 4 }));
        assert_eq!(jumps.next(), None);
        // The manager's clock made none of them.
        world.pass_for_all(MINUTE * 2);
        assert!(watch(&world).await.unwrap().contains("the clock of the manager test is"));
        assert!(is_halted(&world).await, "{step}");
        assert_eq!(world.manager.received().len(), 0);
        jump(&world, TimeDelta::seconds(step * -4)).await;
        world.pass_for_all(MINUTE * 2);
        assert_eq!(watch(&world).await, None);
        assert_eq!(state(&world, &id).await, "approved");
        assert_eq!(sent(&world).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_less_than_minute_an_hour_are_none() {
    // One that is never caught up is one in all.
    for (step, steps) in [(5, 30), (-5, 12)] {
        let world = World::start().await;
        for _ in 0..steps {
            jump(&world, TimeDelta::seconds(step)).await;
            assert_eq!(watch(&world).await, None);
            world.pass_for_all(MINUTE * 6);
        }
        assert!(!world.audit_kinds().await.contains(&"clock.jumped".to_owned()), "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_is_found_by_times_that_went_back() {
    let world = World::start().await;
    let began = world.clock.now();
    jump(&world, hours(5)).await;
    jump(&world, hours(-5)).await;
    world.pass(MINUTE);
    world.freeze("later, and right").await;
    let dora = world.signed_in("dora").await;
    let filter = |since, until| AuditFilter {
        kind: Some("kill_switch".to_owned()),
        since: Some(began + since),
        until: Some(began + until),
        ..AuditFilter::default()
    };
    for (since, until, found) in
        [(TimeDelta::zero(), TimeDelta::minutes(2), 1), (TimeDelta::minutes(2), hours(6), 0)]
    {
        let page = world.broker().audit(&dora, &filter(since, until), None).await.unwrap().rows;
        assert_eq!(page.len(), found, "{since}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn high_water_mark_holds_with_times_that_go_back() {
    let world = World::start().await;
    jump(&world, hours(5)).await;
    world.freeze("while the clock is wrong").await;
    jump(&world, hours(-5)).await;
    world.pass_for_all(MINUTE * 2);
    assert_eq!(watch(&world).await, None);
    world.broker().keep_mark().await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.broker().halted(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_glitch_ends_nothing_that_waits() {
    let world = World::start().await;
    let pending = world.agent().await.block("203.0.113.10", json!({ "agent_ids": ["001"] })).await;
    let approved = approved(&world).await;
    let dora = world.person("dora").await;
    jump(&world, hours(5)).await;
    assert_eq!(world.broker().expire_overdue().await.unwrap(), 0);
    jump(&world, hours(-5)).await;
    assert_eq!(state(&world, &pending.id()).await, "pending");
    assert_eq!(state(&world, &approved).await, "approved");
    assert_eq!(dora.get("/").await.status, StatusCode::OK, "the session");
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_does_not_switch_the_pace_off() {
    for by in [5, -5] {
        let slow = |settings: &mut Settings| settings.agents.asks_per_minute_max = 5;
        let world = World::builder().with_settings(slow).start().await;
        let (agent, most) = (world.agent().await, 5);
        let mut heard = 0;
        for number in 0..=most * 2 {
            let asked = agent.block("no address", json!({ "agent_ids": ["001"] })).await;
            heard += u64::from(!asked.text.contains("within a minute"));
            world.clock.jump(hours(if number % 2 == 0 { by } else { -by }));
        }
        let kinds = world.audit_kinds().await;
        let count = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
        assert_eq!(heard, most, "{by}");
        assert_eq!(count("proposal.throttled"), 1, "{by}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_ends_in_its_time_though_clock_goes_back() {
    let world = World::start().await;
    let id = approved(&world).await;
    jump(&world, hours(-2)).await;
    world.pass(Duration::from_mins(11));
    world.broker().expire_overdue().await.unwrap();
    assert_eq!(state(&world, &id).await, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_ends_in_time_though_clock_is_corrected() {
    let world = World::start().await;
    let (id, dora) = (approved(&world).await, world.person("dora").await);
    jump(&world, hours(-2)).await;
    world.manager.turn_back(Duration::from_hours(2));
    world.pass_for_all(MINUTE * 2);
    assert_eq!(watch(&world).await, None);
    assert_eq!(world.clock.now(), world.clock.wall());
    assert_eq!(state(&world, &id).await, "approved");
    world.pass_for_all(MINUTE * 9);
    world.step().await;
    assert_eq!(state(&world, &id).await, "expired");
    assert_eq!(sent(&world).await, 0);
    world.pass_for_all(MINUTE * 20);
    assert_eq!(dora.get("/").await.status, StatusCode::SEE_OTHER, "the session");
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_went_ahead_rightly_ends_what_waits() {
    let world = World::start().await;
    let id = approved(&world).await;
    jump(&world, hours(5)).await;
    world.manager.advance(Duration::from_hours(5));
    world.pass_for_all(MINUTE * 2);
    assert_eq!(watch(&world).await, None);
    world.step().await;
    assert_eq!(state(&world, &id).await, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_until_the_clock_agrees() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked =
        agent.block("203.0.113.7", json!({ "agent_ids": ["002"], "alert_id": ALERT })).await;
    assert_eq!(asked.state(), "approved", "{}", asked.text);
    // The manager says whole seconds: a minute keeps that from counting.
    let ahead = hours(5) + TimeDelta::minutes(1);
    jump(&world, ahead).await;
    assert!(is_halted(&world).await, "at once");
    world.pass_for_all(MINUTE * 2);
    let why = watch(&world).await.unwrap();
    assert_eq!(why, "the clock of the manager test is 5 hours behind this machine's");
    assert!(is_halted(&world).await, "while it disagrees");
    jump(&world, -ahead).await;
    assert!(is_halted(&world).await, "before a minute is over");
    assert_eq!(world.manager.received().len(), 0);
    world.pass_for_all(MINUTE * 2);
    assert_eq!(watch(&world).await, None);
    world.work().await;
    assert_eq!(agent.get(&asked.id()).await.outcomes(), ["002: sent"]);
}

/// Whether the worker refuses to send, without looking first whether the clock is right again.
async fn is_halted(world: &World) -> bool {
    matches!(worker::step(world.broker()).await, Err(BrokerError::Halted(halt)) if halt.cause == HaltCause::Clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn jump_of_the_clock_is_said_everywhere() {
    let world = World::start().await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let fields = bob.form(&id, "approve").await;
    // Nobody has recorded it yet.
    world.clock.jump(hours(-2) + TimeDelta::microseconds(7));
    for path in ["/", "/system"] {
        bob.get(path).await.shows("Nothing is sent: the clock of this machine jumped 2 hours back");
    }
    let system = bob.get("/system").await;
    assert!(!system.has("<dt>High-water mark</dt><dd>the clock"), "the mark is sound");
    let refused = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);
    let ready = reqwest::get(format!("{}/readyz", world.url())).await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.text().await.unwrap(), "not ready: the clock jumped\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_hear_that_the_clock_jumped() {
    let world = World::start().await;
    let id = approved(&world).await;
    world.clock.jump(hours(5));
    let told = world.agent().await.get(&id).await;
    assert!(told.json["held_because"].as_str().unwrap().contains("jumped 5 hours ahead"));
    assert!(told.json["message"].as_str().unwrap().contains("machine jumped"), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_is_not_trusted_while_no_manager_answers() {
    let world = World::start().await;
    jump(&world, hours(5)).await;
    jump(&world, hours(-5)).await;
    world.pass_for_all(MINUTE * 2);
    world.stop_manager().await;
    assert!(watch(&world).await.unwrap().contains("does not answer"));
    assert!(watch(&world).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_went_back_while_stopped_is_not_trusted() {
    let mut world = World::start().await;
    let id = approved(&world).await;
    let last = world.clock.now();
    world.clock = Clock::manual(last - hours(2));
    let world = world.restart().await;
    assert!(watch(&world).await.unwrap().contains("2 hours back"));
    assert_eq!(world.clock.now(), last);
    assert!(is_halted(&world).await);
    world.pass(Duration::from_mins(11));
    world.broker().expire_overdue().await.unwrap();
    assert_eq!(state(&world, &id).await, "expired");
    let kinds = world.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "clock.jumped").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_from_the_future_is_over() {
    for column in [
        "UPDATE session SET seen_at = seen_at + 3600000000",
        "UPDATE session SET created_at = created_at + 3600000000",
        "UPDATE session SET authenticated_at = authenticated_at + 3600000000",
    ] {
        let world = World::start().await;
        let bob = world.person("bob").await;
        assert_eq!(bob.get("/").await.status, StatusCode::OK);
        world.execute(column).await;
        assert_eq!(bob.get("/").await.status, StatusCode::SEE_OTHER, "{column}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn first_key_from_the_future_does_not_count() {
    let world = World::start().await;
    world.freeze("a test").await;
    let (carol, dora) = (world.person("carol").await, world.person("dora").await);
    release(&carol).await;
    world.execute("UPDATE kill_switch SET release_at = release_at + 3600000000").await;
    release(&dora).await;
    assert!(!world.broker().frozen().await.unwrap().is_empty(), "it needs two");
}

async fn release(person: &PersonClient) {
    let page = person.get("/system").await;
    let mut fields = page.form("/unfreeze").unwrap();
    fields.insert("reason".to_owned(), "all is well".to_owned());
    assert_eq!(person.post("/unfreeze", &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_clock_behind_what_was_written() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    program.serve().kill();
    let ahead = "DROP TRIGGER audit_is_not_changed;
                 UPDATE audit SET steady_at = steady_at + 11000000000";
    stored::execute(&program.path("countersign.db"), ahead).await;
    let doctor = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("newest audit entry is 3 hours ahead of it"), "{doctor}");
    let mut server = program.serve();
    let ready = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
    assert_eq!(ready.text().await.unwrap(), "not ready: the clock jumped\n");
    server.logged("the clock jumped").await;
    server.kill();
    let doctor = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    let said = "this machine's jumped 1 time within a day, the last time 3 hours back, from ";
    let (_, times) = doctor.lines().find_map(|line| line.split_once(said)).unwrap();
    let (times, _) = times.split_once(" UTC ->").unwrap();
    assert_eq!(times.len(), "2026-11-29 07:15:12 to 2026-11-29 04:11:52".len(), "{times}");
}
