//! Who hears that somebody's passkeys changed.

use countersign::{
    broker::{
        BrokerError, SignedIn,
        admin::{
            passkeys::{NewPasskey, second_factor::SecondProof},
            people::api_tokens::NewApiToken,
        },
    },
    domain::{
        actor::{api_token::TokenScope, sign_in::SignInOrigin},
        id::PasskeyId,
    },
};
use serde_json::json;

use super::{
    fake_mail_server::{MailServer, Speaks},
    give_addresses, pending, tell,
};
use crate::{
    harness::{PASSWORD, World, authenticator::FakeAuthenticator},
    web::request::passkeys::ONLY_PASSKEYS,
};

#[tokio::test(flavor = "multi_thread")]
async fn new_passkey_is_told_to_its_person_and_admins() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = World::builder().with_host("localhost").with_channels(vec![mail.channel()]);
    let world = world.start().await;
    give_addresses(&world).await;
    let (bob, id) = with_passkey(&world).await;
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p4@example.org"]);
    mail.forget();
    world.broker().remove_passkey(&bob, id).await.unwrap();
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p4@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_api_token_is_told_to_owner_and_admins() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = World::builder().with_host("localhost").with_channels(vec![mail.channel()]);
    let world = world.start().await;
    give_addresses(&world).await;
    let bob = world.signed_in("bob").await;
    let bob = world.broker().authenticate_again(&bob, PASSWORD).await.unwrap();
    let networks = ["192.0.2.0/24".parse().unwrap()];
    let new =
        NewApiToken { name: "nightly", scopes: &TokenScope::ALL, networks: &networks, days: 90 };
    let made = world.broker().create_api_token(&bob, new).await.unwrap();
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p4@example.org"]);
    mail.forget();
    world.broker().revoke_api_token(&bob, made.token.id).await.unwrap();
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p4@example.org"]);
}

/// Bob adds a passkey.
async fn with_passkey(world: &World) -> (SignedIn, PasskeyId) {
    let (broker, bob) = (world.broker(), world.signed_in("bob").await);
    let question = broker.ask_for_new_passkey(&bob).await.unwrap();
    let mut key = FakeAuthenticator::new();
    key.party.clone_from(&question.party);
    let (client_data, attestation) = key.register(question.challenge);
    let bob = broker.authenticate_again(&bob, PASSWORD).await.unwrap();
    let new = NewPasskey {
        name: "security key",
        nonce: &question.nonce,
        client_data: &client_data,
        attestation: &attestation,
    };
    let id = broker.add_passkey(&bob, new).await.unwrap();
    (bob, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn request_for_passkeys_is_told_to_their_holders() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = World::builder().with_host("localhost").with_only_policy(ONLY_PASSKEYS);
    let world = world.with_channels(vec![mail.channel()]).start().await;
    give_addresses(&world).await;
    with_passkey(&world).await;
    tell(&world).await;
    mail.forget();
    pending(&world).await;
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org"]);
    mail.forget();
    world.execute("UPDATE passkey SET relying_party = 'old.example.net'").await;
    let more = json!({ "duration_seconds": 600, "agent_ids": ["002"] });
    world.agent().await.block("198.51.100.77", more).await;
    tell(&world).await;
    assert_eq!(mail.receivers(), [""; 0], "it does not work under another name");
}

#[tokio::test(flavor = "multi_thread")]
async fn second_factor_is_told_to_its_person_and_admins() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = World::builder().with_host("localhost").with_channels(vec![mail.channel()]);
    let world = world.start().await;
    give_addresses(&world).await;
    let (bob, _) = with_passkey(&world).await;
    tell(&world).await;
    let broker = world.broker();
    let expect = async |what: &str| {
        mail.forget();
        tell(&world).await;
        assert_eq!(mail.receivers(), ["p2@example.org", "p4@example.org"], "{what}");
        let mails = mail.mails();
        assert!(mails.iter().all(|mail| mail.text.contains(what)), "{what}: {}", mails[0].text);
    };
    let changed = "A second factor was switched on or off, or has other recovery codes";
    let codes = broker.switch_second_factor_on(&bob).await.unwrap();
    expect(changed).await;
    let origin = SignInOrigin::program();
    let refused = broker.sign_in("bob", PASSWORD, &origin).await.unwrap_err();
    let BrokerError::SecondFactorMissing(ticket) = refused else { panic!("{refused}") };
    assert_eq!(format!("{ticket:?}"), "SecondFactorTicket(..)");
    let code = SecondProof::RecoveryCode(&codes[0]);
    broker.sign_in_with_second_factor(&ticket.text(), code, &origin).await.unwrap();
    expect("Somebody signed in with a recovery code").await;
    broker.renew_recovery_codes(&bob).await.unwrap();
    expect(changed).await;
    broker.switch_second_factor_off(&bob).await.unwrap();
    expect(changed).await;
}
