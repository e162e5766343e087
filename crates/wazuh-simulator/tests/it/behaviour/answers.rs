//! Answers of broken managers, and of another version.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::json;
use wazuh_simulator::{Calls, Fault, Settings, Times};

use super::{AGENTS, block, reached};
use crate::client::{Caller, answer};

/// One call of each kind.
fn calls(caller: &Caller) -> [(Calls, RequestBuilder); 4] {
    let put = caller.request("PUT", "/active-response?agents_list=001");
    let put = put.header("content-type", "application/json").body(block().to_string());
    let login = caller.bare("POST", "/security/user/authenticate");
    let search = caller.bare("GET", "/wazuh-alerts-4.x-*/_search");
    [
        (Calls::ActiveResponse, put),
        (Calls::Login, login.basic_auth("wazuh", Some("wazuh"))),
        (Calls::Reads, caller.request("GET", AGENTS)),
        (Calls::Search, search.basic_auth("admin", Some("admin"))),
    ]
}

/// Whether the body breaks off, rather than ends.
async fn breaks(response: &mut Response) -> bool {
    loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

#[tokio::test]
async fn flood_continues_while_client_reads() {
    let caller = Caller::start(Settings::default()).await;
    let mut last = None;
    for (kind, request) in calls(&caller) {
        caller.sim.misbehave_on(kind, Fault::Flood, Times::Once);
        let mut response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.content_length()), (200, None));
        let mut read = 0;
        while read < 8 * 1024 * 1024 {
            read += response.chunk().await.unwrap().expect("more").len();
        }
        last = Some(response);
    }
    assert_eq!(reached(&caller), 0);
    assert_eq!(caller.get(AGENTS).await.status, 200, "others are served meanwhile");
    caller.server.stop().await.unwrap();
    assert!(breaks(&mut last.unwrap()).await);
}

#[tokio::test]
async fn drip_starts_an_answer_and_never_ends_it() {
    let caller = Caller::start(Settings::default()).await;
    let mut last = None;
    for (kind, request) in calls(&caller) {
        caller.sim.misbehave_on(kind, Fault::Drip, Times::Once);
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        for _ in 0..2 {
            assert_eq!(response.chunk().await.unwrap().expect("more"), " ");
        }
        let rest = tokio::time::timeout(Duration::from_millis(60), breaks(&mut response)).await;
        assert!(rest.is_err(), "{kind:?} ended");
        last = Some(response);
    }
    assert_eq!(reached(&caller), 0);
    assert_eq!(caller.get(AGENTS).await.status, 200, "others are served meanwhile");
    caller.server.stop().await.unwrap();
    assert!(breaks(&mut last.unwrap()).await);
}

#[tokio::test]
async fn ordered_answer_is_sent_verbatim() {
    let caller = Caller::start(Settings::default()).await;
    for status in [400, 405, 413, 200] {
        for (kind, request) in calls(&caller) {
            let body = format!("{{\"status\": {status}");
            caller.sim.misbehave_on(
                kind,
                Fault::Answer { status, body: body.clone() },
                Times::Once,
            );
            let told = answer(request).await.unwrap();
            assert_eq!((told.status, told.text), (status, body), "{kind:?}");
        }
    }
    assert_eq!(reached(&caller), 0);
}

#[tokio::test]
async fn affected_ids_may_include_unrequested_ones() {
    let caller = Caller::start(Settings::default()).await;
    let strangers = || Fault::Strangers(vec!["002".to_owned(), "666".to_owned()]);
    caller.sim.misbehave(strangers(), Times::Once);
    let answer = caller.put("?agents_list=001", block()).await.json();
    assert_eq!(answer["data"]["affected_items"], json!(["001", "002", "666"]));
    assert_eq!((&answer["data"]["total_affected_items"], &answer["error"]), (&json!(3), &json!(0)));
    assert_eq!(caller.sim.delivered().len(), 1);

    caller.sim.misbehave_on(Calls::Reads, strangers(), Times::Once);
    let listed = caller.get("/agents?select=id,status&agents_list=001").await.json();
    let wanted = ["001", "002", "666"].map(|id| json!({"id": id, "status": "active"}));
    assert_eq!(listed["data"]["affected_items"], json!(wanted));
    assert_eq!(listed["data"]["total_affected_items"], 3);
}

#[tokio::test]
async fn version_5_lacks_active_response_and_get_login() {
    let settings = Settings { api_version: "5.0.0".to_owned(), ..Settings::default() };
    let caller = Caller::start(settings).await;
    assert_eq!(caller.get("/").await.json()["data"]["api_version"], "5.0.0");
    let login = caller.bare("GET", "/security/user/authenticate");
    let login = answer(login.basic_auth("wazuh", Some("wazuh"))).await.unwrap();
    assert_eq!(login.status, 405);
    let put = caller.put("?agents_list=001", block()).await;
    assert_eq!((put.status, put.kind.as_str()), (404, "application/problem+json; charset=utf-8"));
    for path in ["/manager/info", "/manager/configuration/analysis/command", "/events"] {
        assert_eq!(caller.get(path).await.status, 404, "{path}");
    }
    assert_eq!(caller.get(AGENTS).await.status, 200);
    assert!(caller.sim.received().is_empty());
}

#[tokio::test]
async fn version_4_allows_get_login_and_names_itself() {
    let caller = Caller::start(Settings::default()).await;
    assert_eq!(caller.get("/").await.json()["data"]["api_version"], "4.14.7");
    let login = caller.bare("GET", "/security/user/authenticate");
    let login = answer(login.basic_auth("wazuh", Some("wazuh"))).await.unwrap();
    assert_eq!(login.status, 200);
}
