//! The audit, newest first, with filters. Reading it is itself recorded, so this page does not
//! reload by itself.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::NaiveDateTime;
use serde::Deserialize;

use super::{
    fields::{Fields, bounded, changed, read},
    requests::{at_most, range},
    views::ViewsBar,
};
use crate::{
    broker::queries::{
        AuditFilter,
        audit::{AuditFound, AuditPart},
        view::{PAGE_ROWS, RANGES},
    },
    domain::{
        Time,
        audit::{EventGroup, EventKind},
    },
    text::{
        audit::{AuditText, describe},
        request::start,
    },
    web::{
        AppState,
        address::with_fields,
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
    /// Whether the search can go on further back.
    pub(in crate::web) looked: bool,
    /// What each part keeps out: its words, how many, and the address without it.
    pub(in crate::web) without: Vec<(&'static str, String, String)>,
    /// The views that this person keeps.
    pub(in crate::web) views: ViewsBar,
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
    /// A name of [`RANGES`], in place of a beginning.
    range: String,
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
    match asked.read(app.broker.clock().now()) {
        Ok(AuditRequest::Entry(seq)) => {
            let found = app.broker.audit_entry(&session.who, seq).await?;
            let rows = found.into_iter().collect();
            let shown = AuditPage::new(layout, asked, AuditFound { rows, ..AuditFound::default() });
            page(StatusCode::OK, &AuditPage { whole: true, ..shown })
        }
        Ok(AuditRequest::List(filter, before)) => {
            let found = app.broker.audit(&session.who, &filter, before).await?;
            let views = ViewsBar::new(&app, &session, asked.url()).await?;
            let shown = AuditPage::new(layout, asked, found);
            page(StatusCode::OK, &AuditPage { views, ..shown })
        }
        Err(problem) => {
            let empty = AuditPage::new(layout, asked, AuditFound::default());
            page(StatusCode::BAD_REQUEST, &AuditPage { problem: Some(problem), ..empty })
        }
    }
}

impl AuditPage {
    pub(in crate::web) fn new(layout: Layout, asked: AuditFilters, found: AuditFound) -> Self {
        let AuditFound { rows, looked_until, without } = found;
        let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let last = rows.last().filter(|_| full).map(|last| last.seq);
        let older = last.or(looked_until).map(|before| NextPage {
            action: "/audit",
            fields: asked.fields(),
            before: before.to_string(),
        });
        let without = without.into_iter().map(|(part, number)| {
            let (words, url) = asked.without(part);
            (words, at_most(number, "event"), url)
        });
        Self {
            without: without.collect(),
            layout,
            asked,
            problem: None,
            rows: rows.into_iter().map(describe).collect(),
            older,
            looked: looked_until.is_some(),
            views: ViewsBar::default(),
            whole: false,
        }
    }

    /// A text as far as the list shows it, and whether there is more.
    fn start<'a>(&self, text: &'a str) -> (&'a str, bool) {
        if self.whole { (text, false) } else { start(text, SHOWN_CHARS_MAX) }
    }

    /// The six groups in words, and their kinds.
    fn groups() -> [(&'static str, &'static str, Vec<&'static str>); EventGroup::ALL.len()] {
        EventGroup::ALL.map(|group| {
            let words = match group {
                EventGroup::Asked => "What agents asked",
                EventGroup::Decided => "What was decided",
                EventGroup::Sent => "What was sent, and came of it",
                EventGroup::Accounts => "People, agents, sign-ins",
                EventGroup::Rules => "Policies and kill switch",
                EventGroup::System => "Broker, managers, reading",
            };
            (group.name(), words, group.kinds().map(EventKind::name).collect())
        })
    }

    /// `vote.broke_glass` as it is read: "vote: broke glass".
    fn kind_words(kind: &str) -> String {
        kind.replacen('.', ": ", 1).replace('_', " ")
    }
}

/// The place of an entry: the store counts no further.
fn place(text: &str) -> Option<u64> {
    text.parse::<i64>().ok()?.try_into().ok()
}

/// What is asked for.
enum AuditRequest {
    /// One entry, by its place.
    Entry(u64),
    /// Those that match, older than a place.
    List(Box<AuditFilter>, Option<u64>),
}

impl AuditFilters {
    fn read(&self, now: Time) -> Result<AuditRequest, String> {
        if let Some(seq) = read(&self.entry, "entry", place)? {
            return Ok(AuditRequest::Entry(seq));
        }
        let before = read(&self.before, "page", place)?;
        let since = range(&self.range, now)?;
        let (kind, group) = self.kind()?;
        let filter = AuditFilter {
            since: since.or(read(&self.since, "time", moment)?),
            until: read(&self.until, "time", moment)?,
            kind,
            group,
            actor: bounded(&self.actor, "name")?,
            endpoint: bounded(&self.endpoint, "endpoint")?,
            target: bounded(&self.target, "target")?,
            request: bounded(&self.request, "request")?,
            policy: bounded(&self.policy, "policy")?,
            targets: None,
        };
        Ok(AuditRequest::List(Box::new(filter), before))
    }

    /// A group, a kind, or a family of kinds: the part before the dot.
    fn kind(&self) -> Result<(Option<String>, Option<EventGroup>), String> {
        if let Ok(group) = self.kind.trim().parse::<EventGroup>() {
            return Ok((None, Some(group)));
        }
        let of_kind = |name: &str, text: &str| {
            name == text || name.split('.').next().is_some_and(|family| family == text)
        };
        let known = |text: &str| {
            let mut names = EventKind::ALL.map(EventKind::name).into_iter();
            names.any(|name| of_kind(name, text)).then(|| text.to_owned())
        };
        let groups = EventGroup::ALL.map(EventGroup::name).join(", ");
        let read = read(&self.kind, "kind", known);
        Ok((read.map_err(|wrong| format!("{wrong} Allowed: {groups}, or a kind of one."))?, None))
    }

    fn url(&self) -> String {
        with_fields("/audit", &self.fields())
    }

    /// The address with another range.
    fn with_range(&self, range: &str) -> String {
        with_fields(
            "/audit",
            &changed(&self.fields(), &[("range", range), ("since", ""), ("until", "")]),
        )
    }

    /// A part of the filter in words, and the address without it.
    fn without(&self, part: AuditPart) -> (&'static str, String) {
        let (words, names): (_, &[&'static str]) = match part {
            AuditPart::Kind => ("the kind", &["kind"]),
            AuditPart::Actor => ("the name", &["actor"]),
            AuditPart::Endpoint => ("the endpoint", &["endpoint"]),
            AuditPart::Target => ("the target", &["target"]),
            AuditPart::Request => ("the request", &["request"]),
            AuditPart::Policy => ("the policy", &["policy"]),
            AuditPart::Time => ("the time", &["range", "since", "until"]),
        };
        let none: Vec<_> = names.iter().map(|name| (*name, "")).collect();
        (words, with_fields("/audit", &changed(&self.fields(), &none)))
    }

    fn fields(&self) -> Fields {
        vec![
            ("kind", self.kind.clone()),
            ("actor", self.actor.clone()),
            ("endpoint", self.endpoint.clone()),
            ("target", self.target.clone()),
            ("request", self.request.clone()),
            ("policy", self.policy.clone()),
            ("range", self.range.clone()),
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
    fn each_audit_kind_is_offered_in_one_group() {
        let groups = AuditPage::groups();
        let offered: usize = groups.iter().map(|(.., kinds)| kinds.len()).sum();
        assert_eq!(offered, EventKind::ALL.len());
        assert!(groups.iter().all(|(.., kinds)| !kinds.is_empty()));
        assert_eq!(AuditPage::kind_words("vote.broke_glass"), "vote: broke glass");
    }
}
