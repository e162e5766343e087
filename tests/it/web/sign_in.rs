//! Signing in and out, passwords, sessions that end, news for those who wait.

mod account;
mod first;
pub(crate) mod provider;

use std::time::Duration;

use countersign::domain::actor::Actor;
use reqwest::{Method, header};

use super::fixtures::{Room, path};
use crate::harness::PASSWORD;

#[tokio::test]
async fn sign_in_returns_to_requested_page() {
    let room = Room::start().await;
    let request = path(&room.asked().await);
    let mut bob = room.stranger();
    bob.open(&request).await;
    let done = bob.submit("/sign-in", &[("name", "bob"), ("password", PASSWORD)]).await;
    assert_eq!((done.status.as_u16(), done.leads_to()), (303, request.as_str()));
    assert!(bob.person.cookie.starts_with("countersign="));
    let wrong = room.stranger().sign_in("bob", "not the password").await.clone();
    assert_eq!(wrong.status, 401);
    wrong.shows("Name or password is wrong. Nothing was changed.");
    let nobody = room.stranger().sign_in("nobody", "not the password").await.clone();
    let without_names = |html: &str| html.replace("nobody", "bob");
    assert_eq!(without_names(&nobody.html), wrong.html);
}

#[tokio::test]
async fn repeated_wrong_passwords_are_throttled() {
    let room = Room::start().await;
    let mut stranger = room.stranger();
    for _try in 0..5 {
        assert_eq!(stranger.sign_in("bob", "not the password").await.status, 401);
    }
    let page = stranger.sign_in("bob", PASSWORD).await;
    assert_eq!(page.status, 429);
    page.shows("Too many sign-ins failed; wait 1 minute. Nothing was changed.");
}

#[tokio::test]
async fn sign_out_ends_session_at_once() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await;
    let cookie = bob.person.cookie.clone();
    bob.submit("/sign-out", &[]).await;
    assert!(bob.person.cookie.is_empty());
    bob.person.cookie = cookie;
    bob.open("/").await.shows("<h1>Sign in</h1>");
}

#[tokio::test]
async fn session_ends_when_unused_or_person_is_disabled() {
    let room = Room::start().await;
    let (mut anna, mut bob) = (room.browser_of("anna").await, room.browser_of("bob").await);
    room.operator().disable_person(&Actor::CommandLine, "anna").await.unwrap();
    anna.open("/").await.shows("<h1>Sign in</h1>");
    room.pass(Duration::from_mins(29));
    bob.open("/").await.shows("<h1>Inbox</h1>");
    room.pass(Duration::from_mins(31));
    bob.open("/").await.shows("<h1>Sign in</h1>");
}

#[tokio::test]
async fn person_must_change_reset_password_first() {
    let room = Room::start().await;
    let mut fred = room.browser_of("fred").await;
    fred.open("/requests").await.shows("<h1>Choose your password</h1>");
    assert!(!fred.page.has("href=\"/requests\""));
    let token = fred.page.hidden_fields("/password");
    assert_eq!(fred.post("/freeze", &token).await.status, 403);
    room.pass(Duration::from_mins(6));
    fred.open("/password").await.shows("Current password");
    let new = "another long password";
    assert_eq!(fred.submit("/password", &[("new", new)]).await.status, 400);
    fred.page.shows("The current password is wrong");
    let fields = |new| [("old", PASSWORD), ("new", new)];
    assert_eq!(fred.submit("/password", &fields("short")).await.status, 400);
    fred.page.shows("A password has 12 to 128 characters.");
    assert_eq!(fred.submit("/password", &fields(PASSWORD)).await.status, 400);
    assert_eq!(fred.submit("/password", &fields(new)).await.status, 303);
    fred.open("/sign-in?after=password").await.shows("Your password was changed.");
    assert_eq!(fred.sign_in("fred", new).await.status, 303);
    fred.open("/").await.shows("<h1>Inbox</h1>");
}

#[tokio::test]
async fn event_stream_reports_changes_without_extending_session() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await;
    let seen = bob.page.html.split("data-seen=\"").nth(1).unwrap().split('"').next().unwrap();
    let news = bob.request(Method::GET, &format!("/events?after={seen}")).send();
    let (_, news) = tokio::join!(room.asked(), news);
    let news = news.unwrap();
    assert_eq!(news.headers()[header::CONTENT_TYPE], "text/event-stream");
    let news = news.text().await.unwrap();
    assert!(news.contains("data: changed\n\n"), "{news}");
    // It is behind already: the answer comes at once.
    let answer = bob.request(Method::GET, "/events?after=0").send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("data: changed"));
    for _minute in 0..31 {
        room.pass(Duration::from_mins(1));
        bob.request(Method::GET, "/events?after=0").send().await.unwrap();
    }
    let answer = bob.request(Method::GET, "/events?after=0").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let stranger = room.stranger().request(Method::GET, "/events").send().await.unwrap();
    assert_eq!(stranger.status(), 204);
}

#[tokio::test]
async fn bookkeeping_reloads_no_page() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    room.asked().await;
    let changes = room.broker().changes();
    let before = *changes.borrow();
    // A notice that no channel sends, and the last use of a session.
    room.broker().notify().await.unwrap();
    room.pass(Duration::from_mins(2));
    bob.open("/").await.shows("<h1>Inbox</h1>");
    assert_eq!(*changes.borrow(), before);
}
