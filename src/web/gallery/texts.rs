//! Every hostile text of the tests on pages with made-up data: nothing hides, and no two texts show
//! the same. The tests through the door take a few of them.

#[expect(dead_code, reason = "the rest is for the tests through the door")]
#[path = "../../../tests/it/security/spoofing/hostile_texts.rs"]
mod hostile_texts;
#[expect(dead_code, reason = "the rest is for the tests through the door")]
#[path = "../../../tests/it/security/spoofing/visible_checks.rs"]
mod visible_checks;

use askama::Template as _;
use serde_json::json;

use self::{
    hostile_texts::{corpus, near_misses},
    visible_checks::{Distinct, assert_clean_page, seen},
};
use super::{Permission, charts, id, layout, made_up, profiles, request, request_page};
use crate::{
    broker::queries::request::search::RequestsFound,
    domain::facts::{AlertShown, IndexerState, NamedIn},
    web::lists::requests::RequestsPage,
};

/// A place on a page that takes text from outside.
type Place = fn(&str) -> String;

fn reason(text: &str) -> String {
    let mut request = request(1);
    text.clone_into(&mut request.claim.reason);
    request_page(request, Permission::Now, id(2)).render().unwrap()
}

fn name_of_an_endpoint(text: &str) -> String {
    let mut request = request(1);
    text.clone_into(&mut request.targets[0].endpoint.name);
    request_page(request, Permission::Now, id(2)).render().unwrap()
}

fn name_of_a_group(text: &str) -> String {
    let mut request = request(1);
    text.clone_into(&mut request.targets[0].endpoint.groups[0]);
    // More than one page: there is a summary by group.
    request.targets = request.targets.into_iter().cycle().take(30).collect();
    request_page(request, Permission::Now, id(2)).render().unwrap()
}

fn alert(change: impl FnOnce(&mut AlertShown)) -> String {
    let mut request = request(1);
    let mut shown = made_up::alert_shown();
    change(&mut shown);
    request.alert.shown = Some(Box::new(shown));
    request_page(request, Permission::Now, id(2)).render().unwrap()
}

fn log_line(text: &str) -> String {
    alert(|shown| shown.log = Some(text.to_owned()))
}

fn group_of_a_rule(text: &str) -> String {
    alert(|shown| shown.groups = vec![text.to_owned()])
}

fn name_that_goes_on(text: &str) -> String {
    let goes_on = Some(text.to_owned());
    let named = NamedIn { field: "data.srcip".to_owned(), value: text.to_owned(), goes_on };
    alert(|shown| shown.named_in = Some(named))
}

fn state_of_the_indexer(text: &str) -> String {
    let mut request = request(1);
    request.alert.indexer = IndexerState::Behind(text.to_owned());
    request_page(request, Permission::Now, id(2)).render().unwrap()
}

fn comment(text: &str) -> String {
    let mut request = request(1);
    text.clone_into(&mut request.votes[0].comment);
    request_page(request, Permission::Now, id(2)).render().unwrap()
}

fn filter(text: &str) -> String {
    let asked = serde_json::from_value(json!({ "target": text })).unwrap();
    let layout = layout("Requests", "/requests");
    RequestsPage::new(layout, (asked, Vec::new()), RequestsFound::default()).render().unwrap()
}

fn name_in_a_chart(text: &str) -> String {
    charts::named(text).unwrap()
}

fn endpoint_with_record(text: &str) -> String {
    profiles::endpoint(text).unwrap()
}

fn target_with_record(text: &str) -> String {
    profiles::target(text).unwrap()
}

fn overview(text: &str) -> String {
    profiles::overview(text).unwrap()
}

const PLACES: [(&str, Place); 13] = [
    ("the alert's log line", log_line),
    ("a group of the alert's rule", group_of_a_rule),
    ("a name that goes on in the log", name_that_goes_on),
    ("what the indexer says", state_of_the_indexer),
    ("the reason", reason),
    ("the name of an endpoint", name_of_an_endpoint),
    ("the name of a group", name_of_a_group),
    ("a comment", comment),
    ("a filter", filter),
    ("a name in a chart", name_in_a_chart),
    ("the name of an endpoint with a record", endpoint_with_record),
    ("a target with a record", target_with_record),
    ("a name in the overview", overview),
];

#[test]
fn every_hostile_text_is_clean_in_every_place() {
    for (place, show) in PLACES {
        for (name, text) in corpus() {
            assert_clean_page(&show(&text), &text, &format!("{name} as {place}"));
        }
    }
}

#[test]
fn no_two_texts_show_the_same_in_any_place() {
    for (place, show) in PLACES {
        let mut shown = Distinct::default();
        for text in near_misses(corpus()) {
            let html = show(&text);
            // What was typed into a filter stands in an attribute: the tags are kept.
            shown.add(if place == "a filter" { html } else { seen(&html) }, &text);
        }
    }
}
