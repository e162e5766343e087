//! One's own account: sessions, sign-ins, quiet hours.

use std::time::Duration;

use reqwest::{Method, header};

use crate::{
    harness::PASSWORD,
    web::{
        browser::{Browser, form},
        fixtures::Room,
    },
};

const OTHERS: &str = "/account/sessions/end-others";

/// The addresses that end one session each.
fn ends(browser: &Browser) -> Vec<String> {
    let actions = browser.page.html.split("action=\"/account/sessions/").skip(1);
    let ids = actions.map(|rest| rest.split('"').next().unwrap());
    ids.filter(|id| id.ends_with("/end")).map(|id| format!("/account/sessions/{id}")).collect()
}

#[tokio::test]
async fn account_lists_sessions_with_place_and_device() {
    let room = Room::start().await;
    let stranger = room.stranger();
    let fields = [("name", "bob"), ("password", PASSWORD)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let signed_in = stranger
        .request(Method::POST, "/sign-in")
        .header(header::ORIGIN, &stranger.person.url)
        .header(header::USER_AGENT, "Phone/1 <b>");
    assert_eq!(form(signed_in, &fields).send().await.unwrap().status(), 303);
    room.pass(Duration::from_mins(2));
    let mut bob = room.browser_of("bob").await;
    bob.open("/account").await.shows("this one");
    bob.page.shows("127.0.0.1");
    bob.page.shows("Phone/1");
    assert!(!bob.page.html.contains("Phone/1 <b>"));
    assert_eq!(ends(&bob).len(), 1);
    room.pass(Duration::from_mins(29));
    bob.open("/account").await;
    assert_eq!(ends(&bob).len(), 0, "the other one ran out");
}

#[tokio::test]
async fn person_ends_own_other_sessions_alone() {
    let room = Room::start().await;
    let mut others = [room.browser_of("bob").await, room.browser_of("bob").await];
    let mut carol = room.browser_of("carol").await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/account").await;
    let one = ends(&bob).remove(0);
    // An id of somebody else's session is none.
    carol.open("/account").await;
    let token = ("form_token".to_owned(), carol.page.form_token());
    assert_eq!(carol.post(&one, &[token]).await.status, 404);
    bob.open("/account").await;
    assert_eq!(bob.submit(&one, &[]).await.status, 303);
    let mut left = 0;
    for other in &mut others {
        left += usize::from(other.open("/").await.has("<h1>Inbox</h1>"));
    }
    assert_eq!(left, 1);
    bob.open("/account").await;
    assert_eq!(bob.submit(OTHERS, &[]).await.status, 303);
    for other in &mut others {
        other.open("/").await.shows("<h1>Sign in</h1>");
    }
    carol.open("/").await.shows("<h1>Inbox</h1>");
    bob.open("/account").await.shows("this one");
    assert!(!bob.page.has_form(OTHERS), "there is none to end");
}

#[tokio::test]
async fn account_shows_failed_sign_ins_of_its_name() {
    let room = Room::start().await;
    assert_eq!(room.stranger().sign_in("bob", "wrong").await.status, 401);
    assert_eq!(room.stranger().sign_in("carol", "wrong").await.status, 401);
    room.broker().record_refused_sign_ins(true).await.unwrap();
    let mut carol = room.browser_of("carol").await;
    carol.open("/account").await.shows("somebody claiming to be you could not sign in");
    carol.page.shows("signed in from 127.0.0.1");
    let mut otto = room.browser_of("otto").await;
    assert!(!otto.open("/account").await.has("somebody claiming"));
}

#[tokio::test]
async fn wrong_quiet_hours_are_refused_and_kept() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    for (from, until, why) in [
        ("22:00", "", "quiet_until"),
        ("7 pm", "06:00", "`7 pm` is no time of the day"),
        ("08:00", "08:00", "at most 16 hours after the beginning"),
    ] {
        bob.open("/account").await;
        let typed = [("quiet_from", from), ("quiet_until", until)];
        assert_eq!(bob.submit("/account/quiet-hours", &typed).await.status, 400);
        bob.page.shows(why);
        assert!(bob.page.html.contains(&format!("value=\"{from}\"")), "{}", bob.page.html);
    }
    bob.open("/account").await;
    let typed = [("quiet_from", "22:00"), ("quiet_until", "06:30")];
    assert_eq!(bob.submit("/account/quiet-hours", &typed).await.status, 303);
    bob.open("/account").await.shows("value=\"22:00\"");
    bob.submit("/account/quiet-hours", &[("quiet_from", ""), ("quiet_until", "")]).await;
    assert!(!bob.open("/account").await.html.contains("value=\"22:00\""));
}
