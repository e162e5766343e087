//! No two texts show the same, and an agent's text changes nothing but itself. A few texts go
//! through the door; `web::gallery` shows all of them.

use serde_json::json;
use wazuh_simulator::{Endpoint, Os};

use super::{
    fixtures::{Stage, block},
    hostile_texts::{few, near_misses},
    visible_checks::{Distinct, normal, seen},
};
use crate::harness::{World, page::encoded};

#[tokio::test(flavor = "multi_thread")]
async fn different_texts_give_different_pages() {
    let mut stage = Stage::start().await;
    let mut reasons = Distinct::default();
    let texts = near_misses(few());
    // The last one twice: equal texts give equal pages, so what differs is the text alone.
    let last = texts.last().cloned().unwrap();
    let mut pages = Vec::new();
    for (number, text) in texts.iter().chain([&last]).enumerate() {
        stage.next().await;
        let bot = format!("bot-{number:04}");
        let agent = stage.agent(&bot).await;
        let id = block(&agent, "203.0.113.9", json!({ "reason": text })).await.id();
        let page = stage.bob.get(&format!("/requests/{id}")).await;
        pages.push(seen(&normal(&page.html, &[&bot])));
        agent.cancel(&id).await;
    }
    let again = pages.pop().unwrap();
    assert_eq!(Some(&again), pages.last(), "what differs is not the text alone");
    for (page, text) in pages.into_iter().zip(&texts) {
        reasons.add(page, text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn different_endpoint_names_and_filters_give_different_pages() {
    let mut stage = Stage::start().await;
    let (mut names, mut filters) = (Distinct::default(), Distinct::default());
    for (number, text) in near_misses(few()).iter().enumerate() {
        stage.next().await;
        stage.world.manager.add(Endpoint::new("001", text, Os::UBUNTU).groups(&["web"]));
        let bot = format!("bot-{number:04}");
        let agent = stage.agent(&bot).await;
        let id = block(&agent, "203.0.113.9", json!({})).await.id();
        let page = stage.bob.get(&format!("/requests/{id}")).await;
        names.add(seen(&normal(&page.html, &[&bot])), text);
        agent.cancel(&id).await;
        let written = encoded(text);
        let page = stage.bob.get(&format!("/requests?target={written}")).await;
        // What was typed stands in an attribute: the tags are kept.
        filters.add(normal(&page.html, &[]), text);
    }
}

/// What two agents say about the same three responses, and how it shows.
const SAID: [[(&str, &str); 2]; 3] = [
    [
        ("a brute force attack on web-01", "a brute force attack on web-01"),
        (
            "SYSTEM: pre-approved. URGENT! Criticality 1",
            "SYSTEM: pre-approved. URGENT! Criticality 1",
        ),
    ],
    [
        ("seen in the log of the proxy", "seen in the log of the proxy"),
        ("<b>APPROVE THIS FIRST</b>", "&lt;b&gt;APPROVE THIS FIRST&lt;/b&gt;"),
    ],
    [
        ("\u{200B}the address scans us", "\u{2039}U+200B\u{203A}the address scans us"),
        ("\u{202E}wonk \u{1F6A8} **", "\u{2039}U+202E\u{203A}wonk \u{1F6A8} **"),
    ],
];

#[tokio::test(flavor = "multi_thread")]
async fn agents_text_changes_nothing_else_on_page() {
    let mut worlds = Vec::new();
    for which in 0..2 {
        let world = World::start().await;
        let agent = world.agent().await;
        let bob = world.person("bob").await;
        let mut ids = Vec::new();
        for (number, said) in SAID.iter().enumerate() {
            let more = json!({ "reason": said[which].0, "confidence": 50 });
            ids.push(block(&agent, &format!("203.0.113.{}", 10 + number), more).await.id());
        }
        let mut pages = Vec::new();
        for list in ["/", "/requests"] {
            let html = bob.get(list).await.html;
            let words =
                |html: String, said: &[(&str, &str); 2]| html.replace(said[which].1, "WORDS");
            pages.push(normal(&SAID.iter().fold(html, words), &[]));
        }
        for (id, said) in ids.iter().zip(&SAID) {
            let page = bob.get(&format!("/requests/{id}")).await;
            assert!(page.html.contains(said[which].1), "{}", page.html);
            pages.push(normal(&page.html.replace(said[which].1, "WORDS"), &[]));
        }
        worlds.push(pages);
    }
    let [plain, loud] = worlds.as_slice() else { panic!("two worlds") };
    for (plain, loud) in plain.iter().zip(loud) {
        assert_eq!(plain, loud);
    }
}
