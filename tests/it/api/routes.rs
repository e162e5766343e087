//! Every route that the source of the API names is held against what holds for all of them.

use reqwest::Method;
use serde_json::json;

use super::fixtures::{ALL, bare, post, send, token};
use crate::{
    harness::stored::assert_same,
    security::web::{
        every_route::CLOSED,
        route_scan::{Route, routes_of},
    },
    web::fixtures::Room,
};

const SOURCE: &str = include_str!("../../../src/api.rs");

/// Every route that takes a token.
pub(crate) fn routes() -> Vec<Route> {
    let (inside, outside) = SOURCE.split_once(".route_layer(guard)").expect("the guard");
    let routes = routes_of(inside);
    assert!(routes.len() >= 8, "{routes:?}");
    // What stands beside the guard says that there is nothing.
    for line in outside.lines().filter(|line| line.contains(".route(")) {
        assert!(line.contains("any(problem::nothing_here)"), "a route without the guard: {line}");
    }
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_takes_a_token_and_nothing_else() {
    let room = Room::start().await;
    let asked = room.asked().await;
    let cookie = room.browser_of("carol").await.person.cookie;
    let before = room.stored(&[]).await;
    for Route { method, path } in routes() {
        let to = path.replace("{id}", &asked.id.to_string());
        let call = || bare(&room, method.clone(), &to).json(&json!({ "comment": "a" }));
        for request in [
            call(),
            call().header("cookie", &cookie).header("origin", room.url()),
            call().bearer_auth(&room.token),
        ] {
            send(request).await.is_problem(401);
            room.pass(std::time::Duration::from_hours(2));
        }
        let head = bare(&room, Method::HEAD, &to).send().await.unwrap();
        assert!(head.status().is_client_error(), "HEAD {to}");
    }
    assert_same(&before, &room.stored(&[]).await, "whoever has no token");
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_policy_denies_every_route_of_the_api() {
    let room = Room::governed_by(CLOSED).await;
    let asked = room.asked().await;
    for name in ["carol", "dora"] {
        let token = token(&room, name, &ALL).await;
        let before = room.stored(&["vote.refused"]).await;
        for Route { method, path } in routes() {
            // It says what the product is, and nothing of this one.
            if path == "/api/v1/openapi.json" {
                continue;
            }
            let to = path.replace("{id}", &asked.id.to_string());
            let answer = if method == Method::GET {
                send(bare(&room, method, &to).bearer_auth(&token)).await
            } else if path.ends_with("/reject") {
                let body = json!({
                    "version": asked.version, "digest": asked.digest.to_string(), "reason": "no",
                });
                post(&room, &token, &to, &body).await
            } else {
                post(&room, &token, &to, &json!({ "comment": "a" })).await
            };
            answer.is_problem(403);
        }
        assert_same(&before, &room.stored(&["vote.refused"]).await, name);
    }
}
