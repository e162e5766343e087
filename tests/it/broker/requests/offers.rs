//! What an answer offers instead would be taken; where nothing is possible, it says why.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Endpoint, Os, Rights, User};

use crate::harness::{AgentClient, World, agent::Answer};

const ADDRESS: (&str, &str) = ("block_ip", "203.0.113.9");
const ADDRESS_6: (&str, &str) = ("block_ip", "2001:db8::9");
const ACCOUNT: (&str, &str) = ("disable_account", "mallory");

/// The demo's fleet, an endpoint 020 with a system that Wazuh has no response for, and a Linux 021
/// that no list knows.
async fn world() -> World {
    let solaris = Os { name: "Solaris", platform: "sunos", version: "11" };
    let zorin = Os { name: "Zorin OS", platform: "zorin", version: "17" };
    World::builder()
        .with_simulator(|site| {
            site.agents.push(Endpoint::new("020", "old", solaris).groups(&["linux"]));
            site.agents.push(Endpoint::new("021", "desk", zorin).groups(&["linux"]));
        })
        .start()
        .await
}

async fn ask(agent: &AgentClient, (tool, target): (&str, &str), more: Value) -> Answer {
    match tool {
        "block_ip" => agent.block(target, more).await,
        _ => agent.disable(target, more).await,
    }
}

/// Asks for a time that nothing is configured for.
async fn ask_777(agent: &AgentClient, what: (&str, &str), ids: &[&str]) -> Answer {
    ask(agent, what, json!({ "agent_ids": ids, "duration_seconds": 777 })).await
}

/// The arguments that a refusal offers.
fn offers(answer: &Answer) -> Vec<Value> {
    let (_, allowed) = answer.text.rsplit_once("Allowed: ").unwrap_or_default();
    let offer = |text: &str| match text.split_whitespace().next()? {
        "permanent:" => Some(json!({ "permanent": true, "duration_seconds": null })),
        seconds => seconds.parse::<u32>().ok().map(|s| json!({ "duration_seconds": s })),
    };
    allowed.split(", ").filter_map(offer).collect()
}

/// Takes up every offer of a refusal; each must become a request that acts somewhere.
async fn take_up(agent: &AgentClient, what: (&str, &str), ids: &[&str]) -> usize {
    let refused = ask_777(agent, what, ids).await;
    assert_eq!(refused.json["request_id"], Value::Null, "{what:?} {ids:?}: {refused:?}");
    let offers = offers(&refused);
    for mut offer in offers.clone() {
        offer["agent_ids"] = json!(ids);
        let taken = ask(agent, what, offer.clone()).await;
        assert_ne!(taken.state(), "denied", "{what:?} {offer}: {taken:?}");
        let selected = taken.json["endpoints"]["selected"].as_u64();
        assert!(selected > Some(0), "{what:?} {offer}: {taken:?}");
    }
    offers.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_offered_term_would_be_accepted() {
    let world = world().await;
    let agent = world.agent().await;
    // How many terms: those of the commands that one of the endpoints could run, and permanent.
    for (what, ids, expected) in [
        (ADDRESS, &["001"][..], 4),
        (ADDRESS, &["004"], 2),
        (ADDRESS, &["010"], 4),
        (ADDRESS, &["021"], 4),
        (ADDRESS, &["004", "020", "011"], 2),
        (ADDRESS, &["014", "004"], 2),
        (ADDRESS_6, &["001", "004"], 4),
        (ACCOUNT, &["001"], 2),
        (ACCOUNT, &["001", "004"], 2),
    ] {
        assert_eq!(take_up(&agent, what, ids).await, expected, "{what:?} {ids:?}");
    }
    let all = json!({ "all_agents": true, "duration_seconds": 777 });
    let all = ask(&agent, ADDRESS, all).await;
    assert_eq!(offers(&all).len(), 4, "{}", all.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn command_of_another_node_is_not_offered() {
    let rights =
        Rights::broker().allow("cluster:status", &["*:*:*"]).allow("cluster:read", &["node:id:*"]);
    let world = World::builder()
        .with_simulator(|site| {
            site.cluster = true;
            site.users = vec![User::new("wazuh", "manager-pw", rights)];
            site.agents.push(Endpoint::new("020", "far", Os::UBUNTU).on_node("worker-1"));
            site.names_on = [("worker-1".to_owned(), vec!["firewall-drop900".to_owned()])].into();
        })
        .start()
        .await;
    let agent = world.agent().await;
    let far = ask_777(&agent, ADDRESS, &["020"]).await;
    let expected = [json!(900), Value::Null];
    assert_eq!(
        offers(&far).iter().map(|o| o["duration_seconds"].clone()).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(take_up(&agent, ADDRESS, &["020"]).await, 2);
    assert_eq!(take_up(&agent, ADDRESS, &["001"]).await, 4);
}

/// Nobody may ask for more than ten minutes, or for an own address.
const SHORT: &str = r#"
    @id("ask") @why("a") permit (principal, action in Countersign::Action::"ask", resource);
    @id("view") @why("a") permit (principal, action == Countersign::Action::"view", resource);
    @id("run") @why("a") permit (principal, action in Countersign::Action::"run", resource)
    when { context.votes.people >= 1 };
    @id("short") @why("ten minutes are the most") forbid (
        principal, action in Countersign::Action::"ask", resource
    ) when { context.facts.permanent || context.facts.term_seconds > 600 };
    @id("own") @why("it is ours") forbid (
        principal, action in Countersign::Action::"block_ip", resource
    ) when { context.input.own_network };"#;

#[tokio::test(flavor = "multi_thread")]
async fn term_that_policy_denies_is_not_offered() {
    let world = World::builder().with_only_policy(SHORT).start().await;
    let agent = world.agent().await;
    let refused = ask_777(&agent, ADDRESS, &["001"]).await;
    assert_eq!(
        offers(&refused),
        [json!({ "duration_seconds": 5 }), json!({ "duration_seconds": 600 })]
    );
    assert_eq!(take_up(&agent, ADDRESS, &["001"]).await, 2);
    let own = ask_777(&agent, ("block_ip", "192.0.2.9"), &["001"]).await;
    assert_eq!((own.state(), offers(&own).len()), ("denied", 0), "{}", own.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_offered_where_nothing_would_run() {
    let world = world().await;
    let agent = world.agent().await;
    let unknown = "Countersign does not know the platform sunos, so it has no command";
    for (what, id, why) in [
        (ADDRESS, "020", unknown),
        (ADDRESS, "014", "active response is switched off"),
        (ADDRESS, "011", "not active (disconnected)"),
        (ADDRESS, "013", "is too old for responses"),
        (ADDRESS_6, "004", "Wazuh would block a /32"),
        (ACCOUNT, "004", "no command for disable_account on windows"),
        (ACCOUNT, "010", "no command for disable_account on macos"),
        (ACCOUNT, "020", unknown),
    ] {
        let answer = ask_777(&agent, what, &[id]).await;
        assert_eq!(answer.state(), "denied", "{what:?} {id}: {answer:?}");
        let reason = answer.json["decision"]["policies"][0]["why"].as_str().unwrap();
        assert!(reason.starts_with(&format!("no endpoint is left: {id}: ")), "{reason}");
        assert!(reason.contains(why), "{what:?} {id}: {reason}");
        for offer in ["permanent: true", "or use", "permanent responses"] {
            assert!(!answer.text.contains(offer), "{what:?} {id}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_time_is_not_offered_to_configure() {
    let world = world().await;
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "duration_seconds": 1 });
    let answer = ask(&agent, ADDRESS, more).await;
    assert!(answer.text.contains("use a longer <active-response> block"), "{}", answer.text);
    assert!(!answer.text.contains("add an"), "{}", answer.text);
    assert_eq!(offers(&answer).len(), 4, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_undo_never_offers_a_permanent_response() {
    let world = World::builder()
        .with_simulator(|site| {
            let rights = Rights::broker().allow("manager:read", &["*:*:*"]);
            site.users = vec![User::new("wazuh", "manager-pw", rights)];
        })
        .start()
        .await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.approve(&id).await;
    world.work().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"]);
    world.manager.set_rights("wazuh", Rights::broker());
    world.pass_for_all(Duration::from_mins(2));
    for answer in [agent.get(&id).await, agent.undo(&id).await] {
        assert!(answer.text.contains("cannot read which timed commands"), "{}", answer.text);
        assert!(!answer.text.contains("permanent"), "{}", answer.text);
    }
    // A block may be offered one: it was asked of the function that decides.
    assert_eq!(take_up(&agent, ADDRESS, &["001"]).await, 1);
}

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
