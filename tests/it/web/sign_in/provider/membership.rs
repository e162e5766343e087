//! How long somebody of the provider is in, and as what.

use std::time::Duration;

use countersign::{
    broker::{
        Settings,
        admin::people::{PersonChange, api_tokens::NewApiToken},
    },
    domain::{
        actor::{Actor, Role, api_token::TokenScope},
        request::StateName,
    },
};
use reqwest::Method;
use serde_json::json;

use super::{Stage, confirmation::LATER};
use crate::{
    harness::{PASSWORD, PersonClient, World, page::http_client},
    security::teams::TEAMS,
    web::fixtures::path,
};

/// Longer than the provider is believed.
const NEXT_READING: Duration = Duration::from_mins(16);

#[tokio::test]
async fn while_provider_is_down_sessions_stay_and_nobody_enters() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    stage.provider.is_down(true);
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    stage.room.pass(Duration::from_hours(1));
    let mut new = stage.stranger();
    new.get("/sign-in/provider").await;
    assert_eq!(new.browser.page.status, 502);
    new.browser.page.shows("Sign in with a password of this server");
    stage.room.browser_of("bob").await.open("/").await.shows("<h1>Inbox</h1>");
}

#[tokio::test]
async fn gone_group_ends_sessions_at_next_reading() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    assert_eq!(stage.details("person.suspended").await, [json!({ "sessions": 1 })]);
    stage.provider.says(|said| said.groups = vec!["soc-seniors"]);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
}

#[tokio::test]
async fn tokens_of_person_without_group_open_nothing() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    let (broker, networks) = (stage.room.broker(), ["127.0.0.0/8".parse().unwrap()]);
    let dora = stage.room.signed_in("dora").await;
    let dora = broker.authenticate_again(&dora, PASSWORD).await.unwrap();
    let scopes = &TokenScope::ALL;
    let new = NewApiToken { name: "siem", scopes, networks: &networks, days: 90 };
    let token = broker.create_service_token(&dora, "erin", new).await.unwrap().secret;
    let status = async || {
        let list = format!("{}/api/v1/requests", stage.room.url());
        http_client().get(list).bearer_auth(&token).send().await.unwrap().status()
    };
    assert_eq!(status().await, 200);
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    assert_eq!(status().await, 401);
    stage.provider.says(|said| said.groups = vec!["soc-seniors"]);
    stage.sign_in().await;
    assert_eq!(status().await, 200, "they are back");
}

#[tokio::test]
async fn other_group_gives_other_role_at_next_reading() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    stage.provider.says(|said| said.groups = vec!["soc-admins"]);
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    assert_eq!(stage.person("erin").await, Some(Role::Admin));
}

#[tokio::test]
async fn session_without_refresh_token_ends_at_next_reading() {
    let stage = Stage::start().await;
    stage.provider.says(|said| said.refresh = false);
    let mut erin = stage.sign_in().await;
    stage.room.pass(Duration::from_mins(14));
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    stage.room.pass(Duration::from_mins(2));
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    stage.sign_in().await;
}

#[tokio::test]
async fn reading_of_somebody_else_ends_session() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    stage.provider.says(|said| said.subject = "another");
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
}

#[tokio::test]
async fn reading_counts_whose_asker_hung_up() {
    let stage = Stage::start().await;
    let erin = stage.sign_in().await;
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    stage.room.pass(NEXT_READING);
    let held = stage.provider.holds_tokens();
    let asker = tokio::spawn(erin.browser.request(Method::GET, "/").send());
    held.asked.notified().await;
    asker.abort();
    assert!(asker.await.unwrap_err().is_cancelled());
    held.go.notify_one();
    let suspended = async {
        while stage.details("person.suspended").await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), suspended).await.unwrap();
}

#[tokio::test]
async fn vote_of_person_without_group_does_not_count() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    erin.confirmed(&stage, &request).await;
    let action = format!("{}/approve", path(&request));
    erin.send(&action, &[]).await;
    let mut carol = stage.room.browser_of("carol").await;
    let missing = "does not count: this person is in no group that may sign in";
    assert!(!carol.open(&path(&request)).await.has(missing));
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    stage.refused().await;
    carol.open(&path(&request)).await.shows(missing);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    carol.submit(&action, &[("password", PASSWORD)]).await;
    assert_eq!(stage.room.now(&request).await.state.name(), StateName::Pending);
    stage.provider.says(|said| said.groups = vec!["soc-seniors"]);
    stage.sign_in().await;
    assert!(!carol.open(&path(&request)).await.has(missing));
}

#[tokio::test]
async fn nothing_rests_on_person_without_group() {
    let stage = Stage::start().await;
    stage.provider.says(|said| said.groups = vec!["soc-admins"]);
    stage.sign_in().await;
    let operator = stage.room.operator();
    let here = &Actor::CommandLine;
    let scopes = operator.catalogue().await.unwrap().responses().to_vec();
    let agent = operator.add_agent(here, "helper", "erin", &scopes).await.unwrap();
    let opens = async |token: &str| {
        let found = stage.room.broker().agent_by_token(token).await.unwrap();
        found.is_some()
    };
    assert!(opens(&agent.token).await);
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    stage.refused().await;
    assert!(!opens(&agent.token).await, "nobody answers for the agent");
    let less = PersonChange::Role(Role::Lead);
    let last = operator.change_person(here, "dora", &less).await.unwrap_err();
    assert!(last.to_string().contains("`dora` is the last admin"), "{last}");
    let mut dora = stage.room.browser_of("dora").await;
    dora.open("/people").await.shows("suspended: in no group that may sign in");
    stage.provider.says(|said| said.groups = vec!["soc-admins"]);
    stage.sign_in().await;
    assert!(opens(&agent.token).await);
}

#[tokio::test]
async fn admin_removes_passkeys_of_person_of_provider() {
    let stage = Stage::start().await;
    stage.sign_in().await;
    let mut dora = stage.room.browser_of("dora").await;
    let page = dora.open("/people/erin").await;
    assert!(page.has_form("/people/erin/passkeys"));
    assert!(!dora.open("/people/bob").await.has_form("/people/bob/passkeys"));
    let token = ("form_token".to_owned(), dora.page.form_token());
    let refused = dora.post("/people/bob/passkeys", &[token]).await;
    refused.shows("reset it: that removes the passkeys, too");
    dora.open("/people/erin").await;
    assert_eq!(dora.submit("/people/erin/passkeys", &[]).await.status, 303);
}

#[tokio::test]
async fn session_of_who_may_no_more_sign_in_ends() {
    let world = World::builder().start().await;
    let mut bob = PersonClient::sign_in(&world.url(), "bob", PASSWORD).await;
    assert_eq!(bob.get("/").await.status, 200);
    let only_dora = |settings: &mut Settings| {
        settings.sign_in.local_people = Some(["dora".to_owned()].into());
    };
    let world = world.restart_with(|builder| builder.with_settings(only_dora)).await;
    bob.url = world.url();
    assert_eq!(bob.get("/").await.leads_to(), "/sign-in");
}

#[tokio::test]
async fn groups_of_provider_give_teams_and_take_them() {
    let teams = [("soc-office", "office"), ("soc-asia", "apac")];
    let teams = teams.map(|(group, team)| (group.to_owned(), team.to_owned()));
    let stage = Stage::with_settings(World::builder(), |settings: &mut Settings| {
        settings.sign_in.teams = teams.into();
    });
    let stage = stage.await;
    let teams = async || stage.room.operator().person("erin").await.unwrap().teams;
    stage.provider.says(|said| said.groups = vec!["soc-seniors", "soc-office", "soc-asia"]);
    let mut erin = stage.sign_in().await;
    assert_eq!(teams().await, ["apac", "office"].map(str::to_owned).into());
    stage.provider.says(|said| said.groups = vec!["soc-seniors", "soc-asia"]);
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    assert_eq!(teams().await, ["apac".to_owned()].into(), "the session stays");
    stage.provider.says(|said| said.groups = vec!["soc-seniors", "soc-office"]);
    erin = stage.sign_in().await;
    assert_eq!(teams().await, ["office".to_owned()].into());
    let dora = stage.room.person("dora").await;
    let mut fields = dora.get("/people/erin").await.form("/people/erin/teams").unwrap();
    fields.insert("teams".to_owned(), "apac".to_owned());
    let page = dora.post("/people/erin/teams", &fields).await;
    assert_eq!(page.status, 400);
    assert!(page.has("the teams of their groups there"), "{}", page.html);
    assert_eq!(stage.details("person.teams_changed").await.len(), 2);
    stage.provider.says(|said| said.groups = vec!["soc-seniors"]);
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    let (status, html) = stage.refused().await;
    assert_eq!(status, 401, "in no team they would see everything");
    assert!(html.contains("you are in none of the groups that may sign in here"), "{html}");
    assert_eq!(teams().await, ["office".to_owned()].into());
}

#[tokio::test]
async fn other_team_counts_for_the_page_that_learns_it() {
    let teams = [("soc-office", "office"), ("soc-asia", "apac")];
    let teams = teams.map(|(group, team)| (group.to_owned(), team.to_owned()));
    let builder = World::builder().with_more_policies(TEAMS);
    let stage = Stage::with_settings(builder, |settings: &mut Settings| {
        settings.sign_in.teams = teams.into();
    });
    let stage = stage.await;
    stage.provider.says(|said| said.groups = vec!["soc-seniors", "soc-office"]);
    let mut erin = stage.sign_in().await;
    let request = stage.room.asked_with(json!({ "agent_ids": ["008"] })).await;
    assert_eq!(erin.browser.open(&path(&request)).await.status, 200);
    stage.provider.says(|said| said.groups = vec!["soc-seniors", "soc-asia"]);
    stage.room.pass(NEXT_READING);
    assert_eq!(erin.browser.open(&path(&request)).await.status, 404);
}
