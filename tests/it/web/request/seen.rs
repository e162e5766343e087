//! How often the target is seen in the alerts of the last 24 hours, and what was asked before: beside the
//! decision, and nothing of it written by an agent.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Fault, Outage, Times, Work};

use crate::harness::{PersonClient, World, page::Page};

const TARGET: &str = "203.0.113.50";

/// Adds an alert of so many minutes ago about an endpoint, which holds this.
fn add(world: &World, minutes: i64, (id, name): (&str, &str), data: &Value) {
    let at = world.clock.now() - TimeDelta::minutes(minutes);
    world.manager.add_alert(json!({
        "timestamp": at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string(),
        "agent": { "id": id, "name": name },
        "rule": { "id": "5763", "level": 10, "groups": ["sshd"] },
        "data": data,
    }));
}

const WEB: (&str, &str) = ("001", "web-01");
const DB: (&str, &str) = ("003", "db-01");

/// The address of the page of a block that people are to decide.
async fn asked(world: &World, target: &str) -> String {
    let more = json!({ "agent_ids": ["002"], "reason": "ZEBRA said the agent" });
    let asked = world.agent().await.block(target, more).await;
    assert_eq!(asked.state(), "pending", "{asked:?}");
    format!("/requests/{}", asked.id())
}

async fn page_of(world: &World, target: &str) -> Page {
    let path = asked(world, target).await;
    world.person("bob").await.get(&path).await
}

/// The section of what is seen; none where the page has none.
fn section(page: &Page) -> Option<&str> {
    let (_, rest) = page.html.split_once("<h2 id=\"seen\">")?;
    Some(rest.split_once("</section>").unwrap().0)
}

#[track_caller]
fn shows(page: &Page, text: &str) {
    let section = section(page).unwrap_or_else(|| panic!("no section:\n{}", page.html));
    assert!(section.contains(text), "{text:?} is not in it:\n{section}");
}

/// The page, and how many searches the indexer got for it.
async fn searches_of(world: &World, bob: &PersonClient, path: &str) -> (Page, usize) {
    let before = world.manager.searches();
    let page = bob.get(path).await;
    assert_eq!(page.status, 200, "{}", page.html);
    (page, world.manager.searches() - before)
}

#[tokio::test(flavor = "multi_thread")]
async fn page_counts_alerts_by_place_and_hour() {
    let world = World::start().await;
    let mapped = json!({ "src_ip": format!("::ffff:{TARGET}") });
    let named = json!({ "srcip": TARGET });
    for (minutes, place, data) in
        [(60, WEB, &named), (60, WEB, &mapped), (300, WEB, &named), (300, DB, &named)]
    {
        add(&world, minutes, place, data);
    }
    let page = page_of(&world, TARGET).await;
    shows(&page, "<strong>4 alerts name</strong> <bdi>203.0.113.50</bdi>:");
    shows(&page, "<li><bdi>web-01 (001)</bdi> 3</li>\n<li><bdi>db-01 (003)</bdi> 1</li>");
    shows(&page, "<svg class=\"bars\" role=\"img\" aria-labelledby=\"seen-by-hour-title");
    shows(&page, "<path class=\"bar s1\" d=\"M");
    for minutes in [60, 300] {
        let hour = world.clock.now() - TimeDelta::minutes(minutes);
        let row = format!("<th scope=\"row\">{}</th><td>2</td>", hour.format("%Y-%m-%d %H:00"));
        shows(&page, &row);
    }
    assert_eq!(section(&page).unwrap().matches("<th scope=\"row\">").count(), 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_about_other_targets_are_not_counted() {
    let world = World::start().await;
    for data in [
        json!({ "srcip": "203.0.113.5" }),
        json!({ "srcip": "203.0.113.501" }),
        json!({ "dstip": TARGET }),
        json!({ "srcip": "198.51.100.7", "text": TARGET }),
    ] {
        add(&world, 10, WEB, &data);
    }
    let page = page_of(&world, TARGET).await;
    shows(&page, "<strong>No alert names</strong> <bdi>203.0.113.50</bdi>.");
    assert!(!page.has("seen-by-hour"), "nothing is drawn: {}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_older_than_a_day_are_not_counted() {
    let world = World::start().await;
    for minutes in [24 * 60 - 2, 24 * 60 + 2, 72 * 60] {
        add(&world, minutes, WEB, &json!({ "srcip": TARGET }));
    }
    shows(&page_of(&world, TARGET).await, "<strong>1 alert names</strong>");
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_of_active_responses_are_not_counted() {
    let world = World::start().await;
    add(&world, 10, WEB, &json!({ "srcip": TARGET }));
    world.manager.rule_response("001", "firewall-drop0", &json!({ "srcip": TARGET }));
    let traces = world.manager.alerts();
    let traces = traces.iter().filter(|alert| alert["data"]["srcip"] == TARGET);
    assert_eq!(traces.count(), 2, "one of them is the trace");
    shows(&page_of(&world, TARGET).await, "<strong>1 alert names</strong>");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_beyond_the_first_five_count_as_elsewhere() {
    let world = World::start().await;
    for number in 1..=7 {
        let (id, name) = (format!("{number:03}"), format!("host-{number}"));
        for _ in number..=7 {
            add(&world, 5, (&id, &name), &json!({ "srcip": TARGET }));
        }
    }
    let page = page_of(&world, TARGET).await;
    shows(&page, "<strong>28 alerts name</strong>");
    shows(&page, "<li><bdi>host-5 (005)</bdi> 3</li>\n<li><bdi>elsewhere</bdi> 3</li>");
}

#[tokio::test(flavor = "multi_thread")]
async fn account_is_counted_as_each_field_writes_it() {
    let world = World::start().await;
    for data in [
        json!({ "dstuser": "m.lee" }),
        json!({ "dstuser": "m.lee(uid=1200)" }),
        json!({ "win": { "eventdata": { "targetUserName": "M.Lee" } } }),
        json!({ "office365": { "UserId": "m.lee@corp.example" } }),
        // Another account each.
        json!({ "dstuser": "M.LEE" }),
        json!({ "dstuser": "m.lee2" }),
        json!({ "office365": { "UserId": "m.lee2@corp.example" } }),
        json!({ "srcip": "m.lee" }),
    ] {
        add(&world, 10, WEB, &data);
    }
    let asked = world.agent().await.disable("m.lee", json!({ "agent_ids": ["002"] })).await;
    let page = world.person("bob").await.get(&format!("/requests/{}", asked.id())).await;
    shows(&page, "<strong>4 alerts name</strong> <bdi>m.lee</bdi>:");
    shows(&page, "where a name stands without a domain in front");
}

#[tokio::test(flavor = "multi_thread")]
async fn indexer_that_cannot_be_asked_is_said_in_words() {
    let world = World::start().await;
    add(&world, 10, WEB, &json!({ "srcip": TARGET }));
    let path = asked(&world, TARGET).await;
    let bob = world.person("bob").await;
    let answer = |body: &str| Fault::Answer { status: 200, body: body.to_owned() };
    let uncounted = r#"{"timed_out":false,"_shards":{},"hits":{"total":{"value":3},"hits":[]}}"#;
    for (fault, why) in [
        (Fault::Drop(Work::NotDone), "does not answer"),
        (Fault::Fail(Outage::Internal, Work::NotDone), "answered 500"),
        (Fault::Gateway(502, Work::NotDone), "answered 502"),
        (Fault::NoJson(Work::NotDone), "it is not JSON"),
        (answer("{}"), "the answer is not what it should be"),
        (answer(uncounted), "it counts nothing"),
        (Fault::SearchTimesOut, "it ran out of time"),
        (Fault::ShardsFail("wazuh-*".to_owned()), "1 of 3 shards failed"),
        (Fault::Flood, "answered with more than 1 MiB"),
    ] {
        world.manager.misbehave_on(Calls::Search, fault, Times::Once);
        let (page, searches) = searches_of(&world, &bob, &path).await;
        shows(&page, "The indexer could not be asked how often alerts name");
        shows(&page, why);
        assert!(page.has("/approve\""), "people decide all the same: {}", page.html);
        assert_eq!(searches, 1, "{why}");
        world.pass_for_all(Duration::from_secs(31));
    }
    shows(&bob.get(&path).await, "<strong>1 alert names</strong>");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_indexer_is_left_alone_for_half_a_minute() {
    let world = World::start().await;
    let (one, other) = (asked(&world, TARGET).await, asked(&world, "203.0.113.51").await);
    let bob = world.person("bob").await;
    let down = Fault::Drop(Work::NotDone);
    world.manager.misbehave_on(Calls::Search, down, Times::UntilCleared);
    assert_eq!(searches_of(&world, &bob, &one).await.1, 1);
    for path in [&one, &other] {
        let (page, searches) = searches_of(&world, &bob, path).await;
        shows(&page, "does not answer");
        assert_eq!(searches, 0, "no page waits for it");
    }
    world.pass_for_all(Duration::from_secs(31));
    assert_eq!(searches_of(&world, &bob, &other).await.1, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn page_waits_two_seconds_for_silent_indexer() {
    let world = World::start().await;
    let path = asked(&world, TARGET).await;
    let bob = world.person("bob").await;
    world.manager.misbehave_on(Calls::Search, Fault::Drip, Times::Once);
    let before = world.manager.searches();
    let time = async {
        world.manager.until_searched(before + 1).await;
        world.pass(Duration::from_secs(2));
    };
    let (page, ()) = tokio::join!(bob.get(&path), time);
    assert_eq!(page.status, 200, "{}", page.html);
    shows(&page, "it did not answer within 2 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_is_kept_for_a_minute() {
    let world = World::start().await;
    add(&world, 10, WEB, &json!({ "srcip": TARGET }));
    add(&world, 10, WEB, &json!({ "srcip": "203.0.113.51" }));
    let (one, other) = (asked(&world, TARGET).await, asked(&world, "203.0.113.51").await);
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    assert_eq!(searches_of(&world, &bob, &one).await.1, 1);
    add(&world, 1, WEB, &json!({ "srcip": TARGET }));
    world.pass_for_all(Duration::from_secs(59));
    for person in [&bob, &carol] {
        let (page, searches) = searches_of(&world, person, &one).await;
        shows(&page, "<strong>1 alert names</strong>");
        assert_eq!(searches, 0);
    }
    assert_eq!(searches_of(&world, &bob, &other).await.1, 1, "each target has its answer");
    world.pass_for_all(Duration::from_secs(1));
    let (page, searches) = searches_of(&world, &bob, &one).await;
    shows(&page, "<strong>2 alerts name</strong>");
    assert_eq!(searches, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_manager_has_its_own_answer() {
    let world = World::builder().with_second_manager("paris").start().await;
    add(&world, 10, WEB, &json!({ "srcip": TARGET }));
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    for (endpoint, words) in [("test/002", "1 alert names"), ("paris/002", "No alert names")] {
        let asked = agent.block(TARGET, json!({ "agent_ids": [endpoint] })).await;
        shows(&bob.get(&format!("/requests/{}", asked.id())).await, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_endpoint_name_stays_visible_text() {
    let world = World::start().await;
    let name = "x</li><script>alert(1)</script>\u{202E}(100) 10";
    add(&world, 10, ("001", name), &json!({ "srcip": TARGET }));
    add(&world, 10, ("0x1", "no id"), &json!({ "srcip": TARGET }));
    let page = page_of(&world, TARGET).await;
    shows(&page, "x&lt;/li&gt;&lt;script&gt;alert(1)&lt;/script&gt;‹U+202E›");
    shows(&page, "<li><bdi>elsewhere</bdi> 1</li>");
    assert!(!page.has("<script>alert") && !page.has("\u{202E}"), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_an_agent_wrote_stands_in_evidence() {
    let world = World::start().await;
    add(&world, 10, WEB, &json!({ "srcip": TARGET }));
    let page = page_of(&world, TARGET).await;
    assert!(page.has("ZEBRA said the agent"), "{}", page.html);
    let (_, facts) = page.html.split_once("<h2 id=\"facts\">").unwrap();
    let facts = facts.split_once("</section>").unwrap().0;
    for part in [section(&page).unwrap(), facts] {
        assert!(!part.contains("ZEBRA"), "{part}");
    }
    // The one style of unchecked text.
    let own = section(&page).unwrap();
    assert!(!own.contains("class=\"said\"") && !own.contains("agent\""), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn decided_request_asks_no_indexer() {
    let world = World::start().await;
    let path = asked(&world, TARGET).await;
    let bob = world.person("bob").await;
    bob.reject(path.trim_start_matches("/requests/"), "not now").await;
    world.pass_for_all(Duration::from_secs(61));
    let (page, searches) = searches_of(&world, &bob, &path).await;
    assert_eq!((section(&page), searches), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn page_says_that_no_indexer_is_configured() {
    let world = World::builder().without_indexer().start().await;
    shows(&page_of(&world, TARGET).await, "No indexer is configured");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_alerts_say_nothing_while_indexer_is_behind() {
    let world = World::start().await;
    world.manager.hold_evidence();
    world.pass_for_all(Duration::from_hours(20));
    let page = page_of(&world, TARGET).await;
    shows(&page, "<strong>No alert names</strong>");
    shows(&page, "Newer alerts may be missing: <bdi>the newest document is");
}

/// A row of the facts.
fn fact<'a>(page: &'a Page, name: &str) -> &'a str {
    let row = page.html.split_once(&format!("<dt>{name}</dt><dd>"));
    let (_, rest) = row.unwrap_or_else(|| panic!("no {name}:\n{}", page.html));
    rest.split_once("</dd>").unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_tell_record_of_agent_and_target() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    let first = asked(&world, TARGET).await;
    let page = bob.get(&first).await;
    assert_eq!(fact(&page, "Asked before"), "<a href=\"/targets?is=203.0.113.50\">never</a>");
    assert_eq!(fact(&page, "Active already"), "nothing that Countersign knows of");
    bob.reject(first.trim_start_matches("/requests/"), "not now").await;
    // Policy denies it for half an hour.
    world.pass_for_all(Duration::from_mins(31));
    let bob = world.person("bob").await;
    let second = asked(&world, TARGET).await;
    bob.approve(second.trim_start_matches("/requests/")).await;
    world.work().await;
    // Of what is asked in one millisecond nobody knows the order.
    world.pass_for_all(Duration::from_secs(1));
    let more = json!({ "agent_ids": ["002", "003"], "duration_seconds": 3600 });
    let third = world.agent().await.block(TARGET, more).await;
    let page = bob.get(&format!("/requests/{}", third.id())).await;
    let before = fact(&page, "Asked before");
    assert!(before.contains(">2 requests: 1 approved, 1 rejected</a>"), "{before}");
    let record = fact(&page, "Its record");
    assert!(record.contains("3 requests in 30 days: 1 approved, 1 rejected, 1 open"), "{record}");
    let name = page.links().into_iter().find(|link| link.starts_with("/agents/")).unwrap();
    assert!(record.contains(&format!("href=\"{name}\"")), "{record}");
    assert_eq!(bob.get(&name).await.status, 200, "{name}");
    assert_eq!(fact(&page, "Active already"), "<a href=\"#already\">on 1 of 2 endpoints</a>");
    assert!(page.has("<strong>Approving "), "it says what this would change: {}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn record_of_agent_ends_after_thirty_days() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    let old = asked(&world, "203.0.113.51").await;
    bob.reject(old.trim_start_matches("/requests/"), "not now").await;
    world.pass_for_all(Duration::from_hours(24 * 31));
    let page = world.person("bob").await.get(&asked(&world, TARGET).await).await;
    let record = fact(&page, "Its record");
    assert!(record.contains("1 request in 30 days: 1 open"), "{record}");
}
