//! A manager that is a cluster of nodes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wazuh_simulator::{Endpoint, Fault, Os, Outage, Rights, Settings, Times, User};

use super::{block, timed};
use crate::client::Caller;

/// Nodes `node01` with 001 and 002, `worker-1` with 003, and `worker-2` without endpoints.
fn settings() -> Settings {
    let worker = Endpoint::new("003", "mail-01", Os::DEBIAN).on_node("worker-1");
    let mut settings = Settings { cluster: true, ..Settings::default() };
    settings.agents.retain(|endpoint| endpoint.id != "003");
    settings.agents.push(worker);
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
    settings.names = names(&["firewall-drop600"]);
    settings.names_on = BTreeMap::from([
        ("worker-1".to_owned(), names(&["firewall-drop60"])),
        ("worker-2".to_owned(), Vec::new()),
    ]);
    settings
}

/// The minimum for a broker in a cluster.
fn least() -> Rights {
    Rights::broker()
        .allow("manager:read", &["*:*:*"])
        .allow("cluster:read", &["node:id:*"])
        .allow("cluster:status", &["*:*:*"])
}

async fn codes(caller: &Caller, command: &str) -> (Value, Value) {
    let answer = caller.put("?agents_list=001,002,003", timed(command, "x")).await.json();
    (answer["data"]["affected_items"].clone(), answer["data"]["failed_items"][0]["id"].clone())
}

#[tokio::test]
async fn each_node_knows_its_own_names() {
    let caller = Caller::start(settings()).await;
    assert_eq!(codes(&caller, "firewall-drop600").await, (json!(["001", "002"]), json!(["003"])));
    assert_eq!(codes(&caller, "firewall-drop60").await, (json!(["003"]), json!(["001", "002"])));
    let answer = caller.put("?agents_list=001,003", timed("firewall-drop60", "x")).await.json();
    assert_eq!(answer["data"]["failed_items"][0]["error"]["code"], 1652);
}

#[tokio::test]
async fn failed_node_hides_work_of_other_nodes() {
    let caller = Caller::start(settings()).await;
    let fault = Fault::NodeFails { node: "worker-1".to_owned(), outage: Outage::DaemonStopped };
    caller.sim.misbehave(fault, Times::Once);
    let answer = caller.put("?agents_list=001,002,003", block()).await;
    assert_eq!((answer.status, &answer.json()["error"]), (500, &json!(1017)));
    assert!(answer.json()["dapi_errors"]["worker-1"].is_object(), "{}", answer.text);
    let reached = |id: &str| caller.sim.delivered_to(id).len();
    assert_eq!((reached("001"), reached("002"), reached("003")), (1, 1, 0));
    let told = caller.sim.received();
    assert_eq!((told.len(), told[0].delivered.len()), (1, 2));

    let fault = Fault::NodeFails { node: "worker-2".to_owned(), outage: Outage::Timeout };
    caller.sim.misbehave(fault, Times::Once);
    assert_eq!(caller.put("?agents_list=001,003", block()).await.status, 200, "it had no part");
}

#[tokio::test]
async fn silent_endpoint_blocks_only_its_own_node() {
    let caller = Caller::start(settings()).await;
    caller.sim.hold("001");
    let (answer, ()) = tokio::join!(caller.put("?agents_list=001,002,003", block()), async {
        caller.sim.until_received(1).await;
        while caller.sim.delivered_to("003").is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(caller.sim.delivered_to("002").is_empty());
        caller.sim.release("001");
    });
    assert_eq!(answer.json()["data"]["affected_items"], json!(["001", "002", "003"]));
}

#[tokio::test]
async fn node_serves_at_most_500_endpoints_per_call() {
    let on =
        |id: u32, node: &str| Endpoint::new(&format!("{id:03}"), "m", Os::DEBIAN).on_node(node);
    let mut agents: Vec<Endpoint> = (1..=501).map(|id| on(id, "node01")).collect();
    agents.extend((502..=1010).map(|id| on(id, "worker-1")));
    let caller = Caller::start(Settings { agents, ..settings() }).await;
    let answer = caller.put("", block()).await.json();
    assert_eq!(answer["data"]["total_affected_items"], 1000);
    assert_eq!(answer["data"]["affected_items"][999], "1001");
}

#[tokio::test]
async fn endpoints_and_messages_name_their_node() {
    let caller = Caller::start(settings()).await;
    let listed = caller.get("/agents?select=node_name&q=node_name=worker-1").await.json();
    assert_eq!(listed["data"]["affected_items"], json!([{"id": "003", "node_name": "worker-1"}]));
    caller.put("?agents_list=001,003", block()).await;
    let origins: Vec<Value> = caller
        .sim
        .delivered()
        .into_iter()
        .map(|delivered| match delivered.message {
            wazuh_simulator::Message::Json(message) => message["origin"]["name"].clone(),
            wazuh_simulator::Message::Legacy(line) => panic!("{line}"),
        })
        .collect();
    assert_eq!(origins, ["node01", "worker-1"]);
}

#[tokio::test]
async fn cluster_lists_its_nodes() {
    let caller = Caller::start(settings().only_user(User::new("some", "password", least()))).await;
    let status = caller.get("/cluster/status").await.json();
    assert_eq!(status, json!({"data": {"enabled": "yes", "running": "yes"}, "error": 0}));
    let nodes = caller.get("/cluster/nodes").await.json();
    let wanted = json!([
        {"name": "node01", "type": "master", "version": "4.14.7", "ip": "10.1.0.1"},
        {"name": "worker-1", "type": "worker", "version": "4.14.7", "ip": "10.1.0.2"},
        {"name": "worker-2", "type": "worker", "version": "4.14.7", "ip": "10.1.0.3"},
    ]);
    assert_eq!(nodes["data"]["affected_items"], wanted);
    let blocks = async |path: &str| {
        let answer = caller.get(&format!("{path}/configuration/analysis/active_response")).await;
        answer.json()["data"]["affected_items"][0]["active-response"][0]["timeout"].clone()
    };
    assert_eq!(blocks("/cluster/worker-1").await, 60);
    assert_eq!(blocks("/cluster/worker-2").await, Value::Null);
    assert_eq!(blocks("/cluster/node01").await, 600);
    assert_eq!(blocks("/manager").await, 600, "the own node");
    let commands = caller.get("/cluster/worker-1/configuration/analysis/command").await.json();
    let command = &commands["data"]["affected_items"][0]["command"][0];
    assert_eq!(command["executable"], "firewall-drop");
    let unknown = caller.get("/cluster/other/configuration/analysis/command").await;
    assert_eq!((unknown.status, &unknown.json()["error"]), (404, &json!(1730)));
}

#[tokio::test]
async fn single_manager_is_not_a_running_cluster() {
    let caller = Caller::start(Settings::default()).await;
    let status = caller.get("/cluster/status").await.json();
    assert_eq!(status["data"], json!({"enabled": "no", "running": "no"}));
    for path in ["/cluster/nodes", "/cluster/node01/configuration/analysis/command"] {
        let answer = caller.get(path).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!(3013)), "{path}");
    }
}

#[tokio::test]
async fn cluster_reads_require_their_rights() {
    let rights = Rights::broker().allow("manager:read", &["*:*:*"]);
    let caller = Caller::start(settings().only_user(User::new("some", "password", rights))).await;
    for path in [
        "/cluster/status",
        "/cluster/nodes",
        "/cluster/worker-1/configuration/analysis/command",
        "/manager/configuration/analysis/command",
    ] {
        assert_eq!(caller.get(path).await.status, 403, "{path}");
    }
    let one = Rights::none().allow("cluster:read", &["node:id:worker-1"]);
    let caller = Caller::start(settings().only_user(User::new("some", "password", one))).await;
    let nodes = caller.get("/cluster/nodes").await.json();
    assert_eq!(nodes["data"]["total_affected_items"], 1);
    let path = "/configuration/analysis/command";
    assert_eq!(caller.get(&format!("/cluster/worker-1{path}")).await.status, 200);
    assert_eq!(caller.get(&format!("/cluster/worker-2{path}")).await.status, 403);
}

#[tokio::test]
async fn user_with_minimal_rights_sees_exactly_those() {
    let caller = Caller::start(settings().only_user(User::new("some", "password", least()))).await;
    let shown = caller.get("/security/users/me/policies").await.json();
    let agents = json!({"agent:id:*": "allow", "agent:group:*": "allow"});
    let wanted = json!({
        "active-response:command": agents,
        "agent:read": agents,
        "cluster:read": {"node:id:*": "allow"},
        "cluster:status": {"*:*:*": "allow"},
        "manager:read": {"*:*:*": "allow"},
        "rbac_mode": "white",
    });
    assert_eq!(shown["data"], wanted);
    assert_eq!(caller.get("/groups").await.json()["data"]["total_affected_items"], 0);
    assert_eq!(caller.get("/security/config").await.status, 403);
}
