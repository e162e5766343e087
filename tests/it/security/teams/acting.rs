//! What people in a team do.

use reqwest::Method;
use serde_json::json;

use super::{builder, hidden, of_both, of_office, room};
use crate::{
    api::{
        fixtures::{ALL, post as post_json, token},
        routes::routes as api_routes,
    },
    harness::stored::assert_same,
    security::web::{
        every_route::{address, ask, fields, post},
        route_scan::routes,
    },
    web::fixtures::{Room, path},
};

#[tokio::test(flavor = "multi_thread")]
async fn team_does_nothing_to_requests_of_others() {
    let room = room().await;
    let sent = hidden(&room, "006").await;
    let carol = room.person("carol").await;
    carol.approve(&sent.id.to_string()).await;
    room.work().await;
    let (waiting, both) = (hidden(&room, "002").await, of_both(&room, "002").await);
    let step = room.asked_step().await;
    for name in ["bob", "erin"] {
        let mut browser = room.browser_of(name).await;
        let form_token = browser.open("/password").await.form_token();
        // What is written down of a session and of what its own account does.
        let before = room.stored(&[]).await;
        for request in [&sent, &waiting, &both, &step] {
            let request = &room.now(request).await;
            let about = ["/requests/{id}", "/plans/{id}", "/inbox", "/reject", "/together"];
            for route in routes().iter().filter(|route| route.method == Method::POST) {
                if !about.iter().any(|one| route.path.starts_with(one))
                    || route.path.starts_with("/plans") && request.plan.is_none()
                {
                    continue;
                }
                let to = address(route, request);
                let what = format!("POST {to} of {name}");
                let answer = post(&browser, &room, &to, &fields(request, &form_token));
                let answer = browser.person.refused(ask(answer, &what).await).await;
                assert_eq!(answer.status, 404, "{what}: {}", answer.html);
            }
        }
        assert_same(&before, &room.stored(&[]).await, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_of_team_does_nothing_to_requests_of_others() {
    let room = room().await;
    let request = hidden(&room, "002").await;
    let token = token(&room, "bob", &ALL).await;
    let before = room.stored(&[]).await;
    for route in api_routes().iter().filter(|route| route.method == Method::POST) {
        let to = route.path.replace("{id}", &request.id.to_string());
        let body = if to.ends_with("/reject") {
            json!({ "version": request.version, "digest": request.digest.to_string(), "reason": "no" })
        } else {
            json!({ "comment": "a" })
        };
        post_json(&room, &token, &to, &body).await.is_problem(404);
    }
    assert_same(&before, &room.stored(&[]).await, "a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn team_decides_what_it_sees() {
    let room = room().await;
    let request = of_office(&room).await;
    let (bob, id) = (room.person("bob").await, request.id.to_string());
    bob.approve(&id).await;
    room.work().await;
    assert_eq!(room.agent().await.get(&id).await.state(), "settled");
    let other = room.asked_with(json!({ "agent_ids": ["009"] })).await;
    bob.reject(&other.id.to_string(), "not this one").await;
    assert_eq!(room.now(&other).await.state.name().name(), "rejected");
    assert_eq!(bob.get(&path(&other)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_moved_away_acts_no_more() {
    let room = room().await;
    let request = of_office(&room).await;
    let (bob, id) = (room.person("bob").await, request.id.to_string());
    let fields = bob.form(&id, "approve").await;
    room.put_into_teams("bob", &["second"]).await;
    let page = bob.post(&format!("{}/approve", path(&request)), &fields).await;
    assert_eq!(page.status, 404, "{}", page.html);
    assert!(room.now(&request).await.votes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn team_takes_nothing_back_beyond_its_sight() {
    let room = room().await;
    let request = of_office(&room).await;
    let (bob, id) = (room.person("bob").await, request.id.to_string());
    bob.approve(&id).await;
    room.work().await;
    room.manager.set_groups("008", &["default", "linux"]);
    room.pass_for_all(std::time::Duration::from_mins(1));
    let page = bob.vote(&id, "undo", &[("comment", "it was wrong")]).await;
    assert!(page.has("not for your team"), "{}", page.html);
    assert_eq!(room.requests().await, 1, "nothing was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn team_neither_names_nor_stops_managers_of_others() {
    let room = Room::of(builder().with_second_manager("second")).await;
    room.put_into_teams("bob", &["second"]).await;
    let mut bob = room.browser_of("bob").await;
    let page = bob.open("/system").await;
    assert!(page.has("manager:second") && !page.has("manager:test"), "{}", page.html);
    let typed = [("what", "manager:test"), ("reason", "a guess")];
    let page = bob.submit("/freeze", &typed).await;
    assert!(page.has("there is no manager `test`"), "{}", page.html);
    assert!(room.broker().frozen().await.unwrap().is_empty());
    bob.open("/system").await;
    let typed = [("what", "manager:second"), ("reason", "a reason")];
    bob.submit("/freeze", &typed).await;
    assert_eq!(room.broker().frozen().await.unwrap().len(), 1);
}
