//! A request on more endpoints than anybody reads at once: each of its pages is light, and every
//! endpoint, call and event is on one of them.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use wazuh_simulator::{Endpoint, Fault, Os, Status, Times, Work};

use crate::{
    harness::{World, page::Page},
    web::browser::Browser,
};

/// The most that a page may weigh, in bytes.
const WEIGHT_MAX: usize = 100 * 1024;

/// A site of that many connected machines and 20 others, a tenth of them in a second group.
async fn site(connected: usize) -> World {
    let machine = |number: usize| {
        let id = &*format!("{number:04}").leak();
        let name = &*format!("machine-{number:04}.floor-3.building-west.example.org").leak();
        let groups = if number.is_multiple_of(10) { &["linux", "web"][..] } else { &["linux"] };
        let endpoint = Endpoint::new(id, name, Os::UBUNTU).groups(groups);
        if number > connected { endpoint.status(Status::Disconnected) } else { endpoint }
    };
    let agents: Vec<_> = (1..=connected + 20).map(machine).collect();
    World::builder().with_simulator(|site| site.agents = agents).start().await
}

/// A block on all endpoints that carol and bob approved.
async fn approved(world: &World) -> String {
    let asked = world.agent().await.block("203.0.113.9", json!({ "all_agents": true })).await;
    for name in ["carol", "bob"] {
        world.person(name).await.approve(&asked.id()).await;
    }
    asked.id()
}

/// It was sent, and what happened in the first two calls, of 50 endpoints each, is not known.
async fn sent(world: &World) -> String {
    let id = approved(world).await;
    world.manager.hold_evidence();
    world.manager.misbehave(Fault::Drop(Work::Done), Times::N(2));
    world.work().await;
    id
}

async fn browser(world: &World, name: &str) -> Browser {
    let mut browser = Browser::new(&world.url());
    browser.sign_in(name, crate::harness::PASSWORD).await;
    browser
}

/// What all pages of a request show together.
#[derive(Default)]
struct Seen {
    pages: BTreeSet<String>,
    endpoints: BTreeSet<String>,
    calls: BTreeSet<String>,
    events: usize,
}

impl Seen {
    /// Opens the page of a request, and every page of it that a link leads to.
    async fn all(browser: &mut Browser, id: &str) -> Self {
        let mut seen = Self::default();
        let mut open = vec![format!("/requests/{id}")];
        while let Some(address) = open.pop() {
            let page = browser.open(&address).await;
            let weight = page.html.len();
            assert!(weight < WEIGHT_MAX, "{address} weighs {weight} bytes");
            seen.read(&address, page);
            for link in page.links() {
                let link = link.split('#').next().unwrap().to_owned();
                let own = link.starts_with(&format!("/requests/{id}?"));
                if own && seen.pages.insert(link.clone()) {
                    open.push(link);
                }
            }
        }
        seen
    }

    fn read(&mut self, address: &str, page: &Page) {
        let between = |text: &str, start: &str, end: &str| {
            let parts = text.split(start).skip(1);
            parts.map(|part| part.split(end).next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        self.endpoints.extend(between(&page.html, "<summary><b>", "</b>"));
        let calls = between(&page.html, "<h2 id=\"bytes\">", "</section>").concat();
        self.calls.extend(between(&calls, "<th scope=\"row\">", "</th>"));
        let timeline = between(&page.html, "<ol class=\"timeline\">", "</ol>").concat();
        if address.contains("events=") || !page.has("Pages of the timeline") {
            self.events += timeline.matches("<li>").count();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_1080_endpoints_are_light_and_complete() {
    let world = site(1080).await;
    let mut bob = browser(&world, "bob").await;
    let ids: BTreeSet<_> = (1..=1100).map(|number| format!("{number:04}")).collect();
    let asked = world.agent().await.block("203.0.113.9", json!({ "all_agents": true })).await;
    assert_eq!(Seen::all(&mut bob, &asked.id()).await.endpoints, ids);
    assert_eq!(world.agent().await.cancel(&asked.id()).await.state(), "cancelled");
    let id = sent(&world).await;
    world.manager.release_evidence();
    world.look().await;
    let seen = Seen::all(&mut bob, &id).await;
    assert_eq!(seen.endpoints, ids);
    assert_eq!(seen.calls.len(), 22);
    let told = world.agent().await.get(&id).await.text.len();
    assert!(told < 20_000, "the agent is told {told} bytes");
    let mut otto = browser(&world, "otto").await;
    let audit = otto.open(&format!("/audit?request={id}")).await.clone();
    assert!(audit.html.len() < WEIGHT_MAX, "the audit weighs {} bytes", audit.html.len());
    let last = "&quot;1080&quot;";
    assert!(!audit.has(last), "the list shows the beginning of an entry");
    let mut whole = 0;
    for link in audit.links().into_iter().filter(|link| link.starts_with("/audit?entry=")) {
        whole += usize::from(otto.open(&link).await.has(last));
    }
    assert!(whole > 0, "no entry's own page shows its end");
    assert_eq!(otto.open("/audit?entry=x").await.status, 400);
    otto.open("/audit?entry=999999").await.shows("No entries match.");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_long_timeline_is_shown() {
    let world = site(60).await;
    let id = approved(&world).await;
    let mut bob = browser(&world, "bob").await;
    for number in 0..60 {
        bob.open(&format!("/requests/{id}")).await;
        let comment = format!("comment {number}");
        bob.submit(&format!("/requests/{id}/comment"), &[("comment", &comment)]).await;
    }
    let last = bob.open(&format!("/requests/{id}")).await.clone();
    last.shows("Events 51 to 63 of 63");
    let seen = Seen::all(&mut bob, &id).await;
    assert_eq!(seen.events, 63);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_endpoints_are_summed_up_by_outcome_and_group() {
    let world = site(120).await;
    let id = sent(&world).await;
    let mut bob = browser(&world, "bob").await;
    let page = bob.open(&format!("/requests/{id}")).await;
    page.shows("20 sent, 100 unknown.");
    page.shows("Left out: 20 not active.");
    page.shows("Endpoints 1 to 25 of 140, those that need a person first.");
    page.shows("<bdi>linux</bdi></th><td data-is=\"Acts on\">120</td>");
    page.shows("<bdi>web</bdi></th><td data-is=\"Acts on\">12</td>");
    page.shows("2 sent, 10 unknown, 2 left out");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_on_a_later_page_is_resolved_there() {
    let world = site(120).await;
    let id = sent(&world).await;
    let mut bob = browser(&world, "bob").await;
    let (second, resolve) =
        (format!("/requests/{id}?endpoints=2"), format!("/requests/{id}/resolve"));
    bob.open(&second).await.shows("name=\"endpoint\" value=\"0030\"");
    assert!(!bob.page.has("name=\"endpoint\" value=\"0001\""), "that stands on the first page");
    bob.page.shows("25 of 100 stand here");
    let found = [("endpoint", "0030"), ("ruling", "done"), ("comment", "iptables -L shows it")];
    let stale = [&found[..], &[("version", "1")]].concat();
    bob.submit(&resolve, &stale).await;
    assert_eq!(bob.page.status, 409);
    bob.page.shows("Endpoints 26 to 50 of 140");
    bob.page.shows("iptables -L shows it");
    assert_eq!(bob.submit(&resolve, &found).await.status, 303);
    bob.open(&second).await;
    assert!(!bob.page.has("name=\"endpoint\" value=\"0030\""));
    world.pass(Duration::from_secs(1));
    let undo = format!("/requests/{id}/undo");
    assert_eq!(bob.submit(&undo, &[("comment", "a false alarm")]).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn page_that_does_not_exist_is_not_found() {
    let world = site(120).await;
    let id = approved(&world).await;
    let mut bob = browser(&world, "bob").await;
    for wrong in ["endpoints=0", "endpoints=7", "endpoints=x", "events=2", "events=-1"] {
        assert_eq!(bob.open(&format!("/requests/{id}?{wrong}")).await.status, 404, "{wrong}");
    }
    assert_eq!(bob.open(&format!("/requests/{id}?endpoints=6")).await.status, 200);
}
