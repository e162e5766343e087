//! The audit, newest first, with filters. Reading it is itself recorded, so this page does not
//! reload by itself.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::NaiveDateTime;
use serde::Deserialize;

use super::requests::read;
use crate::{
    broker::queries::{AuditFilter, view::PAGE_ROWS},
    domain::{
        Time,
        audit::{AuditEntry, EventKind},
    },
    text::{
        audit::{AuditText, describe},
        request::{non_empty, start},
    },
    web::{
        AppState,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, NextPage, page},
    },
};

/// How much of what an entry holds is shown in the list, in characters; the entry's own page has it
/// all. What became of a thousand endpoints fills a hundred kilobytes.
const SHOWN_CHARS_MAX: usize = 500;

#[derive(Debug, Template)]
#[template(path = "pages/audit.html")]
pub(in crate::web) struct AuditPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) asked: AuditFilters,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) rows: Vec<AuditText>,
    pub(in crate::web) older: Option<NextPage>,
    /// Whether it is the page of one entry, which shows all of it.
    whole: bool,
}

/// The filter as it was typed.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct AuditFilters {
    kind: String,
    actor: String,
    endpoint: String,
    target: String,
    request: String,
    policy: String,
    since: String,
    until: String,
    before: String,
    /// The place of one entry, which is shown whole; then the rest does not count.
    entry: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(asked): QueryParams<AuditFilters>,
) -> Result<Response, PageError> {
    let layout = Layout::new(&app, &session, "Audit").await?.section("/audit").without_refresh();
    match asked.read() {
        Ok(AuditRequest::Entry(seq)) => {
            let found = app.broker.audit_entry(&session.who, seq).await?;
            let shown = AuditPage::new(layout, asked, found.into_iter().collect());
            page(StatusCode::OK, &AuditPage { whole: true, ..shown })
        }
        Ok(AuditRequest::List(filter, before)) => {
            let found = app.broker.audit(&session.who, &filter, before).await?;
            page(StatusCode::OK, &AuditPage::new(layout, asked, found))
        }
        Err(problem) => {
            let empty = AuditPage::new(layout, asked, Vec::new());
            page(StatusCode::BAD_REQUEST, &AuditPage { problem: Some(problem), ..empty })
        }
    }
}

impl AuditPage {
    pub(in crate::web) fn new(layout: Layout, asked: AuditFilters, found: Vec<AuditEntry>) -> Self {
        let full = u32::try_from(found.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let last = found.last().filter(|_| full).map(|last| last.seq.to_string());
        let older =
            last.map(|before| NextPage { action: "/audit", fields: asked.fields(), before });
        Self {
            layout,
            asked,
            problem: None,
            rows: found.into_iter().map(describe).collect(),
            older,
            whole: false,
        }
    }

    /// A text as far as the list shows it, and whether there is more.
    fn start<'a>(&self, text: &'a str) -> (&'a str, bool) {
        if self.whole { (text, false) } else { start(text, SHOWN_CHARS_MAX) }
    }

    /// Every kind of event, and before each family the family as a whole.
    fn kinds() -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for name in EventKind::ALL.map(EventKind::name) {
            let family = name.split('.').next().unwrap_or(name);
            if !kinds.contains(&family) {
                kinds.push(family);
            }
            kinds.push(name);
        }
        kinds.sort_unstable();
        kinds
    }
}

/// What is asked for.
enum AuditRequest {
    /// One entry, by its place.
    Entry(u64),
    /// Those that match, older than a place.
    List(AuditFilter, Option<u64>),
}

impl AuditFilters {
    fn read(&self) -> Result<AuditRequest, String> {
        if let Some(seq) = read(&self.entry, "entry", |seq| seq.parse().ok())? {
            return Ok(AuditRequest::Entry(seq));
        }
        let before = read(&self.before, "page", |seq| seq.parse().ok())?;
        let filter = AuditFilter {
            since: read(&self.since, "time", moment)?,
            until: read(&self.until, "time", moment)?,
            kind: non_empty(&self.kind),
            actor: non_empty(&self.actor),
            endpoint: non_empty(&self.endpoint),
            target: non_empty(&self.target),
            request: non_empty(&self.request),
            policy: non_empty(&self.policy),
        };
        Ok(AuditRequest::List(filter, before))
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("kind", self.kind.clone()),
            ("actor", self.actor.clone()),
            ("endpoint", self.endpoint.clone()),
            ("target", self.target.clone()),
            ("request", self.request.clone()),
            ("policy", self.policy.clone()),
            ("since", self.since.clone()),
            ("until", self.until.clone()),
        ]
    }
}

/// A moment in UTC, as a browser's field or a person writes it.
fn moment(text: &str) -> Option<Time> {
    const FORMS: [&str; 4] =
        ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
    let parse = |form| NaiveDateTime::parse_from_str(text, form).ok();
    FORMS.into_iter().find_map(parse).map(|moment| moment.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_filter_accepts_human_and_browser_formats() {
        let right = Some(Time::from_timestamp(1_795_343_580, 0).unwrap());
        assert_eq!(moment("2026-11-22T10:33"), right);
        assert_eq!(moment("2026-11-22 10:33:00"), right);
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn audit_kinds_are_offered_by_family_too() {
        let kinds = AuditPage::kinds();
        assert_eq!(kinds[..3], ["agent", "agent.added", "agent.limit_lifted"]);
    }
}
