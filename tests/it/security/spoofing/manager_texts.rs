//! What the manager and its indexer say: names, groups and versions of endpoints, errors, alerts.

use serde_json::json;
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Times};

use super::{
    agent_answers::assert_clean_answer,
    fixtures::{Stage, address, block},
    hostile_texts::bundles,
    visible_checks::assert_clean_page,
};

#[tokio::test(flavor = "multi_thread")]
async fn hostile_endpoint_names_groups_and_versions_are_clean_everywhere() {
    let mut stage = Stage::start().await;
    for (number, (name, text)) in bundles().into_iter().enumerate() {
        stage.next().await;
        let endpoint = Endpoint::new("001", &text, Os::UBUNTU).groups(&["web", &text]);
        stage.world.manager.add(endpoint);
        stage.world.manager.add(Endpoint::new("002", &text, Os::UBUNTU).version(&text));
        let agent = stage.agent(&format!("bot-{number}")).await;
        let both = json!({ "agent_ids": ["001", "002"] });
        let asked = block(&agent, &address(number), both).await;
        assert_clean_answer(&asked, &name);
        let id = asked.id();
        stage.look(&id, &text, &format!("{name} as an endpoint's name")).await;
        if stage.bob.offered(&id, "approve").await {
            stage.bob.approve(&id).await;
        }
        stage.world.work().await;
        stage.look(&id, &text, &format!("{name} as an endpoint's name, sent")).await;
        stage.look_at(&["/in-force"], &text, &format!("{name} as an endpoint's name")).await;
        assert_clean_answer(&agent.get(&id).await, &name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_manager_errors_are_clean_everywhere() {
    let mut stage = Stage::start().await;
    let manager = stage.world.manager.clone();
    for (number, (name, text)) in bundles().into_iter().enumerate() {
        stage.next().await;
        let agent = stage.agent(&format!("bot-{number}")).await;
        let error = json!({ "title": text, "detail": text, "error": 1234 }).to_string();
        let id = block(&agent, &address(number), json!({})).await.id();
        stage.bob.approve(&id).await;
        let fault = |status| Fault::Answer { status, body: error.clone() };
        // First it cannot even be asked, then it refuses the call.
        manager.misbehave_on(Calls::Reads, fault(400), Times::UntilCleared);
        stage.world.step().await;
        let what = format!("{name} while it cannot be asked");
        stage.look(&id, &text, &what).await;
        stage.look_at(&["/system"], &text, &what).await;
        assert_clean_answer(&agent.get(&id).await, &name);
        let asked = block(&agent, "203.0.113.250", json!({})).await;
        assert_clean_answer(&asked, &name);
        manager.behave();
        manager.misbehave(fault(400), Times::Once);
        stage.world.work().await;
        stage.look(&id, &text, &format!("{name} as the manager's refusal")).await;
        assert_clean_answer(&agent.get(&id).await, &name);
        manager.behave();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_alert_descriptions_are_clean_everywhere() {
    let mut stage = Stage::start().await;
    for (number, (name, text)) in bundles().into_iter().enumerate() {
        stage.next().await;
        let alert = format!("1763800000.2{number:04}");
        stage.world.manager.add_alert(json!({
            "id": alert,
            "rule": {
                "id": text, "level": 10, "description": text, "groups": [text],
                "mitre": { "id": [text] },
            },
            "agent": { "id": text, "name": text },
            "data": { "srcip": "192.0.2.1" },
            "full_log": text,
        }));
        let agent = stage.agent(&format!("bot-{number}")).await;
        let asked = block(&agent, &address(number), json!({ "alert_id": alert })).await;
        assert_clean_answer(&asked, &name);
        stage.look(&asked.id(), &text, &format!("{name} as an alert's description")).await;
        let page = stage.bob.get(&format!("/requests/{}", asked.id())).await;
        assert!(page.html.contains("level 10"), "{name}: the alert is not shown");
        assert_clean_page(&page.html, &text, &name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_indexer_errors_are_clean_everywhere() {
    let mut stage = Stage::start().await;
    let manager = stage.world.manager.clone();
    for (number, (name, text)) in bundles().into_iter().enumerate() {
        stage.next().await;
        let agent = stage.agent(&format!("bot-{number}")).await;
        let cause = json!({ "type": text, "reason": text });
        let error = json!({ "reason": "all shards failed", "root_cause": [cause] });
        let body = json!({ "error": error, "status": 400 }).to_string();
        let fault = Fault::Answer { status: 400, body };
        manager.misbehave_on(Calls::Search, fault, Times::UntilCleared);
        let more = json!({ "alert_id": "1763800000.10001" });
        let asked = block(&agent, &address(number), more).await;
        assert_clean_answer(&asked, &name);
        stage.look(&asked.id(), &text, &format!("{name} as the indexer's refusal")).await;
        manager.behave();
    }
}
