//! Signing in with a passkey and nothing else.

use countersign::{
    domain::{actor::Actor, public_url::PublicUrl},
    passkey::RelyingParty,
};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{Holder, answer, challenge, details, room, text};
use crate::{
    harness::{
        PASSWORD, World,
        authenticator::{FakeAuthenticator, GOOD},
    },
    web::{
        browser::{Browser, form},
        fixtures::Room,
        sign_in::provider::Stage,
    },
};

/// Signs in with a passkey alone, in a browser of its own.
pub(super) async fn sign_in(
    room: &Room,
    key: &FakeAuthenticator,
    user: &str,
) -> (u16, String, Browser) {
    let mut browser = room.stranger();
    browser.open("/sign-in").await.shows("Sign in with a passkey");
    let request = browser.request(Method::POST, "/sign-in/passkey/ask");
    let request = request.header(header::ORIGIN, &browser.person.url);
    let asked = form(request, &[]).send().await.unwrap().text().await.unwrap();
    let asked: Value = serde_json::from_str(&asked).unwrap();
    let signed = answer(&asked, &key.id, &key.sign(challenge(&asked)));
    let mut signed: Value = serde_json::from_str(&signed).unwrap();
    signed["user"] = json!(text(user.as_bytes()));
    let signed = signed.to_string();
    let status = browser.submit("/sign-in/passkey", &[("passkey", &signed)]).await.status;
    (status.as_u16(), signed, browser)
}

#[tokio::test]
async fn passkey_signs_its_person_in_once() {
    let room = room().await;
    // One that does not count: then the counter tells nobody that an answer came before.
    let mut bob = Holder::without_key(&room, "bob").await;
    bob.key.counter = 0;
    assert_eq!(bob.enrol(PASSWORD).await, 303);
    let user = room.signed_in("bob").await.id().to_string();
    let (status, signed, mut browser) = sign_in(&room, &bob.key, &user).await;
    assert_eq!(status, 303, "{}", browser.page.html);
    browser.open("/account").await.shows("security key");
    let mut again = room.stranger();
    again.open("/sign-in").await;
    let status = again.submit("/sign-in/passkey", &[("passkey", &signed)]).await.status;
    assert_eq!(status, 401, "it was taken");
    let other = room.signed_in("anna").await.id().to_string();
    assert_eq!(sign_in(&room, &bob.key, &other).await.0, 401, "it is not hers");
    bob.key.flags = GOOD & !0x04;
    assert_eq!(sign_in(&room, &bob.key, &user).await.0, 400, "nobody is verified");
    bob.key.flags = GOOD;
    room.operator().disable_person(&Actor::CommandLine, "bob").await.unwrap();
    assert_eq!(sign_in(&room, &bob.key, &user).await.0, 401, "he is disabled");
    let signed_in = details(&room, "session.signed_in").await;
    assert_eq!(signed_in.iter().filter(|facts| facts["passkey"] == true).count(), 1);
}

#[tokio::test]
async fn stranger_without_our_question_does_not_sign_in() {
    let room = room().await;
    let bob = Holder::of(&room, "bob").await;
    let user = room.signed_in("bob").await.id().to_string();
    let asked = json!({ "nonce": text(&[7; 32]), "challenge": text(&[8; 32]) });
    let signed = answer(&asked, &bob.key.id, &bob.key.sign(challenge(&asked)));
    let mut signed: Value = serde_json::from_str(&signed).unwrap();
    signed["user"] = json!(text(user.as_bytes()));
    for sent in [signed.to_string(), "{}".to_owned(), String::new()] {
        let mut browser = room.stranger();
        browser.open("/sign-in").await;
        let page = browser.submit("/sign-in/passkey", &[("passkey", &sent)]).await;
        assert!(page.status.is_client_error(), "{sent}: {}", page.status);
        browser.open("/account").await.shows("Sign in");
    }
}

#[tokio::test]
async fn reset_password_removes_all_passkeys() {
    let room = room().await;
    let mut bob = Holder::of(&room, "bob").await;
    let user = room.signed_in("bob").await.id().to_string();
    let operator = room.operator();
    operator.reset_password(&Actor::CommandLine, "bob", "a password for one day").await.unwrap();
    assert_eq!(sign_in(&room, &bob.key, &user).await.0, 401);
    assert_eq!(details(&room, "passkey.removed").await.len(), 1);
    let mut browser = room.stranger();
    browser.sign_in("bob", "a password for one day").await;
    browser.person.choose_password("a password for one day", PASSWORD).await;
    bob.browser = browser;
    bob.browser.sign_in("bob", PASSWORD).await;
    bob.browser.open("/account").await.shows("You have none.");
}

#[tokio::test]
async fn own_new_password_removes_passkeys_unless_kept() {
    for (keep, status) in [("yes", 303), ("", 401)] {
        let room = room().await;
        let mut bob = Holder::of(&room, "bob").await;
        let user = room.signed_in("bob").await.id().to_string();
        bob.browser.open("/password").await.shows("Keep my passkeys");
        let new = "another long password";
        let mut fields = vec![("old", PASSWORD), ("new", new)];
        fields.extend(Some(("keep_passkeys", keep)).filter(|(_, keep)| !keep.is_empty()));
        assert_eq!(bob.browser.submit("/password", &fields).await.status, 303);
        assert_eq!(sign_in(&room, &bob.key, &user).await.0, status, "{keep}");
    }
}

#[tokio::test]
async fn copy_that_signs_in_is_refused_and_named() {
    let room = room().await;
    let mut bob = Holder::of(&room, "bob").await;
    let user = room.signed_in("bob").await.id().to_string();
    assert_eq!(sign_in(&room, &bob.key, &user).await.0, 303);
    bob.key.counter = 1;
    let (status, _, browser) = sign_in(&room, &bob.key, &user).await;
    assert_eq!(status, 400);
    browser.page.shows("may have a copy");
    let refused = details(&room, "passkey.refused").await;
    assert_eq!(refused[0]["name"], "security key");
}

#[tokio::test]
async fn passkey_of_provider_person_takes_confirmation_and_opens_nothing() {
    let stage = Stage::of(World::builder().with_host("localhost")).await;
    let mut erin = stage.sign_in().await;
    erin.browser.open("/account").await.shows("You sign in at the identity provider");
    let mut key = FakeAuthenticator::new();
    key.party = RelyingParty::of(&PublicUrl::parse(&stage.room.url()).unwrap()).unwrap();
    let holder = Holder { browser: erin.browser, key };
    let (_, asked) = holder.ask("/account/passkeys/ask", &[]).await;
    let (client_data, attestation) = holder.key.register(challenge(&asked));
    let made = json!({
        "nonce": asked["nonce"], "client_data": text(&client_data),
        "attestation": text(&attestation),
    });
    let Holder { browser, mut key } = holder;
    erin.browser = browser;
    let fields = [("name", "security key"), ("passkey", &made.to_string()), ("password", PASSWORD)];
    erin.send("/account/passkeys", &fields).await;
    assert_eq!(erin.browser.page.status, 401, "a password is nothing of hers");
    let back = stage.provider.sign_in(&erin.asked_at());
    erin.get(&back).await;
    assert_eq!(details(&stage.room, "passkey.added").await.len(), 0);
    erin.send("/account/passkeys", &[]).await;
    assert_eq!(details(&stage.room, "passkey.added").await.len(), 1);
    key.counter += 1;
    let people = stage.room.operator().people().await.unwrap();
    let user = people.iter().find(|person| person.name == "erin").unwrap().id.to_string();
    assert_eq!(sign_in(&stage.room, &key, &user).await.0, 401, "she signs in at the provider");
    let page = erin.browser.open("/account").await;
    assert!(!page.has_form("/account/second-factor"));
    let token = [("form_token".to_owned(), page.form_token())];
    erin.post("/account/second-factor", &token).await;
    let back = stage.provider.sign_in(&erin.asked_at());
    erin.get(&back).await;
    erin.send("/account/second-factor", &[]).await;
    erin.browser.page.shows("a second factor there");
}
