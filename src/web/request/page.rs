//! One request: everything that a person must know before deciding, and everything that became of
//! it.

mod bar;
pub(in crate::web) mod evidence;
mod figure;
mod offers;
mod refused;
mod signs;

use std::ops::Range;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use evidence::SeenPart;
use refused::{FormInput, FormRefusal, RefusedQuery};

use super::{
    alert::{AlertName, level_text},
    already_active::{ActiveGroup, groups},
    shown::{Shown, ShownQuery},
};
use crate::{
    broker::{queries::view::RequestView, requests::undo::UndoOption},
    domain::{
        Time,
        action::with_count,
        actor::Role,
        audit::EventKind,
        decision::Verdict,
        endpoint::Platform,
        facts::Verb,
        id::{PersonId, RequestId},
        request::{NOBODY_LOOKED, Outcome, State as RequestState, StateName, Vote},
    },
    text::{
        audit::{AuditText, EventText, describe},
        endpoint, request,
        requirement::{Requirement, requirement},
        timeline::EndpointTimeline,
    },
    web::{
        AppState,
        admin::reauthenticate::problem_of,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::{
            escape::Fenced as _,
            page::{Layout, page},
        },
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/request.html")]
pub(in crate::web) struct RequestPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) view: RequestView,
    pub(in crate::web) entries: Vec<AuditText>,
    pub(in crate::web) timelines: Vec<EndpointTimeline>,
    /// Which of the endpoints, calls and events are shown; `timelines` are those of the endpoints.
    pub(in crate::web) shown: Shown,
    /// What policy required of people; none where it never did.
    pub(in crate::web) required: Option<Requirement>,
    pub(in crate::web) viewer: Viewer,
    /// What is active already on its endpoints.
    pub(in crate::web) active: Vec<ActiveGroup>,
    /// How often alerts name its target; none where it is no longer open, or they name nothing of the kind.
    pub(in crate::web) seen: Option<SeenPart>,
    /// How many identical requests this person may approve together, this one among them.
    pub(in crate::web) identical: usize,
    /// Whether this person may throw the kill switch.
    pub(in crate::web) may_stop: bool,
    pub(in crate::web) now: Time,
    /// Whether there is more than one manager, so that each is named.
    pub(in crate::web) several: bool,
    /// What went wrong with the form that was just sent.
    pub(in crate::web) problem: Option<FormRefusal>,
    /// The places of the events since that form had been opened.
    pub(in crate::web) changed_since: Range<usize>,
    /// What was typed into it, so that it is not lost.
    pub(in crate::web) typed: FormInput,
}

/// The person who looks at the page.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Viewer {
    pub(in crate::web) id: PersonId,
    pub(in crate::web) role: Role,
    pub(in crate::web) has_passkeys: bool,
}

/// The request after which the next one is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct NextRequest {
    after: String,
}

/// What a form asks for, to prove who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::web) struct FormAsks {
    /// The password.
    pub(in crate::web) password: bool,
    /// The identity provider's word, for which the browser is sent there.
    pub(in crate::web) provider: bool,
    /// A passkey; in place of the password, where both.
    pub(in crate::web) passkey: bool,
}

impl FormAsks {
    /// Whether it can be sent without a passkey.
    pub(in crate::web) const fn has_button(self) -> bool {
        self.password || self.provider || !self.passkey
    }
}

/// Whether a form is offered.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) enum FormState {
    /// It is.
    Form(FormAsks),
    /// It is not, and why.
    Refused(String),
    /// There is nothing to say about it.
    Nothing,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    QueryParams(shown): QueryParams<ShownQuery>,
    QueryParams(refused): QueryParams<RefusedQuery>,
) -> Result<Response, PageError> {
    request_page(&app, &session, id_of(&id)?, shown, &refused.form).await
}

/// Leads to the request that waits for this person after another one.
pub(in crate::web) async fn next(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(NextRequest { after }): QueryParams<NextRequest>,
) -> Result<Response, PageError> {
    let next = app.broker.next_pending(&session.who, after.parse().ok()).await?;
    let place = next.map_or_else(|| "/".to_owned(), |id| format!("/requests/{id}"));
    Ok(Redirect::to(&place).into_response())
}

/// Reads the id in an address.
pub(in crate::web) fn id_of(text: &str) -> Result<RequestId, PageError> {
    text.parse().map_err(|_no_id| PageError::not_found())
}

/// The page as it is now; after a form that was not carried out, with the reason why. Whatever was
/// typed and not carried out stands in its field again.
async fn request_page(
    app: &AppState,
    session: &PageSession,
    id: RequestId,
    query: ShownQuery,
    refused: &str,
) -> Result<Response, PageError> {
    let (me, now) = (session.who.id(), app.broker.clock().now());
    let view = app.broker.request_of_person(&session.who, id).await?;
    let several = app.broker.several_managers();
    let effect = endpoint::effect(&view.request, several);
    let layout = Layout::new(app, session, effect).await?.section("/requests");
    let layout = layout.refresh_url(query.url(id));
    let viewer = Viewer {
        id: me,
        role: session.who.profile().role,
        has_passkeys: session.who.has_passkeys(),
    };
    let waits = view.request.state.name() == StateName::Pending;
    let identical =
        if waits { app.broker.identical_requests(&session.who, id).await?.len() } else { 0 };
    let seen = app.broker.target_alerts(&session.who, &view.request).await?.map(SeenPart::new);
    let may_stop = app.broker.system_permission(&session.who, Verb::Freeze).why_not().is_none();
    let (version, events) = (view.request.version, view.timeline.len());
    let shown = Shown::of(&view.request, events, &query);
    let shown = shown.ok_or_else(PageError::not_found)?;
    let blank = RequestPage::new(layout, view, shown, (viewer, now));
    let place = format!("/requests/{id}");
    let drafts = app.drafts.of(me, &place, now);
    let of = drafts.iter().find(|(form, _)| form == refused).map(|(_, draft)| draft);
    let displayed = of.and_then(|draft| draft.displayed);
    let changed_since = bar::changed_since(displayed, version, events);
    let problem = problem_of(app, session, (&place, refused)).map(|problem| FormRefusal {
        form: refused.to_owned(),
        status: problem.status,
        sentence: problem.sentence,
    });
    let typed = FormInput::of(drafts);
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let page_now =
        RequestPage { seen, identical, may_stop, several, problem, changed_since, typed, ..blank };
    page(status, &page_now)
}

impl RequestPage {
    pub(in crate::web) fn new(
        layout: Layout,
        mut view: RequestView,
        shown: Shown,
        (viewer, now): (Viewer, Time),
    ) -> Self {
        let timelines = shown.timelines(&view.request, &view.timeline);
        let required = requirement(&view.timeline);
        let entries = std::mem::take(&mut view.timeline).into_iter().map(describe).collect();
        let (identical, may_stop, several, problem) = (0, false, false, None);
        let (changed_since, typed) = (0..0, FormInput::default());
        let active = groups(view.request.action.kind(), &view.active);
        Self {
            layout,
            view,
            entries,
            timelines,
            shown,
            required,
            viewer,
            active,
            seen: None,
            identical,
            may_stop,
            now,
            several,
            problem,
            changed_since,
            typed,
        }
    }

    /// What it needed before it could run. While people are waited for, the decision itself says it.
    fn needed_before(&self) -> Option<&Requirement> {
        let waits = self.view.request.state.name() == StateName::Pending;
        self.required.as_ref().filter(|_| !waits)
    }

    fn needed_no_approval(&self) -> bool {
        self.view.request.decision.verdict == Verdict::Run
    }

    fn status(&self) -> String {
        request::status(&self.view.request)
    }

    fn ending(&self) -> &str {
        request::ending(&self.view.request.state)
    }

    fn ended_at(&self) -> Option<Time> {
        request::ended_at(&self.view.request.state)
    }

    /// Until when it may stay in this state.
    fn time_limit(&self) -> Option<(&'static str, Time)> {
        match self.view.request.state {
            RequestState::Pending => Some(("to decide, until", self.view.request.deadline)),
            RequestState::Approved { use_by } => Some(("to start sending, until", use_by)),
            RequestState::Dispatching { use_by } => Some(("to make calls, until", use_by)),
            RequestState::Waiting { until } => Some(("to wait, until", until)),
            RequestState::Settled { .. }
            | RequestState::Denied { .. }
            | RequestState::Rejected { .. }
            | RequestState::Cancelled { .. }
            | RequestState::Expired { .. }
            | RequestState::Withdrawn { .. } => None,
        }
    }

    fn time_left(&self, until: &Time) -> String {
        request::time_left(*until, self.now)
    }

    fn needed(&self) -> String {
        let request = &self.view.request;
        request::needed(&request.decision, &request.counted(&self.view.agent))
    }

    fn verdict(&self) -> String {
        request::verdict(&self.view.request.decision)
    }

    /// Why an approval does not count, while that matters: what has run has run with it.
    fn why_not_counted(&self, vote: &Vote) -> Option<&'static str> {
        self.view.request.why_not_counted(vote, &self.view.agent).filter(|_| self.is_before_claim())
    }

    /// What people said about it without voting, oldest first.
    fn comments(&self) -> impl Iterator<Item = (&AuditText, &EventText)> {
        let kind = EventKind::CommentAdded.name();
        let comments = self.entries.iter().filter(move |entry| entry.kind == kind);
        comments.filter_map(|entry| Some((entry, entry.event.as_ref().ok()?)))
    }

    fn owner(&self) -> String {
        let owner = self.view.owner.as_ref().map(|owner| owner.name.clone());
        owner.unwrap_or_else(|| self.view.agent.owner.to_string())
    }

    /// How far it reaches: "12 endpoints: 10 linux, 2 windows; highest criticality 4".
    fn reach(&self) -> String {
        let targets = &self.view.request.targets;
        let all = with_count(u64::try_from(targets.len()).unwrap_or(0), "endpoint");
        let number = |platform: Platform| {
            targets.iter().filter(|target| target.endpoint.platform == platform).count()
        };
        let parts: Vec<_> = Platform::ALL
            .into_iter()
            .map(|platform| (number(platform), platform.words()))
            .filter(|(number, _)| *number > 0)
            .map(|(number, name)| format!("{number} {name}"))
            .collect();
        match targets.iter().map(|target| target.criticality).max() {
            None => all,
            Some(most) => format!("{all}: {}; highest criticality {most} of 5", parts.join(", ")),
        }
    }

    fn outcomes(&self) -> String {
        request::outcomes(self.view.request.targets.iter().map(request::known))
    }

    /// Why nobody could look, on the first such endpoint.
    fn unlooked(&self) -> Option<&str> {
        let outcomes = self.view.request.targets.iter().filter_map(|t| t.outcome.as_ref());
        let why = |outcome: &'_ Outcome| outcome.nobody_looked();
        outcomes.filter(|outcome| why(outcome)).find_map(|o| o.detail().strip_prefix(NOBODY_LOOKED))
    }

    pub(in crate::web) fn mine(&self) -> Option<&Vote> {
        self.view.request.votes.iter().find(|vote| vote.person.id == self.viewer.id)
    }

    /// The digest, with the part that people compare apart from the rest.
    fn digest(&self) -> (String, String) {
        let (all, prefix) =
            (self.view.request.digest.to_string(), self.view.request.digest.prefix());
        let rest = all.strip_prefix(&prefix).unwrap_or_default().to_owned();
        (prefix, rest)
    }

    fn alert_level(&self) -> String {
        level_text(&self.view.request.alert)
    }

    fn alert_age(&self) -> Option<String> {
        let age = self.view.request.alert.age_seconds?;
        Some(request::duration(std::time::Duration::from_secs(age)))
    }

    pub(super) fn is_before_claim(&self) -> bool {
        matches!(self.view.request.state.name(), StateName::Pending | StateName::Approved)
    }
}
