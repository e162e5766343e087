//! Whether the indexer keeps up, and what a look for evidence says when it does not.

use chrono::TimeDelta;
use countersign::{
    connector::WazuhSettings as Ours,
    domain::{
        Time,
        evidence::{Observation, Watched},
        facts::IndexerState,
    },
};
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Settings, Times};

use crate::connector::{
    fake_server::{Tap, always},
    fixtures::{Lab, connector, ids, later, mark, now},
};

fn stamp(at: Time) -> Value {
    at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string().into()
}

/// An indexer whose newest alert is so old.
async fn aged(age: TimeDelta) -> Lab {
    let lab = Lab::captured().await;
    lab.sim.add_alert(json!({"id": "1.1", "timestamp": stamp(now() - age)}));
    lab
}

async fn why_behind(lab: &Lab) -> String {
    let state = lab.connector.indexer_state(now()).await;
    state.behind().unwrap_or_else(|| panic!("{state:?}")).to_owned()
}

async fn look(lab: &Lab, named: &[&str]) -> Observation {
    let mark = mark();
    let watched = Watched {
        request: mark.request,
        attempt: mark.attempt,
        digest: mark.digest,
        endpoints: ids(named),
        since: now(),
        reporter: None,
    };
    lab.connector.observe(&[watched], later(10)).await.unwrap()
}

#[tokio::test]
async fn indexer_is_behind_when_newest_document_is_old() {
    for (minutes, expected) in [
        (61, "the newest document is 61 min old"),
        (71 * 60 + 59, "the newest document is 71 h old"),
    ] {
        let lab = aged(TimeDelta::minutes(minutes)).await;
        assert_eq!(why_behind(&lab).await, expected);
    }
    for minutes in [0, 59, 60, -4] {
        let lab = aged(TimeDelta::minutes(minutes)).await;
        assert_eq!(lab.connector.indexer_state(now()).await, IndexerState::Current, "{minutes}");
    }
}

#[tokio::test]
async fn bound_of_freshness_is_a_setting() {
    let patient = |settings: &mut Ours| {
        settings.indexer.as_mut().unwrap().stale_after = std::time::Duration::from_hours(72);
    };
    let lab = Lab::start_with(Settings::captured(), patient).await;
    lab.sim.add_alert(json!({"id": "1.1", "timestamp": stamp(now() - TimeDelta::hours(71))}));
    assert_eq!(lab.connector.indexer_state(now()).await, IndexerState::Current);
}

#[tokio::test]
async fn document_from_the_future_hides_nothing() {
    let lab = aged(TimeDelta::hours(71)).await;
    lab.sim.add_alert(json!({"id": "1.2", "timestamp": stamp(now() + TimeDelta::days(300))}));
    assert_eq!(why_behind(&lab).await, "the newest document is 71 h old");
}

#[tokio::test]
async fn odd_newest_document_says_its_sorted_time() {
    let sorted = |ms: Value| json!({"_id": "a", "_source": {"timestamp": 7}, "sort": [ms]});
    let recent = json!(now().timestamp_millis());
    for (hit, current) in [
        (sorted(recent), true),
        (sorted(json!(1)), false),
        (sorted(json!(null)), false),
        (json!({"_id": "a", "_source": {"timestamp": stamp(now())}}), true),
        (json!({"_id": "a", "_source": null}), false),
        (json!(null), false),
    ] {
        let body = json!({"hits": {"hits": [hit]}}).to_string();
        let tap = Tap::start(always(200, &body)).await;
        let state = connector(&tap.url()).indexer_state(now()).await;
        assert_eq!(state == IndexerState::Current, current, "{hit}: {state:?}");
    }
}

#[tokio::test]
async fn indexer_that_cannot_tell_is_behind() {
    let lab = Lab::captured().await;
    assert_eq!(why_behind(&lab).await, "the indexer holds no document");
    let lab = aged(TimeDelta::zero()).await;
    for (fault, said) in [
        (
            Fault::ShardsFail("other-*".to_owned()),
            "a part of its alerts only: 1 of 3 shards failed",
        ),
        (Fault::SearchTimesOut, "a part of its alerts only: it ran out of time"),
        (Fault::Answer { status: 503, body: String::new() }, "answered 503: without a reason"),
    ] {
        lab.sim.misbehave_on(Calls::Search, fault, Times::Once);
        let why = why_behind(&lab).await;
        assert!(why.contains(said), "{why}");
    }
    assert_eq!(lab.connector.indexer_state(now()).await, IndexerState::Current);
    let without = |settings: &mut Ours| settings.indexer = None;
    let lab = Lab::start_with(Settings::captured(), without).await;
    assert_eq!(lab.connector.indexer_state(now()).await, IndexerState::Unknown);
}

#[tokio::test]
async fn missing_template_is_told_in_opensearch_words() {
    let lab = Lab::start(Settings { index_template: false, ..Settings::captured() }).await;
    lab.sim.add_alert(json!({"id": "1.1", "timestamp": stamp(now())}));
    let why = why_behind(&lab).await;
    assert!(
        why.contains("answered 400: all shards failed: Text fields are not optimised"),
        "{why}"
    );
}

/// A manager with one endpoint that leaves evidence and one that does not.
async fn half_seen() -> Lab {
    let endpoint = |id| Endpoint::new(id, "machine", Os::UBUNTU);
    let agents = vec![endpoint("001"), endpoint("002").log_lost()];
    let lab = Lab::start(Settings { agents, evidence: true, ..Settings::captured() }).await;
    lab.send(&["001", "002"]).await;
    lab
}

#[tokio::test]
async fn evidence_of_a_partial_answer_counts_with_a_gap() {
    let lab = half_seen().await;
    let broken = Fault::ShardsFail("wazuh-alerts-4.x-2000.01.01".to_owned());
    lab.sim.misbehave_on(Calls::Search, broken, Times::UntilCleared);
    let seen = look(&lab, &["001", "002"]).await;
    assert_eq!(seen.sightings.len(), 1);
    let gap = seen.gap.unwrap();
    assert!(gap.starts_with("the indexer could search a part of its alerts only: 1 of 3"), "{gap}");
    lab.sim.behave();
    let seen = look(&lab, &["001", "002"]).await;
    assert_eq!((seen.sightings.len(), seen.gap), (1, None), "the newest document is recent");
}

#[tokio::test]
async fn unseen_call_tells_how_old_the_newest_document_is() {
    let lab = half_seen().await;
    lab.sim.advance(std::time::Duration::from_hours(71));
    lab.connector.probe(now()).await.unwrap();
    let seen = look(&lab, &["002"]).await;
    assert_eq!(seen.gap.as_deref(), Some("the newest document is 71 h old"));
}
