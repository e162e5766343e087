//! The part of a page that tells what became of what was asked: of an agent, a person, an endpoint, a
//! target.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    broker::{
        BrokerError,
        queries::{
            Record, RecordEntry, RecordOf, TimeToDecide,
            request::record::{RECORD_DAYS, RecordDays},
        },
    },
    domain::{Time, action::with_count, request::Fate},
    text::request::duration,
    web::{
        AppState, address,
        error::PageError,
        http::session::PageSession,
        layout::chart::{BarChart, Series},
    },
};

/// How many targets are named.
const TARGETS_SHOWN: usize = 10;

/// Which days, as the address says it.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct DaysQuery {
    /// 7 or 30; empty is 30.
    pub(in crate::web) days: String,
}

impl DaysQuery {
    /// Which days it names.
    pub(in crate::web) fn read(&self, app: &AppState) -> Result<RecordDays, PageError> {
        let days = RecordDays::of(&self.days, app.broker.clock().now());
        Ok(days.map_err(BrokerError::from)?)
    }
}

/// What is shown of a record.
#[derive(Debug)]
pub(in crate::web) struct RecordPart {
    days: RecordDays,
    /// The page without a number of days: what follows begins with `?` or `&`.
    base: String,
    /// Each number with its words.
    pub(in crate::web) figures: Vec<(&'static str, String)>,
    pub(in crate::web) bars: BarChart,
    pub(in crate::web) targets: Vec<(String, u64)>,
    pub(in crate::web) agents: Vec<AgentRecord>,
    pub(in crate::web) newest: Vec<NewestRow>,
    /// Where all of it is, beyond these days, and the words for that.
    pub(in crate::web) all: (String, &'static str),
    /// Whether it is what a person did: else it is what was asked.
    pub(in crate::web) of_person: bool,
}

/// What became of what one agent asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct AgentRecord {
    pub(in crate::web) name: String,
    pub(in crate::web) asked: u64,
    /// Ran at once, approved, rejected, denied.
    pub(in crate::web) fates: [u64; 4],
}

/// One of the newest requests.
#[derive(Debug)]
pub(in crate::web) struct NewestRow {
    pub(in crate::web) entry: RecordEntry,
    pub(in crate::web) what: String,
}

impl RecordPart {
    /// Asks the broker.
    pub(in crate::web) async fn load(
        app: &AppState,
        session: &PageSession,
        of: &RecordOf,
        (asked, base): (&DaysQuery, String),
    ) -> Result<Self, PageError> {
        let days = asked.read(app)?;
        let found = app.broker.what_became_of(&session.who, of, days).await?;
        Ok(Self::new((of, base), days, found))
    }

    /// For what was found.
    pub(in crate::web) fn new(
        (of, base): (&RecordOf, String),
        days: RecordDays,
        (record, newest): (Record, Vec<RecordEntry>),
    ) -> Self {
        let of_person = matches!(of, RecordOf::Person(..));
        let mut targets = record.targets.clone();
        targets.truncate(TARGETS_SHOWN);
        let mut agents = agents(&record.agents);
        match of {
            RecordOf::Agent(_) => agents.clear(),
            RecordOf::Target(_) => targets.clear(),
            RecordOf::Person(..) | RecordOf::Endpoint(..) | RecordOf::All => {}
        }
        let newest =
            newest.into_iter().map(|entry| NewestRow { what: entry.action.phrase(), entry });
        Self {
            days,
            figures: figures(&record, of_person),
            bars: bars(&record, of_person, days),
            targets,
            agents,
            newest: newest.collect(),
            all: all(of, &base),
            base,
            of_person,
        }
    }

    /// The first of the days, in UTC.
    pub(in crate::web) fn since(&self) -> String {
        day(self.days.since)
    }

    /// How many days are shown.
    pub(in crate::web) const fn days(&self) -> usize {
        self.days.days
    }

    /// The other choices of days: address, number, whether it is shown.
    pub(in crate::web) fn choices(&self) -> Vec<(String, usize, bool)> {
        choices(&self.base, self.days)
    }
}

/// The choices of days for a page: address, number, whether it is shown.
pub(in crate::web) fn choices(base: &str, shown: RecordDays) -> Vec<(String, usize, bool)> {
    let sign = if base.contains('?') { '&' } else { '?' };
    let choice = |days| (format!("{base}{sign}days={days}"), days, days == shown.days);
    RECORD_DAYS.map(choice).into()
}

/// A day in UTC.
pub(in crate::web) fn day(moment: Time) -> String {
    moment.format("%Y-%m-%d").to_string()
}

/// Where everything is listed.
fn all(of: &RecordOf, base: &str) -> (String, &'static str) {
    let name = base.rsplit('/').next().unwrap_or_default();
    match of {
        RecordOf::Agent(_) => (format!("/requests?agent={name}"), "All requests of this agent"),
        RecordOf::Person(..) => {
            (format!("/audit?actor={name}"), "Everything that the audit has of this person")
        }
        RecordOf::Endpoint(manager, id) => {
            let endpoint = address::part(&format!("{manager}/{id}"));
            (format!("/requests?endpoint={endpoint}"), "All requests for this endpoint")
        }
        RecordOf::Target(argument) => {
            let target = address::part(argument);
            (format!("/requests?target={target}"), "All requests for this target")
        }
        RecordOf::All => ("/requests".to_owned(), "All requests"),
    }
}

/// The numbers, each with its words.
fn figures(record: &Record, of_person: bool) -> Vec<(&'static str, String)> {
    let fates: &[Fate] = if of_person { &Fate::OF_PERSON } else { &Fate::OF_REQUEST };
    let number = |fate: &Fate| (label(*fate), record.number(*fate).to_string());
    let asked = (!of_person).then(|| ("Asked", record.asked().to_string()));
    let decided = ("Time to decide", time_to_decide(record.time_to_decide));
    asked.into_iter().chain(fates.iter().map(number)).chain([decided]).collect()
}

/// How long people took, in words.
pub(in crate::web) fn time_to_decide(time: Option<TimeToDecide>) -> String {
    match time {
        None => "nobody decided".to_owned(),
        Some(TimeToDecide { decisions, median, most }) => format!(
            "half within {}, 90 % within {}; {}",
            duration(median),
            duration(most),
            with_count(decisions, "decision"),
        ),
    }
}

/// A fate at the head of a number.
const fn label(fate: Fate) -> &'static str {
    match fate {
        Fate::AtOnce => "Ran at once",
        Fate::Approved => "Approved",
        Fate::Rejected => "Rejected",
        Fate::Denied => "Denied by policy",
        Fate::Expired => "Expired",
        Fate::Ended => "Cancelled or withdrawn",
        Fate::Open => "Open",
        Fate::Asked => "Asked for",
    }
}

fn bars(record: &Record, of_person: bool, days: RecordDays) -> BarChart {
    let title = if of_person { "What the person did" } else { "What became of what was asked" };
    let unit = if of_person { "act" } else { "request" };
    let series = if of_person {
        vec![
            series(&record.days, days, (2, "approved"), &[Fate::Approved]),
            series(&record.days, days, (3, "rejected"), &[Fate::Rejected]),
            series(&record.days, days, (1, "asked for"), &[Fate::Asked]),
        ]
    } else {
        by_fate(&record.days, days)
    };
    BarChart::by_day("record", (title.to_owned(), unit), (days.since, days.days), series)
}

/// What became of requests: five parts of a bar.
pub(in crate::web) fn by_fate(
    numbers: &BTreeMap<(usize, Fate), u64>,
    days: RecordDays,
) -> Vec<Series> {
    vec![
        series(numbers, days, (1, "ran at once"), &[Fate::AtOnce]),
        series(numbers, days, (2, "approved"), &[Fate::Approved]),
        series(numbers, days, (3, "rejected"), &[Fate::Rejected]),
        series(numbers, days, (4, "denied by policy"), &[Fate::Denied]),
        series(
            numbers,
            days,
            (5, "open, or ended otherwise"),
            &[Fate::Expired, Fate::Ended, Fate::Open],
        ),
    ]
}

/// How many of some fates there were on each day.
pub(in crate::web) fn series(
    numbers: &BTreeMap<(usize, Fate), u64>,
    days: RecordDays,
    (look, name): (u8, &str),
    fates: &[Fate],
) -> Series {
    let on = |day| fates.iter().filter_map(|fate| numbers.get(&(day, *fate))).sum();
    Series { name: name.to_owned(), values: (0..days.days).map(on).collect(), look }
}

/// A table by name: those that asked most come first.
pub(in crate::web) fn agents(numbers: &BTreeMap<(String, Fate), u64>) -> Vec<AgentRecord> {
    let mut rows: BTreeMap<&str, AgentRecord> = BTreeMap::new();
    for ((name, fate), number) in numbers {
        let new = || AgentRecord { name: name.clone(), asked: 0, fates: [0; 4] };
        let row = rows.entry(name).or_insert_with(new);
        row.asked += number;
        let column = [Fate::AtOnce, Fate::Approved, Fate::Rejected, Fate::Denied];
        let mine = row.fates.iter_mut().zip(column).find(|(_, one)| one == fate);
        if let Some((sum, _)) = mine {
            *sum += number;
        }
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort_by(|one, other| other.asked.cmp(&one.asked).then_with(|| one.name.cmp(&other.name)));
    rows
}
