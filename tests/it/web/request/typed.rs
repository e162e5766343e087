//! Nothing typed is lost: not by a stale form, an ended session, a wrong password or Back.

use std::time::Duration;

use countersign::domain::request::StateName;
use reqwest::{Method, header};
use serde_json::json;

use crate::harness::{PASSWORD, page::filled_in};
use crate::web::{
    browser::Browser,
    fixtures::{Room, path},
};

/// Sends the reject form of the present page, and gives where the answer leads.
async fn reject_bare(who: &Browser, place: &str, reason: &str) -> (u16, String) {
    let action = format!("{place}/reject");
    let mut fields = who.page.hidden_fields(&action);
    fields.push(("comment".to_owned(), reason.to_owned()));
    let request = who.request(Method::POST, &action).header(header::ORIGIN, &who.person.url);
    let request = filled_in(request, fields.iter().map(|(name, value)| (name, value)));
    let answer = request.send().await.unwrap();
    let location = answer.headers().get(header::LOCATION);
    let location = location.map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location.unwrap_or_default())
}

#[tokio::test]
async fn every_form_leads_back_by_redirect() {
    let room = Room::start().await;
    let place = path(&room.asked().await);
    let mut bob = room.browser_of("bob").await;
    bob.open(&place).await;
    let (status, location) = reject_bare(&bob, &place, " ").await;
    assert_eq!((status, location), (303, format!("{place}?form=reject#problem")));
    let (status, location) = reject_bare(&bob, &place, "our own scanner").await;
    assert_eq!((status, location), (303, place));
}

#[tokio::test]
async fn reason_survives_stale_form_which_names_the_changes() {
    let room = Room::start().await;
    let request = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    let place = path(&request);
    let (mut anna, mut bob) = (room.browser_of("anna").await, room.browser_of("bob").await);
    bob.open(&place).await;
    anna.open(&place).await;
    anna.submit(&format!("{place}/approve"), &[("comment", "I saw it too")]).await;
    let reason = [("comment", "two hours of typing")];
    let stale = bob.submit(&format!("{place}/approve"), &reason).await;
    assert_eq!(stale.status, 409);
    stale.shows("Since you opened it:");
    stale.shows("<b><bdi>anna</bdi></b> approved");
    stale.shows("Look at it as it is now");
    assert!(!stale.has_form(&format!("{place}/approve")), "its buttons are closed");
    bob.open(&place).await.shows("two hours of typing");
    assert!(bob.page.has_form(&format!("{place}/approve")));
    assert_eq!(bob.submit(&format!("{place}/approve"), &[]).await.status, 303);
    assert!(
        !bob.open(&place).await.has("two hours of typing"),
        "what was carried out is forgotten"
    );
}

#[tokio::test]
async fn reason_survives_wrong_password_at_its_field() {
    let room = Room::start().await;
    let place = path(&room.asked().await);
    let mut bob = room.browser_of("bob").await;
    room.pass(Duration::from_secs(301));
    bob.open(&place).await;
    let typed = [("comment", "half a thought"), ("password", "not the password")];
    let answer = bob.submit(&format!("{place}/approve"), &typed).await;
    assert_eq!(answer.status, 401);
    answer.shows("half a thought");
    answer.shows("aria-describedby=\"approve-password-problem\" autofocus");
    assert!(!answer.has("not the password"));
    bob.open(&place).await.shows("half a thought");
    room.browser_of("anna").await.open(&place).await;
    let mut anna = room.browser_of("anna").await;
    assert!(!anna.open(&place).await.has("half a thought"), "it is bob's alone");
}

#[tokio::test]
async fn reason_survives_ended_session_for_its_person_alone() {
    let room = Room::start().await;
    let place = path(&room.asked().await);
    let mut bob = room.browser_of("bob").await;
    bob.open(&place).await;
    room.pass(Duration::from_mins(31));
    let (status, location) = reject_bare(&bob, &place, "typed for an hour").await;
    assert_eq!(status, 303);
    assert!(location.starts_with("/sign-in?after=ended&next=%2Frequests%2F"), "{location}");
    room.stranger().open(&location).await.shows("What you typed is kept");
    let mut anna = room.browser_of("anna").await;
    assert!(!anna.open(&format!("{place}?form=reject")).await.has("typed for an hour"));
    bob.sign_in("bob", PASSWORD).await;
    bob.open(&format!("{place}?form=reject")).await.shows("typed for an hour");
    bob.page.shows("Your session had ended.");
}

#[tokio::test]
async fn reason_survives_ended_session_on_every_page() {
    let room = Room::start().await;
    let one = json!({ "srcip": "203.0.113.8", "agent_ids": ["001"] });
    let (one, step) = (room.asked_with(one).await, room.asked_step().await);
    let plan = format!("/plans/{}", step.plan.as_ref().unwrap().plan);
    let mut bob = room.browser_of("bob").await;
    for (page, action, name) in [
        ("/reject?open_of=triage-bot", "/reject", "comment"),
        (&format!("/together?of={}", one.id), "/together", "comment"),
        (&plan, &format!("{plan}/approve"), "comment"),
        ("/system?what=agent%3Atriage-bot", "/freeze", "reason"),
    ] {
        let typed = format!("typed into {action}");
        bob.open(page).await;
        let mut fields = bob.page.hidden_fields(action);
        fields.push((name.to_owned(), typed.clone()));
        fields
            .extend((name == "reason").then(|| ("what".to_owned(), "agent:triage-bot".to_owned())));
        room.pass(Duration::from_mins(31));
        let sign_in = bob.post(action, &fields).await.leads_to().to_owned();
        bob.open(&sign_in).await.shows("What you typed is kept");
        let name_and_password = [("name", "bob"), ("password", PASSWORD)];
        bob.submit("/sign-in", &name_and_password).await.shows("Your session had ended.");
        bob.page.shows(&typed);
        bob.open(page).await.shows(&typed);
    }
}

#[tokio::test]
async fn several_are_refused_by_redirect_that_keeps_text() {
    let room = Room::start().await;
    let (one, other) = (
        room.asked().await,
        room.asked_with(json!({ "srcip": "203.0.113.8", "agent_ids": ["001"] })).await,
    );
    let mut bob = room.browser_of("bob").await;
    bob.open("/reject?all=yes").await;
    room.pass(Duration::from_secs(301));
    let mut fields = bob.open("/reject?all=yes").await.hidden_fields("/reject");
    let pick = format!("{}:{}:{}", one.id, one.version, one.digest);
    fields.extend(
        [("pick", pick.as_str()), ("comment", "our own scanner"), ("password", "wrong")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let refused = bob.post("/reject", &fields).await;
    assert_eq!(refused.status, 401);
    refused.shows("our own scanner");
    refused.shows(&one.id.to_string());
    assert!(!refused.has(&other.id.to_string()), "what was not ticked stays out");
    assert_eq!(room.now(&one).await.state.name(), StateName::Pending);
}

#[tokio::test]
async fn problem_of_a_form_is_told_once() {
    let room = Room::start().await;
    let place = path(&room.asked().await);
    let mut bob = room.browser_of("bob").await;
    bob.open(&place).await;
    let refused = bob.submit(&format!("{place}/reject"), &[("comment", " ")]).await;
    assert_eq!(refused.status, 400);
    refused.shows("a reason is required");
    assert_eq!(bob.open(&format!("{place}?form=reject")).await.status, 200);
    assert!(!bob.page.has("Nothing was changed"), "it may be no longer so");
}

#[tokio::test]
async fn view_that_was_sent_survives_sign_in() {
    let room = Room::start().await;
    let mut stranger = room.stranger();
    let view = "/requests?state=pending&target=203.0.113.0%2F24";
    stranger.open(view).await;
    let name_and_password = [("name", "bob"), ("password", PASSWORD)];
    assert_eq!(stranger.submit("/sign-in", &name_and_password).await.leads_to(), view);
}

#[tokio::test]
async fn form_of_another_session_leaves_no_text() {
    let room = Room::start().await;
    let place = path(&room.asked().await);
    let (mut bob, mut anna) = (room.browser_of("bob").await, room.browser_of("anna").await);
    bob.open(&place).await;
    anna.open(&place).await;
    room.pass(Duration::from_mins(31));
    // A form with anna's token, in bob's browser.
    bob.page = std::mem::take(&mut anna.page);
    assert_eq!(reject_bare(&bob, &place, "put into bob's mouth").await.0, 401);
    bob.sign_in("bob", PASSWORD).await;
    assert!(!bob.open(&place).await.has("mouth"));
}

#[tokio::test]
async fn decision_says_what_is_missing_and_leads_to_next() {
    let room = Room::start().await;
    let first = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    let second = room.asked_with(json!({ "srcip": "203.0.113.8" , "agent_ids": ["002"] })).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&first)).await;
    bob.submit(&format!("{}/approve", path(&first)), &[]).await;
    bob.open(&path(&first)).await.shows("You approved it. 1 more needed.");
    bob.page.shows("Next of 1 ");
    bob.open(&format!("/next?after={}", first.id)).await.shows("Block 203.0.113.8");
    bob.submit(&format!("{}/reject", path(&second)), &[("comment", "no")]).await;
    bob.open(&path(&second)).await.shows("You rejected it.");
    bob.page.shows("Nothing else is waiting for you");
    bob.open("/next").await.shows("Nothing is waiting for you.");
}

#[tokio::test]
async fn start_of_long_reason_is_always_shown() {
    let room = Room::start().await;
    let lines: Vec<_> = (1..=9).map(|number| format!("line number {number}")).collect();
    let request =
        room.asked_with(json!({ "agent_ids": ["002"], "reason": lines.join("\n") })).await;
    let mut bob = room.browser_of("bob").await;
    let page = bob.open(&path(&request)).await;
    let (start, rest) = page.html.split_once("<details id=\"words-rest\">").unwrap();
    assert!(start.contains("line number 6") && !start.contains("line number 7"), "{start}");
    assert!(rest.contains("line number 9"));
    page.shows("not opened: the rest of what was written, 9 lines");
    let short = room.asked_with(json!({ "agent_ids": ["001"], "srcip": "203.0.113.8" })).await;
    assert!(!bob.open(&path(&short)).await.has("not opened"));
}

#[tokio::test]
async fn stopped_request_offers_release_instead_of_approval() {
    let room = Room::start().await;
    let request = room.asked().await;
    let approve = format!("{}/approve", path(&request));
    let mut bob = room.browser_of("bob").await;
    room.freeze("a drill").await;
    bob.open(&path(&request)).await.shows("Release first");
    assert!(!bob.page.has_form(&approve));
    assert!(bob.page.has_form(&format!("{}/reject", path(&request))));
    room.unfreeze().await;
    assert!(bob.open(&path(&request)).await.has("Approve: block on web-02 (002)"));
}

#[tokio::test]
async fn stopped_requests_are_not_approved_together() {
    let room = Room::start().await;
    let request = room.asked_with(json!({ "agent_ids": ["001"] })).await;
    let together = format!("/together?of={}", request.id);
    let mut bob = room.browser_of("bob").await;
    let mut opened_before = bob.open(&together).await.hidden_fields("/together");
    let pick = format!("{}:{}:{}", request.id, request.version, request.digest);
    opened_before.push(("pick".to_owned(), pick));
    room.freeze("a drill").await;
    bob.open(&together).await.shows("No identical requests are waiting for you.");
    assert_eq!(bob.post("/together", &opened_before).await.status, 409);
    bob.page.shows("the kill switch stops it");
    assert_eq!(room.now(&request).await.state.name(), StateName::Pending);
}
