//! Tokens, and calls with them.

use countersign::{
    broker::{
        SignedIn,
        admin::people::api_tokens::{IssuedApiToken, NewApiToken},
    },
    domain::actor::api_token::TokenScope,
};
use reqwest::{Method, RequestBuilder, header::CONTENT_TYPE};
use serde_json::Value;

use crate::harness::{PASSWORD, World, page::http_client};

/// All that a token can be for.
pub(crate) const ALL: [TokenScope; 3] = TokenScope::ALL;

/// A list that every token with `read` opens.
pub(super) const LIST: &str = "/api/v1/requests";

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl Answer {
    /// Fails unless it is the problem of this status.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.json["status"], status, "{}", self.text);
        let kind = self.json["type"].as_str().unwrap();
        assert!(kind.starts_with("urn:countersign:problem:"), "{}", self.text);
        for text in ["title", "detail"] {
            assert!(!self.json[text].as_str().unwrap().is_empty(), "{}", self.text);
        }
        self
    }

    /// Fails unless it is a problem of this field.
    #[track_caller]
    pub(super) fn is_invalid(&self, field: &str) -> &Self {
        self.is_problem(400);
        assert_eq!(self.json["field"], field, "{}", self.text);
        assert!(!self.json["allowed"].as_str().unwrap().is_empty(), "{}", self.text);
        self
    }

    /// The items of a page.
    pub(crate) fn items(&self) -> &[Value] {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json["items"].as_array().unwrap()
    }
}

/// Somebody who gave the password just now.
pub(super) async fn proved(world: &World, name: &str) -> SignedIn {
    let who = world.signed_in(name).await;
    world.broker().authenticate_again(&who, PASSWORD).await.unwrap()
}

/// A token of somebody's own, good on this machine for 90 days.
pub(crate) async fn token(world: &World, name: &str, scopes: &[TokenScope]) -> String {
    issued(world, name, scopes, "127.0.0.0/8").await.secret
}

/// The same from another network.
pub(super) async fn issued(
    world: &World,
    name: &str,
    scopes: &[TokenScope],
    network: &str,
) -> IssuedApiToken {
    let (who, networks) = (proved(world, name).await, [network.parse().unwrap()]);
    let new = NewApiToken { name: "script", scopes, networks: &networks, days: 90 };
    world.broker().create_api_token(&who, new).await.unwrap()
}

/// The token of a service that bob answers for.
pub(super) async fn service(world: &World, scopes: &[TokenScope]) -> String {
    let (dora, networks) = (proved(world, "dora").await, ["127.0.0.0/8".parse().unwrap()]);
    let new = NewApiToken { name: "siem", scopes, networks: &networks, days: 90 };
    world.broker().create_service_token(&dora, "bob", new).await.unwrap().secret
}

/// A call without a token.
pub(super) fn bare(world: &World, method: Method, path: &str) -> RequestBuilder {
    http_client().request(method, format!("{}{path}", world.url()))
}

/// Sends it, and holds the answer against what every answer carries.
pub(super) async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let cross_origin = answer.headers().keys().find(|name| name.as_str().starts_with("access-"));
    assert_eq!(cross_origin, None, "no page of others reads an answer");
    let status = answer.status().as_u16();
    let metrics = answer.url().path() == "/api/v1/metrics";
    let kind = match status {
        400.. => "application/problem+json",
        _ if metrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        _ => "application/json",
    };
    assert_eq!(header("content-type"), kind);
    let text = answer.text().await.unwrap();
    Answer { status, json: serde_json::from_str(&text).unwrap_or_default(), text }
}

pub(crate) async fn get(world: &World, token: &str, path: &str) -> Answer {
    send(bare(world, Method::GET, path).bearer_auth(token)).await
}

pub(crate) async fn post(world: &World, token: &str, path: &str, body: &Value) -> Answer {
    let request = bare(world, Method::POST, path).bearer_auth(token);
    send(request.header(CONTENT_TYPE, "application/json").body(body.to_string())).await
}
