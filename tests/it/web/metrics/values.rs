//! Each number follows what it counts.

use std::time::Duration;

use countersign::{
    broker::notifications::{DeliveryResult, feeds::FeedStep},
    connector::{Channel, Feed, FeedFileSettings, FeedReceiver, FeedSettings, WebhookFormat},
    domain::audit::EventKind,
};
use serde_json::json;

use super::{TOKEN, counted, format::Metrics, watched};
use crate::{
    broker::notifications::settings,
    connector::fake_server::{Tap, say},
    harness::World,
};

async fn numbers(world: &World) -> Metrics {
    Metrics::read(&counted(world).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_decisions_and_waits_are_counted() {
    let world = watched().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await.id();
    agent.block("10.9.8.7", json!({ "agent_ids": ["002"] })).await;
    world.pass(Duration::from_secs(90));
    world.person("bob").await.approve(&id).await;
    world.work().await;
    let metrics = numbers(&world).await;
    for (line, number) in [
        ("requests{state=\"settled\"}", 1),
        ("requests{state=\"denied\"}", 1),
        ("requests_asked_total{verdict=\"approval\"}", 1),
        ("requests_asked_total{verdict=\"deny\"}", 1),
        ("requests_asked_total{verdict=\"run\"}", 0),
        ("endpoints_dispatched_total{outcome=\"sent\"}", 1),
        ("endpoints_dispatched_total{outcome=\"unknown\"}", 0),
        ("decision_seconds_count", 2),
        ("approval_wait_seconds_count", 1),
        ("approval_wait_seconds_sum", 90),
        ("approval_wait_seconds_bucket{le=\"60.0\"}", 0),
        ("approval_wait_seconds_bucket{le=\"300.0\"}", 1),
        ("audit_appended_total{kind=\"vote.approved\"}", 1),
        ("audit_appended_total{kind=\"vote.retracted\"}", 0),
    ] {
        assert_eq!(metrics.number(&format!("countersign_{line}")), number, "{line}");
    }
    assert!(metrics.number("countersign_commit_seconds_count") > 3);
    assert!(metrics.sample("countersign_commit_seconds_sum").value > 0.0);
    assert!(metrics.number("countersign_manager_calls{manager=\"test\"}") >= 1);
    assert_eq!(metrics.number("countersign_manager_calls_limit{manager=\"test\"}"), 300);
    assert!(metrics.number("countersign_database_bytes") > 4096);
    assert!(metrics.number("countersign_disk_free_bytes") > 4096);
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_is_undone_counts_nothing() {
    let world = watched().await;
    let before = numbers(&world).await;
    world
        .execute("CREATE TRIGGER no BEFORE INSERT ON request BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    world.agent().await.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await;
    let after = numbers(&world).await;
    for line in ["audit_appended_total{kind=\"request.asked\"}", "decision_seconds_count"] {
        let line = format!("countersign_{line}");
        assert_eq!(before.number(&line), after.number(&line), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manager_that_is_down_is_not_up() {
    let world = watched().await;
    let up = "countersign_manager_up{manager=\"test\"}";
    assert_eq!(numbers(&world).await.number(up), 1);
    world.stop_manager().await;
    for _ in 0..3 {
        world.agent().await.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await;
    }
    assert_eq!(numbers(&world).await.number(up), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_and_what_halts_are_shown() {
    let world = watched().await;
    let stops = |extent: &str| format!("countersign_kill_switch_stops{{extent=\"{extent}\"}}");
    let store = world.store.clone().unwrap();
    store.measure_free_space_by(std::sync::Arc::new(|| Ok(1 << 20)));
    world.freeze("a drill").await;
    let metrics = numbers(&world).await;
    assert_eq!(metrics.number(&stops("everything")), 1);
    assert_eq!(metrics.number(&stops("manager")), 0);
    assert_eq!(metrics.number("countersign_halted"), 1);
    assert_eq!(metrics.number("countersign_disk_free_bytes"), 1 << 20);
    world.unfreeze().await;
    assert_eq!(numbers(&world).await.number(&stops("everything")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_that_does_not_verify_is_shown() {
    let world = watched().await;
    let fresh = numbers(&world).await;
    let entries = fresh.number("countersign_audit_entries");
    assert_eq!(fresh.number("countersign_audit_verified_timestamp_seconds"), 0);
    assert_eq!(world.broker().walk_on().await.unwrap(), None);
    let sound = numbers(&world).await;
    assert_eq!(sound.number("countersign_audit_intact"), 1);
    assert_eq!(sound.number("countersign_audit_verified_entries"), entries);
    assert_eq!(
        sound.number("countersign_audit_verified_timestamp_seconds"),
        u64::try_from(world.clock.now().timestamp()).unwrap()
    );
    world.freeze("a drill").await;
    world.execute("DROP TRIGGER audit_is_not_changed").await;
    world
        .execute("UPDATE audit SET target = 'other' WHERE seq = (SELECT max(seq) FROM audit)")
        .await;
    let (place, why) = world.broker().walk_on().await.unwrap().unwrap();
    assert!(why.contains("it was edited"), "{why}");
    let broken = numbers(&world).await;
    assert_eq!(broken.number("countersign_audit_intact"), 0);
    assert_eq!(
        broken.number("countersign_audit_verified_entries"),
        u64::try_from(place - 1).unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_and_feeds_are_counted_by_name() {
    let tap = Tap::start(|_| say(500, "no")).await;
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(FeedSettings {
        name: "siem".to_owned(),
        kinds: EventKind::ALL.into(),
        from_start: true,
        receiver: FeedReceiver::File(FeedFileSettings {
            path: folder.path().join("audit.jsonl"),
            mode: 0o600,
        }),
    });
    let url = format!("{}/hook", tap.url());
    let channel = Channel::webhook(settings("ops", &url, WebhookFormat::Json)).unwrap();
    let world = World::builder().with_metrics_token(TOKEN).with_channels(vec![channel]);
    let world = world.with_feeds(vec![feed.unwrap()]).start().await;
    world.agent().await.block("203.0.113.1", json!({ "agent_ids": ["001"] })).await;
    world.broker().notify().await.unwrap();
    let before = numbers(&world).await;
    let entries = before.number("countersign_audit_entries");
    for (line, number) in [
        ("channel_up{channel=\"webhook.ops\"}", 1),
        ("feed_up{feed=\"siem\"}", 1),
        ("feed_behind_entries{feed=\"siem\"}", entries),
        ("feed_entries_total{feed=\"siem\"}", 0),
    ] {
        assert_eq!(before.number(&format!("countersign_{line}")), number, "{line}");
    }
    let told = world.broker().deliver_next("webhook.ops").await.unwrap();
    assert_eq!(told, DeliveryResult::Failed);
    assert_eq!(world.broker().feed_next("siem").await.unwrap(), FeedStep::Moved);
    let after = numbers(&world).await;
    for (line, number) in [
        ("channel_up{channel=\"webhook.ops\"}", 0),
        ("channel_failures_total{channel=\"webhook.ops\"}", 1),
        ("channel_messages_total{channel=\"webhook.ops\"}", 0),
        ("feed_behind_entries{feed=\"siem\"}", 0),
        ("feed_entries_total{feed=\"siem\"}", entries),
        ("feed_failures_total{feed=\"siem\"}", 0),
    ] {
        assert_eq!(after.number(&format!("countersign_{line}")), number, "{line}");
    }
    std::fs::remove_dir_all(folder.path()).unwrap();
    world.freeze("a drill").await;
    assert!(matches!(world.broker().feed_next("siem").await.unwrap(), FeedStep::Failed(_)));
    let failed = numbers(&world).await;
    assert_eq!(failed.number("countersign_feed_up{feed=\"siem\"}"), 0);
    assert_eq!(failed.number("countersign_feed_failures_total{feed=\"siem\"}"), 1);
}
