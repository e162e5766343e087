//! Who hears that somebody's passkeys changed.

use countersign::broker::admin::passkeys::NewPasskey;

use super::{
    fake_mail_server::{MailServer, Speaks},
    give_addresses, tell,
};
use crate::harness::{PASSWORD, World, authenticator::FakeAuthenticator};

#[tokio::test(flavor = "multi_thread")]
async fn new_passkey_is_told_to_its_person_and_admins() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = World::builder().with_host("localhost").with_channels(vec![mail.channel()]);
    let world = world.start().await;
    give_addresses(&world).await;
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
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p4@example.org"]);
    mail.forget();
    broker.remove_passkey(&bob, id).await.unwrap();
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p4@example.org"]);
}
