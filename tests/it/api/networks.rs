//! From where a token opens something.

use std::time::Duration;

use reqwest::{Method, header::HeaderValue};

use super::fixtures::{ALL, LIST, bare, get, issued, send, token};
use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn use_from_another_network_is_recorded_hourly() {
    let world = World::start().await;
    let elsewhere = issued(&world, "bob", &ALL, "192.0.2.0/24").await.secret;
    let refused = async || {
        let entries = world.operator().audit_after(0).await.unwrap();
        let all = entries.into_iter().filter(|entry| entry.kind == "api_token.refused");
        all.collect::<Vec<_>>()
    };
    for _try in 0..5 {
        get(&world, &elsewhere, LIST).await.is_problem(401);
    }
    // Counted as a token that opens nothing: the answer tells nobody which it is.
    get(&world, &elsewhere, LIST).await.is_problem(429);
    let once = refused().await;
    assert_eq!(once.len(), 1);
    assert!(once[0].detail.contains(r#""source":"127.0.0.1""#), "{}", once[0].detail);
    world.pass(Duration::from_mins(61));
    get(&world, &elsewhere, LIST).await.is_problem(401);
    assert_eq!(refused().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_address_counts_from_trusted_proxy_alone() {
    let forged = |world: &World, token: &str| {
        let request = bare(world, Method::GET, LIST).bearer_auth(token);
        request.header("x-forwarded-for", "192.0.2.7")
    };
    let direct = World::start().await;
    let named = issued(&direct, "bob", &ALL, "192.0.2.0/24").await.secret;
    send(forged(&direct, &named)).await.is_problem(401);
    let own = token(&direct, "bob", &ALL).await;
    assert_eq!(send(forged(&direct, &own)).await.status, 200);
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let behind = World::builder().with_proxies(trusted).start().await;
    let named = issued(&behind, "bob", &ALL, "192.0.2.0/24").await.secret;
    assert_eq!(send(forged(&behind, &named)).await.status, 200);
    let own = token(&behind, "bob", &ALL).await;
    send(forged(&behind, &own)).await.is_problem(401);
    // What nobody can read opens nothing, though the proxy itself is inside of the networks.
    for (name, value) in [
        ("x-forwarded-for", &b"\xe9, 192.0.2.7"[..]),
        ("x-forwarded-for", b"192.0.2.7, garbage"),
        ("x-forwarded-for", b"192.0.2.7:4433"),
        ("forwarded", b"for=unknown"),
    ] {
        let value = HeaderValue::from_bytes(value).unwrap();
        let request = bare(&behind, Method::GET, LIST).bearer_auth(&own).header(name, &value);
        send(request).await.is_problem(401);
        behind.pass(Duration::from_hours(2));
        let both = forged(&behind, &own).header("forwarded", "for=127.0.0.1");
        send(both).await.is_problem(401);
        behind.pass(Duration::from_hours(2));
    }
    let unknown = World::builder().with_proxies(Vec::new()).start().await;
    let own = token(&unknown, "bob", &ALL).await;
    get(&unknown, &own, LIST).await.is_problem(401);
}
