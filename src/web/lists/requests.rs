//! All requests, newest first, with filters.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::{
    fields::{Fields, bounded, changed, choice, read, ticked},
    views::ViewsBar,
};
use crate::{
    broker::queries::{
        RequestSummary,
        request::search::{RequestPart, RequestQuery, RequestsFound},
        view::{PAGE_ROWS, RANGES},
    },
    domain::{
        Time,
        action::{ActionKind, with_count},
        address::pattern::TargetPattern,
        request::StateName,
    },
    text::request::{outcome_counts, state_words},
    web::{
        AppState,
        address::with_fields,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, NextPage, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/requests.html")]
pub(in crate::web) struct RequestsPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) asked: RequestFilters,
    /// What can be asked for now.
    pub(in crate::web) actions: Vec<ActionKind>,
    pub(in crate::web) problem: Option<String>,
    /// The views that this person keeps.
    pub(in crate::web) views: ViewsBar,
    pub(in crate::web) rows: Vec<RequestRow>,
    pub(in crate::web) older: Option<NextPage>,
    /// Whether the search can go on further back.
    pub(in crate::web) looked: bool,
    /// What each part keeps out: its words, how many, and the address without it.
    pub(in crate::web) without: Vec<(&'static str, String, String)>,
}

/// The filter as it was typed.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct RequestFilters {
    state: String,
    agent: String,
    action: String,
    target: String,
    endpoint: String,
    /// A name of [`RANGES`].
    range: String,
    /// `yes`: only what does not end by itself.
    permanent: String,
    /// `found`, `none`.
    alert: String,
    before: String,
}

/// A request in the list.
#[derive(Debug)]
pub(in crate::web) struct RequestRow {
    summary: RequestSummary,
    effect: String,
    outcomes: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(asked): QueryParams<RequestFilters>,
) -> Result<Response, PageError> {
    let layout = Layout::new(&app, &session, "Requests").await?.section("/requests");
    let actions = app.broker.engine().catalogue().all().to_vec();
    match asked.read(app.broker.clock().now()) {
        Ok(query) => {
            let found = app.broker.find_requests(&session.who, &query).await?;
            let views = ViewsBar::new(&app, &session, asked.url()).await?;
            let shown = RequestsPage::new(layout, (asked, actions), found);
            page(StatusCode::OK, &RequestsPage { views, ..shown })
        }
        Err(problem) => {
            let empty = RequestsPage::new(layout, (asked, actions), RequestsFound::default());
            page(StatusCode::BAD_REQUEST, &RequestsPage { problem: Some(problem), ..empty })
        }
    }
}

impl RequestsPage {
    pub(in crate::web) fn new(
        layout: Layout,
        (asked, actions): (RequestFilters, Vec<ActionKind>),
        found: RequestsFound,
    ) -> Self {
        let RequestsFound { rows, looked_until, without } = found;
        let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let last = rows.last().filter(|_| full).map(|last| last.id);
        let older = last.or(looked_until).map(|before| NextPage {
            action: "/requests",
            fields: asked.fields(),
            before: before.to_string(),
        });
        let without = without.into_iter().map(|(part, number)| {
            let (words, url) = asked.without(part);
            (words, at_most(number, "request"), url)
        });
        Self {
            without: without.collect(),
            layout,
            actions,
            problem: None,
            views: ViewsBar::default(),
            rows: rows.into_iter().map(RequestRow::new).collect(),
            older,
            looked: looked_until.is_some(),
            asked,
        }
    }

    /// The states, by name and in words.
    fn states() -> [(&'static str, &'static str); StateName::ALL.len()] {
        StateName::ALL.map(|state| (state.name(), state_words(state)))
    }
}

/// "12 requests"; a full page is "50 requests or more".
pub(in crate::web) fn at_most(number: u64, what: &str) -> String {
    let more = if number >= u64::from(PAGE_ROWS) { " or more" } else { "" };
    format!("{}{more}", with_count(number, what))
}

/// When a range begins.
pub(in crate::web) fn range(text: &str, now: Time) -> Result<Option<Time>, String> {
    let named = |name: &str| RANGES.iter().find(|(other, ..)| *other == name);
    let names = RANGES.map(|(name, ..)| name);
    let range = choice(text, "range", |name| named(name).map(|(.., time)| *time), &names)?;
    Ok(range.and_then(|time| now.checked_sub_signed(time)))
}

/// "found", "none".
pub(in crate::web) fn alert(text: &str) -> Result<Option<bool>, String> {
    let alert = |text: &str| match text {
        "found" => Some(true),
        "none" => Some(false),
        _ => None,
    };
    choice(text, "alert", alert, &["found", "none"])
}

impl RequestFilters {
    fn read(&self, now: Time) -> Result<RequestQuery, String> {
        let states = StateName::ALL.map(StateName::name);
        let target = bounded(&self.target, "target")?;
        read(&self.target, "target", TargetPattern::parse)?;
        Ok(RequestQuery {
            agent: bounded(&self.agent, "agent")?,
            state: choice(&self.state, "state", StateName::parse, &states)?,
            action: read(&self.action, "action", ActionKind::parse)?,
            target,
            endpoint: bounded(&self.endpoint, "endpoint")?,
            since: range(&self.range, now)?,
            permanent: ticked(&self.permanent, "choice of “permanent”")?,
            alert: alert(&self.alert)?,
            before: read(&self.before, "page", |id| id.parse().ok())?,
        })
    }

    fn fields(&self) -> Fields {
        vec![
            ("agent", self.agent.clone()),
            ("state", self.state.clone()),
            ("action", self.action.clone()),
            ("target", self.target.clone()),
            ("endpoint", self.endpoint.clone()),
            ("range", self.range.clone()),
            ("permanent", self.permanent.clone()),
            ("alert", self.alert.clone()),
        ]
    }

    fn url(&self) -> String {
        with_fields("/requests", &self.fields())
    }

    /// The address with another range.
    fn with_range(&self, range: &str) -> String {
        with_fields("/requests", &changed(&self.fields(), &[("range", range)]))
    }

    /// A part of the filter in words, and the address without it.
    fn without(&self, part: RequestPart) -> (&'static str, String) {
        let (words, name) = match part {
            RequestPart::Agent => ("the agent", "agent"),
            RequestPart::State => ("the state", "state"),
            RequestPart::Action => ("the action", "action"),
            RequestPart::Target => ("the target", "target"),
            RequestPart::Endpoint => ("the endpoint", "endpoint"),
            RequestPart::Since => ("the range", "range"),
            RequestPart::Permanent => ("“permanent”", "permanent"),
            RequestPart::Alert => ("the alert", "alert"),
        };
        (words, with_fields("/requests", &changed(&self.fields(), &[(name, "")])))
    }
}

impl RequestRow {
    fn new(summary: RequestSummary) -> Self {
        let targets = with_count(summary.counts.targets, "endpoint");
        let effect = format!("{} on {targets}", summary.action.phrase());
        let effect = if summary.action.kind().is_undo() {
            effect
        } else {
            format!("{effect} {}", summary.term)
        };
        let outcomes = outcome_counts(&summary.counts);
        Self { summary, effect, outcomes }
    }

    /// Where it stands, in words.
    fn state(&self) -> &'static str {
        state_words(self.summary.state)
    }
}
