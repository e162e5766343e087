//! Whoever follows every link, in whatever role and whatever there is to see, changes nothing and
//! comes to no dead end.

use std::{collections::BTreeSet, time::Duration};

use countersign::{
    domain::request::{Request, StateName},
    worker,
};
use serde_json::json;
use wazuh_simulator::{Fault, Times, Work};

use crate::harness::stored::assert_same;
use crate::web::fixtures::{Room, path};

/// A room with a request in every state.
async fn lived_in() -> Room {
    let room = Room::start().await;
    asked(&room, 10, "002").await;
    room.pass(Duration::from_hours(5));
    room.work().await;
    sent(&room).await;
    waiting(&room).await;
    ended(&room).await;
    let dispatching = asked(&room, 16, "001").await;
    approve(&room, &dispatching).await;
    cut_off(&room).await;
    let approved = asked(&room, 17, "001").await;
    approve(&room, &approved).await;
    room.asked_with(json!({ "srcip": "198.51.100.18", "all_agents": true })).await;
    asked(&room, 19, "003").await;
    room
}

async fn asked(room: &Room, last: u8, endpoint: &str) -> Request {
    let srcip = format!("198.51.100.{last}");
    room.asked_with(json!({ "srcip": srcip, "agent_ids": [endpoint] })).await
}

/// One that was sent, and one of which nobody knows whether it was.
async fn sent(room: &Room) {
    let settled = asked(room, 11, "002").await;
    approve(room, &settled).await;
    room.work().await;
    let unknown = asked(room, 12, "002").await;
    approve(room, &unknown).await;
    room.manager.hold_evidence();
    room.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    room.work().await;
}

/// One that waits for an endpoint that is away, and its child.
async fn waiting(room: &Room) {
    let ask = json!({ "srcip": "198.51.100.20", "agent_ids": ["002", "011"], "when_back": true });
    let away = room.asked_with(ask).await;
    approve(room, &away).await;
    room.work().await;
}

/// Those that ended before anything was sent.
async fn ended(room: &Room) {
    let withdrawn = asked(room, 13, "002").await;
    approve(room, &withdrawn).await;
    room.manager.re_enrol("002");
    room.work().await;
    let rejected = asked(room, 14, "001").await;
    room.person("bob").await.reject(&rejected.id.to_string(), "our own scanner").await;
    let cancelled = asked(room, 15, "001").await;
    room.agent().await.cancel(&cancelled.id.to_string()).await;
    room.asked_with(json!({ "srcip": "10.1.2.3", "agent_ids": ["001"] })).await;
}

async fn approve(room: &Room, request: &Request) {
    room.person("bob").await.approve(&request.id.to_string()).await;
}

/// The worker is gone in the middle of a call.
async fn cut_off(room: &Room) {
    let before = room.manager.received().len();
    room.manager.hold("001");
    let broker = room.broker().clone();
    let step = tokio::spawn(async move { worker::step(&broker).await });
    room.manager.until_received(before + 1).await;
    step.abort();
    assert!(step.await.unwrap_err().is_cancelled());
    room.manager.release("001");
    room.manager.settled().await;
}

async fn states(room: &Room) -> BTreeSet<&'static str> {
    let mut states = BTreeSet::new();
    for entry in room.operator().audit_after(0).await.unwrap() {
        let Some(id) = entry.request else { continue };
        states.insert(room.request(&id).await.state.name().name());
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn following_every_link_changes_nothing_and_never_fails() {
    let room = Box::pin(lived_in()).await;
    let there = states(&room).await;
    let all: BTreeSet<_> = StateName::ALL.map(StateName::name).into();
    assert_eq!(there, all, "the world has no request in some state");
    for role in ["anna", "alice", "bob", "carol", "dora", "otto", "fred"] {
        let pages = crawl(&room, role).await;
        let few = role == "fred";
        assert!(few || pages.len() > 25, "{role} saw {pages:?}");
    }
    room.freeze("look at every page again").await;
    room.stop_manager().await;
    for role in ["bob", "dora"] {
        crawl(&room, role).await;
    }
}

/// Follows every link from the inbox on.
async fn crawl(room: &Room, role: &str) -> BTreeSet<String> {
    let mut browser = room.browser_of(role).await;
    let before = room.stored(&["audit.read"]).await;
    let received = room.manager.received();
    let mut seen = BTreeSet::new();
    let mut next = vec![("the address line".to_owned(), "/".to_owned())];
    while let Some((from, link)) = next.pop() {
        let (page, fragment) = link.split_once('#').unwrap_or((&link, ""));
        let page = if page.is_empty() { from.as_str() } else { page };
        assert!(page.starts_with('/') && !page.starts_with("//"), "{from} leads away: {link}");
        if !fragment.is_empty() {
            let there = browser.open(page).await.has(&format!("id=\"{fragment}\""));
            assert!(there, "{role}: {from} leads to {link}, which is not on that page");
        }
        if !seen.insert(page.to_owned()) {
            continue;
        }
        let found = browser.open(page).await;
        assert!(found.status.as_u16() < 400, "{role}: {from} leads to {page}: {}", found.status);
        next.extend(found.links().into_iter().map(|link| (page.to_owned(), link)));
    }
    assert_same(&before, &room.stored(&["audit.read"]).await, &format!("{role}, by links,"));
    assert_eq!(room.manager.received(), received, "{role}");
    seen
}

#[tokio::test]
async fn inbox_links_to_its_request() {
    let room = Room::start().await;
    let request = room.asked_step().await;
    assert!(crawl(&room, "bob").await.contains(&path(&request)));
}
