//! An agent asks: what is taken, what is answered, what is stored.

use serde_json::{Value, json};

use crate::harness::{ALERT, World};

#[tokio::test(flavor = "multi_thread")]
async fn small_block_for_found_alert_runs_at_once() {
    let world = World::start().await;
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let asked = agent.block("203.0.113.7", more).await;
    assert_eq!((asked.state(), asked.error), ("approved", false));
    assert_eq!(asked.json["decision"]["outcome"], "auto");
    world.work().await;
    let done = agent.get(&asked.id()).await;
    assert_eq!((done.state(), done.outcomes()), ("settled", vec!["001: sent".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_for_another_address_prevents_automatic_approval() {
    let world = World::start().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let asked = world.agent().await.block("203.0.113.8", more).await;
    assert_eq!(asked.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_indexer_prevents_automatic_approval() {
    let world = World::builder().without_indexer().start().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT, "confidence": 100 });
    let asked = world.agent().await.block("203.0.113.7", more).await;
    assert_eq!(asked.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn proposal_survives_a_change_of_manager_rights() {
    let world = World::start().await;
    let clock = world.clock.clone();
    world.manager.follow(move || clock.now());
    let agent = world.agent().await;
    agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    world.manager.revoke_tokens();
    let asked = agent.block("203.0.113.10", json!({ "agent_ids": ["001"] })).await;
    assert_eq!((asked.state(), asked.error), ("pending", false), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_proposal_names_field_and_stores_only_audit_event() {
    let world = World::start().await;
    let agent = world.agent().await;
    for (field, more) in [
        ("srcip", json!({ "srcip": "127.1", "agent_ids": ["001"] })),
        ("agent_ids", json!({})),
        ("agent_ids", json!({ "agent_ids": ["001"], "all_agents": true })),
        ("agent_ids", json!({ "agent_ids": ["one"] })),
        ("agent_ids", json!({ "agent_ids": ["999"] })),
        ("reason", json!({ "agent_ids": ["001"], "reason": " " })),
        ("surprise", json!({ "agent_ids": ["001"], "surprise": 1 })),
        ("duration_seconds", json!({ "agent_ids": ["001"], "duration_seconds": 777 })),
        ("wait_seconds", json!({ "agent_ids": ["001"], "wait_seconds": 51 })),
    ] {
        let answer = agent.block("203.0.113.9", more).await;
        assert!(answer.error, "{field}");
        assert!(answer.text.contains(field), "{field}: {}", answer.text);
        assert_eq!(answer.json["request_id"], Value::Null, "{field}");
    }
    let listed = agent.call("list_requests", json!({})).await;
    assert_eq!(listed.json["requests"], json!([]));
    let kinds = world.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "proposal.refused").count(), 9, "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unconfigured_duration_is_refused_with_configured_ones() {
    let world = World::start().await;
    let more = json!({ "agent_ids": ["001", "004"], "duration_seconds": 60 });
    let answer = world.agent().await.block("203.0.113.9", more).await;
    assert!(answer.error);
    for part in ["duration_seconds", "600", "3600", "permanent"] {
        assert!(answer.text.contains(part), "{part}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_proposal_returns_the_open_request() {
    let world = World::start().await;
    let agent = world.agent().await;
    let first = agent.block("203.0.113.9", json!({ "agent_ids": ["002", "001"] })).await;
    let again = agent.block("203.0.113.9", json!({ "agent_ids": ["001", "002"] })).await;
    let other = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    assert_eq!(first.id(), again.id());
    assert_ne!(first.id(), other.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_key_belongs_to_one_proposal() {
    let world = World::start().await;
    let agent = world.agent().await;
    let with = |ip: &'static str| {
        let agent = &agent;
        async move { agent.block(ip, json!({ "agent_ids": ["001"], "idempotency_key": "k-1" })).await }
    };
    let first = with("203.0.113.9").await;
    agent.cancel(&first.id()).await;
    assert_eq!(with("203.0.113.9").await.id(), first.id(), "ended or not");
    let other = with("203.0.113.10").await;
    assert!(other.error && other.text.contains("idempotency_key"), "{}", other.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_endpoints_are_named_before_decision() {
    let world = World::start().await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "all_agents": true })).await;
    assert_eq!(asked.skipped(), ["011", "012", "013"]);
    assert!(asked.text.contains("never_connected"), "{}", asked.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_without_endpoints_is_denied_with_reason() {
    let world = World::start().await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["011"] })).await;
    assert_eq!((asked.state(), asked.error), ("denied", true));
    assert!(asked.text.contains("disconnected"), "{}", asked.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_block_skips_windows_endpoints() {
    let world = World::start().await;
    let asked = world.agent().await.block("2001:db8::7", json!({ "all_agents": true })).await;
    for windows in ["004", "005", "008", "009"] {
        assert!(asked.skipped().contains(&windows), "{:?}", asked.skipped());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_addresses_are_denied_with_policy() {
    let world = World::start().await;
    let agent = world.agent().await;
    for address in [
        "10.0.0.5",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::",
        "192.0.2.7",
        "198.51.100.1",
        // 6to4, Teredo and ISATAP of the two above.
        "2002:c000:207::1",
        "2001:0:cb00:7109:8000:0:3fff:fdf8",
        "2606:4700::5efe:c000:207",
        "2606:4700::200:5efe:c633:6401",
    ] {
        let asked = agent.block(address, json!({ "agent_ids": ["001"] })).await;
        assert_eq!((asked.state(), asked.error), ("denied", true), "{address}");
        let policies = asked.json["decision"]["policies"].as_array().unwrap();
        assert!(!policies.is_empty(), "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_form_of_own_address_is_own() {
    let hidden = ["::ffff:198.51.100.1", "64:ff9b::198.51.100.2", "2606:4700::5efe:198.51.100.3"];
    let world = World::builder()
        .with_settings(|settings| {
            settings.protected_hosts = hidden.map(str::to_owned).into();
        })
        .start()
        .await;
    let agent = world.agent().await;
    for (address, policy) in [
        ("198.51.100.1", "never.protected-address"),
        ("198.51.100.2", "never.protected-address"),
        ("198.51.100.3", "never.protected-address"),
        ("2606:4701::5efe:c633:6402", "never.protected-address"),
        ("2606:4701::5efe:c000:207", "never.own-network"),
    ] {
        let asked = agent.block(address, json!({ "agent_ids": ["001"] })).await;
        let policies = asked.json["decision"]["policies"].as_array().unwrap();
        let ids: Vec<_> = policies.iter().map(|decided| &decided["id"]).collect();
        assert_eq!(ids, [policy], "{address}");
    }
    let asked = agent.block("2606:4701::5efe:c633:6404", json!({ "agent_ids": ["001"] })).await;
    assert_eq!(asked.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn root_and_service_accounts_are_denied() {
    let world = World::start().await;
    let agent = world.agent().await;
    for account in ["root", "svc-backup", "SVC-Backup"] {
        let asked = agent.disable(account, json!({ "agent_ids": ["001"] })).await;
        assert_eq!(asked.state(), "denied", "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_of_another_agent_is_not_found() {
    let world = World::start().await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    let other = world.another_agent("other-bot", "bob").await;
    let foreign = other.get(&asked.id()).await;
    let unknown = other.get("req_00000000000000000000000000000000").await;
    assert!(foreign.error);
    assert_eq!(foreign.text, unknown.text);
    assert_eq!(other.cancel(&asked.id()).await.text, unknown.text);
    assert_eq!(other.call("list_requests", json!({})).await.json["requests"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_manager_is_named_and_nothing_stored() {
    let world = World::start().await;
    let agent = world.agent().await;
    world.stop_manager().await;
    let answer = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    assert!(answer.error);
    assert!(answer.text.contains("manager"), "{}", answer.text);
    assert!(answer.text.contains("othing was stored"), "{}", answer.text);
    assert_eq!(agent.call("list_requests", json!({})).await.json["requests"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_agent_tool_approves() {
    let world = World::start().await;
    let mut tools = world.agent().await.tools().await;
    tools.sort();
    assert_eq!(
        tools,
        [
            "block_ip",
            "cancel_plan",
            "cancel_request",
            "disable_account",
            "find_responses",
            "get_alert",
            "get_limits",
            "get_plan",
            "get_request",
            "list_endpoints",
            "list_requests",
            "propose_plan",
            "undo_request",
            "wait_for_decision"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_cancels_own_request() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    assert_eq!(agent.cancel(&asked.id()).await.state(), "cancelled");
    let again = agent.cancel(&asked.id()).await;
    assert!(again.error && again.text.contains("cancelled"), "{}", again.text);
    world.work().await;
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_ends_when_nothing_more_will_be_sent() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    let id = asked.id();
    let wait = agent.call("wait_for_decision", json!({ "request_id": id, "timeout_seconds": 50 }));
    let decide = async {
        world.person("bob").await.approve(&id).await;
        world.work().await;
    };
    let (waited, ()) = tokio::join!(wait, decide);
    assert_eq!(waited.state(), "settled");
}
