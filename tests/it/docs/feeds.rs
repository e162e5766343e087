//! `docs/feeds.md` has every kind of event and every metric.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use countersign::{
    connector::{Channel, Feed, FeedFileSettings, FeedReceiver, FeedSettings, WebhookFormat},
    domain::audit::{EventGroup, EventKind},
};

use crate::{
    broker::notifications::settings,
    harness::{World, page::http_client},
    web::metrics::format::Metrics,
};

const PAGE: &str = include_str!("../../../docs/feeds.md");

/// The cells of the rows whose first cell is a word between backticks, in tables with so many columns.
fn rows(columns: usize) -> Vec<Vec<&'static str>> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells.filter(|cells| cells.len() == columns).collect()
}

fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn table_of_events_has_every_kind_of_each_group() {
    let table: BTreeMap<_, _> =
        rows(3).iter().map(|cells| (words(cells[0])[0], words(cells[2]))).collect();
    let code = EventGroup::ALL.map(|group| (group.name(), group.kinds().map(EventKind::name)));
    let code: BTreeMap<_, Vec<_>> =
        code.into_iter().map(|(group, kinds)| (group, kinds.collect())).collect();
    assert_eq!(table, code);
}

#[tokio::test(flavor = "multi_thread")]
async fn table_of_metrics_has_what_metrics_say() {
    let file = FeedFileSettings { path: PathBuf::from("never"), mode: 0o600 };
    let feed = Feed::new(FeedSettings {
        name: "siem".to_owned(),
        kinds: EventKind::ALL.into(),
        from_start: false,
        receiver: FeedReceiver::File(file),
    });
    let hook = settings("ops", "http://127.0.0.1:1/hook", WebhookFormat::Json);
    let world = World::builder().with_channels(vec![Channel::webhook(hook).unwrap()]);
    let world = world.with_feeds(vec![feed.unwrap()]).with_metrics_port().start().await;
    let address = world.running.metrics_address.unwrap();
    let answer = http_client().get(format!("http://{address}/metrics")).send().await.unwrap();
    let said = Metrics::read(&answer.text().await.unwrap());
    let suffix = |kind: &str| if kind == "counter" { "_total" } else { "" };
    let said: BTreeSet<_> = said
        .0
        .iter()
        .map(|(name, family)| {
            let labels = family.samples.first().map(|sample| &sample.labels);
            let labels = labels.into_iter().flatten().map(|(key, _)| key.as_str());
            let label = labels.filter(|key| *key != "le").collect::<Vec<_>>().join(" ");
            (format!("{name}{}", suffix(&family.kind)), family.kind.clone(), label)
        })
        .collect();
    let table = rows(4).into_iter().map(|cells| {
        let labels = words(cells[2]).join(" ");
        (words(cells[0])[0].to_owned(), cells[1].to_owned(), labels)
    });
    let table: BTreeSet<_> = table.collect();
    assert_eq!(table, said);
}
