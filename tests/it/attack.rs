//! Attacks. Each test states what must hold; those that do not hold yet say why they are ignored.

use std::{future::Future as _, path::Path, task::Poll, time::Duration};

use countersign::{
    broker::BrokerError,
    domain::{actor::Actor, digest::Digest, kill_switch::Extent},
    store::Store,
};
use reqwest::StatusCode;
use serde_json::json;
use wazuh_simulator::{Endpoint, Os};

use crate::harness::{PASSWORD, Plan, World, page::PersonClient};

const ALERT: &str = "1763800000.10001";

/// The policies that ship and one more that keeps everybody's hands off a group.
fn copied_policies() -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    copy(&crate::harness::policies(), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn hands_off(folder: &Path, group: &str) {
    let text = format!(
        "@id(\"never.{group}\")\n@why(\"hands off {group}\")\nforbid (\n  principal is \
         Countersign::Agent,\n  action in Countersign::Action::\"ask\",\n  resource in \
         Countersign::Group::\"{group}\"\n);\n"
    );
    std::fs::write(folder.join("60_hands_off.cedar"), text).unwrap();
}

async fn activate(person: &PersonClient) {
    // Any form's token will do.
    let fields = person.get("/").await.form("/sign-out").unwrap();
    let page = person.post("/policy/activate", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_a_new_policy_keeps_out_is_not_sent_to() {
    let folder = copied_policies();
    let plan = Plan { policies: folder.path().to_owned(), ..Plan::default() };
    let world = World::start_with(plan).await;
    let more = json!({ "all_agents": true });
    let id = world.agent().await.block("203.0.113.9", more).await.id();
    hands_off(folder.path(), "office");
    activate(&world.person("dora").await).await;
    for name in ["bob", "carol"] {
        let person = world.person(name).await;
        if person.offered(&id, "approve").await {
            person.approve(&id).await;
        }
    }
    world.work().await;
    for office in ["008", "009", "010"] {
        assert!(world.manager.delivered_to(office).is_empty(), "{office} was sent to");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_ran_late_while_the_broker_was_down_does_not_keep_it_down() {
    let world = World::start().await;
    world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let folder = copied_policies();
    hands_off(folder.path(), "office");
    world.pass(Duration::from_hours(5));
    let plan = Plan { policies: folder.path().to_owned(), ..Plan::default() };
    world.restart(plan).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_for_one_manager_is_not_sent_to_another() {
    let world = World::start().await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.approve(&id).await;
    let world = world.restart(Plan { called: "another", ..Plan::default() }).await;
    world.work().await;
    assert_eq!(world.manager.received(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_became_critical_is_not_sent_to_without_people() {
    let world = World::start().await;
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let asked = agent.block("203.0.113.7", more).await;
    assert_eq!(asked.state(), "approved");
    let groups = ["default", "linux", "web", "core"];
    world.manager.add(Endpoint::new("001", "web-01", Os::UBUNTU).groups(&groups));
    world.work().await;
    assert_eq!(world.manager.received(), [], "{:?}", agent.get(&asked.id()).await);
    assert_eq!(agent.get(&asked.id()).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_set_is_never_active_without_its_event() {
    let folder = copied_policies();
    let plan = Plan { policies: folder.path().to_owned(), ..Plan::default() };
    let world = World::start_with(plan).await;
    let broker = world.broker();
    let token = broker.sign_in("dora", PASSWORD).await.unwrap();
    let dora = broker.session(&token).await.unwrap().unwrap();
    hands_off(folder.path(), "office");
    {
        let mut activation = Box::pin(broker.activate_policy(&dora, folder.path()));
        let once = std::future::poll_fn(|cx| {
            let polled = activation.as_mut().poll(cx);
            assert!(polled.is_pending(), "{polled:?}");
            Poll::Ready(())
        });
        once.await;
    }
    // Whoever asked is gone. It is finished, or not begun, but what is active is written down.
    for _ in 0..100_000 {
        let active = broker.engine().hash().to_string();
        let told = broker.operator().audit_after(0).await.unwrap();
        let events = told.iter().filter(|entry| entry.kind == "policy.activated");
        let hashes: Vec<_> = events.filter_map(|entry| entry.target.clone()).collect();
        assert!(hashes.contains(&active), "{active} is not in {hashes:?}");
        if hashes.last() == Some(&active) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("what is written down did not become active");
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_the_same_moment_are_throttled_too() {
    let world = World::start().await;
    let guesses = (0..40).map(|n| {
        let broker = world.broker().clone();
        tokio::spawn(async move { broker.sign_in("bob", &format!("a wrong password {n}")).await })
    });
    let guesses: Vec<_> = guesses.collect();
    let mut checked = 0;
    for guess in guesses {
        checked += usize::from(matches!(guess.await.unwrap(), Err(BrokerError::SignInRefused)));
    }
    assert!(checked <= 8, "{checked} guesses were checked");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_lock_everybody_out() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    for n in 0..100 {
        let guess = world.broker().sign_in(&format!("nobody-{n}"), "a wrong password").await;
        assert!(guess.is_err());
    }
    let mut carol = PersonClient::stranger(&world.url());
    let page = carol.try_sign_in("carol", PASSWORD).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "carol cannot sign in");
    world.pass(Duration::from_mins(6));
    let page = bob.vote(&id, "approve", &[("comment", ""), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "bob, signed in, cannot approve");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_session_cannot_approve_because_its_owner_gave_the_password() {
    let world = World::start().await;
    let agent = world.agent().await;
    let one = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let two = agent.block("203.0.113.10", json!({ "agent_ids": ["001"] })).await.id();
    let bob = world.person("bob").await;
    let mut thief = PersonClient::stranger(&world.url());
    thief.cookie.clone_from(&bob.cookie);
    world.pass(Duration::from_mins(6));
    let page = thief.vote(&two, "approve", &[("comment", "")]).await;
    assert_ne!(page.status, StatusCode::SEE_OTHER, "without the password");
    let page = bob.vote(&one, "approve", &[("comment", ""), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    let page = thief.get(&format!("/requests/{two}")).await;
    let Some(mut fields) = page.form("/approve") else { return };
    fields.insert("comment".to_owned(), String::new());
    let page = thief.post(&format!("/requests/{two}/approve"), &fields).await;
    assert_ne!(page.status, StatusCode::SEE_OTHER, "the thief approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_database_under_two_names_has_one_server() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("countersign.db");
    let _first = Store::serve(&file).await.unwrap();
    let other = folder.path().join("other.db");
    std::os::unix::fs::symlink(&file, &other).unwrap();
    assert!(Store::serve(&other).await.is_err(), "a symlink opens a second server");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_grew_old_lets_nothing_run_by_itself() {
    let world = World::start().await;
    let agent = world.agent().await;
    // The alert is two minutes old: one hour is over in 58.
    world.pass(Duration::from_mins(56));
    let asked =
        agent.block("203.0.113.7", json!({ "agent_ids": ["001"], "alert_id": ALERT })).await;
    assert_eq!(asked.state(), "approved");
    world.pass(Duration::from_mins(8));
    world.work().await;
    assert_eq!(world.manager.received().len(), 0, "sent for an alert older than an hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_json_is_refused_or_kept_as_it_is() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked =
        agent.block("203.0.113.9", json!({ "agent_ids": ["001"], "reason": "a\u{0}b" })).await;
    world.person("bob").await.approve(&asked.id()).await;
    world.work().await;
    assert_eq!(agent.get(&asked.id()).await.state(), "settled");
    for wrong in [
        json!({ "duration_seconds": 600.0 }),
        json!({ "duration_seconds": 1e30 }),
        json!({ "duration_seconds": -600 }),
        json!({ "duration_seconds": "600" }),
        json!({ "srcip": "203.0.113.٩" }),
        json!({ "srcip": "203.0.113.9\u{0}" }),
        json!({ "srcip": "0xcb.0.113.9" }),
        json!({ "srcip": "203.0.113.09" }),
        json!({ "agent_ids": ["٠٠١"] }),
        json!({ "agent_ids": ["001", "all"] }),
        json!({ "agent_ids": ["000"] }),
        json!({ "agent_ids": ["0000"] }),
        json!({ "agent_ids": ["001,002"] }),
    ] {
        let mut more = json!({ "agent_ids": ["001"] });
        for (key, value) in wrong.as_object().unwrap() {
            more[key] = value.clone();
        }
        let answer = agent.block("203.0.113.9", more).await;
        assert!(answer.error, "{wrong}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_write_leaves_no_half_and_no_lock() {
    let world = World::start().await;
    let operator = world.broker().operator();
    for polls in 0..400_u32 {
        let name = format!("p{polls}");
        let mut work = Box::pin(operator.freeze(&Actor::CommandLine, &Extent::Everything, &name));
        let mut left = polls % 7;
        std::future::poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            match work.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        drop(work);
        world.unfreeze().await;
    }
    let told = operator.audit_after(0).await.unwrap();
    let count = |kind: &str| told.iter().filter(|e| e.kind == kind).count();
    assert_eq!(operator.verify_audit().await.unwrap().broken, None);
    let ended = count("kill_switch.unfrozen");
    assert!(count("kill_switch.frozen").abs_diff(ended) <= 1);
    assert_eq!(count("kill_switch.release_asked"), ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_for_an_agent_whose_owner_is_disabled() {
    let world = World::start().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let asked = world.agent().await.block("203.0.113.7", more).await;
    assert_eq!(asked.state(), "approved");
    let operator = world.broker().operator();
    operator.disable_person(&Actor::CommandLine, "alice").await.unwrap();
    world.work().await;
    assert!(world.manager.received().is_empty());
    assert!(operator.agent_of_token(&world.token).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_resets_a_password_cannot_vote_with_it() {
    let world = World::start().await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let bob = world.person("bob").await;
    let fields = bob.form(&id, "approve").await;
    let operator = world.broker().operator();
    operator.reset_password(&Actor::CommandLine, "bob", "a reset password").await.unwrap();
    // The old session, and a new one with the reset password.
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert!(page.status.is_client_error());
    let bob = PersonClient::sign_in(&world.url(), "bob", "a reset password").await;
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert!(page.status.is_client_error());
    let broker = world.broker();
    let token = broker.sign_in("bob", "a reset password").await.unwrap();
    let who = broker.session(&token).await.unwrap().unwrap();
    let request = id.parse().unwrap();
    let seen = broker.request_of_person(&who, request).await;
    assert!(seen.is_err(), "the broker itself refuses");
    let shown = countersign::domain::lifecycle::Displayed { version: 1, digest: Digest::ZERO };
    assert!(broker.approve(&who, request, shown, "").await.is_err());
    assert!(broker.freeze(&who, &Extent::Everything, "x").await.is_err());
}
