//! The inbox: what waits for people, earliest deadline first.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::requests::read;
use crate::{
    broker::queries::{
        inbox::{InboxGroup, InboxPage, InboxSection, PendingItem},
        view::Permission,
    },
    domain::{
        Time,
        action::{ActionKind, Icon, with_count},
        actor::Role,
        request::Request,
    },
    text::{active_response::cuts_short, endpoint, request},
    web::{
        AppState,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, page},
        request::break_glass::{DueReview, reviews},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/inbox.html")]
pub(in crate::web) struct InboxTemplate {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) mine: InboxSectionView,
    pub(in crate::web) others: InboxSectionView,
    /// The break-glass reviews that this person may make.
    pub(in crate::web) reviews: Vec<DueReview>,
}

/// What waits for this person, or for others: one page of it.
#[derive(Debug)]
pub(in crate::web) struct InboxSectionView {
    /// How many requests there are, on this page and all others.
    number: u64,
    cards: Vec<InboxCard>,
    /// The key of the next page.
    next: Option<String>,
}

/// One request, several for the same action on the same target, or the steps of a plan.
#[derive(Debug)]
pub(in crate::web) struct InboxCard {
    /// The plan, and its heading in the agent's words.
    plan: Option<(String, String)>,
    items: Vec<InboxItem>,
    /// How many there are beside these.
    more: usize,
    /// What they all would do, where there are several.
    phrase: String,
    kind: ActionKind,
    target: String,
    /// One of several that can be approved together.
    together: Option<String>,
}

/// A request that waits.
#[derive(Debug)]
pub(in crate::web) struct InboxItem {
    id: String,
    icon: Icon,
    effect: String,
    /// What only this one of several would do: on what, for how long.
    reach: String,
    /// Who asked: "agent triage-bot", or a person.
    asker: (&'static str, String),
    skipped: String,
    criticality: u8,
    needed: String,
    asked_at: Time,
    deadline: Time,
    left: String,
    /// Whether approving it ends earlier what others decided.
    cuts_short: bool,
    /// Why it does not wait for this person.
    why_not: String,
}

/// Which page of each section.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct InboxQuery {
    after: String,
    others_after: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(pages): QueryParams<InboxQuery>,
) -> Result<Response, PageError> {
    // Nothing ever waits for an auditor.
    if session.who.profile().role == Role::Auditor {
        return Ok(Redirect::to("/audit").into_response());
    }
    let place = |text: &str| {
        read(text, "page", |key| key.parse().ok()).map_err(|_unreadable| PageError::not_found())
    };
    let (mine, others) = (place(&pages.after)?, place(&pages.others_after)?);
    let inbox = app.broker.inbox(&session.who, mine, others).await?;
    let (several, now) = (app.broker.several_managers(), app.broker.clock().now());
    let layout = Layout::new(&app, &session, "Inbox").await?.section("/");
    let reviews = reviews(&app, &session).await?;
    page(
        StatusCode::OK,
        &InboxTemplate { reviews, ..InboxTemplate::new(layout, &inbox, several, now) },
    )
}

impl InboxTemplate {
    /// `several`: there is more than one manager, so each is named.
    pub(in crate::web) fn new(layout: Layout, inbox: &InboxPage, several: bool, now: Time) -> Self {
        let section = |pile: &InboxSection| InboxSectionView {
            number: pile.number,
            cards: pile
                .groups
                .iter()
                .filter_map(|group| InboxCard::new(group, several, now))
                .collect(),
            next: pile.next.map(|place| place.to_string()),
        };
        let (mine, others) = (section(&inbox.mine), section(&inbox.others));
        Self { layout, mine, others, reviews: Vec::new() }
    }
}

impl InboxSectionView {
    fn requests(&self) -> String {
        with_count(self.number, "request")
    }
}

impl InboxCard {
    fn new(group: &InboxGroup, several: bool, now: Time) -> Option<Self> {
        let action = &group.members.first()?.request.action;
        let plan = group.plan.as_ref();
        Some(Self {
            plan: plan.map(|(id, heading)| (id.to_string(), heading.clone())),
            items: group.members.iter().map(|one| InboxItem::new(one, several, now)).collect(),
            more: group.more,
            phrase: action.phrase(),
            kind: action.kind(),
            target: action.argument(),
            together: group.approvable_with().filter(|_| plan.is_none()).map(|id| id.to_string()),
        })
    }

    /// How many requests: "3 requests".
    fn number(&self) -> String {
        with_count(u64::try_from(self.items.len() + self.more).unwrap_or(0), "request")
    }
}

impl InboxItem {
    fn new(waiting: &PendingItem, several: bool, now: Time) -> Self {
        let PendingItem { request, agent, approve, voted, active } = waiting;
        let names: Vec<_> = request
            .votes
            .iter()
            .filter(|vote| request.counts(vote, agent))
            .map(|vote| vote.person.name.as_str())
            .collect();
        let why_not = match approve {
            _ if *voted => "You have approved it; it is waiting for others.".to_owned(),
            Permission::Now | Permission::WithPassword => String::new(),
            Permission::Denied(why) => format!("You may not approve it: {why}."),
        };
        let effect = endpoint::effect(request, several);
        let reach = effect.strip_prefix(&request.action.phrase()).unwrap_or(&effect);
        Self {
            id: request.id.to_string(),
            icon: request.action.kind().icon(),
            reach: reach.trim_start().to_owned(),
            asker: asker(request),
            skipped: match request.skipped.len() {
                0 => String::new(),
                n => format!("{} left out", with_count(u64::try_from(n).unwrap_or(0), "endpoint")),
            },
            criticality: request.targets.iter().map(|t| t.criticality).max().unwrap_or(5),
            needed: request::needed(&request.decision, &names),
            asked_at: request.asked_at,
            deadline: request.deadline,
            left: request::time_left(request.deadline, now),
            cuts_short: active.iter().any(cuts_short),
            effect,
            why_not,
        }
    }
}

fn asker(request: &Request) -> (&'static str, String) {
    match &request.asked_by {
        None => ("agent", request.agent_name.clone()),
        Some(asker) => (asker.role.name(), asker.name.clone()),
    }
}
