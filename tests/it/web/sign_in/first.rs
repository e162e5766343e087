//! The first sign-in: the one-time password, and one of one's own.

use std::time::Duration;

use crate::{harness::PASSWORD, web::fixtures::Room};

const FIRST: &str = "/sign-in/first";
const OWN: &str = "a password of my own";

#[tokio::test]
async fn first_sign_in_takes_one_time_and_own_password() {
    let room = Room::start().await;
    let mut elsewhere = room.browser_of("fred").await;
    let mut fred = room.stranger();
    let page = fred.open("/sign-in/first?name=fred").await;
    assert!(page.html.contains("value=\"fred\""), "{}", page.html);
    let typed = [("password", PASSWORD), ("new", OWN)];
    assert_eq!(fred.submit(FIRST, &[&typed[..], &[("name", "fred")]].concat()).await.status, 303);
    assert_eq!(fred.page.leads_to(), "/");
    fred.open("/").await.shows("<h1>Inbox</h1>");
    elsewhere.open("/").await.shows("<h1>Sign in</h1>");
    assert_eq!(room.stranger().sign_in("fred", PASSWORD).await.status, 401);
    assert_eq!(room.stranger().sign_in("fred", OWN).await.status, 303);
}

#[tokio::test]
async fn first_sign_in_refuses_wrong_weak_and_own_passwords() {
    let room = Room::start().await;
    for (name, one_time, new, status, why) in [
        ("fred", "wrong", OWN, 401, "is wrong, or it was used"),
        ("bob", PASSWORD, OWN, 401, "is wrong, or it was used"),
        ("nobody", PASSWORD, OWN, 401, "is wrong, or it was used"),
        ("fred", PASSWORD, "short", 400, "12 to 128 characters"),
        ("fred", PASSWORD, PASSWORD, 400, "is the one-time password"),
    ] {
        let mut browser = room.stranger();
        browser.open(&format!("{FIRST}?name={name}")).await;
        let typed = [("name", name), ("password", one_time), ("new", new)];
        assert_eq!(browser.submit(FIRST, &typed).await.status, status, "{name}");
        browser.page.shows(why);
        assert!(!browser.page.html.contains(OWN) && !browser.page.html.contains(PASSWORD));
        assert_eq!(browser.person.cookie, "");
    }
    assert_eq!(room.stranger().sign_in("bob", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn wrong_one_time_passwords_make_their_source_wait() {
    let room = Room::start().await;
    let mut browser = room.stranger();
    browser.open(FIRST).await;
    let typed = |password| [("name", "fred"), ("password", password), ("new", OWN)];
    for _ in 0..5 {
        assert_eq!(browser.submit(FIRST, &typed("wrong")).await.status, 401);
    }
    assert_eq!(browser.submit(FIRST, &typed(PASSWORD)).await.status, 429);
}

#[tokio::test]
async fn first_page_repeats_no_name_that_is_none() {
    let room = Room::start().await;
    for name in ["%3Cscript%3E", "b%E2%80%AEob", "Fred", &"x".repeat(40)] {
        let mut browser = room.stranger();
        let page = browser.open(&format!("{FIRST}?name={name}")).await;
        assert!(page.html.contains("id=\"name\" value=\"\""), "{name}: {}", page.html);
    }
}

#[tokio::test]
async fn one_time_password_just_given_is_not_asked_again() {
    let room = Room::start().await;
    let mut fred = room.browser_of("fred").await;
    let page = fred.open("/password").await;
    assert!(!page.has("Current password"), "{}", page.html);
    assert_eq!(fred.submit("/password", &[("new", PASSWORD)]).await.status, 400);
    fred.open("/password").await;
    assert_eq!(fred.submit("/password", &[("new", OWN)]).await.status, 303);
    assert_eq!(fred.page.leads_to(), "/");
    assert_eq!(room.stranger().sign_in("fred", OWN).await.status, 303);
    // Whoever has a password of their own enters it.
    let mut bob = room.browser_of("bob").await;
    bob.open("/password").await.shows("Current password");
    assert_eq!(bob.submit("/password", &[("new", OWN)]).await.status, 400);
    room.pass(Duration::from_secs(1));
    assert_eq!(room.stranger().sign_in("bob", PASSWORD).await.status, 303);
}
