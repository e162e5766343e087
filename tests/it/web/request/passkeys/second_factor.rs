//! With a second factor the right password begins no session: a passkey of the person does with it, or a
//! recovery code. Who switches it on and off, and what ends it.

use countersign::domain::actor::Actor;
use reqwest::{Method, header};
use serde_json::Value;

use super::{Holder, answer, challenge, details, room, sign_in::sign_in};
use crate::{
    harness::{
        PASSWORD,
        authenticator::FakeAuthenticator,
        page::Page,
        stored::{Stored, assert_same},
    },
    web::{
        browser::{Browser, form},
        fixtures::Room,
    },
};

mod recovery_codes;
mod refusals;

const ON: &str = "/account/second-factor";
const OFF: &str = "/account/second-factor/off";
const RENEW: &str = "/account/second-factor/codes";
const STEP: &str = "/sign-in/second-factor";

/// The recovery codes on a page.
fn codes(page: &Page) -> Vec<String> {
    let codes = page.html.split("<li><code>").skip(1);
    codes.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

/// Sends a form of the page of the account, with the password.
async fn change(holder: &mut Holder, action: &str) -> Page {
    holder.browser.open("/account").await;
    holder.browser.submit(action, &[("password", PASSWORD)]).await.clone()
}

/// Somebody whose password alone does not sign in, and the recovery codes.
async fn guarded(room: &Room, name: &str) -> (Holder, Vec<String>) {
    let mut holder = Holder::of(room, name).await;
    let page = change(&mut holder, ON).await;
    assert_eq!(page.status, 200, "{}", page.html);
    page.shows("They are shown once.");
    let codes = codes(&page);
    assert_eq!(codes.len(), 10);
    (holder, codes)
}

/// A browser in which the right password was given, and nothing else.
async fn halfway(room: &Room, name: &str) -> Browser {
    let mut browser = room.stranger();
    let page = browser.sign_in(name, PASSWORD).await;
    assert_eq!(page.status, 200, "{}", page.html);
    page.shows("Your password is right, and does not sign you in alone.");
    assert!(browser.person.cookie.is_empty());
    browser
}

async fn with_code(browser: &mut Browser, code: &str) -> u16 {
    browser.submit(STEP, &[("code", code)]).await.status.as_u16()
}

/// What a page asks the passkeys of its person.
async fn ask(browser: &Browser, ticket: &str) -> (u16, Value) {
    let request = browser.request(Method::POST, &format!("{STEP}/ask"));
    let request = request.header(header::ORIGIN, &browser.person.url);
    let fields = [("ticket".to_owned(), ticket.to_owned())];
    let response = form(request, &fields).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

fn ticket(browser: &Browser) -> String {
    let fields = browser.page.hidden_fields(STEP);
    fields.into_iter().find(|(name, _)| name == "ticket").unwrap().1
}

/// Signs what the page asks.
async fn signed(browser: &Browser, key: &FakeAuthenticator) -> String {
    let (status, asked) = ask(browser, &ticket(browser)).await;
    assert_eq!(status, 200);
    answer(&asked, &key.id, &key.sign(challenge(&asked)))
}

async fn with_passkey(browser: &mut Browser, key: &FakeAuthenticator) -> u16 {
    let signed = signed(browser, key).await;
    browser.submit(STEP, &[("passkey", &signed)]).await.status.as_u16()
}

/// All that is stored, but that a sign-in was refused.
async fn stored(room: &Room) -> Stored {
    room.stored(&["session.refused"]).await
}

#[tokio::test]
async fn password_alone_begins_no_session_with_second_factor() {
    let room = room().await;
    guarded(&room, "bob").await;
    let before = room.stored(&[]).await;
    let mut browser = halfway(&room, "bob").await;
    assert_same(&before, &room.stored(&[]).await, "the password alone");
    browser.open("/account").await.shows("<h1>Sign in</h1>");
    let wrong = room.stranger().sign_in("bob", "not the password").await.status;
    assert_eq!(wrong, 401);
    room.browser_of("anna").await.open("/account").await.shows("It takes a passkey");
}

#[tokio::test]
async fn passkey_beside_the_password_signs_in_once() {
    let room = room().await;
    // One that does not count: then the counter tells nobody that an answer came before.
    let mut bob = Holder::without_key(&room, "bob").await;
    bob.key.counter = 0;
    assert_eq!(bob.enrol(PASSWORD).await, 303);
    assert_eq!(change(&mut bob, ON).await.status, 200);
    let mut browser = halfway(&room, "bob").await;
    let (mut again, signed) = (halfway(&room, "bob").await, signed(&browser, &bob.key).await);
    again.page = browser.page.clone();
    let page = browser.submit(STEP, &[("passkey", &signed)]).await;
    assert_eq!((page.status.as_u16(), page.leads_to()), (303, "/"));
    browser.open("/account").await.shows("It is on");
    let status = again.submit(STEP, &[("passkey", &signed)]).await.status;
    assert_eq!(status, 401, "the ticket was used");
    let signed_in = details(&room, "session.signed_in").await;
    let beside = signed_in.iter().filter(|facts| facts["beside_password"] == "passkey");
    assert_eq!(beside.count(), 1);
    let mut otto = room.browser_of("otto").await;
    otto.open("/audit").await.shows("signed in with the password and a passkey");
}

#[tokio::test]
async fn passkey_alone_signs_in_with_second_factor_on() {
    let room = room().await;
    let (bob, _) = guarded(&room, "bob").await;
    let user = room.operator().person("bob").await.unwrap().id.to_string();
    assert_eq!(sign_in(&room, &bob.key, &user).await.0, 303);
}

#[tokio::test]
async fn second_factor_takes_password_and_passkey() {
    let room = room().await;
    let mut bob = Holder::without_key(&room, "bob").await;
    bob.browser.page.shows("It takes a passkey: add one first.");
    let token = ("form_token".to_owned(), bob.browser.page.form_token());
    let password = ("password".to_owned(), PASSWORD.to_owned());
    let before = room.stored(&["session.signed_in"]).await;
    let page = bob.browser.post(ON, &[token.clone(), password.clone()]).await;
    assert_eq!(page.status, 400);
    page.shows("you have no passkey for this server");
    for action in [OFF, RENEW] {
        let page = bob.browser.post(action, &[token.clone(), password.clone()]).await;
        assert_eq!(page.status, 400, "{action}");
        page.shows("it is off");
    }
    assert_eq!(before["second_factor"], room.stored(&[]).await["second_factor"]);
    let (mut bob, _) = guarded(&room, "bob").await;
    bob.browser.open("/account").await;
    let token = ("form_token".to_owned(), bob.browser.page.form_token());
    let before = room.stored(&["session"]).await;
    let page = bob.browser.post(ON, &[token.clone(), password]).await;
    assert_eq!(page.status, 400);
    page.shows("it is on");
    for action in [ON, OFF, RENEW] {
        let wrong = ("password".to_owned(), "not the password".to_owned());
        for fields in [vec![token.clone()], vec![token.clone(), wrong]] {
            let page = bob.browser.post(action, &fields).await;
            assert_eq!(page.status, 401, "{action}");
        }
    }
    let after = room.stored(&["session"]).await;
    for table in ["second_factor", "recovery_code", "audit"] {
        assert_eq!(before[table], after[table], "{table}");
    }
}

#[tokio::test]
async fn second_factor_that_is_off_asks_nothing() {
    let room = room().await;
    let (mut bob, codes) = guarded(&room, "bob").await;
    let mut halfway = halfway(&room, "bob").await;
    assert_eq!(change(&mut bob, OFF).await.status, 303);
    bob.browser.open("/account").await.shows("Switch the second factor on");
    assert_eq!(with_code(&mut halfway, &codes[0]).await, 401, "the codes ended");
    room.browser_of("bob").await;
    for kind in ["second_factor.switched_on", "second_factor.switched_off"] {
        assert_eq!(details(&room, kind).await.len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn last_passkey_stays_while_sign_in_asks() {
    let room = room().await;
    let (mut bob, _) = guarded(&room, "bob").await;
    bob.browser.open("/account").await;
    let remove = bob.browser.page.html.split("action=\"").find(|rest| rest.contains("/remove\""));
    let remove = remove.unwrap().split('"').next().unwrap().to_owned();
    let page = change(&mut bob, &remove).await;
    assert_eq!(page.status, 400);
    page.shows("add another one first, or switch the second factor off");
    assert!(details(&room, "passkey.removed").await.is_empty());
    let party = bob.key.party.clone();
    bob.key = FakeAuthenticator::new();
    (bob.key.party, bob.key.id) = (party, b"another".to_vec());
    bob.browser.open("/account").await;
    assert_eq!(bob.enrol(PASSWORD).await, 303);
    assert_eq!(change(&mut bob, &remove).await.status, 303, "there is another one");
    assert_eq!(change(&mut bob, OFF).await.status, 303);
    let last = bob.browser.open("/account").await.html.clone();
    let last = last.split("action=\"").find(|rest| rest.contains("/remove\"")).unwrap();
    let last = last.split('"').next().unwrap().to_owned();
    assert_eq!(change(&mut bob, &last).await.status, 303, "nothing asks for it");
}

#[tokio::test]
async fn reset_password_ends_second_factor_and_codes() {
    let room = room().await;
    let (_, codes) = guarded(&room, "bob").await;
    let mut old = halfway(&room, "bob").await;
    let one_day = "a password for one day";
    room.operator().reset_password(&Actor::CommandLine, "bob", one_day).await.unwrap();
    assert_eq!(with_code(&mut old, &codes[0]).await, 401, "it was the old password's");
    let mut browser = room.stranger();
    assert_eq!(browser.sign_in("bob", one_day).await.status, 303);
    browser.open("/account").await.shows("<h1>Choose your password</h1>");
    browser.person.choose_password(one_day, PASSWORD).await;
    browser.sign_in("bob", PASSWORD).await;
    browser.open("/account").await.shows("It takes a passkey: add one first.");
    let stored = room.stored(&[]).await;
    assert!(stored["recovery_code"].is_empty() && stored["second_factor"].is_empty());
    assert_eq!(details(&room, "second_factor.switched_off").await.len(), 1);
}

#[tokio::test]
async fn own_new_password_ends_second_factor_unless_kept() {
    for (keep, status) in [("yes", 200), ("", 303)] {
        let room = room().await;
        let (mut bob, codes) = guarded(&room, "bob").await;
        bob.browser.open("/password").await.shows("Keep my passkeys and recovery codes");
        let new = "another long password";
        let mut fields = vec![("old", PASSWORD), ("new", new)];
        fields.extend(Some(("keep_passkeys", keep)).filter(|(_, keep)| !keep.is_empty()));
        assert_eq!(bob.browser.submit("/password", &fields).await.status, 303);
        let mut browser = room.stranger();
        assert_eq!(browser.sign_in("bob", new).await.status, status, "{keep}");
        if status == 200 {
            assert_eq!(with_code(&mut browser, &codes[0]).await, 303);
        }
    }
}
