//! Admins keep people, on the page and on the command line; the first of them makes themself.

use std::{collections::BTreeMap, time::Duration};

use countersign::{
    broker::admin::{operator::Operator, people::PersonChange},
    domain::actor::{Actor, Role},
    store::Store,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{
    PASSWORD, World,
    page::{Page, PersonClient},
    program::Program,
};

/// A form: its verb, what is typed, and the event that it writes.
type Form = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// Every change of a person, as its form is sent.
const CHANGES: [Form; 7] = [
    ("role", &[("role", "lead")], "person.role_changed"),
    ("on-call", &[("on_call", "yes")], "person.on_call_changed"),
    ("mail", &[("mail", "bob@example.net")], "person.mail_changed"),
    ("teams", &[("teams", "emea, apac")], "person.teams_changed"),
    ("sessions", &[], "person.sessions_ended"),
    ("password", &[], "person.password_reset"),
    ("disable", &[], "person.disabled"),
];

/// Uses a form of a page, its hidden fields included.
pub(crate) async fn used(
    person: &PersonClient,
    page: &str,
    action: &str,
    typed: &[(&str, &str)],
) -> Page {
    let shown = person.get(page).await;
    let form = shown.form(action);
    let mut fields = form.unwrap_or_else(|| panic!("no form to {action}: {}", shown.html));
    fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    person.post(action, &fields).await
}

/// Sends a form that no page offers, with the person's own form token.
pub(crate) async fn forced(person: &PersonClient, action: &str, typed: &[(&str, &str)]) -> Page {
    let mut fields = person.get("/password").await.form("/sign-out").unwrap();
    fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    person.post(action, &fields).await
}

/// What is shown once.
pub(crate) fn secret(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert_eq!(page.location, None);
    let (_, after) = page.html.split_once("id=\"secret\">").unwrap();
    after.split('<').next().unwrap().to_owned()
}

/// Who did what of this kind to whom, oldest first.
pub(crate) async fn written(world: &World, kind: &str) -> Vec<(String, String)> {
    let entries = world.operator().audit_after(0).await.unwrap();
    let of_kind = entries.into_iter().filter(|entry| entry.kind == kind);
    of_kind.map(|entry| (entry.actor_name, entry.target.unwrap_or_default())).collect()
}

/// All that was written down, as text.
pub(crate) async fn audit_text(world: &World) -> String {
    format!("{:?}", world.operator().audit_after(0).await.unwrap())
}

/// The command line beside the server: another process as far as the server can tell.
pub(crate) async fn command_line(world: &World) -> Operator {
    let store = Store::open(&world.folder.path().join("countersign.db")).await.unwrap();
    Operator::new(store, world.clock.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn new_person_must_choose_own_password_first() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    let typed = [("name", "erin"), ("role", "senior"), ("mail", "erin@example.net")];
    let once = secret(&used(&dora, "/people", "/people/add", &typed).await);
    assert!(once.len() >= 20, "{once}");
    assert_eq!(
        written(&world, "person.added").await.last().unwrap(),
        &("dora".into(), "erin".into())
    );
    assert!(!audit_text(&world).await.contains(&once));
    let list = dora.get("/people").await.html;
    assert!(list.contains("erin@example.net") && !list.contains(&once));

    let erin = PersonClient::sign_in(&world.url(), "erin", &once).await;
    assert_eq!(erin.get("/").await.location.as_deref(), Some("/password"));
    let own = [("old", once.as_str()), ("new", PASSWORD)];
    used(&erin, "/password", "/password", &own).await;
    let erin = world.person("erin").await;
    assert_eq!(erin.get("/").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn person_change_is_audited_once_with_admins_name() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    for (what, typed, kind) in CHANGES {
        // Whoever gets another role or password has to sign in again.
        if what == "sessions" {
            world.person("bob").await;
        }
        let action = format!("/people/bob/{what}");
        let done = used(&dora, "/people/bob", &action, typed).await;
        let wanted = if what == "password" { StatusCode::OK } else { StatusCode::SEE_OTHER };
        assert_eq!(done.status, wanted, "{what}: {}", done.html);
        assert_eq!(written(&world, kind).await, [("dora".into(), "bob".into())], "{what}");
        if what != "password" {
            forced(&dora, &action, typed).await;
            assert_eq!(written(&world, kind).await.len(), 1, "{what} once more");
        }
    }
    let text = audit_text(&world).await;
    for part in [r#"\"before\":\"senior\""#, r#"\"before\":false"#, r#"\"mail\":\"bob@example.net"#]
    {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn non_admin_sees_people_without_forms_and_is_refused() {
    let world = World::start().await;
    let before = world.operator().people().await.unwrap();
    for name in ["alice", "bob", "carol", "otto"] {
        let person = world.person(name).await;
        for read in ["/people", "/agents", "/people/bob", "/agents/triage-bot"] {
            let page = person.get(read).await;
            assert_eq!(page.status, StatusCode::OK);
            let posts = page.html.matches("method=\"post\"").count();
            assert_eq!(posts, 1, "{name} is offered more than to sign out: {}", page.html);
        }
        let add = [("name", "mallory"), ("role", "admin")];
        assert_eq!(forced(&person, "/people/add", &add).await.status, StatusCode::FORBIDDEN);
        for (what, typed, _) in CHANGES {
            let page = forced(&person, &format!("/people/bob/{what}"), typed).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{name}: {what}");
        }
    }
    assert_eq!(world.operator().people().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn person_changes_require_recent_password_and_keep_their_input() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    world.pass(Duration::from_secs(301));
    let typed = [("name", "erin"), ("role", "lead"), ("mail", "erin@example.net")];
    let page = used(&dora, "/people", "/people/add", &typed).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    for part in ["Enter your password", "value=\"erin\"", "value=\"lead\" selected", "erin@example"]
    {
        assert!(page.html.contains(part), "{part} is not in: {}", page.html);
    }
    for (what, typed, _) in CHANGES {
        let page = used(&dora, "/people/bob", &format!("/people/bob/{what}"), typed).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{what}");
    }
    let typed = [typed.as_slice(), &[("password", PASSWORD)]].concat();
    secret(&used(&dora, "/people", "/people/add", &typed).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_person_form_is_refused_and_keeps_its_input() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    let long = format!("{}@example.net", "x".repeat(250));
    for (name, role, mail, said) in [
        ("Erin!", "lead", "", "1 to 32 of a-z"),
        ("bob", "lead", "", "a name that nobody has"),
        ("erin", "king", "", "analyst, senior, lead, auditor, admin"),
        ("erin", "lead", "no address", "one `@`"),
        ("erin", "lead", "a@b@c", "one `@`"),
        ("erin", "lead", "erin@example.net\r\nBcc: all@example.net", "one `@`"),
        ("erin", "lead", "<erin@example.net>", "one `@`"),
        ("erin", "lead", "@x", "one `@`"),
        ("erin", "lead", long.as_str(), "one `@`"),
    ] {
        let typed = [("name", name), ("role", role), ("mail", mail)];
        let page = used(&dora, "/people", "/people/add", &typed).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{typed:?}");
        assert!(page.html.contains(said), "{typed:?}: {}", page.html);
        assert!(page.html.contains(&format!("value=\"{name}\"")), "{typed:?}: {}", page.html);
    }
    let page = used(&dora, "/people/bob", "/people/bob/mail", &[("mail", "half@")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.html.contains("value=\"half@\""), "{}", page.html);
    let nobody = forced(&dora, "/people/nobody/disable", &[]).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_cannot_change_own_role_password_or_account() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    // Not the last admin: it is about oneself.
    used(&dora, "/people/otto", "/people/otto/role", &[("role", "admin")]).await;
    for (what, typed) in [
        ("role", [("role", "lead")].as_slice()),
        ("disable", &[]),
        ("password", &[]),
        ("teams", &[]),
    ] {
        assert!(dora.get("/people/dora").await.form(&format!("/people/dora/{what}")).is_none());
        let page = forced(&dora, &format!("/people/dora/{what}"), typed).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{what}");
        assert!(page.html.contains("you cannot "), "{what}: {}", page.html);
    }
    let me = world.operator().person("dora").await.unwrap();
    assert_eq!((me.role.name(), me.disabled, me.must_change_password), ("admin", false, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_person_stays_disabled_and_name_stays_taken() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    used(&dora, "/people/bob", "/people/bob/disable", &[]).await;
    let page = dora.get("/people/bob").await;
    assert!(page.form("/people/bob/role").is_none(), "{}", page.html);
    for (what, typed, _) in CHANGES.into_iter().filter(|(what, _, _)| *what != "disable") {
        let page = forced(&dora, &format!("/people/bob/{what}"), typed).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{what}");
        assert!(page.html.contains("is disabled, and stays so"), "{what}: {}", page.html);
    }
    let page = used(&dora, "/people", "/people/add", &[("name", "bob"), ("role", "lead")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
}

async fn seen(person: &PersonClient) -> String {
    let html = person.get("/").await.html;
    html.split("data-seen=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_person_loses_stream_and_session_at_once() {
    let world = World::start().await;
    let (dora, bob) = (world.person("dora").await, world.person("bob").await);
    let news = format!("/events?after={}", seen(&bob).await);
    let (stream, done) = tokio::join!(bob.get(&news), forced(&dora, "/people/bob/disable", &[]));
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(stream.status, StatusCode::NO_CONTENT, "{}", stream.html);
    assert_eq!(bob.get("/").await.location.as_deref(), Some("/sign-in"));
    assert_eq!(forced_out(&bob).await, StatusCode::UNAUTHORIZED);
}

async fn forced_out(person: &PersonClient) -> StatusCode {
    person.post("/freeze", &BTreeMap::new()).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn open_stream_ends_when_command_line_ends_its_session() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    let news = format!("/events?after={}", seen(&bob).await);
    let other = command_line(&world).await;
    let ending = async {
        other.change_person(&Actor::CommandLine, "bob", &PersonChange::EndSessions).await.unwrap();
    };
    let stream = async { bob.get(&news).await.status };
    tokio::pin!(stream, ending);
    tokio::select! {
        early = &mut stream => panic!("it ended before its session did: {early}"),
        _ = bob.get("/healthz") => {}
    }
    // The session is over with the commit, a moment before the command line knows it. An answer
    // comes between the seconds: a request that is still on its way is closed after ten of them.
    let passing = async {
        ending.await;
        loop {
            bob.get("/healthz").await;
            world.pass(Duration::from_secs(1));
        }
    };
    let ended = tokio::select! {
        status = &mut stream => status,
        () = passing => unreachable!("time passes for ever"),
    };
    assert_eq!(ended, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn vote_counts_with_current_role_of_voter() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let (bob, dora) = (world.person("bob").await, world.person("dora").await);
    bob.approve(&id).await;
    assert_eq!(agent.get(&id).await.state(), "approved");
    used(&dora, "/people/bob", "/people/bob/role", &[("role", "auditor")]).await;
    assert_eq!(bob.get("/").await.location.as_deref(), Some("/sign-in"), "the session ended");
    world.work().await;
    assert_eq!(agent.get(&id).await.state(), "pending");
    assert!(world.manager.received().is_empty());
    world.person("carol").await.approve(&id).await;
    world.work().await;
    assert_eq!(agent.get(&id).await.state(), "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn request_returns_to_pending_when_required_senior_is_demoted() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["003"] })).await.id();
    let (bob, dora) = (world.person("bob").await, world.person("dora").await);
    used(&dora, "/people", "/people/add", &[("name", "erin"), ("role", "analyst")]).await;
    world.add_person("anna", Role::Analyst).await;
    bob.approve(&id).await;
    world.person("anna").await.approve(&id).await;
    assert_eq!(agent.get(&id).await.state(), "approved");
    // Two people still, but none of them a senior.
    used(&dora, "/people/bob", "/people/bob/role", &[("role", "analyst")]).await;
    world.work().await;
    assert_eq!(agent.get(&id).await.state(), "pending");
    assert!(world.manager.received().is_empty());
}

pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}

#[test]
fn command_line_manages_people() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    for arguments in [
        ["person", "role", "bob", "lead"].as_slice(),
        &["person", "on-call", "bob"],
        &["person", "on-call", "alice"],
        &["person", "off-call", "alice"],
        &["person", "mail", "bob", "bob@example.net"],
        &["person", "mail", "alice", "alice@example.net"],
        &["person", "mail", "alice"],
        &["person", "sessions-end", "bob"],
    ] {
        parsed(&program.done(&[&["--json"][..], arguments].concat()));
    }
    let add = ["person", "add", "erin", "--role", "lead", "--mail", "erin@example.net"];
    program.done(&[&add[..], &["--password-file", "password"]].concat());
    let list = parsed(&program.done(&["--json", "person", "list"]));
    let of = |name: &str| list.as_array().unwrap().iter().find(|p| p["person"] == name).unwrap();
    assert_eq!(of("bob")["role"], "lead");
    assert_eq!((&of("bob")["on_call"], &of("alice")["on_call"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&of("bob")["mail"], &of("alice")["mail"]),
        (&json!("bob@example.net"), &Value::Null)
    );
    assert_eq!(
        (&of("erin")["mail"], &of("erin")["sessions"]),
        (&json!("erin@example.net"), &json!(0))
    );
    let table = program.done(&["person", "list"]);
    assert!(table.contains("on call") && table.contains("bob@example.net"), "{table}");
    let audit = program.done(&["audit", "query", "--kind", "person"]);
    for words in
        ["changed a person's role to lead", "put a person on call", "took a person off call"]
    {
        assert!(audit.contains(words), "{words}: {audit}");
    }
}

#[test]
fn command_line_explains_invalid_person_commands() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    for (arguments, said) in [
        (["person", "role", "nobody", "lead"].as_slice(), "there is no person `nobody`"),
        (&["person", "role", "bob", "king"], "analyst, senior, lead, auditor, admin"),
        (&["person", "on-call", "nobody"], "there is no person `nobody`"),
        (&["person", "off-call", "nobody"], "there is no person `nobody`"),
        (&["person", "mail", "nobody", "a@b"], "there is no person `nobody`"),
        (&["person", "mail", "bob", "nowhere"], "one `@`"),
        (&["person", "sessions-end", "nobody"], "there is no person `nobody`"),
        (&["person", "disable", "nobody"], "there is no person `nobody`"),
        (&["person", "disable", "admin"], "is the last admin"),
        (&["person", "role", "admin", "lead"], "is the last admin"),
    ] {
        let (code, text) = program.refused(arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}
