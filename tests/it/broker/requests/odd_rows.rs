//! One row of the manager's list in which one field is odd: that endpoint is left out by name and
//! reason, and the rest of the fleet goes on. Every field that is read, with every oddity.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Calls, Fault, Times};

use crate::harness::{AgentClient, World, agent::Answer};

/// The endpoint whose row is odd. Its neighbours 001 and 005 are sound.
const ODD: &str = "003";

/// What becomes of the endpoint.
enum Fate {
    /// It takes part.
    Usable,
    /// It is left out, and the reason says this.
    LeftOut(String),
    /// Its row belongs to no endpoint, and the doctor says this.
    Nameless(String),
}

use Fate::{LeftOut, Nameless, Usable};

/// A field, its odd value (none: it is missing), and what follows.
type Row = (&'static str, Option<Value>, Fate);

/// The texts of a row with what follows where they are missing.
fn texts() -> [(&'static str, Fate); 10] {
    let missing = |field: &str| LeftOut(format!("`{field}` is missing"));
    let unknown = "the agent of 003 is of unknown version: `version` is missing".to_owned();
    [
        ("id", Nameless("`id` is missing".to_owned())),
        ("name", missing("name")),
        ("ip", Usable),
        ("status", missing("status")),
        ("os.platform", Usable),
        ("os.uname", Usable),
        ("version", LeftOut(unknown)),
        ("dateAdd", missing("dateAdd")),
        ("node_name", Usable),
        ("lastKeepAlive", Usable),
    ]
}

fn table() -> Vec<Row> {
    let mut table = Vec::new();
    for (field, missing) in texts() {
        let odd = |problem: &str| match field {
            "id" => Nameless(format!("`id` {problem}")),
            _ => LeftOut(format!("`{field}` {problem}")),
        };
        table.extend([
            (field, None, missing),
            (field, Some(Value::Null), odd("is null")),
            (field, Some(json!(7)), odd("is a number, not a text")),
            (field, Some(json!({"a": [1]})), odd("is an object, not a text")),
            (field, Some(json!("")), odd("is empty")),
            (field, Some(json!("x".repeat(5000))), odd("is longer than 1024 characters")),
        ]);
    }
    let left_out = |why: &str| LeftOut(why.to_owned());
    let no_platform = "the manager does not say of which platform it is";
    let many: Vec<_> = (0..5000).map(|number| format!("g{number}")).collect();
    table.extend([
        ("group", None, Usable),
        ("group", Some(Value::Null), left_out("`group` is null")),
        ("group", Some(json!("linux")), left_out("`group` is a text, not a list")),
        ("group", Some(json!([])), Usable),
        ("group", Some(json!(["linux", null])), left_out("`group[1]` is null")),
        ("group", Some(json!([""])), left_out("`group[0]` is empty")),
        ("group", Some(json!(many)), left_out("`group` has more than 1024 items")),
        ("os", None, left_out(no_platform)),
        ("os", Some(Value::Null), left_out("`os` is null")),
        ("os", Some(json!("linux")), left_out("`os` is a text, not an object")),
        ("os", Some(json!({})), left_out(no_platform)),
        ("id", Some(json!("7")), Nameless("`id` is 7, not three to ten digits".to_owned())),
        ("version", Some(json!("Wazuh v4")), left_out("unknown version: `version` is Wazuh v4")),
        ("version", Some(json!("v4.1.5")), left_out("agent v4.1.5 is too old for responses")),
    ]);
    table
}

fn edit(pointer: String, value: Option<Value>) -> Fault {
    Fault::Edit { path: "/agents".to_owned(), pointer, value }
}

/// The demo's fleet, all of it asked for, with an address of its own so that no ask is a
/// repetition.
async fn ask(agent: &AgentClient, number: usize) -> Answer {
    let address = format!("203.0.113.{}", number + 1);
    agent.block(&address, json!({ "all_agents": true })).await
}

fn whys(answer: &Answer, id: &str) -> Vec<String> {
    let skipped = answer.json["endpoints"]["skipped"].as_array();
    let of_it = skipped.into_iter().flatten().filter(|skipped| skipped["id"] == id);
    of_it.map(|skipped| skipped["why"].as_str().unwrap().to_owned()).collect()
}

fn selected(answer: &Answer) -> u64 {
    answer.json["endpoints"]["selected"].as_u64().unwrap()
}

/// What the doctor says of endpoints, and whether it is all well.
async fn examine(world: &World) -> Vec<(String, bool)> {
    let found = world.broker().managers()[0].diagnose(world.clock.now()).await;
    let of_endpoints = found.into_iter().filter(|finding| finding.check == "endpoints");
    of_endpoints.map(|finding| (finding.found, finding.advice.is_none())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_row_leaves_out_only_its_endpoint() {
    let world = World::start().await;
    let agent = world.agent().await;
    let all = selected(&ask(&agent, 0).await);
    for (number, (field, value, fate)) in (1..).zip(table()) {
        let shown = value.as_ref().map(|value| value.to_string().chars().take(30).collect());
        let case = format!("{field} {}", shown.unwrap_or_else(|| "missing".to_owned()));
        let pointer = format!("/data/affected_items/id={ODD}/{}", field.replace('.', "/"));
        world.manager.misbehave_on(Calls::Reads, edit(pointer, value), Times::UntilCleared);
        // Asks of the same seconds share one list of the fleet.
        world.pass(Duration::from_secs(5));
        let answer = ask(&agent, number).await;
        assert_eq!(answer.state(), "pending", "{case}: {answer:?}");
        let told = whys(&answer, ODD);
        let doctor = examine(&world).await;
        assert!(doctor[0].0.starts_with("linux: "), "{case}: {doctor:?}");
        match fate {
            Usable => {
                assert_eq!((selected(&answer), told), (all, vec![]), "{case}");
                assert_eq!(doctor.len(), 1, "{case}: {doctor:?}");
            }
            LeftOut(why) => {
                assert_eq!(selected(&answer), all - 1, "{case}");
                assert!(told.len() == 1 && told[0].contains(&why), "{case}: {told:?}");
                // An old agent and a platform that is not said are no odd rows.
                let odd = why.starts_with('`') || why.contains("unknown version");
                assert_eq!(doctor.len(), 1 + usize::from(odd), "{case}: {doctor:?}");
                let named = doctor.get(1).is_none_or(|(found, good)| found.contains(&why) && !good);
                assert!(named, "{case}: {doctor:?}");
            }
            Nameless(why) => {
                assert_eq!((selected(&answer), told.len()), (all - 1, 0), "{case}");
                let expected = format!("1 of the manager's rows have no readable id: {why}");
                assert!(doctor[1].0.contains(&expected) && !doctor[1].1, "{case}: {doctor:?}");
            }
        }
        world.manager.behave();
        world.pass_for_all(Duration::from_secs(61));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn named_endpoint_without_readable_id_is_not_nonexistent() {
    let world = World::start().await;
    let agent = world.agent().await;
    let pointer = "/data/affected_items/id=003/id".to_owned();
    let fault = edit(pointer, Some(Value::Null));
    world.manager.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
    let answer = agent.block("203.0.113.9", json!({ "agent_ids": ["001", "003"] })).await;
    assert_eq!((answer.state(), selected(&answer)), ("pending", 1), "{answer:?}");
    assert!(whys(&answer, "003")[0].contains("`id` is null"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_that_turns_odd_is_not_sent_to() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001", "003"] })).await.id();
    for name in ["bob", "carol"] {
        world.person(name).await.approve(&id).await;
    }
    let fault = edit("/data/affected_items/id=003/name".to_owned(), Some(Value::Null));
    world.manager.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
    world.work().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: sent", "003: not_sent"], "{answer:?}");
    assert_eq!(world.manager.received()[0].asked, ["001"]);
    let why = answer.json["endpoints"]["outcomes"][1]["detail"].as_str().unwrap();
    assert!(why.contains("the manager's row of 003 cannot be read: `name` is null"), "{why}");
}
