//! What an answer offers instead would be taken; where nothing is possible, it says why.

use serde_json::json;
use wazuh_simulator::{Endpoint, Os};

use crate::harness::World;

/// 900 endpoints of one reason, and 100 with a reason each.
fn old_fleet() -> Vec<Endpoint> {
    let old = |number: usize| {
        let version = if number < 1900 { "4.1.5".to_owned() } else { format!("3.{number}") };
        Endpoint::new(&number.to_string(), "old", Os::UBUNTU).version(&version)
    };
    (1000..2000).map(old).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_stay_few_for_a_thousand_endpoints() {
    let world = World::builder().with_simulator(|site| site.agents = old_fleet()).start().await;
    let agent = world.agent().await;
    let ids: Vec<_> = (1000..2000).map(|number| number.to_string()).collect();
    for more in [json!({ "all_agents": true }), json!({ "agent_ids": ids })] {
        let answer = agent.block("203.0.113.9", more).await;
        let expected = "no endpoint is left: 900 endpoints (1000, 1001, 1002, 1003, 1004, \u{2026}): \
                        agent Wazuh v4.1.5 is too old for responses; 1900: agent Wazuh v3.1900 is too old for \
                        responses; ";
        let why = answer.json["decision"]["policies"][0]["why"].as_str().unwrap();
        assert!(why.starts_with(expected), "{why}");
        assert!(why.ends_with("; 93 more reasons for 93 more endpoints"), "{why}");
        assert!(answer.json["message"].as_str().unwrap().contains("decision.policies says why"));
        assert!(answer.text.len() < 3000, "{}: {}", answer.text.len(), answer.text);
        let bob = world.person("bob").await;
        let page = bob.get(&format!("/requests/{}", answer.id())).await;
        page.shows(why);
        let audit = bob.get(&format!("/audit?request={}", answer.id())).await;
        audit.shows("no endpoint is left: 900 endpoints (1000, 1001");
        assert!(audit.html.len() < 30_000, "{}", audit.html.len());
        let whole = audit.links().into_iter().find(|link| link.starts_with("/audit?entry="));
        bob.get(&whole.unwrap()).await.shows(why);
    }
}
