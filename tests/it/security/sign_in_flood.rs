//! Many sign-ins at once, by somebody who has no session: what they cost, and what they leave.

use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use tokio::task::JoinSet;

use crate::harness::{
    PASSWORD, World,
    page::{PersonClient, filled_in},
};

/// How many of the audit's entries are refused sign-ins.
async fn refused(world: &World) -> Vec<u64> {
    let entries = world.operator().audit_after(0).await.unwrap();
    let refused = entries.iter().filter(|entry| entry.kind == "session.refused");
    refused
        .map(|entry| {
            let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap();
            detail["tries"].as_u64().unwrap_or(1)
        })
        .collect()
}

/// Believes what loopback says of those behind it.
async fn behind_proxy() -> World {
    World::builder().with_proxies(vec!["127.0.0.0/8".parse().unwrap()]).start().await
}

/// So many sign-ins at the same moment, each under another name, from that many addresses: status,
/// and when to try again.
async fn flood(world: &World, size: usize, addresses: usize) -> Vec<(StatusCode, Option<String>)> {
    let tries = (0..size).map(|n| {
        let stranger = PersonClient::stranger(&world.url());
        async move {
            let (name, password) = (format!("nobody-{n}"), "a wrong password".to_owned());
            let fields = [("name".to_owned(), name), ("password".to_owned(), password)];
            let request = stranger.request(Method::POST, "/sign-in");
            let request = request.header(header::ORIGIN, &stranger.url);
            let request = request.header("x-forwarded-for", format!("203.0.113.{}", n % addresses));
            let fields = fields.iter().map(|(name, value)| (name, value));
            let answer = filled_in(request, fields).send().await.unwrap();
            let after = answer.headers().get(header::RETRY_AFTER);
            (answer.status(), after.map(|after| after.to_str().unwrap().to_owned()))
        }
    });
    let mut all = JoinSet::new();
    tries.for_each(|one| {
        all.spawn(one);
    });
    all.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_sign_ins_beyond_the_queue_are_refused() {
    let world = behind_proxy().await;
    let answers = flood(&world, 150, 150).await;
    let with = |status| answers.iter().filter(|(found, _)| *found == status).collect::<Vec<_>>();
    let busy = with(StatusCode::SERVICE_UNAVAILABLE);
    assert!(!busy.is_empty(), "{answers:?}");
    assert!(busy.iter().all(|(_, after)| after.as_deref() == Some("5")), "{busy:?}");
    let looked_at =
        with(StatusCode::UNAUTHORIZED).len() + with(StatusCode::TOO_MANY_REQUESTS).len();
    assert_eq!(looked_at + busy.len(), 150, "{answers:?}");
    let mut carol = PersonClient::stranger(&world.url());
    assert_eq!(carol.try_sign_in("carol", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_address_takes_no_place_of_others() {
    let world = behind_proxy().await;
    let _throttled = flood(&world, 8, 1).await;
    let mut carol = PersonClient::stranger(&world.url());
    let (answers, page) = tokio::join!(flood(&world, 150, 1), carol.try_sign_in("carol", PASSWORD));
    assert!(answers.iter().all(|(status, _)| *status == StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_keeps_nobody_from_entering_own_password() {
    let world = behind_proxy().await;
    let bob = world.person("bob").await;
    let change = async {
        let mut fields = bob.get("/password").await.form("/password").unwrap();
        for (name, value) in [("old", PASSWORD), ("new", "bobs own next one")] {
            fields.insert(name.to_owned(), value.to_owned());
        }
        bob.post("/password", &fields).await
    };
    let (answers, page) = tokio::join!(flood(&world, 150, 150), change);
    assert!(answers.iter().any(|(status, _)| *status == StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_sign_ins_are_one_entry_a_minute() {
    let world = World::start().await;
    let mut stranger = PersonClient::stranger(&world.url());
    for n in 0..12 {
        stranger.try_sign_in(&format!("nobody-{n}"), "a wrong password").await;
    }
    assert_eq!(refused(&world).await, [1]);
    world.pass(Duration::from_secs(59));
    world.step().await;
    assert_eq!(refused(&world).await, [1]);
    world.pass(Duration::from_secs(1));
    world.step().await;
    assert_eq!(refused(&world).await, [1, 11]);
    world.pass(Duration::from_mins(1));
    world.step().await;
    assert_eq!(refused(&world).await, [1, 11], "nothing was tried");
    stranger.try_sign_in("bob", "a wrong password").await;
    assert_eq!(refused(&world).await, [1, 11, 1]);
    world
        .person("dora")
        .await
        .get("/audit")
        .await
        .shows("could not sign in from 127.0.0.1, 11 times");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_sign_ins_are_recorded_when_broker_stops() {
    let world = World::start().await;
    let mut stranger = PersonClient::stranger(&world.url());
    for n in 0..4 {
        stranger.try_sign_in(&format!("nobody-{n}"), "a wrong password").await;
    }
    let world = world.restart().await;
    assert_eq!(refused(&world).await, [1, 3]);
}
