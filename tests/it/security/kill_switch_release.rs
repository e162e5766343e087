//! Two people release the kill switch, and no one person is both.

use std::time::Duration;

use countersign::{
    broker::admin::{kill_switch::Unfreeze, people::PersonChange},
    domain::{
        actor::Role,
        kill_switch::{Extent, RELEASE_MINUTES},
    },
};
use reqwest::StatusCode;

use super::fixtures::{change, looked_at};
use crate::{
    broker::admin::people::used,
    harness::{PASSWORD, PersonClient, World, program::Program},
};

async fn release(person: &PersonClient) -> StatusCode {
    let typed = [("reason", "looked"), ("password", PASSWORD)];
    used(person, "/system", "/unfreeze", &typed).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn demoted_person_cannot_confirm_release() {
    let world = World::start().await;
    let all = &Extent::Everything;
    for (name, role) in [("carol", Role::Senior), ("dora", Role::Lead)] {
        world.freeze("stop").await;
        let who = looked_at(&world, name).await;
        change(&world, "otto", PersonChange::Role(Role::Admin)).await;
        change(&world, name, PersonChange::Role(role)).await;
        let turned = world.broker().unfreeze(&who, all, "all is well").await;
        assert!(turned.is_err(), "{name}: {turned:?}");
        assert_eq!(world.operator().frozen().await.unwrap()[0].release, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_names_second_person_only_while_first_counts() {
    let world = World::start().await;
    let carol = world.person("carol").await;
    let dora = world.person("dora").await;
    let second = "You are the second person";
    for round in 0..2 {
        world.freeze("stop").await;
        assert_eq!(release(&carol).await, StatusCode::SEE_OTHER);
        assert!(dora.get("/system").await.html.contains(second));
        if round == 0 {
            // Both stay signed in.
            for _ in 0..3 {
                world.pass(Duration::from_secs(
                    60 * u64::try_from(RELEASE_MINUTES).unwrap() / 3 + 1,
                ));
                assert_eq!(dora.get("/").await.status, StatusCode::OK);
                assert_eq!(carol.get("/").await.status, StatusCode::OK);
            }
            assert!(carol.get("/system").await.form("/unfreeze").is_some(), "she can begin anew");
        } else {
            change(&world, "carol", PersonChange::Role(Role::Senior)).await;
        }
        let page = dora.get("/system").await.html;
        assert!(page.contains("first of two") && !page.contains(second), "{page}");
        assert!(!page.contains("asked for its release"), "{page}");
        if round == 0 {
            assert_eq!(release(&carol).await, StatusCode::SEE_OTHER);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_cannot_complete_release_after_password_reset() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let server = program.serve();
    program.done(&["freeze", "--reason", "a test"]);
    let admin = PersonClient::sign_in(&server.url, "admin", PASSWORD).await;
    assert_eq!(release(&admin).await, StatusCode::SEE_OTHER);
    program.write("reset", "a reset password");
    program.done(&["person", "password", "admin", "--password-file", "reset"]);
    let said = program.done(&["--json", "unfreeze", "--reason", "a test"]);
    assert!(said.contains("\"frozen\":true"), "{said}");
}

/// Held: nobody is both keys, whichever doors they use.
#[tokio::test(flavor = "multi_thread")]
async fn one_person_in_two_sessions_confirms_release_once() {
    let world = World::start().await;
    world.freeze("stop").await;
    let all = &Extent::Everything;
    let (one, other) = (looked_at(&world, "carol").await, looked_at(&world, "carol").await);
    let first = world.broker().unfreeze(&one, all, "a").await.unwrap();
    assert!(matches!(first, Unfreeze::Waits(_)), "{first:?}");
    assert!(world.broker().unfreeze(&other, all, "b").await.is_err());
    assert_eq!(world.operator().frozen().await.unwrap().len(), 1);
}
