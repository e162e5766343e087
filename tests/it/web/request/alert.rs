//! What the page shows of the alert that an agent named: the evidence for the decision.

use serde_json::{Value, json};

use crate::harness::{World, page::Page};

const ID: &str = "1763800000.50001";

/// Adds an alert that holds this.
fn add(world: &World, alert: &Value) {
    let mut all = json!({ "id": ID, "agent": { "id": "001" }, "rule": { "level": 10 } });
    for (key, value) in alert.as_object().unwrap() {
        all[key] = value.clone();
    }
    world.manager.add_alert(all);
}

/// The page of a block of this address, for an alert that holds this.
async fn page_of(world: &World, srcip: &str, alert: Value) -> Page {
    add(world, &alert);
    let more = json!({ "agent_ids": ["002"], "alert_id": ID, "duration_seconds": 3600 });
    let asked = world.agent().await.block(srcip, more).await;
    world.person("bob").await.get(&format!("/requests/{}", asked.id())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn page_shows_field_rule_groups_and_log_line() {
    let world = World::start().await;
    let alert = json!({
        "rule": {
            "id": "86601", "level": "12", "groups": ["ids", "suricata"],
            "mitre": { "id": ["T1190"] },
        },
        "data": { "src_ip": "203.0.113.50" },
        "full_log": "{\"src_ip\":\"203.0.113.50\",\"alert\":\"<b>scan</b>\"}",
    });
    let page = page_of(&world, "203.0.113.50", alert).await;
    page.shows("it names <bdi>203.0.113.50</bdi> in <code>data.src_ip</code>");
    page.shows("level 12 of 16");
    page.shows("<code><bdi>86601</bdi></code>");
    page.shows("<bdi class=\"group\">suricata</bdi>");
    page.shows("<code><bdi>T1190</bdi></code>");
    page.shows("<div class=\"fence\"");
    page.shows("&quot;alert&quot;:&quot;&lt;b&gt;scan&lt;/b&gt;&quot;}");
    assert!(!page.has("in Wazuh's dashboard"), "no address of it is configured");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_says_in_which_fields_nothing_was_named() {
    let world = World::start().await;
    let alert = json!({ "data": { "dstip": "203.0.113.50" }, "rule": { "level": "high" } });
    let page = page_of(&world, "203.0.113.50", alert).await;
    let words = "<strong>in the fields looked at</strong> it <strong>does not name</strong>";
    page.shows(words);
    page.shows("level unknown");
    assert!(!page.has("level 0"), "{}", page.html);
    page.shows("It holds none.");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_shows_value_that_is_written_otherwise() {
    let world = World::start().await;
    let alert = json!({ "data": { "srcip": "[::ffff:203.0.113.50]:443" } });
    let page = page_of(&world, "203.0.113.50", alert).await;
    page.shows(
        "in <code>data.srcip</code>, as <q class=\"said\"><bdi>[::ffff:203.0.113.50]:443</bdi>",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn page_flags_name_that_goes_on_in_log() {
    let world = World::start().await;
    let alert = json!({
        "data": { "dstuser": "admin" },
        "full_log": "denied for user admin.lee@corp.example(uid=1200)",
    });
    add(&world, &alert);
    let more = json!({ "agent_ids": ["002"], "alert_id": ID });
    let asked = world.agent().await.disable("admin", more).await;
    let page = world.person("bob").await.get(&format!("/requests/{}", asked.id())).await;
    page.shows(
        "it <strong>does not name</strong> <bdi>admin</bdi>: <code>data.dstuser</code> holds",
    );
    page.shows("but the log goes on after this name: <q class=\"said\"><bdi>admin.lee@corp.example(uid=1200)</bdi>");
    assert!(!page.has("it names <bdi>admin"), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn page_links_to_alert_in_dashboard() {
    let world = World::builder()
        .with_indexer(|indexer| {
            indexer.dashboard_url = Some("https://dashboard.example/wazuh/".to_owned());
        })
        .start()
        .await;
    let alert = json!({
        "timestamp": "2026-11-22T10:00:00.000+0000", "data": { "srcip": "203.0.113.50" },
    });
    let page = page_of(&world, "203.0.113.50", alert).await;
    let link = page.links().into_iter().find(|link| link.starts_with("https://dashboard.example"));
    assert_eq!(
        link.as_deref(),
        Some(
            "https://dashboard.example/wazuh/app/discover#/?_g=(time:(from:\
             %272026-11-22T09:00:00.000Z%27,to:%272026-11-22T11:00:00.000Z%27))&_a=(index:\
             %27wazuh-alerts-%2A%27,query:(language:kuery,query:%27id:%221763800000.50001%22%27))"
        )
    );
    page.shows("rel=\"noreferrer\">Open it in Wazuh's dashboard</a>");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_id_stays_inside_its_link() {
    let world = World::builder()
        .with_indexer(|indexer| {
            indexer.dashboard_url = Some("https://dashboard.example".to_owned());
        })
        .start()
        .await;
    let id = "a'),x:!(1) \"b\\ &<script>";
    let alert = json!({ "id": id, "data": { "srcip": "203.0.113.50" } });
    let document = world.manager.add_alert(alert);
    let more = json!({ "agent_ids": ["002"], "alert_id": document, "duration_seconds": 3600 });
    let asked = world.agent().await.block("203.0.113.50", more).await;
    let page = world.person("bob").await.get(&format!("/requests/{}", asked.id())).await;
    let link = page.links().into_iter().find(|link| link.starts_with("https://dashboard.example"));
    let link = link.unwrap_or_else(|| panic!("{asked:?}\n{}", page.html));
    let query = "query:%27id:%22a!%27),x:!!(1)%20%5C%22b%5C%5C%20%26%3Cscript%3E%22%27))";
    assert!(link.ends_with(query), "{link}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_the_site_are_looked_at() {
    let world = World::builder()
        .with_indexer(|indexer| {
            let form = indexer.fields.addresses[0].1;
            indexer.fields.addresses = vec![("data.sensor.peer".to_owned(), form)];
        })
        .start()
        .await;
    let alert = json!({
        "data": { "srcip": "203.0.113.50", "sensor": { "peer": "203.0.113.50:9" } },
    });
    let page = page_of(&world, "203.0.113.50", alert).await;
    page.shows("it names <bdi>203.0.113.50</bdi> in <code>data.sensor.peer</code>");
}
