//! The audit, newest first, with filters. Reading it is itself written down, so this page does not
//! look again by itself.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::NaiveDateTime;
use serde::Deserialize;

use super::requests::read;
use crate::{
    broker::queries::request::{AuditFilter, PAGE_ROWS},
    domain::{
        Time,
        audit::{AuditEntry, EventKind},
    },
    text::{
        audit::{Told, tell},
        request::given,
    },
    web::{
        Site,
        error::Failure,
        http::session::{Asked, Session},
        layout::page::{Frame, Older, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/audit.html")]
pub(in crate::web) struct AuditPage {
    pub(in crate::web) frame: Frame,
    pub(in crate::web) asked: Filters,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) rows: Vec<Told>,
    pub(in crate::web) older: Option<Older>,
}

/// The filter as it was typed.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Filters {
    kind: String,
    actor: String,
    endpoint: String,
    target: String,
    request: String,
    policy: String,
    since: String,
    until: String,
    before: String,
}

/// The page.
pub(in crate::web) async fn show(
    State(site): State<Site>,
    session: Session,
    Asked(asked): Asked<Filters>,
) -> Result<Response, Failure> {
    let frame = Frame::new(&site, &session, "Audit").await?.at("/audit").still();
    match asked.read() {
        Ok((filter, before)) => {
            let found = site.broker.audit(&session.who, &filter, before).await?;
            page(StatusCode::OK, &AuditPage::new(frame, asked, found))
        }
        Err(problem) => {
            let empty = AuditPage::new(frame, asked, Vec::new());
            page(StatusCode::BAD_REQUEST, &AuditPage { problem: Some(problem), ..empty })
        }
    }
}

impl AuditPage {
    pub(in crate::web) fn new(frame: Frame, asked: Filters, found: Vec<AuditEntry>) -> Self {
        let full = u32::try_from(found.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let last = found.last().filter(|_| full).map(|last| last.seq.to_string());
        let older = last.map(|before| Older { action: "/audit", fields: asked.fields(), before });
        Self { frame, asked, problem: None, rows: found.into_iter().map(tell).collect(), older }
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

impl Filters {
    fn read(&self) -> Result<(AuditFilter, Option<u64>), String> {
        let before = read(&self.before, "page", |seq| seq.parse().ok())?;
        let filter = AuditFilter {
            since: read(&self.since, "time", moment)?,
            until: read(&self.until, "time", moment)?,
            kind: given(&self.kind),
            actor: given(&self.actor),
            endpoint: given(&self.endpoint),
            target: given(&self.target),
            request: given(&self.request),
            policy: given(&self.policy),
        };
        Ok((filter, before))
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
    fn a_moment_is_read_in_the_forms_that_people_and_browsers_write() {
        let right = Some(Time::from_timestamp(1_795_343_580, 0).unwrap());
        assert_eq!(moment("2026-11-22T10:33"), right);
        assert_eq!(moment("2026-11-22 10:33:00"), right);
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn kinds_are_offered_by_family_too() {
        let kinds = AuditPage::kinds();
        assert_eq!(kinds[..3], ["agent", "agent.added", "agent.revoked"]);
    }
}
