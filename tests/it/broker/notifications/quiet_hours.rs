//! When a person gets no mail that can wait.

use std::time::Duration;

use countersign::{
    broker::admin::people::PersonChange,
    domain::{actor::Actor, notice::NoticeKind},
};
use serde_json::json;

use super::{
    fake_mail_server::{Mail, MailServer, Speaks},
    give_addresses, pending, receiver, tell, webhook, world_with,
};
use crate::harness::{PersonClient, World};

/// Sets the quiet hours of somebody from an hour ago until two hours from now.
async fn be_quiet(world: &World, person: &PersonClient) {
    let time = |minutes| {
        let at = world.clock.now() + chrono::TimeDelta::minutes(minutes);
        at.format("%H:%M").to_string()
    };
    let mut fields = person.get("/account").await.form("/account/quiet-hours").expect("the form");
    fields.insert("quiet_from".to_owned(), time(-60));
    fields.insert("quiet_until".to_owned(), time(120));
    assert_eq!(person.post("/account/quiet-hours", &fields).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_hold_what_is_not_urgent() {
    let (mail, tap) = (MailServer::start(Speaks::Plain).await, receiver().await);
    let world = world_with(vec![webhook("ops", &tap), mail.channel()]).await;
    give_addresses(&world).await;
    let carol = world.person("carol").await;
    be_quiet(&world, &carol).await;
    let id = pending(&world).await;
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org"], "carol is not woken");
    assert_eq!(tap.heard("POST").len(), 1, "a channel of all has no quiet hours");
    mail.forget();
    // What is urgent comes at once, also of the same request.
    world.freeze("stop").await;
    tell(&world).await;
    assert!(mail.receivers().contains(&"p3@example.org".to_owned()));
    world.unfreeze().await;
    tell(&world).await;
    mail.forget();
    world.pass(Duration::from_hours(3));
    tell(&world).await;
    assert!(mail.receivers().contains(&"p3@example.org".to_owned()), "{id} is told now");
}

#[tokio::test(flavor = "multi_thread")]
async fn held_notification_keeps_no_urgent_one_back() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    give_addresses(&world).await;
    let bob = world.person("bob").await;
    be_quiet(&world, &bob).await;
    let on_call = PersonChange::OnCall(true);
    world.operator().change_person(&Actor::CommandLine, "carol", &on_call).await.unwrap();
    let permanent = json!({
        "srcip": "203.0.113.9", "agent_ids": ["001"], "permanent": true, "reason": "a test asks",
    });
    let id = world.agent().await.call("block_ip", permanent).await.id();
    tell(&world).await;
    assert!(!mail.receivers().contains(&"p2@example.org".to_owned()), "bob's waits");
    mail.forget();
    let carol = world.person("carol").await;
    let prefix: String = carol.form(&id, "break-glass").await["digest"].chars().take(12).collect();
    let typed = [("typed", prefix.as_str()), ("comment", "nobody answers")];
    assert_eq!(carol.vote(&id, "break-glass", &typed).await.status, 303);
    tell(&world).await;
    let glass =
        |mail: &Mail| mail.text.contains("Somebody broke the glass").then(|| mail.to.clone());
    let told: Vec<_> = mail.mails().iter().filter_map(glass).collect();
    assert_eq!(told, ["p2@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_on_call_has_no_quiet_hours() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    give_addresses(&world).await;
    let carol = world.person("carol").await;
    be_quiet(&world, &carol).await;
    let on_call = PersonChange::OnCall(true);
    world.operator().change_person(&Actor::CommandLine, "carol", &on_call).await.unwrap();
    pending(&world).await;
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p3@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn going_on_call_or_up_releases_what_was_held() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    give_addresses(&world).await;
    for name in ["bob", "carol"] {
        be_quiet(&world, &world.person(name).await).await;
    }
    pending(&world).await;
    tell(&world).await;
    assert!(mail.receivers().is_empty(), "both are asleep");
    let on_call = PersonChange::OnCall(true);
    world.operator().change_person(&Actor::CommandLine, "carol", &on_call).await.unwrap();
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p3@example.org"]);
    let bob = world.person("bob").await;
    let mut fields = bob.get("/account").await.form("/account/quiet-hours").expect("the form");
    fields.extend(["quiet_from", "quiet_until"].map(|name| (name.to_owned(), String::new())));
    assert_eq!(bob.post("/account/quiet-hours", &fields).await.status, 303);
    tell(&world).await;
    assert!(mail.receivers().contains(&"p2@example.org".to_owned()));
}

#[test]
fn nothing_about_ones_own_account_waits() {
    let waits: Vec<_> = NoticeKind::ALL.into_iter().filter(|kind| kind.can_wait()).collect();
    let [waiting, plan, decided, review] = waits[..] else { panic!("{waits:?}") };
    assert_eq!((waiting, plan), (NoticeKind::Waiting, NoticeKind::PlanWaiting));
    assert_eq!((decided, review), (NoticeKind::Decided, NoticeKind::ReviewDue));
}
