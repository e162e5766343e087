//! What is no second factor: it is refused, counted and recorded.

use std::time::Duration;

use countersign::domain::actor::Actor;

use super::{
    STEP, ask, details, guarded, halfway, room, signed, stored, ticket, with_code, with_passkey,
};
use crate::harness::{
    authenticator::{FakeAuthenticator, GOOD},
    stored::assert_same,
};

#[tokio::test]
async fn ticket_is_over_after_five_minutes() {
    let room = room().await;
    let (bob, codes) = guarded(&room, "bob").await;
    let mut browser = halfway(&room, "bob").await;
    let signed = signed(&browser, &bob.key).await;
    let halfway = browser.page.clone();
    room.pass(Duration::from_mins(5));
    let before = room.stored(&[]).await;
    assert_eq!(with_code(&mut browser, &codes[0]).await, 401);
    browser.page.shows("more than five minutes ago");
    browser.page = halfway;
    assert_eq!(ask(&browser, &ticket(&browser)).await.0, 401);
    assert_eq!(browser.submit(STEP, &[("passkey", &signed)]).await.status, 401);
    assert_same(&before, &room.stored(&[]).await, "a ticket that is over");
}

#[tokio::test]
async fn ticket_is_of_one_person_alone() {
    let room = room().await;
    let (_, of_bob) = guarded(&room, "bob").await;
    let (_, of_anna) = guarded(&room, "anna").await;
    let mut browser = halfway(&room, "bob").await;
    let (own, page) = (ticket(&browser), browser.page.clone());
    let anna = room.operator().person("anna").await.unwrap().id;
    let nonce = own.split_once('.').unwrap().1;
    let before = room.stored(&[]).await;
    for forged in [format!("{anna}.{nonce}"), own.replace('.', ""), String::new()] {
        for code in [&of_bob[0], &of_anna[0]] {
            browser.page = page.clone();
            let fields = [("ticket", forged.as_str()), ("code", code)];
            assert_eq!(browser.submit(STEP, &fields).await.status, 401, "{forged}");
        }
        assert_eq!(ask(&browser, &forged).await.0, 401, "{forged}");
    }
    room.operator().disable_person(&Actor::CommandLine, "bob").await.unwrap();
    browser.page = page;
    assert_eq!(with_code(&mut browser, &of_bob[0]).await, 401, "he is disabled");
    assert_eq!(before["recovery_code"], room.stored(&[]).await["recovery_code"]);
}

#[tokio::test]
async fn wrong_second_factors_are_throttled_and_recorded() {
    let room = room().await;
    let (_, codes) = guarded(&room, "bob").await;
    for _try in 0..5 {
        // The right password each time forgets none of them.
        let mut browser = halfway(&room, "bob").await;
        assert_eq!(with_code(&mut browser, "0000-0000-0000-0000-0000-0000").await, 401);
    }
    let mut browser = halfway(&room, "bob").await;
    assert_eq!(with_code(&mut browser, &codes[0]).await, 429);
    browser.page.shows("Too many sign-ins failed; wait 1 minute.");
    let refused = room.operator().audit_after(0).await.unwrap();
    let refused = refused.iter().find(|entry| entry.kind == "session.refused").unwrap();
    assert_eq!(refused.actor_name, "bob");
    room.pass(Duration::from_mins(1));
    assert_eq!(with_code(&mut browser, &codes[0]).await, 303);
    let mut browser = halfway(&room, "bob").await;
    assert_eq!(with_code(&mut browser, "wrong").await, 401, "what was right forgets the rest");
}

#[tokio::test]
async fn passkey_of_somebody_else_is_no_second_factor() {
    let room = room().await;
    let (mut bob, _) = guarded(&room, "bob").await;
    let (anna, _) = guarded(&room, "anna").await;
    let mut browser = halfway(&room, "bob").await;
    let before = stored(&room).await;
    assert_eq!(with_passkey(&mut browser, &anna.key).await, 401, "it is hers");
    let mut stolen = FakeAuthenticator::new();
    stolen.party = bob.key.party.clone();
    (stolen.id, stolen.counter) = (bob.key.id.clone(), 9);
    assert_eq!(with_passkey(&mut browser, &stolen).await, 400, "another key signed");
    browser.page.shows("the signature of the passkey is wrong");
    bob.key.flags = GOOD & !0x04;
    assert_eq!(with_passkey(&mut browser, &bob.key).await, 400, "nobody is verified");
    assert_same(&before, &stored(&room).await, "what is no second factor");
    assert_eq!(browser.submit(STEP, &[("passkey", "{}")]).await.status, 400);
    (bob.key.flags, bob.key.counter) = (GOOD, 1);
    assert_eq!(with_passkey(&mut browser, &bob.key).await, 400);
    browser.page.shows("may have a copy");
    assert_eq!(details(&room, "passkey.refused").await[0]["name"], "security key");
    bob.key.counter = 5;
    assert_eq!(with_passkey(&mut browser, &bob.key).await, 303, "the key itself goes on");
}

#[tokio::test]
async fn second_factor_without_passkeys_takes_a_code() {
    let room = room().await;
    let (_, codes) = guarded(&room, "bob").await;
    room.execute("UPDATE passkey SET relying_party = 'old.example.net'").await;
    let mut browser = halfway(&room, "bob").await;
    assert_eq!(ask(&browser, &ticket(&browser)).await.0, 400, "there is none to ask");
    assert_eq!(with_code(&mut browser, &codes[0]).await, 303);
    browser.open("/account").await.shows("only recovery codes sign you in");
}
