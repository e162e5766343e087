//! One request: everything that a person must know before deciding, and everything that became of
//! it.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    alert::{AlertName, level_text},
    already_active::{ActiveGroup, groups},
    shown::{Shown, ShownQuery},
};
use crate::{
    broker::{
        queries::view::{Permission, RequestView},
        requests::undo::UndoOption,
    },
    domain::{
        Time,
        action::with_count,
        actor::Role,
        audit::EventKind,
        decision::Verdict,
        endpoint::Platform,
        facts::Verb,
        halt::HaltCause,
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
        admin::reauthenticate::FormProblem,
        error::{PageError, no_approval},
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
    /// How many identical requests this person may approve together, this one among them.
    pub(in crate::web) identical: usize,
    /// Whether this person may throw the kill switch.
    pub(in crate::web) may_stop: bool,
    pub(in crate::web) now: Time,
    /// What went wrong with the form that was just sent.
    pub(in crate::web) problem: Option<String>,
    /// What was typed into it, so that it is not lost.
    pub(in crate::web) typed: FormInput,
}

/// The person who looks at the page.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Viewer {
    pub(in crate::web) id: PersonId,
    pub(in crate::web) role: Role,
}

/// What was typed into a form that could not be carried out.
#[derive(Debug, Default)]
pub(in crate::web) struct FormInput {
    /// The comment of an approval.
    pub(in crate::web) comment: String,
    /// The reason of a rejection.
    pub(in crate::web) reject: String,
    /// The reason of a cancellation.
    pub(in crate::web) cancel: String,
    /// The reason of an undo.
    pub(in crate::web) undo: String,
    /// What a person saw on the endpoint.
    pub(in crate::web) resolve: String,
    /// The reason to break the glass.
    pub(in crate::web) glass: String,
    /// The finding of the review.
    pub(in crate::web) review: String,
    /// A comment without a vote.
    pub(in crate::web) note: String,
    /// The part of the page that the form stood on.
    pub(in crate::web) shown: ShownQuery,
}

/// Whether a form is offered.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) enum FormState {
    /// It is; with a field for the password where `true`.
    Form(bool),
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
) -> Result<Response, PageError> {
    let typed = FormInput { shown, ..FormInput::default() };
    request_page(&app, &session, id_of(&id)?, None, typed).await
}

/// Reads the id in an address.
pub(in crate::web) fn id_of(text: &str) -> Result<RequestId, PageError> {
    text.parse().map_err(|_no_id| PageError::not_found())
}

/// The page as it is now; after a form that was not carried out, with the reason why.
pub(in crate::web) async fn request_page(
    app: &AppState,
    session: &PageSession,
    id: RequestId,
    problem: Option<FormProblem>,
    typed: FormInput,
) -> Result<Response, PageError> {
    let session = &session.refreshed(app);
    let view = app.broker.request_of_person(&session.who, id).await?;
    let effect = endpoint::effect(&view.request, app.broker.several_managers());
    let again = typed.shown.url(id);
    let layout = Layout::new(app, session, effect).await?.section("/requests").refresh_url(again);
    let (status, problem) = FormProblem::split(problem);
    let viewer = Viewer { id: session.who.id(), role: session.who.profile().role };
    let waits = view.request.state.name() == StateName::Pending;
    let identical =
        if waits { app.broker.identical_requests(&session.who, id).await?.len() } else { 0 };
    let may_stop = app.broker.system_permission(&session.who, Verb::Freeze).why_not().is_none();
    let shown = Shown::of(&view.request, view.timeline.len(), &typed.shown);
    let shown = shown.ok_or_else(PageError::not_found)?;
    let blank = RequestPage::new(layout, view, shown, (viewer, app.broker.clock().now()));
    page(status, &RequestPage { identical, may_stop, problem, typed, ..blank })
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
        let (identical, may_stop, problem, typed) = (0, false, None, FormInput::default());
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
            identical,
            may_stop,
            now,
            problem,
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

    /// Whether it may run and the kill switch alone keeps it from being sent.
    fn held_by_kill_switch(&self) -> bool {
        let request = &self.view.request;
        let may = matches!(request.state.name(), StateName::Approved | StateName::Dispatching);
        may && self.layout.freezes.iter().any(|freeze| freeze.extent.stops(request))
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

    fn is_before_claim(&self) -> bool {
        matches!(self.view.request.state.name(), StateName::Pending | StateName::Approved)
    }

    /// Why nobody may now, whatever policy says.
    fn halted(&self, verb: Verb) -> Option<String> {
        let halt = self.layout.halted.as_ref()?;
        if matches!(verb, Verb::Approve | Verb::BreakGlass) {
            return Some(no_approval(halt));
        }
        let full = matches!(halt.cause, HaltCause::DiskFull | HaltCause::DiskLow);
        (verb == Verb::Undo && full)
            .then(|| format!("It cannot be taken back now, because {halt}."))
    }

    pub(in crate::web) fn offer(&self, verb: Verb, what: &str) -> FormState {
        let form =
            |password| self.halted(verb).map_or(FormState::Form(password), FormState::Refused);
        match self.view.permission(verb) {
            Permission::Now => form(false),
            Permission::WithPassword => form(true),
            Permission::Denied(_) if self.asked_by_viewer() && verb == Verb::Resolve => {
                let why = "you asked for it yourself, so another person has to";
                FormState::Refused(format!("You may not {what}: {why}."))
            }
            Permission::Denied(why) => FormState::Refused(format!("You may not {what}: {why}.")),
        }
    }

    fn approve(&self) -> FormState {
        let pending = self.view.request.state.name() == StateName::Pending;
        match self.mine() {
            None if pending => self.offer(Verb::Approve, "approve it"),
            None | Some(_) => FormState::Nothing,
        }
    }

    fn reject(&self) -> FormState {
        if self.view.request.is_open() {
            self.offer(Verb::Reject, "reject it")
        } else {
            FormState::Nothing
        }
    }

    fn retract(&self) -> FormState {
        match self.mine() {
            Some(_) if self.is_before_claim() && self.view.request.parent().is_none() => {
                self.offer(Verb::Retract, "take your approval back")
            }
            Some(_) | None => FormState::Nothing,
        }
    }

    fn cancel(&self) -> FormState {
        match self.offer(Verb::Cancel, "cancel it") {
            form @ FormState::Form(_) if self.view.request.is_open() => form,
            // Cancelling is for the agent's side: to everybody else it is no offer that is missing.
            FormState::Form(_) | FormState::Refused(_) | FormState::Nothing => FormState::Nothing,
        }
    }

    fn undo(&self) -> FormState {
        match self.view.undo {
            UndoOption::Possible { .. } if self.view.request.may_be_undone() => {
                self.offer(Verb::Undo, "take it back")
            }
            UndoOption::Possible { .. } => {
                FormState::Refused("It can be taken back once it has been sent.".to_owned())
            }
            UndoOption::Impossible { .. } | UndoOption::Nothing => FormState::Nothing,
        }
    }

    fn asked_by_viewer(&self) -> bool {
        let asker = self.view.request.asked_by.as_ref();
        asker.is_some_and(|asker| asker.person == self.viewer.id)
    }

    fn resolve(&self) -> FormState {
        if self.needing_attention().is_empty() {
            FormState::Nothing
        } else {
            self.offer(Verb::Resolve, "record what happened")
        }
    }
}
