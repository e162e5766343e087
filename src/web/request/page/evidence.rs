//! What speaks for or against the request beside its alert: how often the target is seen, what was asked
//! before, what the agent asked in 30 days. Nothing of it was written by an agent.

use std::collections::BTreeMap;

use super::RequestPage;
use crate::{
    broker::queries::{AlertCount, RECORD_SUMMED_MAX, RequestSummary},
    domain::{
        Time, action::with_count, evidence::TargetAlerts, len_u64, request::Fate,
        request::StateName,
    },
    text::endpoint,
    web::{
        address,
        layout::chart::{BarChart, Series},
    },
};

/// So many earlier requests are looked at.
pub(super) const BEFORE_MAX: usize = 20;

/// How often the target is seen.
#[derive(Debug)]
pub(in crate::web) enum SeenPart {
    /// This often.
    Counted(Box<CountedPart>),
    /// Nothing holds alerts.
    NoIndexer,
    /// Nobody can know now, and why.
    Unknown(String),
}

/// The alerts that name the target.
#[derive(Debug)]
pub(in crate::web) struct CountedPart {
    /// "30 alerts name", "No alert names".
    pub(in crate::web) words: String,
    /// Each endpoint with its number, the most first.
    pub(in crate::web) places: Vec<(String, u64)>,
    /// By hour; none where there is nothing to draw.
    pub(in crate::web) bars: Option<BarChart>,
    /// When they were counted.
    pub(in crate::web) at: Time,
    /// Why newer ones may be missing.
    pub(in crate::web) behind: Option<String>,
}

impl SeenPart {
    /// For what the broker found.
    pub(in crate::web) fn new(found: Result<AlertCount, String>) -> Self {
        match found {
            Err(why) => Self::Unknown(why),
            Ok(None) => Self::NoIndexer,
            Ok(Some((at, alerts))) => Self::Counted(Box::new(CountedPart::new(at, &alerts))),
        }
    }
}

impl CountedPart {
    fn new(at: Time, alerts: &TargetAlerts) -> Self {
        let words = match alerts.total {
            0 => "No alert names".to_owned(),
            1 => "1 alert names".to_owned(),
            more => format!("{} name", with_count(more, "alert")),
        };
        let named = alerts.places.iter();
        let named = named.map(|one| (endpoint::name_and_id(&one.name, &one.id), one.alerts));
        let others = (alerts.elsewhere > 0).then(|| ("elsewhere".to_owned(), alerts.elsewhere));
        let hours = alerts.hours.clone();
        let span = (alerts.first, hours.len());
        let series = Series { name: "alerts".to_owned(), values: hours, look: 1 };
        let title = ("Alerts that name the target".to_owned(), "alert");
        let bars = BarChart::by_hour("seen-by-hour", title, span, vec![series]);
        Self {
            words,
            places: named.chain(others).collect(),
            bars: (alerts.total > 0).then_some(bars),
            at,
            behind: alerts.behind.clone(),
        }
    }
}

impl RequestPage {
    /// What alerts are counted for.
    pub(in crate::web::request) fn target_name(&self) -> String {
        self.view.request.action.target().map(ToString::to_string).unwrap_or_default()
    }

    /// Whether some forms of the target's name are not counted: an account with its domain in front.
    pub(in crate::web::request) fn names_account(&self) -> bool {
        self.view.request.action.account().is_some()
    }

    /// What became of what the agent asked in 30 days; none where a person asked for this.
    pub(in crate::web::request) fn agent_record(&self) -> Option<String> {
        if self.view.request.asked_by.is_some() {
            return None;
        }
        let fates = &self.view.of_agent;
        let asked: u64 = fates.values().sum();
        let newest = if asked < RECORD_SUMMED_MAX.into() { "" } else { "the newest " };
        Some(format!("{newest}{} in 30 days: {}", with_count(asked, "request"), listed(fates)))
    }

    /// The page of the agent.
    pub(in crate::web::request) fn agent_url(&self) -> String {
        address::agent(&self.view.agent.name)
    }

    /// The page of what it acts on; none where it acts on nothing but endpoints.
    pub(in crate::web::request) fn target_url(&self) -> Option<String> {
        let argument = self.view.request.action.argument();
        (!argument.is_empty()).then(|| address::target(&argument))
    }

    /// What became of the same response for the same target before.
    pub(in crate::web::request) fn before_words(&self) -> String {
        let before = &self.view.before;
        let mut fates: BTreeMap<Fate, u64> = BTreeMap::new();
        for one in before {
            *fates.entry(fate(one)).or_default() += 1;
        }
        let number = with_count(len_u64(before.len()), "request");
        match before.len() {
            0 => "never".to_owned(),
            BEFORE_MAX.. => format!("the newest {number}: {}", listed(&fates)),
            _ => format!("{number}: {}", listed(&fates)),
        }
    }

    /// On how many of its endpoints something is active for the target.
    pub(in crate::web::request) fn active_words(&self) -> Option<String> {
        let request = &self.view.request;
        if !self.is_before_claim() || request.action.kind().is_undo() {
            return None;
        }
        let all = with_count(len_u64(request.targets.len()), "endpoint");
        Some(match self.view.active.len() {
            0 => "nothing that Countersign knows of".to_owned(),
            some => format!("on {some} of {all}"),
        })
    }
}

/// "3 approved, 1 rejected".
fn listed(fates: &BTreeMap<Fate, u64>) -> String {
    let words = fates.iter().map(|(fate, number)| format!("{number} {}", fate.words()));
    words.collect::<Vec<_>>().join(", ")
}

/// What became of an earlier request.
const fn fate(one: &RequestSummary) -> Fate {
    match one.state {
        StateName::Rejected => Fate::Rejected,
        StateName::Denied => Fate::Denied,
        StateName::Expired => Fate::Expired,
        StateName::Cancelled | StateName::Withdrawn => Fate::Ended,
        StateName::Pending => Fate::Open,
        StateName::Approved | StateName::Dispatching | StateName::Waiting | StateName::Settled => {
            match one.approvals {
                0 => Fate::AtOnce,
                _ => Fate::Approved,
            }
        }
    }
}
