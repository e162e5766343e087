//! The evidence beside the decision: counted, hostile, unknown, and without an indexer.

use std::sync::Arc;

use askama::Template as _;

use super::{
    Permission,
    made_up::{HOSTILE, at, id, request},
    request_page,
};
use crate::{
    broker::queries::AlertCount,
    domain::{
        Time,
        endpoint::EndpointId,
        evidence::{AlertPlace, TargetAlerts},
    },
    web::request::page::evidence::SeenPart,
};

/// The page of a request whose target is seen so.
fn seen(found: Result<AlertCount, String>) -> askama::Result<String> {
    let mut page = request_page(request(1), Permission::Now, id(2));
    page.seen = Some(SeenPart::new(found));
    page.render()
}

fn counted() -> (Time, Arc<TargetAlerts>) {
    let place = |number: u64, name: &str, alerts| AlertPlace {
        id: EndpointId::parse(&format!("{number:03}")).unwrap(),
        name: name.to_owned(),
        alerts,
    };
    let hours: Vec<u64> = (0..25).map(|hour| hour * 7 % 5).collect();
    let alerts = TargetAlerts {
        total: hours.iter().sum(),
        first: at(0),
        hours,
        places: vec![place(1, "web-01", 30), place(3, "db-01", 10), place(5, HOSTILE, 1)],
        elsewhere: 9,
        behind: Some(HOSTILE.to_owned()),
    };
    (at(8), Arc::new(alerts))
}

pub(super) fn pages() -> Vec<(&'static str, askama::Result<String>)> {
    vec![
        ("request-seen", seen(Ok(Some(counted())))),
        ("request-unseen", seen(Err(HOSTILE.to_owned()))),
        ("request-no-indexer", seen(Ok(None))),
    ]
}

/// The colours of what an agent wrote, and of other text that nobody checked, mark nothing else.
#[test]
fn colour_of_unchecked_text_marks_nothing_else() {
    let style = include_str!("../../../templates/static/style.css");
    let uses: Vec<_> = style.lines().filter(|line| line.contains("var(--agent")).collect();
    assert_eq!(uses.len(), 2, "{uses:#?}");
    for rule in uses {
        assert!(rule.starts_with(".agent {") || rule.starts_with("q.said {"), "{rule}");
    }
}

#[test]
fn stylesheet_closes_what_it_opens() {
    let style = include_str!("../../../templates/static/style.css");
    let number = |brace: char| style.matches(brace).count();
    assert_eq!(number('{'), number('}'), "what stays open holds for a medium alone");
}
