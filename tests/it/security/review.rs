//! What a security review asks of a set-up, on its page and by `countersign doctor`.

use countersign::{
    broker::admin::people::{PersonChange, api_tokens::NewApiToken},
    domain::actor::{Actor, Role, api_token::TokenScope},
};

use crate::{
    harness::{PASSWORD, World, program::Program},
    security::teams::TEAMS,
    web::{fixtures::Room, sign_in::provider::Stage},
};

/// The line of the page about this.
async fn line(room: &Room, check: &str) -> String {
    let mut otto = room.browser_of("otto").await;
    let html = otto.open("/security-review").await.html.clone();
    let row = html.split("<tr>").find(|row| row.contains(&format!("\"row\">{check}<")));
    row.unwrap_or_else(|| panic!("{check}: {html}")).to_owned()
}

async fn change(room: &Room, name: &str, change: PersonChange) {
    room.operator().change_person(&Actor::CommandLine, name, &change).await.unwrap();
}

#[tokio::test]
async fn review_names_who_signs_in_and_approves_with_password() {
    let room = Room::start().await;
    for check in ["passwords", "proofs"] {
        let line = line(&room, check).await;
        assert!(line.contains("anna") && line.contains("bob"), "{check}: {line}");
    }
    let stage = Stage::of(World::builder()).await;
    stage.sign_in().await;
    let passwords = line(&stage.room, "passwords").await;
    assert!(!passwords.contains("erin") && passwords.contains("move to Corp Login"), "{passwords}");
    assert!(line(&stage.room, "proofs").await.contains("erin"));
}

#[tokio::test]
async fn review_names_who_approves_alone() {
    let room = Room::start().await;
    let alone = line(&room, "alone").await;
    assert!(alone.contains("run.one-approval"), "{alone}");
    for (name, named) in [("anna", true), ("bob", true), ("dora", false), ("otto", false)] {
        assert_eq!(alone.contains(name), named, "{name}: {alone}");
    }
    let two = r#"
@id("run.two") @why("two people")
permit (principal is Countersign::Agent, action in Countersign::Action::"run", resource)
when { context.votes.people >= 2 };
@id("people.read") @why("people read")
permit (
    principal is Countersign::Person,
    action in [Countersign::Action::"view", Countersign::Action::"view_audit"],
    resource
);
"#;
    let strict = Room::governed_by(two).await;
    let alone = line(&strict, "alone").await;
    assert!(alone.contains("no policy is content with one person"), "{alone}");
}

#[tokio::test]
async fn review_finds_accounts_of_one_human() {
    let room = Room::start().await;
    assert!(line(&room, "two accounts").await.contains("no two accounts look like"));
    for name in ["bob", "dora"] {
        let mail = if name == "bob" { "B.Ob@example.org" } else { "b.ob@example.org" };
        change(&room, name, PersonChange::Mail(Some(mail.to_owned()))).await;
    }
    let found = line(&room, "two accounts").await;
    assert!(found.contains("bob and dora (the same mail address)"), "{found}");
    change(&room, "bob", PersonChange::Disable).await;
    assert!(line(&room, "two accounts").await.contains("no two accounts look like"));
}

#[tokio::test]
async fn review_says_how_many_admins_there_are() {
    let room = Room::start().await;
    assert!(line(&room, "admins").await.contains("name a second one"));
    change(&room, "bob", PersonChange::Role(Role::Admin)).await;
    let admins = line(&room, "admins").await;
    assert!(admins.contains("bob") && admins.contains("nothing"), "{admins}");
}

#[tokio::test]
async fn review_names_tokens_older_than_a_year() {
    let room = Room::start().await;
    assert!(line(&room, "tokens").await.contains("within the last year"));
    room.pass(std::time::Duration::from_hours(24 * 366));
    assert!(line(&room, "tokens").await.contains("older than a year: triage-bot"));
}

#[tokio::test]
async fn review_names_api_tokens_that_open_from_everywhere() {
    let room = Room::start().await;
    for (name, network) in [("near", "127.0.0.0/8"), ("anywhere", "0.0.0.0/1")] {
        let who = room.signed_in("bob").await;
        let who = room.broker().authenticate_again(&who, PASSWORD).await.unwrap();
        let networks = [network.parse().unwrap()];
        let new = NewApiToken { name, scopes: &[TokenScope::Read], networks: &networks, days: 1 };
        room.broker().create_api_token(&who, new).await.unwrap();
    }
    let found = line(&room, "API tokens").await;
    assert!(found.contains("from nearly everywhere: anywhere<"), "{found}");
}

#[test]
fn doctor_says_what_a_review_asks() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let said = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    for check in ["encryption", "passwords", "proofs", "alone", "admins", "two accounts"] {
        let is_about = |line: &str| line.split("  ").any(|word| word.trim() == check);
        assert!(said.lines().any(is_about), "{check} is not in: {said}");
    }
}

#[tokio::test]
async fn review_names_whom_teams_do_not_restrict() {
    let room = Room::of(World::builder().with_more_policies(TEAMS)).await;
    let mut otto = room.browser_of("otto").await;
    assert!(!otto.open("/security-review").await.has("\"row\">teams<"), "there is no team");
    for (name, team) in [("bob", "office"), ("anna", "unheard-of")] {
        room.put_into_teams(name, &[team]).await;
    }
    let teams = line(&room, "teams").await;
    let (of_anna, free) = teams.split_once("in no team, and see everything: ").unwrap();
    assert!(of_anna.contains("in no team that a policy names, and see nothing: anna"), "{teams}");
    assert!(!of_anna.contains("nevertheless") && !teams.contains("bob"), "{teams}");
    assert!(free.contains("carol") && free.contains("otto"), "{teams}");
}
