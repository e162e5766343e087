//! At least once, in order, and nothing waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use countersign::{
    broker::notifications::feeds::FeedStep,
    connector::{Feed, FeedSettings},
    domain::audit::{EventGroup, EventKind},
};
use serde_json::{Value, json};

use super::{
    Folder, audit, failed, fed, feed, feed_of, file, happen, lines, places, step, webhook::webhook,
    world_with,
};
use crate::{
    connector::fake_server::{Tap, say},
    harness::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn new_feed_begins_where_it_is_told() {
    let folder = Folder::new();
    let (old, new) = (folder.path("old.jsonl"), folder.path("new.jsonl"));
    let world = World::start().await;
    happen(&world).await;
    let before = audit(&world).await.len();
    let now = Feed::new(FeedSettings {
        name: "new".to_owned(),
        kinds: EventKind::ALL.into(),
        from_start: false,
        receiver: file(&new),
    });
    let feeds = vec![feed("old", file(&old)), now.unwrap()];
    let world = world.restart_with(|builder| builder.with_feeds(feeds)).await;
    for name in ["old", "new"] {
        fed(&world, name).await;
    }
    let all = audit(&world).await;
    assert_eq!(lines(&old), all);
    assert_eq!(lines(&new), all[before..]);
    assert_eq!(lines(&new)[0]["kind"], "broker.started");
    // It is new only once.
    happen(&world).await;
    let world = world.restart().await;
    fed(&world, "new").await;
    assert_eq!(lines(&new), audit(&world).await[before..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_repeats_last_batch_and_loses_nothing() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let world = world_with(vec![feed("siem", file(&path))]).await;
    happen(&world).await;
    fed(&world, "siem").await;
    let sent = lines(&path).len();
    // As a crash after the write, and before its position was stored, leaves it.
    world.execute("UPDATE feed SET seq = 3").await;
    let world = world.restart().await;
    happen(&world).await;
    fed(&world, "siem").await;
    let (written, all) = (lines(&path), audit(&world).await);
    assert_eq!(written[..sent], all[..sent]);
    assert_eq!(written[sent..], all[3..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_beyond_one_batch_arrives_whole() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let world = World::start().await;
    for _ in 0..75 {
        world.freeze("again").await;
        world.unfreeze().await;
    }
    let world = world.restart_with(|b| b.with_feeds(vec![feed("siem", file(&path))])).await;
    assert_eq!(world.broker().feed_next("siem").await.unwrap(), FeedStep::Moved);
    assert_eq!(lines(&path).len(), 100, "memory is bounded");
    fed(&world, "siem").await;
    let all = audit(&world).await;
    assert!(all.len() > 200, "{}", all.len());
    assert_eq!(lines(&path), all);
}

/// A receiver that answers 503 until it is well.
async fn ill() -> (Tap, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&well);
    let script = move |_: &_| {
        if now.load(Ordering::SeqCst) { say(204, "") } else { say(503, "out of order") }
    };
    (Tap::start(script).await, well)
}

#[tokio::test(flavor = "multi_thread")]
async fn receiver_that_is_down_delays_its_feed_alone() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let (tap, well) = ill().await;
    let feeds = vec![feed("dead", webhook("dead", &tap)), feed("siem", file(&path))];
    let world = world_with(feeds).await;
    happen(&world).await;
    let why = failed(&world, "dead").await;
    assert!(why.contains("503: out of order"), "{why}");
    fed(&world, "siem").await;
    assert_eq!(lines(&path), audit(&world).await);
    let mut pause = 1;
    while pause < 600 {
        world.pass(Duration::from_millis(pause * 740));
        assert_eq!(step(&world, "dead").await, FeedStep::Idle, "too early after {pause} s");
        world.pass(Duration::from_millis(pause * 260));
        failed(&world, "dead").await;
        pause = if pause == 300 { 600 } else { (2 * pause).min(300) };
    }
    assert!(tap.heard("POST").iter().all(|heard| heard.body == tap.heard("POST")[0].body));
    let tried = tap.heard("POST").len();
    well.store(true, Ordering::SeqCst);
    world.pass(Duration::from_mins(5));
    fed(&world, "dead").await;
    let bodies = tap.heard("POST").into_iter().skip(tried);
    let bodies: Vec<Value> = bodies.map(|h| serde_json::from_str(&h.body).unwrap()).collect();
    assert_eq!(bodies, audit(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_receiver_delays_neither_decision_nor_feed() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let feeds =
        vec![feed("silent", super::webhook::webhook_to("silent", &url)), feed("siem", file(&path))];
    let world = world_with(feeds).await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let broker = world.broker().for_worker();
    let feeding = tokio::spawn(async move { broker.feed_next("silent").await });
    // It is connected and waits for an answer.
    let (_held, _) = silent.accept().await.unwrap();
    world.person("bob").await.approve(&id).await;
    world.work().await;
    assert_eq!(world.agent().await.get(&id).await.state(), "settled");
    fed(&world, "siem").await;
    assert_eq!(lines(&path), audit(&world).await);
    assert!(!feeding.is_finished(), "the other feed still waits");
    feeding.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_sends_only_events_that_it_names() {
    let folder = Folder::new();
    let path = folder.path("rules.jsonl");
    let mut kinds: Vec<_> = EventGroup::Rules.kinds().collect();
    kinds.push(EventKind::RequestAsked);
    let world = world_with(vec![feed_of("siem", &kinds, file(&path))]).await;
    happen(&world).await;
    world.person("bob").await;
    fed(&world, "siem").await;
    let mut wanted = audit(&world).await;
    wanted.retain(|entry| {
        kinds.contains(&EventKind::parse(entry["kind"].as_str().unwrap()).unwrap())
    });
    assert_eq!(lines(&path), wanted);
    assert!(wanted.len() > 3 && wanted.len() < audit(&world).await.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_that_cannot_be_read_goes_to_every_feed() {
    let folder = Folder::new();
    let path = folder.path("rules.jsonl");
    let world = world_with(vec![feed_of("siem", &[EventKind::Frozen], file(&path))]).await;
    world.freeze("a drill").await;
    world.execute("DROP TRIGGER audit_is_not_changed").await;
    world.execute("UPDATE audit SET kind = 'no.such' WHERE seq = 2").await;
    fed(&world, "siem").await;
    let written = lines(&path);
    assert_eq!(written[0]["place"], 2);
    assert!(written[0]["problem"].as_str().unwrap().contains("`no.such`"), "{written:?}");
    assert_eq!(written.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_of_few_events_keeps_its_place() {
    let folder = Folder::new();
    let path = folder.path("few.jsonl");
    let world = world_with(vec![feed_of("few", &[EventKind::GlassBroken], file(&path))]).await;
    for _ in 0..40 {
        world.freeze("again").await;
        world.unfreeze().await;
        fed(&world, "few").await;
    }
    assert!(!path.exists());
    let store = world.store.clone().unwrap();
    let mut reader = store.reader().await.unwrap();
    let kept = countersign::store::audit::feeds::position(&mut reader, "few").await.unwrap();
    assert!(kept >= Some(100), "it passes over {kept:?} again after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn system_shows_position_and_problem_of_feed() {
    let folder = Folder::new();
    let (tap, _) = ill().await;
    let feeds =
        vec![feed("dead", webhook("dead", &tap)), feed("siem", file(&folder.path("audit.jsonl")))];
    let world = world_with(feeds).await;
    failed(&world, "dead").await;
    fed(&world, "siem").await;
    let place = places(&audit(&world).await).len();
    // The page itself writes an entry: who signs in.
    let html = world.person("dora").await.get("/system").await.html;
    let part = |name: &str| {
        let part = html.split(&format!("<h3>{name}</h3>")).nth(1).unwrap();
        part.split("</dl>").next().unwrap().to_owned()
    };
    let (dead, siem) = (part("dead"), part("siem"));
    assert!(dead.contains("audit entry 0, ") && dead.contains(" behind"), "{dead}");
    assert!(dead.contains("503: out of order"), "{dead}");
    assert!(siem.contains(&format!("audit entry {place}, 1 behind")), "{siem}");
    assert!(siem.contains("audit.jsonl") && !siem.contains("Problem"), "{siem}");
}
