//! An alert is a reason only where it fits, and what we did ourselves is none.

use chrono::TimeDelta;
use countersign::clock::Clock;

use super::{Value, World, alert, ask, json, web, web_world};

/// What becomes of a block of 001 for an alert with these changes.
async fn state_for(changes: Value) -> String {
    let world = web_world(2).await;
    let id = alert(&world, &changes);
    let asked = ask(&world.agent().await, &id, &["001"]).await;
    world.work().await;
    assert_eq!(world.manager.received().is_empty(), asked.state() == "pending");
    asked.state().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_below_level_seven_waits_for_people() {
    for (level, state) in [(0, "pending"), (3, "pending"), (6, "pending"), (7, "approved")] {
        let rule = json!({ "id": "5715", "level": level, "groups": ["sshd"] });
        assert_eq!(state_for(json!({ "rule": rule })).await, state, "level {level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_of_another_machine_waits_for_people() {
    for (agent, state) in [
        (json!({ "id": "001", "name": "web-001" }), "approved"),
        (json!({ "id": "999", "name": "web-001" }), "pending"),
        // Managers that share an indexer have the same ids.
        (json!({ "id": "001", "name": "web-001.elsewhere" }), "pending"),
        // The manager itself.
        (json!({ "id": "000", "name": "wazuh" }), "pending"),
        (json!({ "id": "001" }), "pending"),
    ] {
        assert_eq!(state_for(json!({ "agent": agent })).await, state, "{agent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_counts_for_its_group_alone() {
    let world = World::builder()
        .with_simulator(|site| {
            site.agents = web(2);
            for (at, groups) in [(0, ["default", "web"]), (1, ["default", "office"])] {
                site.agents.push(site.agents[at].clone().groups(&groups));
            }
            site.agents.drain(..2);
            site.agents.extend(web(3).pop());
        })
        .start()
        .await;
    let id = alert(&world, &json!({}));
    let agent = world.agent().await;
    assert_eq!(ask(&agent, &id, &["002"]).await.state(), "pending", "default says nothing");
    assert_eq!(ask(&agent, &id, &["001", "002"]).await.state(), "pending");
    assert_eq!(ask(&agent, &id, &["003"]).await.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_from_the_future_opens_nothing() {
    for (seconds, state) in [(-60, "approved"), (60, "pending"), (299, "pending")] {
        let at = Clock::system().now() + TimeDelta::seconds(seconds);
        assert_eq!(state_for(json!({ "timestamp": at.to_rfc3339() })).await, state, "{seconds} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn address_that_somebody_wrote_waits_for_people() {
    let peer = super::PEER;
    let log = |text: &str| text.replace("PEER", peer);
    for changes in [
        json!({ "data": { "src_ip": peer } }),
        json!({ "data": { "aws": { "sourceIPAddress": peer } } }),
        // A log in JSON names its own fields, whatever its decoder is called.
        json!({ "decoder": { "name": "raw_json" }, "full_log": log("app: {\"srcip\":\"PEER\"}") }),
        json!({ "full_log": null }),
        json!({ "full_log": [log("from PEER port 22")] }),
        // The FTP user is called `x rhost=PEER`, and the peer is known by its name.
        json!({ "full_log": log("pam_unix(vsftpd:auth): authentication failure; ruser=x rhost=PEER \
                                 user=root rhost=host7.example") }),
        json!({ "decoder": null }),
        // Somebody signs in as `root from PEER port 22 ssh2`.
        json!({ "full_log": log("Failed password for invalid user root from PEER port 22 ssh2 \
                                 from 198.51.100.66 port 4711 ssh2") }),
    ] {
        assert_eq!(state_for(changes.clone()).await, "pending", "{changes}");
    }
    let browser = log("PEER - - \"GET /?q=1' HTTP/1.1\" 400 1 \"-\" \"Chrome/120.0.0.0 a/2\"");
    assert_eq!(state_for(json!({ "full_log": browser })).await, "approved");
}

/// The ids of the alerts that tell of active responses.
fn traces(world: &World) -> Vec<String> {
    let alerts = world.manager.alerts();
    let told = |alert: &&Value| alert["rule"]["groups"].to_string().contains("active_response");
    alerts.iter().filter(told).map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn block_does_not_renew_itself_by_its_trace() {
    let world = web_world(3).await;
    let agent = world.agent().await;
    let id = alert(&world, &json!({}));
    assert_eq!(ask(&agent, &id, &["001"]).await.state(), "approved");
    world.work().await;
    world.look().await;
    let traces = traces(&world);
    assert!(!traces.is_empty());
    world.pass_for_all(std::time::Duration::from_mins(11));
    for trace in &traces {
        let again = ask(&agent, trace, &["001"]).await;
        assert_eq!(again.state(), "pending", "{again:?}");
        let page = world.person("bob").await.get(&format!("/requests/{}", again.id())).await;
        page.shows("this alert is the trace of an active response");
        agent.cancel(&again.id()).await;
    }
    assert_eq!(ask(&agent, &id, &["001"]).await.state(), "approved", "the alert itself counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_block_does_not_spread_by_its_trace() {
    let world = web_world(3).await;
    let agent = world.agent().await;
    let first = agent.block(super::PEER, json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.approve(&first).await;
    world.work().await;
    world.look().await;
    for trace in traces(&world) {
        for endpoint in ["002", "003"] {
            assert_eq!(ask(&agent, &trace, &[endpoint]).await.state(), "pending", "{endpoint}");
        }
    }
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_of_any_response_is_no_reason() {
    let groups = |groups: Value| json!({ "id": "100200", "level": 12, "groups": groups });
    for changes in [
        json!({ "rule": groups(json!(["ossec", "active_response"])) }),
        json!({ "rule": groups(json!("ossec,active_response")) }),
        json!({ "data": { "srcip": super::PEER, "parameters": { "extra_args": ["countersign=x"] } } }),
        json!({ "full_log": "add - 203.0.113.50 countersign=0190/1/ab" }),
    ] {
        assert_eq!(state_for(changes.clone()).await, "pending", "{changes}");
    }
}
