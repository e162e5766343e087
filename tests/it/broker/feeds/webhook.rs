//! Each entry as a signed post.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign::connector::{FeedReceiver, WebhookFormat};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;

use super::{audit, failed, fed, feed, happen, world_with};
use crate::{
    broker::notifications::settings,
    connector::fake_server::{Heard, Tap, say},
};

pub(super) fn webhook_to(name: &str, url: &str) -> FeedReceiver {
    let hook = format!("{url}/hook");
    FeedReceiver::Webhook(Box::new(settings(name, &hook, WebhookFormat::Json)))
}

pub(super) fn webhook(name: &str, tap: &Tap) -> FeedReceiver {
    webhook_to(name, &tap.url())
}

fn header(heard: &Heard, name: &str) -> String {
    let line = heard.headers.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn posted_entry_is_signed_under_its_hash() {
    let tap = Tap::start(|_| say(204, "")).await;
    let world = world_with(vec![feed("pager", webhook("pager", &tap))]).await;
    happen(&world).await;
    fed(&world, "pager").await;
    let all = audit(&world).await;
    let heard = tap.heard("POST /hook");
    assert_eq!(heard.len(), all.len());
    for (heard, entry) in heard.iter().zip(&all) {
        assert_eq!(&serde_json::from_str::<Value>(&heard.body).unwrap(), entry);
        assert_eq!(header(heard, "webhook-id"), entry["hash"]);
        assert_eq!(header(heard, "content-type"), "application/json");
        let key = b"01234567890123456789012345678901";
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
        let (id, at) = (header(heard, "webhook-id"), header(heard, "webhook-timestamp"));
        mac.update(format!("{id}.{at}.{}", heard.body).as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(header(heard, "webhook-signature"), signature.to_lowercase());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_post_comes_again_and_others_not() {
    let taken = AtomicUsize::new(0);
    let script = move |_: &Heard| match taken.fetch_add(1, Ordering::SeqCst) {
        3 => say(500, "full"),
        _ => say(200, ""),
    };
    let tap = Tap::start(script).await;
    let world = world_with(vec![feed("pager", webhook("pager", &tap))]).await;
    happen(&world).await;
    failed(&world, "pager").await;
    let world = world.restart().await;
    fed(&world, "pager").await;
    let heard: Vec<_> = tap.heard("POST").iter().map(|heard| header(heard, "webhook-id")).collect();
    let mut once: Vec<_> =
        audit(&world).await.iter().map(|e| e["hash"].as_str().unwrap().to_owned()).collect();
    once.insert(3, once[3].clone());
    assert_eq!(heard, once);
}
