//! The OpenAPI document is that of the routes.

use std::collections::BTreeSet;

use countersign::api::openapi_json;
use expect_test::expect_file;
use serde_json::Value;

use super::{
    fixtures::{ALL, get, token},
    routes::routes,
};
use crate::{harness::World, security::web::route_scan::Route};

fn document() -> Value {
    serde_json::from_str(&openapi_json()).unwrap()
}

#[test]
fn openapi_document_changes_only_on_purpose() {
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    expect_file!["../../golden/openapi.json"].assert_eq(&text);
}

#[test]
fn every_route_is_in_the_document_and_no_other() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routed = |Route { method, path }: Route| (method.to_string(), path);
    let operations = paths.values().flat_map(|methods| methods.as_object().unwrap().values());
    let names: BTreeSet<_> = operations.map(|one| one["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), documented.len(), "each has a name of its own");
    assert_eq!(documented, routes().into_iter().map(routed).collect());
}

#[test]
fn document_names_no_way_to_approve() {
    let document = document();
    for path in document["paths"].as_object().unwrap().keys() {
        for word in ["approve", "undo", "freeze", "glass", "retract", "people", "agents", "policy"]
        {
            assert!(!path.contains(word), "{path}");
        }
    }
    assert_eq!(document["security"], serde_json::json!([{ "token": [] }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_filter_is_taken() {
    let world = World::start().await;
    let token = token(&world, "bob", &ALL).await;
    let served = get(&world, &token, "/api/v1/openapi.json").await;
    assert_eq!(served.json, document());
    for (path, methods) in document()["paths"].as_object().unwrap() {
        let parameters = methods["get"]["parameters"].as_array();
        for parameter in parameters.into_iter().flatten().filter(|one| one["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let answer = get(&world, &token, &format!("{path}?{name}=")).await;
            assert_eq!(answer.status, 200, "{path}?{name}: {}", answer.text);
        }
    }
}
