//! What became of what was asked: the pages of an agent, a person, an endpoint and a target, and the
//! overview.

use std::time::Duration;

use countersign::domain::request::{Request, StateName};
use serde_json::json;

use super::{
    browser::Browser,
    fixtures::{Room, path},
};
use crate::harness::{ALERT, page::Page};

const MINUTE: Duration = Duration::from_mins(1);

/// A number of a record as the page shows it.
#[track_caller]
fn shows_figure(page: &Page, words: &str, number: &str) {
    page.shows(&format!("<div><dt>{words}</dt><dd>{number}</dd></div>"));
}

/// The numbers of a row of a table: of its first cell and what follows.
#[track_caller]
fn shows_row(page: &Page, first: &str, numbers: &[u64]) {
    let cell = |all: String, number| all + &format!("<td>{number}</td>");
    let cells = numbers.iter().fold(String::new(), cell);
    page.shows(&format!("{first}</th>{cells}</tr>"));
}

async fn asked(room: &Room, srcip: &str, endpoint: &str) -> Request {
    room.asked_with(json!({ "srcip": srcip, "agent_ids": [endpoint] })).await
}

async fn vote(browser: &mut Browser, request: &Request, verb: &str, comment: &str) {
    browser.open(&path(request)).await;
    let form = format!("{}/{verb}", path(request));
    let answer = browser.submit(&form, &[("comment", comment)]).await;
    assert_eq!(answer.status, 303, "{}", answer.html);
}

/// Five requests at one moment: one runs at once, one is approved after 2 minutes and runs, one is
/// rejected after 10, one is denied, one waits.
async fn lived_in(room: &Room) -> [Request; 5] {
    // All of it on one day.
    let left = 86_400 - u64::try_from(room.clock.now().timestamp().rem_euclid(86_400)).unwrap();
    room.pass(Duration::from_secs(if left < 900 { left } else { 0 }));
    let mut bob = room.browser_of("bob").await;
    let at_once = json!({
        "srcip": "203.0.113.7", "agent_ids": ["001"], "duration_seconds": 600,
        "reason": "a test asks", "alert_id": ALERT, "confidence": 95,
    });
    let at_once = room.asked_exactly(&at_once).await;
    let approved = asked(room, "203.0.113.1", "002").await;
    let rejected = asked(room, "203.0.113.2", "002").await;
    let denied = asked(room, "10.1.2.3", "002").await;
    let open = asked(room, "203.0.113.1", "003").await;
    room.work().await;
    room.pass(2 * MINUTE);
    vote(&mut bob, &approved, "approve", "").await;
    room.work().await;
    room.pass(8 * MINUTE);
    vote(&mut bob, &rejected, "reject", "our own scanner").await;
    assert_eq!(room.now(&denied).await.state.name(), StateName::Denied);
    [at_once, approved, rejected, denied, open]
}

fn day(request: &Request) -> String {
    request.asked_at.format("%Y-%m-%d").to_string()
}

#[tokio::test]
async fn agent_page_counts_what_became_of_its_asks() {
    let room = Room::start().await;
    let requests = lived_in(&room).await;
    let mut otto = room.browser_of("otto").await;
    for days in ["", "?days=7", "?days=30"] {
        otto.open(&format!("/agents/triage-bot{days}")).await;
        for (words, number) in [
            ("Asked", "5"),
            ("Ran at once", "1"),
            ("Approved", "1"),
            ("Rejected", "1"),
            ("Denied by policy", "1"),
            ("Expired", "0"),
            ("Cancelled or withdrawn", "0"),
            ("Open", "1"),
            ("Time to decide", "half within 2 minutes, 90 % within 10 minutes; 2 decisions"),
        ] {
            shows_figure(&otto.page, words, number);
        }
        shows_row(&otto.page, &day(&requests[0]), &[1, 1, 1, 1, 1, 5]);
        let target = "<a href=\"/targets?is=203.0.113.1\"><bdi>203.0.113.1</bdi></a> <span \
                      class=\"hint\">2</span>";
        otto.page.shows(target);
        for request in &requests {
            otto.page.shows(&format!("href=\"{}\"", path(request)));
        }
        otto.page.shows("href=\"/requests?agent=triage-bot\"");
    }
    assert!(!otto.page.has("/agents/triage-bot/rotate"), "an auditor manages no agents");
    otto.open("/requests?agent=triage-bot").await.shows(&path(&requests[4]));
    otto.open("/requests?agent=nobody").await.shows("Without the agent: 5 requests");
}

#[tokio::test]
async fn record_forgets_what_was_asked_before_its_days() {
    let room = Room::start().await;
    let [first, ..] = lived_in(&room).await;
    room.pass(Duration::from_hours(24 * 8));
    room.work().await;
    let second = asked(&room, "203.0.113.9", "002").await;
    let mut otto = room.browser_of("otto").await;
    otto.open("/agents/triage-bot?days=7").await;
    shows_figure(&otto.page, "Asked", "1");
    shows_figure(&otto.page, "Time to decide", "nobody decided");
    assert!(!otto.page.has(&path(&first)), "it is older");
    otto.open("/agents/triage-bot?days=30").await;
    shows_figure(&otto.page, "Asked", "6");
    shows_figure(&otto.page, "Expired", "1");
    shows_row(&otto.page, &day(&first), &[1, 1, 1, 1, 1, 5]);
    shows_row(&otto.page, &day(&second), &[0, 0, 0, 0, 1, 1]);
}

#[tokio::test]
async fn person_page_counts_what_the_person_did() {
    let room = Room::start().await;
    let [_, approved, rejected, ..] = lived_in(&room).await;
    let mut bob = room.browser_of("bob").await;
    vote(&mut bob, &approved, "undo", "our own scanner").await;
    let undo = bob.page.leads_to().to_owned();
    let mut anna = room.browser_of("anna").await;
    anna.open("/people/bob").await;
    for (words, number) in [
        ("Approved", "1"),
        ("Rejected", "1"),
        ("Asked for", "1"),
        ("Time to decide", "half within 2 minutes, 90 % within 10 minutes; 2 decisions"),
    ] {
        shows_figure(&anna.page, words, number);
    }
    for link in [&path(&approved), &path(&rejected), &undo] {
        anna.page.shows(&format!("href=\"{link}\""));
    }
    anna.page.shows("href=\"/audit?actor=bob\"");
    assert!(!anna.page.has("/people/bob/role"), "an analyst manages no people");
    anna.open("/people/anna").await;
    shows_figure(&anna.page, "Approved", "0");
    anna.page.shows("None in these days.");
}

#[tokio::test]
async fn endpoint_page_counts_requests_that_reach_it() {
    let room = Room::start().await;
    let [at_once, approved, ..] = lived_in(&room).await;
    let place = format!("/endpoints/{}/002", approved.manager);
    let mut otto = room.browser_of("otto").await;
    otto.open(&place).await.shows("<bdi>web-02</bdi> (002)");
    for (words, number) in [
        ("Asked", "3"),
        ("Approved", "1"),
        ("Rejected", "1"),
        ("Denied by policy", "1"),
        ("Open", "0"),
    ] {
        shows_figure(&otto.page, words, number);
    }
    shows_row(&otto.page, "triage-bot</a>", &[3, 0, 1, 1, 1]);
    assert!(!otto.page.has(&path(&at_once)), "it was for another endpoint");
}

#[tokio::test]
async fn target_page_counts_requests_on_it_alone() {
    let room = Room::start().await;
    let [.., open] = lived_in(&room).await;
    let mut otto = room.browser_of("otto").await;
    otto.open("/targets?is=203.0.113.1").await.shows("<h1><bdi>203.0.113.1</bdi></h1>");
    for (words, number) in [("Asked", "2"), ("Approved", "1"), ("Open", "1")] {
        shows_figure(&otto.page, words, number);
    }
    shows_row(&otto.page, "triage-bot</a>", &[2, 0, 1, 0, 0]);
    otto.page.shows(&path(&open));
    otto.page.shows("href=\"/targets?is=203.0.113.1&amp;days=7\"");
}

#[tokio::test]
async fn page_of_unknown_thing_is_not_found() {
    let room = Room::start().await;
    let request = asked(&room, "203.0.113.1", "002").await;
    let manager = &request.manager;
    let mut otto = room.browser_of("otto").await;
    for place in [
        "/agents/nobody",
        "/people/nobody",
        &format!("/endpoints/{manager}/999"),
        &format!("/endpoints/{manager}/..%2F002"),
        "/endpoints/nowhere/002",
        "/targets?is=203.0.113.2",
        "/targets?is=%E2%80%AE%00",
        "/targets",
    ] {
        assert_eq!(otto.open(place).await.status, 404, "{place}");
    }
}

#[tokio::test]
async fn number_of_days_is_one_that_is_offered() {
    let room = Room::start().await;
    asked(&room, "203.0.113.1", "002").await;
    let mut otto = room.browser_of("otto").await;
    for place in ["/agents/triage-bot?", "/people/bob?", "/targets?is=203.0.113.1&", "/overview?"] {
        for days in ["8", "0", "-7", "x", "07", "99999999999999999999"] {
            let refused = otto.open(&format!("{place}days={days}")).await;
            assert_eq!(refused.status, 400, "{place}{days}");
            refused.shows("days: ");
            refused.shows(&format!("`{days}` is not offered"));
            refused.shows("7, 30");
        }
    }
}

#[tokio::test]
async fn approval_counts_though_nothing_was_sent() {
    let room = Room::start().await;
    let request = asked(&room, "203.0.113.1", "002").await;
    vote(&mut room.browser_of("bob").await, &request, "approve", "").await;
    room.freeze("nothing goes out").await;
    room.pass(Duration::from_hours(11));
    room.work().await;
    assert_eq!(room.now(&request).await.state.name(), StateName::Expired);
    let mut otto = room.browser_of("otto").await;
    otto.open("/agents/triage-bot").await;
    shows_figure(&otto.page, "Approved", "1");
    shows_figure(&otto.page, "Expired", "0");
}

#[tokio::test]
async fn approval_taken_back_counts_no_more() {
    let room = Room::start().await;
    let request = asked(&room, "203.0.113.1", "002").await;
    let mut bob = room.browser_of("bob").await;
    vote(&mut bob, &request, "approve", "").await;
    bob.open("/people/bob").await;
    shows_figure(&bob.page, "Approved", "1");
    vote(&mut bob, &request, "retract", "").await;
    for (place, open) in [("/people/bob", false), ("/agents/triage-bot", true)] {
        bob.open(place).await;
        shows_figure(&bob.page, "Approved", "0");
        shows_figure(&bob.page, "Time to decide", "nobody decided");
        assert!(!open || bob.page.has("<dt>Open</dt><dd>1</dd>"));
    }
}

#[tokio::test]
async fn overview_counts_what_waits_and_what_was_decided() {
    let room = Room::start().await;
    let [first, .., open] = lived_in(&room).await;
    let mut carol = room.browser_of("carol").await;
    carol.open("/overview").await.shows("<h1>Overview</h1>");
    // Asked 10 minutes ago, on a critical endpoint, which needs two people.
    assert_eq!(room.now(&open).await.tier().name(), "medium");
    shows_row(&carol.page, "under 15 min", &[0, 1, 0, 1]);
    shows_figure(
        &carol.page,
        "Time to decide",
        "half within 2 minutes, 90 % within 10 minutes; 2 decisions",
    );
    carol.page.shows("Decided by people</title>");
    carol.page.shows("2 requests in all");
    shows_row(&carol.page, &day(&first), &[1, 1, 1, 1, 1, 5]);
    shows_row(&carol.page, "triage-bot</a>", &[5, 1, 1, 1, 1]);
    carol.page.shows("<bdi>run.at-once</bdi>");
    room.pass(Duration::from_hours(1));
    let mut carol = room.browser_of("carol").await;
    carol.open("/overview").await;
    shows_row(&carol.page, "1 h to 4 h", &[0, 1, 0, 1]);
}

#[tokio::test]
async fn overview_counts_active_responses_by_day() {
    let room = Room::start().await;
    let [first, ..] = lived_in(&room).await;
    let mut carol = room.browser_of("carol").await;
    // The block of 10 minutes that was sent 8 minutes ago; that which was sent before it has ended.
    let active = |page: &Page| {
        let (_, after) = page.html.split_once("<title id=\"active-title\">").unwrap();
        let (_, description) = after.split_once("<desc id=\"active-desc\">").unwrap();
        description.split_once("</desc>").unwrap().0.to_owned()
    };
    carol.open("/overview").await;
    let told = active(&carol.page);
    assert!(told.contains("1 response in all") && told.contains(&day(&first)), "{told}");
    room.pass(Duration::from_hours(1));
    let mut carol = room.browser_of("carol").await;
    carol.open("/overview").await.shows("Active at the end of the day; today, now</figcaption>");
    assert!(!carol.page.has("active-title"), "nothing is active any more");
}

#[tokio::test]
async fn home_of_an_auditor_is_the_audit() {
    let room = Room::start().await;
    let mut otto = room.browser_of("otto").await;
    otto.open("/").await.shows("<h1>Audit</h1>");
    assert!(!otto.page.has(">Inbox"), "nothing ever waits for an auditor");
    room.browser_of("carol").await.open("/").await.shows(">Inbox");
}
