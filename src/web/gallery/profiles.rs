//! Made-up records: the pages of an endpoint and a target, and the overview.

use std::{collections::BTreeMap, time::Duration};

use askama::Template as _;

use super::{
    layout,
    made_up::{HOSTILE, at, id},
};
use crate::{
    broker::queries::{
        Record, RecordEntry, RecordOf, TimeToDecide,
        request::record::{Overview, RecordDays},
    },
    domain::{
        action::{Action, ActionKind},
        decision::Tier,
        endpoint::EndpointId,
        request::{Fate, StateName},
    },
    web::lists::target::TargetPage,
    web::profiles::{endpoint::EndpointPage, overview::OverviewPage, record::RecordPart},
};

const DAYS: RecordDays = RecordDays { since: super::made_up::DAY, days: 30 };

fn counted(name: &str) -> Record {
    let fates = Fate::OF_REQUEST.into_iter().zip(1_usize..);
    let on = |(fate, seed): (Fate, usize)| {
        (0..30).map(move |day| ((day, fate), u64::try_from(day * seed * 5 % (11 - seed)).unwrap()))
    };
    let agents = [
        ("triage-bot", Fate::AtOnce, 40),
        ("triage-bot", Fate::Approved, 12),
        (name, Fate::Denied, 3),
    ];
    Record {
        days: fates.flat_map(on).filter(|(_, number)| *number > 0).collect(),
        time_to_decide: Some(TimeToDecide {
            decisions: 61,
            median: Duration::from_secs(95),
            most: Duration::from_secs(1_340),
        }),
        targets: vec![("203.0.113.9".to_owned(), 14), (name.to_owned(), 3)],
        agents: agents.map(|(name, fate, number)| ((name.to_owned(), fate), number)).into(),
    }
}

fn newest(name: &str) -> Vec<RecordEntry> {
    let fates = Fate::OF_REQUEST.into_iter().zip(1_u128..);
    let entry = |(fate, number): (Fate, u128)| RecordEntry {
        id: id(number),
        at: at(0),
        fate,
        agent: name.to_owned(),
        action: Action::parse(ActionKind::parse("block_ip").unwrap(), "203.0.113.9").unwrap(),
        state: StateName::Settled,
        reason: name.to_owned(),
        decided_by: "bob, carol".to_owned(),
    };
    fates.map(entry).collect()
}

/// What is shown of a record in which agents and targets are called this.
pub(super) fn record(of: &RecordOf, base: &str, name: &str) -> RecordPart {
    RecordPart::new((of, base.to_owned()), DAYS, (counted(name), newest(name)))
}

/// The page of an endpoint that is called this, as are its manager, agents and targets.
pub(super) fn endpoint(name: &str) -> askama::Result<String> {
    let id = EndpointId::parse("003").unwrap();
    let page = EndpointPage {
        layout: layout("db-01 (003)", "/requests"),
        name: name.to_owned(),
        manager: name.to_owned(),
        id: id.clone(),
        record: record(&RecordOf::Endpoint(name.to_owned(), id), "/endpoints/main/003", name),
    };
    page.render()
}

/// The page of this target.
pub(super) fn target(argument: &str) -> askama::Result<String> {
    let of = RecordOf::Target(argument.to_owned());
    let page = TargetPage {
        layout: layout("a target", "/requests"),
        argument: argument.to_owned(),
        rows: super::active::in_force().rows,
        more: true,
        record: record(&of, "/targets?is=x", argument),
    };
    page.render()
}

/// The overview of agents and policies that are called this.
pub(super) fn overview(name: &str) -> askama::Result<String> {
    let record = counted(name);
    let ages = [(Some(Tier::High), 0), (Some(Tier::Low), 1), (Some(Tier::Medium), 4), (None, 2)];
    let found = Overview {
        waiting: ages.into_iter().zip([2, 7, 1, 1]).collect(),
        decided: record.days.clone(),
        active: (0..30).map(|day| day * 3 % 17).collect(),
        policies: BTreeMap::from([((name.to_owned(), Fate::Approved), 12)]),
        record,
    };
    OverviewPage::new(layout("Overview", "/overview"), DAYS, found).render()
}

pub(super) fn pages() -> Vec<(&'static str, askama::Result<String>)> {
    vec![
        ("endpoint", endpoint("db-01")),
        ("endpoint-hostile", endpoint(HOSTILE)),
        ("target", target("203.0.113.9")),
        ("target-hostile", target(HOSTILE)),
        ("overview", overview("run.severe-alert")),
        ("overview-hostile", overview(HOSTILE)),
    ]
}
