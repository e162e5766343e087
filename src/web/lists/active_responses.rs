//! What is blocked or disabled now: where, until when, who asked and allowed it, and what lifts it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::{
    fields::{Fields, bounded, choice, read},
    link,
    requests::at_most,
    views::ViewsBar,
};
use crate::{
    broker::queries::{
        ActiveFilter, ActiveSort, RowOutcome,
        active_responses::{ActiveRequest, ActiveResponse, UndoState},
    },
    domain::{Time, action::ActionKind, len_u64},
    text::{active_response::RULE_RESPONSE, request},
    web::{
        AppState,
        address::{self, with_fields},
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, NextPage, page},
    },
};

/// Pages beyond this one are not asked for: a search finds it sooner.
const PAGES_MAX: u32 = 10_000;

/// Longer reasons are cut in the list.
const REASON_CHARS_MAX: usize = 120;

#[derive(Debug, Template)]
#[template(path = "pages/active_responses.html")]
pub(in crate::web) struct ActiveResponsesPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) asked: ActiveResponsesQuery,
    pub(in crate::web) problem: Option<String>,
    /// The actions that responses have.
    pub(in crate::web) actions: Vec<ActionKind>,
    /// The views that this person keeps.
    pub(in crate::web) views: ViewsBar,
    /// Where nothing matches: how many there are without a part, its words, and the address.
    pub(in crate::web) without: Vec<(&'static str, String, String)>,
    pub(in crate::web) rows: Vec<ActiveResponseRow>,
    pub(in crate::web) next: Option<NextPage>,
}

/// What is active for one target on one endpoint.
#[derive(Debug)]
pub(in crate::web) struct ActiveResponseRow {
    manager: String,
    /// Whether there is more than one manager, so that each is named.
    several: bool,
    pub(in crate::web) what: String,
    /// What it acts on, as the store writes it; empty where that is the endpoint alone.
    pub(in crate::web) target: String,
    pub(in crate::web) endpoint: String,
    pub(in crate::web) name: String,
    pub(in crate::web) since: Time,
    /// When it ends, and how long that is from now.
    pub(in crate::web) ends: Option<(Time, String)>,
    /// Why nobody could look whether it started.
    gap: Option<String>,
    /// The requests that it rests on; none of a response that is not ours.
    pub(in crate::web) requests: Vec<ActiveRequestCell>,
}

/// A request that it rests on.
#[derive(Debug)]
pub(in crate::web) struct ActiveRequestCell {
    pub(in crate::web) id: String,
    /// What is known of it there: a word for the badge, its look, and what it means.
    pub(in crate::web) known: (&'static str, &'static str, &'static str),
    pub(in crate::web) asked_by: String,
    pub(in crate::web) reason: String,
    /// The names of those who approved it or broke the glass; empty where no approval was required.
    pub(in crate::web) approvers: String,
    /// The request that lifts it: what is said of it, and its state where it is open.
    pub(in crate::web) undo: Option<(String, &'static str, Option<&'static str>)>,
}

/// The search, order and page as they were typed.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct ActiveResponsesQuery {
    search: String,
    action: String,
    /// [`ActiveSort`]'s name, and `-` before it for the other way round.
    sort: String,
    /// How many pages come before this one. The name that all lists use.
    before: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(asked): QueryParams<ActiveResponsesQuery>,
) -> Result<Response, PageError> {
    let layout = Layout::new(&app, &session, "Active responses").await?.section("/in-force");
    let (filter, pages) = match asked.read() {
        Ok(read) => read,
        Err(problem) => {
            let empty = ActiveResponsesPage::new(layout, asked, None);
            let page_of_problem = ActiveResponsesPage { problem: Some(problem), ..empty };
            return page(StatusCode::BAD_REQUEST, &page_of_problem);
        }
    };
    let (found, more) = app.broker.active_responses(&session.who, &filter, pages).await?;
    let next = more.then(|| asked.next(pages));
    let (several, now) = (app.broker.several_managers(), app.broker.clock().now());
    let mut without = Vec::new();
    for (words, less) in asked.less().into_iter().filter(|_| found.is_empty() && pages == 0) {
        let Ok((filter, _)) = less.read() else { continue };
        let (other, _) = app.broker.active_responses(&session.who, &filter, 0).await?;
        let number = len_u64(other.len());
        let url = with_fields("/in-force", &less.fields());
        without.extend((number > 0).then(|| (words, at_most(number, "response"), url)));
    }
    let views = ViewsBar::new(&app, &session, with_fields("/in-force", &asked.fields())).await?;
    let actions = app.broker.engine().catalogue().responses().to_vec();
    let empty = ActiveResponsesPage::new(layout, asked, next);
    let rows = rows(&found, several, now);
    page(StatusCode::OK, &ActiveResponsesPage { actions, views, without, rows, ..empty })
}

impl ActiveResponsesPage {
    /// The endpoints that missed a response to what is searched for.
    fn missed(&self) -> String {
        link("/missed?target", &self.asked.search)
    }

    pub(in crate::web) fn new(
        layout: Layout,
        asked: ActiveResponsesQuery,
        next: Option<NextPage>,
    ) -> Self {
        let (actions, views, without) = (Vec::new(), ViewsBar::default(), Vec::new());
        Self { layout, asked, problem: None, actions, views, without, rows: Vec::new(), next }
    }

    /// On how many of the rows nobody could look, and why on the first of them.
    fn unlooked(&self) -> Option<(usize, &str)> {
        let mut gaps = self.rows.iter().filter_map(|row| row.gap.as_deref());
        let first = gaps.next()?;
        Some((gaps.count() + 1, first))
    }

    /// The columns that sort: the head, the address that sorts by it, and how it sorts now.
    fn columns(&self) -> [(&'static str, String, &'static str); 4] {
        let (now, descending) = self.asked.order();
        let columns = [
            ("Target", ActiveSort::Target),
            ("Where", ActiveSort::Where),
            ("Since", ActiveSort::Since),
            ("Ends", ActiveSort::Ends),
        ];
        columns.map(|(head, sort)| {
            let (sorts_now, name) = (sort == now, sort.into_str());
            let turned = if sorts_now && !descending { "-" } else { "" };
            let sort_by = format!("{turned}{name}");
            let mut query = form_urlencoded::Serializer::for_suffix("/in-force?".to_owned(), 10);
            query.append_pair("search", &self.asked.search);
            if !self.asked.action.is_empty() {
                query.append_pair("action", &self.asked.action);
            }
            query.append_pair("sort", &sort_by);
            let order = match (sorts_now, descending) {
                (false, _) => "none",
                (true, false) => "ascending",
                (true, true) => "descending",
            };
            (head, query.finish(), order)
        })
    }
}

impl ActiveResponsesQuery {
    fn read(&self) -> Result<(ActiveFilter, u32), String> {
        let sort = self.sort.trim().trim_start_matches('-');
        let sorts = ["target", "where", "since", "ends"];
        choice(sort, "order", |name| name.parse::<ActiveSort>().ok(), &sorts)?;
        let pages = |text: &str| text.parse().ok().filter(|pages| *pages <= PAGES_MAX);
        let pages = read(&self.before, "page", pages)?.unwrap_or(0);
        let (sort, descending) = self.order();
        let search = bounded(&self.search, "search")?.unwrap_or_default();
        let action = read(&self.action, "action", ActionKind::parse)?;
        Ok((ActiveFilter { search, action, sort, descending, targets: None }, pages))
    }

    /// The same without each part that is asked for.
    fn less(&self) -> Vec<(&'static str, Self)> {
        let parts = [
            ("the search", Self { search: String::new(), ..self.clone() }),
            ("the action", Self { action: String::new(), ..self.clone() }),
        ];
        let same = |less: &Self| less.search == self.search && less.action == self.action;
        parts.into_iter().filter(|(_, less)| !same(less)).collect()
    }

    /// By what it is sorted, and whether the other way round: the newest first where nothing is said.
    fn order(&self) -> (ActiveSort, bool) {
        let text = self.sort.trim();
        let sort = text.trim_start_matches('-').parse().unwrap_or_default();
        (sort, text.is_empty() || text.starts_with('-'))
    }

    fn fields(&self) -> Fields {
        vec![
            ("search", self.search.clone()),
            ("action", self.action.clone()),
            ("sort", self.sort.clone()),
        ]
    }

    fn next(&self, pages: u32) -> NextPage {
        NextPage {
            action: "/in-force",
            fields: self.fields(),
            before: pages.saturating_add(1).to_string(),
        }
    }
}

/// `several`: there is more than one manager, so each is named.
pub(in crate::web) fn rows(
    found: &[ActiveResponse],
    several: bool,
    now: Time,
) -> Vec<ActiveResponseRow> {
    let row = |one: &ActiveResponse| ActiveResponseRow {
        manager: one.row.manager.clone(),
        several,
        what: one.row.action.phrase(),
        target: one.row.action.argument(),
        endpoint: one.row.endpoint.to_string(),
        name: one.row.name.clone(),
        since: one.row.since,
        ends: one.row.ends.map(|ends| (ends, request::time_left(ends, now))),
        gap: one.row.gap.clone(),
        requests: one.requests.iter().map(ActiveRequestCell::new).collect(),
    };
    found.iter().map(row).collect()
}

impl ActiveResponseRow {
    /// How many lines of the table it takes.
    pub(in crate::web) fn lines(&self) -> usize {
        self.requests.len().max(1)
    }

    /// The id of its endpoint, with the manager where there are several.
    pub(in crate::web) fn named_place(&self) -> String {
        let Self { manager, endpoint, .. } = self;
        if self.several { format!("{manager}/{endpoint}") } else { endpoint.clone() }
    }

    /// The page of its endpoint.
    pub(in crate::web) fn place(&self) -> String {
        address::endpoint(&self.manager, &self.endpoint)
    }

    /// Who is behind a row without requests.
    pub(in crate::web) const fn asked_by_rule() -> &'static str {
        RULE_RESPONSE
    }
}

impl ActiveRequestCell {
    fn new(one: &ActiveRequest) -> Self {
        Self {
            id: one.id.to_string(),
            known: known(one.known),
            asked_by: one.origin.asked_by.clone(),
            reason: first_words(&one.origin.reason),
            approvers: approvers(&one.approvers),
            undo: one.undo.map(|(id, state)| match state {
                UndoState::Open(state) => (id.to_string(), "asked for", Some(state.name())),
                UndoState::Uncertain => (id.to_string(), "tried, not seen", None),
            }),
        }
    }
}

fn known(outcome: RowOutcome) -> (&'static str, &'static str, &'static str) {
    match outcome {
        RowOutcome::Sent => ("sent", "sent", ""),
        RowOutcome::Unknown => ("unknown", "unknown", "it may or may not have been sent"),
        RowOutcome::Confirmed => ("confirmed", "confirmed", ""),
        RowOutcome::Verified => ("verified", "verified", ""),
        RowOutcome::Unconfirmed => ("unconfirmed", "unconfirmed", "nothing shows that it started"),
        RowOutcome::Unlooked => {
            ("unconfirmed", "unconfirmed", "nobody could look whether it started")
        }
        RowOutcome::Reverted => (
            "undo sent, not seen",
            "unconfirmed",
            "an undo was sent, but nothing shows that it started: it may still be there",
        ),
    }
}

/// The start of a reason: the request's own page has all of it.
fn first_words(reason: &str) -> String {
    let (start, more) = request::start(reason, REASON_CHARS_MAX);
    if more { format!("{start}…") } else { start.to_owned() }
}

fn approvers(people: &[(String, bool)]) -> String {
    let words = |(name, broke): &(String, bool)| {
        if *broke { format!("{name} (broke the glass)") } else { name.clone() }
    };
    people.iter().map(words).collect::<Vec<_>>().join(", ")
}
