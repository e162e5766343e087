//! The server got another name: the keys that were made for the old one are no use there.

use super::{Holder, answer, challenge, room};
use crate::{
    harness::{PASSWORD, authenticator::FakeAuthenticator},
    web::fixtures::path,
};

const OTHER_NAME: &str = "UPDATE passkey SET relying_party = 'old.example.net'";

#[tokio::test]
async fn passkey_of_another_name_is_not_asked() {
    let room = room().await;
    let request = room.asked().await;
    let mut bob = Holder::of(&room, "bob").await;
    room.execute(OTHER_NAME).await;
    room.pass(super::LATER);
    bob.browser.open(&path(&request)).await.shows("approve-password");
    assert!(!bob.browser.page.has("with your passkey"));
    let shown = [
        ("verb", "approve"),
        ("version", &*request.version.to_string()),
        ("digest", &*request.digest.to_string()),
    ];
    let (status, _) = bob.ask(&format!("{}/passkey", path(&request)), &shown).await;
    assert_eq!(status, 400, "there is none to ask");
    bob.browser.open("/account").await.shows("of <bdi>old.example.net</bdi>: does not work here");
    // One for the new name is asked, and the old one is not.
    let party = bob.key.party.clone();
    bob.key = FakeAuthenticator::new();
    (bob.key.party, bob.key.id) = (party, b"a new one".to_vec());
    assert_eq!(bob.enrol(PASSWORD).await, 303, "{}", bob.browser.page.html);
    bob.key.counter += 1;
    room.pass(super::LATER);
    bob.browser.open(&path(&request)).await.shows("with your passkey");
    let asked = bob.ask_about(&request, "approve").await;
    assert_eq!(asked["credentials"].as_array().unwrap().len(), 1);
    let signed = answer(&asked, &bob.key.id, &bob.key.sign(challenge(&asked)));
    assert_eq!(bob.approve(&request, &signed).await, 303);
}

#[tokio::test]
async fn passkey_of_another_name_can_be_removed() {
    let room = room().await;
    drop(Holder::of(&room, "bob").await);
    let room = Box::pin(room.restart_with(|world| world.with_host("127.0.0.1"))).await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/account").await.shows("of <bdi>localhost</bdi>: does not work here");
    let remove = bob.page.html.split("action=\"").find(|rest| rest.contains("/remove\"")).unwrap();
    let remove = remove.split('"').next().unwrap().to_owned();
    assert_eq!(bob.submit(&remove, &[("password", PASSWORD)]).await.status, 303);
    bob.open("/account").await.shows("You have none.");
}
