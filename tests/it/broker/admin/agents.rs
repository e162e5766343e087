//! Admins keep agents, on the page and on the command line. A token that is replaced or revoked
//! opens nothing from that moment on.

use std::time::Duration;

use countersign::{
    broker::admin::people::PersonChange,
    domain::actor::{Actor, Role},
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};

use super::people::{audit_text, command_line, forced, parsed, secret, used, written};
use crate::harness::{AgentClient, PASSWORD, World, page::http_client, program::Program};

/// Every change of an agent, as its form is sent.
const CHANGES: [(&str, &[(&str, &str)]); 3] =
    [("scopes", &[("block_ip", "yes")]), ("rotate", &[]), ("revoke", &[])];

/// Whether any file of the data folder holds a text.
fn stored(world: &World, text: &str) -> bool {
    let entries = std::fs::read_dir(world.folder.path()).unwrap();
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut files = files.map(|file| std::fs::read(file).unwrap());
    files.any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn new_token_is_shown_once_and_stored_hashed() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    let typed = [("name", "hunter"), ("owner", "bob"), ("block_ip", "yes")];
    let token = secret(&used(&dora, "/agents", "/agents/add", &typed).await);
    assert_eq!(
        written(&world, "agent.added").await.last().unwrap(),
        &("dora".into(), "hunter".into())
    );
    for page in ["/agents", "/agents/hunter", "/audit"] {
        assert!(!dora.get(page).await.html.contains(&token), "{page}");
    }
    assert!(!audit_text(&world).await.contains(&token));
    assert!(stored(&world, "hunter"), "the search finds what is there");
    assert!(!stored(&world, &token) && !stored(&world, token.trim_start_matches("cs_")));
    let page = dora.get("/agents/hunter").await.html;
    assert!(
        page.contains("<dd><a href=\"/people/bob\">bob</a></dd>") && page.contains("by dora"),
        "{page}"
    );

    let agent = AgentClient::connect(&world.url(), &token).await;
    assert_eq!(
        agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.state(),
        "pending"
    );
    let denied = agent.disable("j.doe", json!({ "agent_ids": ["001"] })).await;
    assert_eq!(denied.state(), "denied");
    assert!(denied.text.contains("right to request that accounts"), "{}", denied.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_agent_form_is_refused_and_keeps_its_input() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    used(&dora, "/people/otto", "/people/otto/disable", &[]).await;
    for (typed, said) in [
        ([("name", "hunter"), ("owner", "bob"), ("x", "yes")], "block_ip, disable_account"),
        ([("name", "hunter"), ("owner", "nobody"), ("block_ip", "yes")], "no person `nobody`"),
        ([("name", "hunter"), ("owner", "otto"), ("block_ip", "yes")], "no person `otto`"),
        ([("name", "triage-bot"), ("owner", "bob"), ("block_ip", "yes")], "a name that nobody has"),
        ([("name", "No Name"), ("owner", "bob"), ("block_ip", "yes")], "1 to 32 of a-z"),
    ] {
        let page = used(&dora, "/agents", "/agents/add", &typed).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{typed:?}");
        assert!(page.html.contains(said), "{typed:?}: {}", page.html);
        assert!(page.html.contains(&format!("value=\"{}\"", typed[0].1)), "{}", page.html);
    }
    let none = forced(&dora, "/agents/triage-bot/scopes", &[]).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    let nobody = forced(&dora, "/agents/nobody/rotate", &[]).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    assert_eq!(world.operator().agents().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_with_recent_password_manage_agents() {
    let world = World::start().await;
    let before = world.operator().agents().await.unwrap();
    let add = [("name", "hunter"), ("owner", "bob"), ("block_ip", "yes")];
    for name in ["alice", "bob", "carol", "otto"] {
        let person = world.person(name).await;
        assert_eq!(forced(&person, "/agents/add", &add).await.status, StatusCode::FORBIDDEN);
        for (what, typed) in CHANGES {
            let page = forced(&person, &format!("/agents/triage-bot/{what}"), typed).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{name}: {what}");
        }
    }
    let dora = world.person("dora").await;
    world.pass(Duration::from_secs(301));
    let page = used(&dora, "/agents", "/agents/add", &add).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(page.html.contains("value=\"hunter\""), "{}", page.html);
    for (what, typed) in CHANGES {
        let action = format!("/agents/triage-bot/{what}");
        let page = used(&dora, "/agents/triage-bot", &action, typed).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{what}");
    }
    assert_eq!(world.operator().agents().await.unwrap(), before);
    let action = "/agents/triage-bot/rotate";
    secret(&used(&dora, "/agents/triage-bot", action, &[("password", PASSWORD)]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_change_is_audited_once() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    let kinds = ["agent.scopes_changed", "agent.rotated", "agent.revoked"];
    for ((what, typed), kind) in CHANGES.into_iter().zip(kinds) {
        let action = format!("/agents/triage-bot/{what}");
        used(&dora, "/agents/triage-bot", &action, typed).await;
        let dora_did = [("dora".to_owned(), "triage-bot".to_owned())];
        assert_eq!(written(&world, kind).await, dora_did, "{what}");
        // A token is another one every time.
        if what != "rotate" {
            forced(&dora, &action, typed).await;
            assert_eq!(written(&world, kind).await, dora_did, "{what} once more");
        }
    }
    let text = audit_text(&world).await;
    assert!(text.contains(r#"\"before\":\"block_ip, disable_account\""#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_without_scope_is_denied_and_open_requests_withdrawn() {
    let world = World::start().await;
    let (dora, agent) = (world.person("dora").await, world.agent().await);
    let blocked = |address: &'static str| agent.block(address, json!({ "agent_ids": ["001"] }));
    let (one, other) = (blocked("203.0.113.9").await.id(), blocked("203.0.113.10").await.id());
    let bob = world.person("bob").await;
    bob.approve(&one).await;
    let scopes = "/agents/triage-bot/scopes";
    used(&dora, "/agents/triage-bot", scopes, &[("disable_account", "yes")]).await;

    let denied = blocked("203.0.113.11").await;
    assert_eq!(denied.state(), "denied");
    assert!(denied.text.contains("right to request address blocks"), "{}", denied.text);
    // At the claim, and at the next vote.
    world.work().await;
    bob.vote(&other, "approve", &[("comment", "")]).await;
    world.work().await;
    for id in [one, other] {
        let told = agent.get(&id).await;
        assert_eq!(told.state(), "withdrawn");
        assert!(told.text.contains("not have the right"), "{}", told.text);
    }
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn new_token_replaces_the_old_one() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    let rotate = "/agents/triage-bot/rotate";
    let token = secret(&used(&dora, "/agents/triage-bot", rotate, &[]).await);
    assert_ne!(token, world.token);
    assert_eq!(call(&world, &world.token, &list()).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(call(&world, &token, &list()).await.status(), StatusCode::OK);
    let agent = AgentClient::connect(&world.url(), &token).await;
    assert_eq!(
        agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.state(),
        "pending"
    );
    assert!(!stored(&world, &token) && !audit_text(&world).await.contains(&token));
    assert!(dora.get("/agents/triage-bot").await.html.contains("by dora"));
}

#[tokio::test(flavor = "multi_thread")]
async fn person_who_issued_token_cannot_approve_agents_requests() {
    let world = World::start().await;
    let (dora, agent) = (world.person("dora").await, world.agent().await);
    // Asked before the rotation: who the issuer is by now counts, too.
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    used(&dora, "/agents/triage-bot", "/agents/triage-bot/rotate", &[]).await;
    let operator = world.operator();
    used(&dora, "/people/otto", "/people/otto/role", &[("role", "admin")]).await;
    let lead = PersonChange::Role(Role::Lead);
    operator.change_person(&Actor::CommandLine, "dora", &lead).await.unwrap();
    let (dora, bob) = (world.person("dora").await, world.person("bob").await);
    assert!(!dora.offered(&id, "approve").await);
    let mut fields = bob.form(&id, "approve").await;
    fields.extend(dora.form(&id, "reject").await.into_iter().filter(|(k, _)| k == "form_token"));
    let page = dora.post(&format!("/requests/{id}/approve"), &fields).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.html.contains("issued its token"), "{}", page.html);
    bob.approve(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_token_stays_revoked() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    used(&dora, "/agents/triage-bot", "/agents/triage-bot/revoke", &[]).await;
    assert_eq!(call(&world, &world.token, &list()).await.status(), StatusCode::UNAUTHORIZED);
    let page = dora.get("/agents/triage-bot").await;
    assert!(page.form("/agents/triage-bot/rotate").is_none(), "{}", page.html);
    for what in ["rotate", "scopes"] {
        let typed = [("block_ip", "yes")];
        let page = forced(&dora, &format!("/agents/triage-bot/{what}"), &typed).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{what}");
        assert!(page.html.contains("is revoked, and stays so"), "{what}: {}", page.html);
    }
}

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })
}

fn call(
    world: &World,
    token: &str,
    message: &Value,
) -> impl Future<Output = Response> + Send + use<> {
    let request = http_client()
        .post(format!("{}/mcp", world.url()))
        .header("Content-Type", "application/json")
        .header("Accept", "application/json, text/event-stream")
        .header("MCP-Protocol-Version", "2025-11-25")
        .bearer_auth(token)
        .body(message.to_string());
    async move { request.send().await.unwrap() }
}

/// A call that is stored and waits for people.
async fn waiting(world: &World) -> JoinHandle<Response> {
    let mut changes = world.broker().changes();
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "block_ip", "arguments": {
            "srcip": "203.0.113.9", "agent_ids": ["001"], "duration_seconds": 600,
            "reason": "a test asks", "wait_seconds": 50,
        } },
    });
    let open = tokio::spawn(call(world, &world.token, &message));
    changes.changed().await.unwrap();
    assert!(!open.is_finished());
    open
}

async fn ends_with_nothing(open: JoinHandle<Response>) {
    let ended = timeout(Duration::from_mins(1), open).await;
    let response = ended.expect("the wait goes on").unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let said = response.text().await.unwrap();
    assert!(said.contains("this token opens nothing") && !said.contains("result"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_wait_gets_401_when_token_is_invalidated() {
    for what in ["rotate", "revoke"] {
        let world = World::start().await;
        let dora = world.person("dora").await;
        let open = waiting(&world).await;
        used(&dora, "/agents/triage-bot", &format!("/agents/triage-bot/{what}"), &[]).await;
        // Time stands still: nothing but the change can end it.
        ends_with_nothing(open).await;
        assert_eq!(call(&world, &world.token, &list()).await.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_wait_ends_when_command_line_revokes_its_token() {
    for rotate in [true, false] {
        let world = World::start().await;
        let open = waiting(&world).await;
        let (other, begun) = (command_line(&world).await, world.clock.now());
        if rotate {
            other.rotate_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
        } else {
            other.revoke_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
        }
        // The wait itself is for 50 seconds.
        while !open.is_finished() && world.clock.now() - begun < chrono::TimeDelta::seconds(45) {
            world.pass(Duration::from_millis(10));
            tokio::task::yield_now().await;
            let _looked = world.operator().agents().await.unwrap();
        }
        ends_with_nothing(open).await;
    }
}

#[test]
fn command_line_manages_agents() {
    let program = Program::new();
    let token = program.set_up("http://127.0.0.1:9");
    let add = ["--json", "agent", "add", "hunter", "--owner", "bob", "--scope", "block_ip"];
    parsed(&program.done(&add));
    parsed(&program.done(&["--json", "agent", "scopes", "triage-bot", "disable_account"]));
    let rotated = parsed(&program.done(&["--json", "agent", "rotate", "triage-bot"]));
    assert_ne!(rotated["token"], token);
    let list = parsed(&program.done(&["--json", "agent", "list"]));
    assert_eq!(list[0]["scopes"], json!(["block_ip"]));
    assert_eq!(list[1]["scopes"], json!(["disable_account"]));
    assert_eq!(
        (&list[1]["issued_by"], &list[1]["token"]),
        (&json!("command line"), &json!("active"))
    );
    let table = program.done(&["agent", "list"]);
    assert!(table.contains("may ask for") && table.contains("disable_account"), "{table}");
    let audit = program.done(&["audit", "query", "--kind", "agent"]);
    for words in ["allowed an agent to request disable_account", "gave an agent a new token"] {
        assert!(audit.contains(words), "{words}: {audit}");
    }
}

#[test]
fn command_line_explains_invalid_agent_commands() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    program.done(&["agent", "revoke", "triage-bot"]);
    for (arguments, said) in [
        (["agent", "add", "x", "--owner", "nobody"].as_slice(), "there is no person `nobody`"),
        (
            &["agent", "add", "x", "--owner", "bob", "--scope", "format"],
            "block_ip, disable_account",
        ),
        (
            &["agent", "add", "x", "--owner", "bob", "--scope", "unblock_ip"],
            "is no response of the active set",
        ),
        (&["agent", "scopes", "nobody", "block_ip"], "there is no agent `nobody`"),
        (&["agent", "scopes", "triage-bot"], "RESPONSE"),
        (&["agent", "scopes", "triage-bot", "block_ip"], "is revoked, and stays so"),
        (&["agent", "rotate", "nobody"], "there is no agent `nobody`"),
        (&["agent", "rotate", "triage-bot"], "is revoked, and stays so"),
        (&["agent", "revoke", "nobody"], "there is no agent `nobody`"),
    ] {
        let (code, text) = program.refused(arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}
