//! How people of the provider prove an act: it asks again who they are, for one form.

use std::time::Duration;

use countersign::domain::{actor::Role, request::StateName};
use serde_json::json;

use super::{Stage, Traveller};
use crate::web::fixtures::path;

/// Longer than a sign-in counts as recent, and than a proof counts for anything.
pub(super) const LATER: Duration = Duration::from_mins(6);

#[tokio::test]
async fn provider_confirms_approval_of_high_tier() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    erin.confirmed(&stage, &request).await;
    assert_eq!(stage.provider.asked("max_age"), "0");
    assert_eq!(stage.room.now(&request).await.votes.len(), 0, "nothing was sent yet");
    let action = format!("{}/approve", path(&request));
    erin.send(&action, &[]).await;
    assert_eq!(erin.browser.page.status, 303, "{}", erin.browser.page.html);
    let votes = stage.room.now(&request).await.votes;
    assert_eq!((votes.len(), votes[0].comment.as_str()), (1, "seen in two places"));
    assert_eq!(stage.details("session.signed_in").await[0]["confirmed"], true);
}

#[tokio::test]
async fn confirmation_sends_the_form_that_was_confirmed() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    // With what a page would change: lines, and characters that nobody sees.
    let comment = "first line\r\nsecond \u{200b}line & <b>";
    let url = erin.approve(&request, comment).await;
    let back = stage.provider.sign_in(&url);
    erin.get(&back).await;
    let action = format!("{}/approve", path(&request));
    erin.send(&action, &[("comment", "another word"), ("version", "7")]).await;
    assert_eq!(erin.browser.page.status, 303, "{}", erin.browser.page.html);
    assert_eq!(stage.room.now(&request).await.votes[0].comment, comment);
}

#[tokio::test]
async fn confirmation_counts_once_for_its_form_and_session() {
    let stage = Stage::start().await;
    let (one, other) = (
        stage.privileged().await,
        stage
            .room
            .asked_with(json!({
                "srcip": "198.51.100.77", "agent_ids": ["001", "002", "004"],
            }))
            .await,
    );
    let mut erin = stage.sign_in().await;
    let mut elsewhere = stage.sign_in().await;
    stage.room.pass(LATER);
    let refused = async |who: &mut Traveller, action: &str, fields: &[(String, String)]| {
        who.post(action, fields).await;
        assert_eq!(who.browser.page.status, 409, "{}", who.browser.page.html);
        who.browser.page.shows("Nothing waits to be confirmed");
    };
    let action = format!("{}/approve", path(&one));
    erin.confirmed(&stage, &one).await;
    let fields = erin.browser.page.hidden_fields(&action);
    refused(&mut erin, &format!("{}/approve", path(&other)), &fields).await;
    refused(&mut erin, &action, &fields).await;
    erin.confirmed(&stage, &one).await;
    let fields = erin.browser.page.hidden_fields(&action);
    let confirmation = fields.iter().find(|(name, _)| name == "confirmation").unwrap();
    elsewhere.browser.open("/").await;
    let token = ("form_token".to_owned(), elsewhere.browser.page.form_token());
    refused(&mut elsewhere, &action, &[token, confirmation.clone()]).await;
    erin.confirmed(&stage, &one).await;
    let fields = erin.browser.page.hidden_fields(&action);
    stage.room.pass(Duration::from_mins(5));
    refused(&mut erin, &action, &fields).await;
    assert_eq!(stage.room.now(&one).await.votes.len(), 0);
    assert_eq!(stage.room.now(&other).await.votes.len(), 0);
    erin.confirmed(&stage, &one).await;
    let fields = erin.browser.page.hidden_fields(&action);
    erin.send(&action, &[]).await;
    assert_eq!(stage.room.now(&one).await.votes.len(), 1);
    refused(&mut erin, &action, &fields).await;
}

#[tokio::test]
async fn sign_in_of_before_confirms_nothing() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    let late: [(Option<i64>, &str); 2] =
        [(Some(31), "it did not ask you again"), (None, "it does not say when you signed in")];
    for (ago, why) in late {
        stage.provider.says(|said| said.authenticated_ago = ago);
        let url = erin.approve(&request, "").await;
        let back = stage.provider.sign_in(&url);
        erin.get(&back).await;
        assert_eq!(erin.browser.page.status, 401);
        erin.browser.page.shows(why);
    }
    assert_eq!(stage.room.now(&request).await.votes.len(), 0);
}

#[tokio::test]
async fn sign_in_of_somebody_else_confirms_nothing() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    let url = erin.approve(&request, "").await;
    stage.provider.says(|said| said.subject = "another");
    let back = stage.provider.sign_in(&url);
    erin.get(&back).await;
    assert_eq!(erin.browser.page.status, 400);
    erin.browser.page.shows("somebody else signed in there");
    erin.get("/").await;
    erin.browser.page.shows("<h1>Inbox</h1>");
}

#[tokio::test]
async fn stale_sign_in_at_provider_is_no_recent_one() {
    let stage = Stage::start().await;
    // Of the low tier: a proof of the last five minutes counts.
    let (one, other) = (
        stage.room.asked().await,
        stage
            .room
            .asked_with(json!({
                "srcip": "198.51.100.77", "agent_ids": ["002"],
            }))
            .await,
    );
    stage.provider.says(|said| said.authenticated_ago = Some(3600));
    let mut erin = stage.sign_in().await;
    erin.approve(&one, "").await;
    stage.provider.says(|said| said.authenticated_ago = Some(60));
    let mut fresh = stage.sign_in().await;
    fresh.browser.open(&path(&other)).await;
    fresh.send(&format!("{}/approve", path(&other)), &[]).await;
    assert_eq!(stage.room.now(&other).await.state.name(), StateName::Approved);
}

#[tokio::test]
async fn admin_of_provider_confirms_what_admins_do() {
    let stage = Stage::start().await;
    stage.provider.says(|said| said.groups = vec!["soc-admins"]);
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    erin.browser.open("/people/anna").await;
    erin.send("/people/anna/role", &[("role", "senior")]).await;
    let back = stage.provider.sign_in(&erin.asked_at());
    erin.get(&back).await;
    assert_eq!(stage.person("anna").await, Some(Role::Analyst));
    erin.send("/people/anna/role", &[]).await;
    assert_eq!(stage.person("anna").await, Some(Role::Senior));
}

#[tokio::test]
async fn provider_without_time_signs_in_but_not_freshly() {
    let stage = Stage::start().await;
    let request = stage.room.asked().await;
    stage.provider.says(|said| said.authenticated_ago = None);
    let mut erin = stage.sign_in().await;
    erin.approve(&request, "").await;
    assert_eq!(stage.room.now(&request).await.votes.len(), 0);
}
