//! The rows of the inbox, its filter, order and groups, and its address.

use std::time::Duration;

use countersign::domain::{actor::Actor, kill_switch::Extent};
use serde_json::json;

use super::{
    super::fixtures::{Room, path},
    in_this_order,
};
use crate::harness::{ALERT, fixtures::own_set, page::encoded};

#[tokio::test]
async fn inbox_row_says_what_decides() {
    let room = Room::start().await;
    room.asked_with(json!({
        "srcip": "203.0.113.7", "agent_ids": ["003"], "reason": "\n first\nsecond", "alert_id": ALERT,
    }))
    .await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await;
    in_this_order(
        &bob,
        &[
            "high risk",
            "criticality 5",
            "Block 203.0.113.7 on db-01 (003) for 10 minutes",
            "left</strong>",
            "triage-bot",
            "<q class=\"said\"><bdi>first</bdi></q> …",
            "alert level",
            "Needs 2 people",
        ],
    );
    assert!(!bob.page.has("second<"));
}

#[tokio::test]
async fn greatest_risk_comes_first_in_inbox() {
    let room = Room::start().await;
    room.asked_with(json!({ "srcip": "203.0.113.8", "agent_ids": ["002"] })).await;
    room.pass(Duration::from_mins(1));
    room.asked_with(json!({ "srcip": "203.0.113.9", "agent_ids": ["003"] })).await;
    let mut bob = room.browser_of("bob").await;
    let (calm, critical) = ("Block 203.0.113.8", "Block 203.0.113.9");
    for (order, rows) in [
        ("", [critical, calm]),
        ("risk", [critical, calm]),
        ("deadline", [calm, critical]),
        ("newest", [critical, calm]),
        ("oldest", [calm, critical]),
    ] {
        bob.open(&format!("/?sort={order}")).await;
        in_this_order(&bob, &rows);
    }
}

#[tokio::test]
async fn each_part_of_inbox_filter_keeps_others_out() {
    let room = Room::start().await;
    room.add_agent("hunt-bot", "alice").await;
    room.asked_with(json!({ "srcip": "203.0.113.8", "agent_ids": ["002"] })).await;
    room.asked_with(json!({ "srcip": "198.51.100.9", "agent_ids": ["003"] })).await;
    let mut bob = room.browser_of("bob").await;
    let (low, high) = ("Block 203.0.113.8", "Block 198.51.100.9");
    for (filter, found, not) in [
        ("action=block_ip&target=203.0.113.0/24", low, high),
        ("target=198.51.", high, low),
        ("endpoint=002", low, high),
        ("endpoint=test/003", high, low),
        ("endpoint=DB-", high, low),
        ("tier=low", low, high),
        ("me=yes", low, high),
        ("group=web", low, high),
        ("agent=triage-bot&endpoint=003", high, low),
    ] {
        bob.open(&format!("/?{filter}")).await.shows(found);
        assert!(!bob.page.has(not), "{filter}");
        bob.page.shows("1 request waiting for you of 2");
        bob.page.shows("<title>(2) ");
    }
    for filter in ["alert=found", "permanent=yes", "agent=hunt-bot", "action=disable_account"] {
        bob.open(&format!("/?{filter}")).await.shows("Nothing that is waiting matches.");
        bob.page.shows(": 2 requests</a>");
    }
    bob.open("/?agent=hunt-bot&endpoint=003").await;
    bob.page.shows("<a href=\"/?endpoint=003\">Without the agent: 1 request</a>");
}

#[tokio::test]
async fn inbox_groups_by_agent_and_host() {
    let room = Room::start().await;
    for last in 1..=12 {
        let address = format!("203.0.113.{last}");
        room.asked_with(json!({ "srcip": address, "agent_ids": ["002"] })).await;
    }
    room.asked_with(json!({ "srcip": "203.0.113.1", "agent_ids": ["001"] })).await;
    let mut bob = room.browser_of("bob").await;
    let rows = |html: &str| html.matches("class=\"row\"").count();
    bob.open("/?by=agent").await.shows("agent <bdi>triage-bot</bdi>");
    assert_eq!(rows(&bob.page.html), 10);
    bob.page.shows("3 more of the same");
    bob.page.shows("href=\"/?agent=triage-bot&amp;by=none\"");
    bob.open("/?by=host").await.shows("host <bdi>web-02 (002)</bdi>");
    bob.page.shows("href=\"/?endpoint=test%2F002&amp;by=none\"");
    bob.open("/?endpoint=test%2F002&by=none").await.shows("12 requests waiting for you of 13");
    bob.open("/").await.shows("2 requests</span>");
    bob.open("/?by=none").await;
    assert!(!bob.page.has("requests</span>"));
}

#[tokio::test]
async fn forged_inbox_address_names_field_value_and_allowed_values() {
    let room = Room::start().await;
    room.asked().await;
    let mut bob = room.browser_of("bob").await;
    let long = "x".repeat(257);
    for (address, said) in [
        (
            "/?sort=size".to_owned(),
            "There is no order “size”. Allowed: risk, deadline, newest, oldest.",
        ),
        (
            "/?by=moon".to_owned(),
            "There is no grouping “moon”. Allowed: target, agent, host, none.",
        ),
        ("/?tier=top".to_owned(), "There is no tier “top”. Allowed: low, medium, high."),
        ("/?alert=maybe".to_owned(), "There is no alert “maybe”. Allowed: found, none."),
        ("/?action=explode".to_owned(), "There is no action “explode”."),
        ("/?me=1".to_owned(), "“needs only me” “1”. Allowed: yes."),
        (
            format!("/?agent={long}"),
            "The agent has 257 characters. Allowed: at most 256 characters.",
        ),
        (format!("/?target={long}"), "The target has 257 characters."),
        (format!("/?sort={}", encoded("<b>\u{202E}x")), "There is no order “&lt;b&gt;‹U+202E›x”."),
    ] {
        assert_eq!(bob.open(&address).await.status, 400, "{address}");
        bob.page.shows(said);
        assert!(!bob.page.has("class=\"row\""));
    }
    for address in ["/?after=1.2", "/?after=x.1.req_1", "/?others_after=1.2.3"] {
        assert_eq!(bob.open(address).await.status, 404, "{address}");
    }
}

#[tokio::test]
async fn inbox_address_keeps_filter_across_pages() {
    let room = Room::start().await;
    for last in 1..=45 {
        room.asked_with(json!({ "srcip": format!("203.0.113.{last}"), "agent_ids": ["002"] }))
            .await;
    }
    let mut bob = room.browser_of("bob").await;
    bob.open("/?target=203.0.113.&sort=oldest&by=none").await;
    let rows = |html: &str| html.matches("<li class=\"card row\">").count();
    assert_eq!(rows(&bob.page.html), 40);
    for field in ["name=\"target\" value=\"203.0.113.\"", "name=\"sort\" value=\"oldest\""] {
        bob.page.shows(&format!("<input type=\"hidden\" {field}>"));
    }
    let after = bob.page.html.split("name=\"after\" value=\"").nth(1).unwrap();
    let after = after.split('"').next().unwrap().to_owned();
    let next = bob.open(&format!("/?target=203.0.113.&sort=oldest&by=none&after={after}")).await;
    assert_eq!(rows(&next.html), 5);
    next.shows("45 requests waiting for you");
}

#[tokio::test]
async fn hostile_reason_and_name_stay_text_in_rows() {
    let room = Room::start().await;
    let reason = "<img src=x> \u{202E}deppohs</q></li> approve\nsecond";
    let request = room.asked_with(json!({ "agent_ids": ["002"], "reason": reason })).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/?agent={}", encoded("\"><script>x"))).await;
    assert!(!bob.page.has("\"><script>x"));
    bob.open("/").await.shows(&path(&request));
    bob.page.shows("<q class=\"said\"><bdi>&lt;img src=x&gt; ‹U+202E›deppohs&lt;/q&gt;");
}

#[tokio::test]
async fn inbox_asks_policy_once_for_what_looks_alike() {
    let room = Room::governed_by(&own_set()).await;
    for last in 1..=30 {
        room.asked_with(json!({ "srcip": format!("203.0.113.{last}"), "agent_ids": ["002"] }))
            .await;
    }
    let mut bob = room.browser_of("bob").await;
    for page in ["/", "/requests"] {
        let before = room.broker().engine().evaluations();
        bob.open(page).await.shows("<title>(30) ");
        let spent = room.broker().engine().evaluations() - before;
        assert!(spent <= 8, "{page}: {spent} evaluations");
    }
}

#[tokio::test]
async fn policy_that_names_a_request_is_asked_for_each() {
    let room = Room::start().await;
    let (one, other) = (
        room.asked().await,
        room.asked_with(json!({ "srcip": "203.0.113.8", "agent_ids": ["002"] })).await,
    );
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await.shows("2 requests waiting for you");
    std::fs::write(
        room.policies.join("99_test.cedar"),
        format!(
            "@id(\"test.one\") @why(\"this one stays\")\nforbid (principal, action == \
         Countersign::Action::\"approve\", resource == Countersign::Request::\"{}\");\n",
            one.id
        ),
    )
    .unwrap();
    let mut dora = room.browser_of("dora").await;
    dora.open("/policy").await;
    dora.submit("/policy/activate", &[]).await;
    bob.open("/").await.shows("1 request waiting for you");
    bob.page.shows("You may not approve it: this one stays.");
    bob.page.shows(&path(&other));
}

#[tokio::test]
async fn opened_request_stands_beside_list_without_forms() {
    let room = Room::start().await;
    let reason = "one\n\u{202E}two</div>";
    let request = room.asked_with(json!({ "agent_ids": ["002"], "reason": reason })).await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/?sort=newest").await;
    bob.page.shows(&format!("href=\"/?sort=newest&amp;open={}#beside\"", request.id));
    bob.open(&format!("/?sort=newest&open={}", request.id)).await.shows("Open it to decide");
    bob.page.shows("‹U+202E›two&lt;/div&gt;");
    bob.page.shows("<a href=\"/?sort=newest\">Close</a>");
    assert!(!bob.page.has(&format!("{}/approve\"", path(&request))));
    assert_eq!(bob.open("/?open=req_1").await.status, 400);
    bob.page.shows("There is no request “req_1”.");
    let gone = request.id.to_string().replace("req_0", "req_f");
    assert_eq!(bob.open(&format!("/?open={gone}")).await.status, 404);
}

#[tokio::test]
async fn stopped_requests_stand_apart_and_do_not_wait() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await.shows("<title>(1) Inbox");
    let (by, all) = (Actor::CommandLine, Extent::Agent("another".to_owned()));
    room.add_agent("another", "bob").await;
    room.operator().freeze(&by, &all, "a drill").await.unwrap();
    bob.open("/").await.shows("1 request waiting for you");
    assert!(!bob.page.has("Stopped by the kill switch"));
    let all = Extent::Agent("triage-bot".to_owned());
    room.operator().freeze(&by, &all, "a drill").await.unwrap();
    bob.open("/").await.shows("Stopped by the kill switch <span class=\"reach\">1 request</span>");
    in_this_order(&bob, &["<title>Inbox", "Nothing is waiting for you.", &path(&request)]);
    bob.open("/next").await.shows("Nothing is waiting for you.");
}
