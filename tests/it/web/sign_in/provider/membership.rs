//! How long somebody of the provider is in, and as what.

use std::time::Duration;

use countersign::{
    broker::{Settings, admin::people::api_tokens::NewApiToken},
    domain::actor::{Role, api_token::TokenScope},
};
use reqwest::Method;
use serde_json::json;

use super::Stage;
use crate::harness::{PASSWORD, PersonClient, World, page::http_client};

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
    assert_eq!(stage.details("person.sessions_ended").await, [json!({ "sessions": 1 })]);
    stage.provider.says(|said| said.groups = vec!["soc-seniors"]);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
}

#[tokio::test]
async fn leaving_the_provider_ends_all_tokens() {
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
    assert_eq!(stage.details("api_token.revoked").await.len(), 1);
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
    while stage.details("person.sessions_ended").await.is_empty() {
        tokio::task::yield_now().await;
    }
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
