//! `verified`: only a report that is right in every part, and what other reports say.

use std::time::Duration;

use serde_json::{Value, json};

use super::{agent, approve, ask, builder};
use crate::harness::{World, WorldBuilder};

/// A block that was sent to 001; its request.
async fn sent(world: &World) -> String {
    let agent = agent(world).await;
    let id = ask(&agent, "block_ip", &["001"], json!({ "srcip": "203.0.113.9" })).await.id();
    approve(world, &id).await;
    world.pass_for_all(Duration::from_secs(5));
    id
}

/// What is known of 001 once the endpoint's alerts were looked for, and what speaks against it.
async fn known(world: &World, id: &str) -> (String, Value) {
    world.look().await;
    let answer = world.agent().await.get(id).await;
    let one = &answer.json["endpoints"]["outcomes"][0];
    (one["outcome"].as_str().unwrap().to_owned(), one["doubt"].clone())
}

async fn after_block(builder: WorldBuilder) -> (String, Value) {
    let world = builder.start().await;
    let id = sent(&world).await;
    known(&world, &id).await
}

#[tokio::test]
async fn report_of_own_script_verifies_the_response() {
    let world = builder().start().await;
    let id = sent(&world).await;
    assert_eq!(known(&world, &id).await, ("verified".to_owned(), Value::Null));
    let bob = world.person("bob").await;
    bob.get(&format!("/requests/{id}")).await.shows("read back that it is so");
    bob.get("/in-force").await.shows("verified");
    let found =
        world.agent().await.call("find_responses", json!({ "target": "203.0.113.9" })).await;
    assert_eq!(found.json["responses"][0]["known"], "verified");
    let listed = world.agent().await.call("list_requests", json!({})).await;
    assert_eq!(listed.json["requests"][0]["counts"]["verified"], 1, "{}", listed.json);
}

#[tokio::test]
async fn without_rules_the_start_alone_is_confirmed() {
    let without = builder().with_simulator(|site| site.companion_rules = false);
    assert_eq!(after_block(without).await, ("confirmed".to_owned(), Value::Null));
}

#[tokio::test]
async fn report_of_unknown_version_verifies_nothing() {
    let other = builder().with_simulator(|site| {
        for endpoint in &mut site.agents {
            endpoint.companions = endpoint.companions.map(|_| "2");
        }
    });
    assert_eq!(after_block(other).await, ("confirmed".to_owned(), Value::Null));
}

#[tokio::test]
async fn failed_script_stays_confirmed_with_its_reason() {
    let failing = builder().with_simulator(|site| {
        for endpoint in &mut site.agents {
            endpoint.script_fails = Some("nft: <b>no</b> such table".to_owned());
        }
    });
    let world = failing.start().await;
    let id = sent(&world).await;
    let (outcome, doubt) = known(&world, &id).await;
    assert_eq!(outcome, "confirmed");
    let said = doubt.as_str().unwrap_or_default();
    assert!(said.contains("says that it failed: nft: <b>no</b> such table"), "{doubt}");
    let page = world.person("bob").await.get(&format!("/requests/{id}")).await;
    assert!(!page.html.contains("<b>no</b>"), "text from outside is escaped");
    page.shows("says that it failed: nft:");
}

#[tokio::test]
async fn unverified_report_is_a_doubt() {
    let unsure = builder().with_simulator(|site| {
        for endpoint in &mut site.agents {
            endpoint.unverified = true;
        }
    });
    let (outcome, doubt) = after_block(unsure).await;
    assert_eq!(outcome, "confirmed");
    assert!(doubt.as_str().unwrap_or_default().contains("could not verify it"), "{doubt}");
}

/// The report of a run on an endpoint whose rules are not installed, with one part changed.
async fn forged(change: impl FnOnce(&mut Value)) -> String {
    let world = builder().start().await;
    let id = sent(&world).await;
    let is_report = |alert: &Value| alert["rule"]["id"] == "117701";
    let mut report = world.manager.alerts().into_iter().find(is_report).unwrap();
    let quiet = builder().with_simulator(|site| site.companion_rules = false).start().await;
    let other = sent(&quiet).await;
    // The same report, of the attempt of the other world.
    let tag = quiet.manager.received()[0].arguments[0].clone();
    assert_ne!(id, other);
    report["data"]["countersign"]["tag"] = tag.into();
    report["timestamp"] = quiet.manager.alerts().last().unwrap()["timestamp"].clone();
    report["id"] = json!("1763800000.99");
    change(&mut report);
    quiet.manager.add_alert(report);
    known(&quiet, &other).await.0
}

#[tokio::test]
async fn report_counts_only_when_every_part_is_right() {
    assert_eq!(forged(|_| {}).await, "verified", "nothing is wrong with it");
    let wrong = [
        ("rule.id", json!("117706")),
        ("rule.id", json!("117703")),
        ("rule.id", json!("657")),
        ("location", json!("/home/mallory/logs/active-responses.log")),
        ("agent.id", json!("002")),
        ("data.countersign.tag", json!("countersign=req_1/att_1/abc")),
        ("data.countersign.version", json!("2")),
        ("data.countersign.version", Value::Null),
        ("data.countersign.verified", json!("false")),
        ("data.countersign.result", json!("undone")),
        ("data.countersign.script", json!("countersign-kill")),
        ("data.countersign.script", json!("countersign-block-undo")),
        ("timestamp", json!("2026-01-01T00:00:00.000+0000")),
    ];
    for (place, value) in wrong {
        let said = format!("{place}: {value}");
        let known = forged(|report| {
            let place = format!("/{}", place.replace('.', "/"));
            *report.pointer_mut(&place).unwrap() = value;
        });
        assert_eq!(known.await, "confirmed", "{said}");
    }
}
