//! What people in a team read.

use std::collections::BTreeMap;

use countersign::domain::request::Request;
use reqwest::Method;
use serde_json::json;

use super::{HIDDEN, READ, builder, hidden, of_both, of_office, room};
use crate::{
    api::{fixtures::get, fixtures::token, routes::routes as api_routes},
    security::web::{every_route::address, route_scan::routes},
    web::fixtures::{Room, path},
};

/// Hidden requests in every way that a page counts or shows them: waiting, active, rejected, taken back,
/// denied, in a plan, commented, and what Wazuh's own rules did.
async fn fill(room: &Room) -> (Request, Vec<String>) {
    let carol = room.person("carol").await;
    let (waiting, both) = (hidden(room, "002").await, of_both(room, "002").await);
    let active = hidden(room, "006").await;
    carol.approve(&active.id.to_string()).await;
    room.work().await;
    room.look().await;
    let rejected = of_both(room, "006").await;
    carol.reject(&rejected.id.to_string(), "a hidden reason").await;
    let step = room.asked_step().await;
    let typed = BTreeMap::from([("comment".to_owned(), "a hidden reason".to_owned())]);
    let comment = format!("{}/comment", path(&waiting));
    let mut fields = carol.form(&waiting.id.to_string(), "comment").await;
    fields.extend(typed);
    assert_eq!(carol.post(&comment, &fields).await.status, 303);
    carol.get("/audit?actor=a+hidden+reason").await;
    let ids = [&waiting, &both, &active, &rejected, &step].map(|request| request.id.to_string());
    (step, ids.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn team_reads_nothing_of_others_on_any_page() {
    let room = room().await;
    let (step, ids) = Box::pin(fill(&room)).await;
    let own = of_office(&room).await;
    for name in ["bob", "erin"] {
        let person = room.person(name).await;
        let mut asked = vec![
            "/requests?target=198.51.100.0/24".to_owned(),
            "/requests?endpoint=web".to_owned(),
            "/audit?target=198.51.100.0/24".to_owned(),
            "/audit?endpoint=002".to_owned(),
            "/audit?actor=carol".to_owned(),
            "/?agent=triage-bot&group=agent".to_owned(),
            "/overview?days=7".to_owned(),
            "/in-force?search=198.51".to_owned(),
            "/people/carol".to_owned(),
        ];
        for route in routes().iter().filter(|route| route.method == Method::GET) {
            asked.push(address(route, &step));
            if !route.path.starts_with("/plans") {
                asked.push(address(route, &own));
            }
        }
        for to in asked {
            let page = person.get(&to).await;
            let echoed = to.contains("198.51.100.23");
            for secret in HIDDEN.iter().copied().chain(ids.iter().map(String::as_str)) {
                let told = page.has(secret) && !(echoed && secret == "198.51.100.23");
                assert!(!told, "{to} tells {name} of {secret}: {}", page.html);
            }
        }
        let shown = person.get(&path(&own)).await;
        assert_eq!(shown.status, 200, "{}", shown.html);
        shown.shows("laptop-anna");
        for list in ["/", "/requests", "/audit"] {
            person.get(list).await.shows("198.51.100.77");
        }
    }
    let carol = room.person("carol").await;
    for id in ids {
        assert_eq!(carol.get(&format!("/requests/{id}")).await.status, 200, "who is in no team");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_of_others_is_not_found() {
    let room = room().await;
    let bob = room.person("bob").await;
    let nowhere = bob.get("/requests/req_00000000000000000000000000000000").await;
    for request in [hidden(&room, "002").await, of_both(&room, "002").await] {
        let page = bob.get(&path(&request)).await;
        assert_eq!((page.status.as_u16(), nowhere.status.as_u16()), (404, 404));
        assert_eq!(page.html.len(), nowhere.html.len(), "nothing tells it from one that is not");
    }
    let plan = room.asked_step().await.plan.unwrap().plan;
    assert_eq!(bob.get(&format!("/plans/{plan}")).await.status, 404);
    assert_eq!(bob.get("/targets?is=198.51.100.23").await.status, 404);
    assert_eq!(bob.get("/endpoints/test/002").await.status, 404);
    of_office(&room).await;
    assert_eq!(bob.get("/targets?is=198.51.100.77").await.status, 200);
    assert_eq!(bob.get("/endpoints/test/008").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn team_reads_nothing_of_others_by_the_api() {
    let room = room().await;
    let (_, ids) = Box::pin(fill(&room)).await;
    let own = of_office(&room).await;
    let token = token(&room, "bob", &READ).await;
    for route in api_routes().iter().filter(|route| route.method == Method::GET) {
        for id in ids.iter().cloned().chain([own.id.to_string()]) {
            let to = route.path.replace("{id}", &id);
            let answer = get(&room, &token, &to).await;
            for secret in HIDDEN.iter().copied().chain(ids.iter().map(String::as_str)) {
                let told = answer.text.contains(secret) && !to.contains(secret);
                assert!(!told, "{to} tells of {secret}: {}", answer.text);
            }
            if route.path.ends_with("{id}") {
                let expected = if id == own.id.to_string() { 200 } else { 404 };
                assert_eq!(answer.status, expected, "{to}");
            }
        }
    }
    let listed = get(&room, &token, "/api/v1/requests").await;
    assert_eq!(listed.items().len(), 1);
    let known = get(&room, &token, "/api/v1/endpoints").await;
    let names: Vec<_> = known.items().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["laptop-anna", "laptop-ben", "mac-design", "laptop-cleo"]);
    get(&room, &token, "/api/v1/metrics").await.is_problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_of_what_the_team_sees() {
    let room = room().await;
    let number =
        async |name: &str| room.broker().pending_count(&room.signed_in(name).await).await.unwrap();
    assert_eq!((number("bob").await, number("carol").await), (0, 0));
    hidden(&room, "002").await;
    of_both(&room, "002").await;
    assert_eq!((number("bob").await, number("carol").await), (0, 2));
    let own = of_office(&room).await;
    assert_eq!((number("bob").await, number("carol").await), (1, 3));
    let bob = room.person("bob").await;
    let next = bob.get("/next").await;
    assert_eq!(next.leads_to(), path(&own), "the next one is one's own");
    bob.approve(&own.id.to_string()).await;
    room.work().await;
    let who = room.signed_in("bob").await;
    let status = room.broker().system(&who).await.unwrap();
    assert_eq!((status.requests, status.outcomes), (Vec::new(), Vec::new()));
    assert_eq!(status.managers.iter().map(|one| one.waiting).sum::<u64>(), 0);
    let all = room.broker().system(&room.signed_in("otto").await).await.unwrap();
    assert!(all.requests.iter().any(|(state, number)| state == "pending" && *number == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn team_of_a_manager_sees_all_of_it() {
    let room = Room::of(builder().with_second_manager("second")).await;
    room.put_into_teams("bob", &["second"]).await;
    let on = async |id: &str| room.asked_with(json!({ "agent_ids": [id] })).await;
    let (here, there) = (on("test/002").await, on("second/002").await);
    let bob = room.person("bob").await;
    assert_eq!(bob.get(&path(&here)).await.status, 404);
    assert_eq!(bob.get(&path(&there)).await.status, 200);
    room.put_into_teams("bob", &["office", "second"]).await;
    let office = on("test/008").await;
    for seen in [&there, &office] {
        assert_eq!(bob.get(&path(seen)).await.status, 200, "of several teams all that one sees");
    }
    assert_eq!(bob.get(&path(&here)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_change_what_is_seen_at_once() {
    let room = room().await;
    let (bob, request) = (room.person("bob").await, hidden(&room, "002").await);
    assert_eq!(bob.get(&path(&request)).await.status, 404);
    room.put_into_teams("bob", &[]).await;
    assert_eq!(bob.get(&path(&request)).await.status, 200, "in the same session");
    room.put_into_teams("bob", &["nobody-wrote-a-policy"]).await;
    assert_eq!(bob.get(&path(&request)).await.status, 404);
    assert_eq!(bob.get(&path(&of_office(&room).await)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_shows_own_entries_and_what_holds_for_all() {
    let room = room().await;
    room.freeze("a drill").await;
    room.unfreeze().await;
    hidden(&room, "002").await;
    let own = of_office(&room).await;
    room.person("carol").await.get("/audit?actor=carol").await;
    let bob = room.person("bob").await;
    let page = bob.get("/audit").await;
    for part in ["kill_switch.frozen", "session.signed_in", own.id.to_string().as_str()] {
        page.shows(part);
    }
    assert!(!page.has("carol"), "{}", page.html);
    let who = room.signed_in("bob").await;
    let entries = room.operator().audit_after(0).await.unwrap();
    for entry in entries {
        let shown = room.broker().audit_entry(&who, entry.seq).await.unwrap().is_some();
        let mine = entry.request.as_deref() == Some(own.id.to_string().as_str());
        let seen = mine
            || entry.actor_name == "bob"
            || entry.target.as_deref() == Some("bob")
            || entry.kind.starts_with("kill_switch.")
            || entry.kind == "policy.activated";
        assert_eq!(shown, seen, "{entry:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_meets_is_said_whoever_asked() {
    let room = room().await;
    let both = of_both(&room, "002").await;
    room.person("carol").await.approve(&both.id.to_string()).await;
    room.work().await;
    let other = room.another_agent("other-bot", "alice").await;
    let same = other.block("198.51.100.23", json!({ "agent_ids": ["008"] })).await;
    let page = room.person("bob").await.get(&format!("/requests/{}", same.id())).await;
    page.shows("laptop-anna");
    assert!(page.has("active"), "{}", page.html);
    assert!(!page.has("web-02"), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_responses_of_others_are_not_shown() {
    let room = room().await;
    let own = of_office(&room).await;
    room.person("carol").await.reject(&own.id.to_string(), "no").await;
    for (endpoint, command, address) in
        [("002", "firewall-drop600", "198.51.100.23"), ("008", "netsh600", "203.0.113.50")]
    {
        room.manager.rule_response(endpoint, command, &json!({ "srcip": address }));
    }
    room.look().await;
    let all = room.person("carol").await.get("/in-force").await;
    assert!(all.has("198.51.100.23") && all.has("203.0.113.50"), "{}", all.html);
    let page = room.person("bob").await.get("/in-force").await;
    assert!(page.has("203.0.113.50") && !page.has("198.51.100.23"), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_in_other_groups_is_seen_by_others() {
    let room = room().await;
    let before = of_office(&room).await;
    room.manager.set_groups("008", &["default", "linux"]);
    room.pass_for_all(std::time::Duration::from_mins(11));
    let after = room.asked_with(json!({ "agent_ids": ["008"], "srcip": "198.51.100.78" })).await;
    let bob = room.person("bob").await;
    assert_eq!(bob.get(&path(&before)).await.status, 200, "as it was when it was asked");
    assert_eq!(bob.get(&path(&after)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn person_hears_that_a_team_sees_a_part() {
    let room = room().await;
    for (name, told) in [("bob", true), ("carol", false)] {
        let person = room.person(name).await;
        let inbox = person.get("/").await;
        assert_eq!(inbox.has("You see what the policies show to office."), told, "{}", inbox.html);
        let account = person.get("/account").await;
        assert_eq!(account.has("You are in office: you see and decide"), told, "{}", account.html);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_that_is_left_out_counts_too() {
    let room = room().await;
    let request = room.asked_with(json!({ "agent_ids": ["008", "012"] })).await;
    assert_eq!((request.targets.len(), request.skipped.len()), (1, 1));
    let page = room.person("bob").await.get(&path(&request)).await;
    assert_eq!(page.status, 404, "printer-gw is in another group: {}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_others_are_not_counted() {
    let room = room().await;
    let own = of_office(&room).await;
    let said = "the answer would count what your team does not see";
    room.person("bob").await.get(&path(&own)).await.shows(said);
    assert!(!room.person("carol").await.get(&path(&own)).await.has(said));
}
