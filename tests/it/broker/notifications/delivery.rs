//! At least once, in order, and nothing waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use countersign::broker::notifications::DeliveryResult;
use reqwest::StatusCode;

use super::{
    deliver,
    fake_mail_server::{MailServer, Speaks},
    header, kinds, pending, receiver, sql, tell, webhook, world_with,
};
use crate::{
    connector::fake_server::{Tap, say},
    harness::{Plan, World},
};

/// A receiver that hangs up without a word, or answers 500, until it is well.
async fn ill(answer: String) -> (Tap, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&well);
    let script =
        move |_: &_| if now.load(Ordering::SeqCst) { say(200, "") } else { answer.clone() };
    (Tap::start(script).await, well)
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_delivery_is_retried_under_same_id() {
    for answer in [String::new(), say(500, "out of order")] {
        let (tap, well) = ill(answer).await;
        let world = world_with(vec![webhook("ops", &tap)]).await;
        pending(&world).await;
        assert_eq!(tell(&world).await, [DeliveryResult::Failed]);
        assert!(tell(&world).await.is_empty(), "not at once");
        world.pass(Duration::from_secs(10));
        well.store(true, Ordering::SeqCst);
        assert_eq!(tell(&world).await, [DeliveryResult::Arrived]);
        world.pass(Duration::from_hours(3));
        assert!(deliver(&world, "webhook.ops").await.is_empty(), "once is enough");
        let heard = tap.heard("POST");
        assert_eq!(heard.len(), 2);
        assert_eq!(header(&heard[0], "webhook-id"), header(&heard[1], "webhook-id"));
        assert_ne!(header(&heard[0], "webhook-signature"), header(&heard[1], "webhook-signature"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_receiver_is_retried_less_often_and_given_up() {
    let (tap, _) = ill(String::new()).await;
    let other = receiver().await;
    let world = world_with(vec![webhook("dead", &tap), webhook("ops", &other)]).await;
    pending(&world).await;
    assert_eq!(
        tell(&world).await,
        [DeliveryResult::Failed, DeliveryResult::Arrived],
        "the other one has it"
    );
    let (mut full, mut gone, mut tries) = (10, 0, 1);
    while gone < 24 * 60 * 60 {
        world.pass(Duration::from_secs(full * 3 / 4 - 1));
        assert!(deliver(&world, "webhook.dead").await.is_empty(), "too early: {tries}");
        world.pass(Duration::from_secs(full - full * 3 / 4 + 1));
        assert_eq!(
            deliver(&world, "webhook.dead").await,
            [DeliveryResult::Failed],
            "too late: {tries}"
        );
        gone += full;
        full = (2 * full).min(3600);
        tries += 1;
    }
    assert!((25..40).contains(&tries), "{tries}");
    let tried = tap.heard("POST").len();
    world.pass(Duration::from_hours(5));
    deliver(&world, "webhook.dead").await;
    assert_eq!(tap.heard("POST").len(), tried, "given up is given up");
    let html = world.person("dora").await.get("/system").await.html;
    let dead = html.split("webhook.dead").nth(1).unwrap().split("</dl>").next().unwrap();
    assert!(dead.contains("Given up in 30 days</dt><dd>1</dd>"), "{dead}");
    assert!(dead.contains("does not answer"), "{dead}");
    assert_eq!(kinds(&other), ["request.waiting pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_do_not_wait_for_silent_receiver() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", silent.local_addr().unwrap());
    let settings = super::settings("silent", &url, countersign::connector::WebhookFormat::Json);
    let channel = countersign::connector::Channel::webhook(settings).unwrap();
    let world = world_with(vec![channel]).await;
    let id = pending(&world).await;
    world.broker().notify().await.unwrap();
    let broker = world.broker().clone();
    let delivery = tokio::spawn(async move { broker.deliver_next("webhook.silent").await });
    // It is connected and waits for an answer.
    let (_held, _) = silent.accept().await.unwrap();
    world.person("bob").await.approve(&id).await;
    world.work().await;
    assert_eq!(world.agent().await.get(&id).await.state(), "settled");
    assert!(!delivery.is_finished(), "the delivery still waits");
    delivery.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_keep_their_order_within_one_request() {
    let (tap, well) = ill(say(500, "")).await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let id = pending(&world).await;
    assert_eq!(tell(&world).await, [DeliveryResult::Failed]);
    world.person("bob").await.approve(&id).await;
    assert!(tell(&world).await.is_empty(), "the approval must not come before the request");
    well.store(true, Ordering::SeqCst);
    world.freeze("another matter").await;
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived], "the kill switch does not wait");
    world.pass(Duration::from_secs(10));
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived, DeliveryResult::Arrived]);
    let wanted = [
        "request.waiting pending",
        "kill_switch.thrown everything",
        "request.waiting pending",
        "request.decided approved",
    ];
    assert_eq!(kinds(&tap), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn transition_fails_when_its_notice_cannot_be_stored() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let (id, bob) = (pending(&world).await, world.person("bob").await);
    tell(&world).await;
    sql(
        &world,
        "CREATE TRIGGER full BEFORE INSERT ON notice BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    .await;
    let page = bob.vote(&id, "approve", &[("comment", "")]).await;
    assert!(page.status.is_server_error(), "{}", page.status);
    assert_eq!(world.agent().await.get(&id).await.state(), "pending");
    sql(&world, "DROP TRIGGER full").await;
    assert!(tell(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_vote_leaves_no_notice() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let (id, bob) = (pending(&world).await, world.person("bob").await);
    tell(&world).await;
    let mut fields = bob.form(&id, "approve").await;
    fields.insert("digest".to_owned(), "0".repeat(64));
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.html);
    assert!(tell(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_delivery_is_repeated_under_same_id() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    pending(&world).await;
    tell(&world).await;
    // As a crash after the answer, and before it was written down, leaves it.
    sql(&world, "UPDATE delivery SET delivered_at = NULL").await;
    let plan = Plan { channels: vec![webhook("ops", &tap)], ..Plan::default() };
    let world = World::restart(world, plan).await;
    world.pass(Duration::from_secs(10));
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived]);
    let heard = tap.heard("POST");
    assert_eq!(heard.len(), 2);
    assert_eq!(header(&heard[0], "webhook-id"), header(&heard[1], "webhook-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_mail_address_does_not_delay_other_recipients() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    super::give_addresses(&world).await;
    mail.refuse("p2@example.org");
    pending(&world).await;
    let told = tell(&world).await;
    assert_eq!(told.iter().filter(|told| **told == DeliveryResult::Arrived).count(), 1);
    assert_eq!(mail.receivers(), ["p3@example.org"]);
    let html = world.person("dora").await.get("/system").await.html;
    assert!(html.contains("550: nobody of that name"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_notices_are_deleted_and_reminders_not_repeated() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let id = pending(&world).await;
    world.person("bob").await.approve(&id).await;
    world.work().await;
    sql(&world, "UPDATE request SET review_due_at = asked_at + 1").await;
    world.pass(Duration::from_mins(1));
    tell(&world).await;
    for _ in 0..3 {
        world.pass(Duration::from_hours(24 * 31));
        tell(&world).await;
    }
    let overdue = kinds(&tap).into_iter().filter(|kind| kind.starts_with("review.overdue")).count();
    assert_eq!(overdue, 1);
    let html = world.person("dora").await.get("/system").await.html;
    assert!(html.contains("Last delivery</dt><dd>none yet"), "the rows are gone: {html}");
}
