//! One request: everything that a person must know before deciding, and everything that became of
//! it.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::alert::{AlertName, level_text};
use super::endpoint::{EndpointRow, SkippedRow, endpoint_rows, needs_attention, skipped_rows};
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
        digest::Digest,
        endpoint::Platform,
        facts::Verb,
        id::{AttemptId, PersonId, RequestId},
        request::{
            Attempt, NOBODY_LOOKED, Outcome, State as RequestState, StateName, Target, Vote,
        },
    },
    text::{
        audit::{AuditText, EventText, describe},
        request,
        timeline::{EndpointTimeline, timelines},
    },
    web::{
        AppState,
        admin::reauthenticate::FormProblem,
        error::PageError,
        http::session::PageSession,
        layout::{
            escape::Fenced as _,
            page::{Layout, page},
        },
    },
};

/// Longer tables are shown folded, with their sum in front.
const ROWS_UNFOLDED_MAX: usize = 25;

#[derive(Debug, Template)]
#[template(path = "pages/request.html")]
pub(in crate::web) struct RequestPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) view: RequestView,
    pub(in crate::web) entries: Vec<AuditText>,
    pub(in crate::web) timelines: Vec<EndpointTimeline>,
    pub(in crate::web) viewer: Viewer,
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
) -> Result<Response, PageError> {
    request_page(&app, &session, id_of(&id)?, None, FormInput::default()).await
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
    let effect = view.request.effect_among(app.broker.several_managers());
    let again = format!("/requests/{id}");
    let layout = Layout::new(app, session, effect).await?.section("/requests").refresh_url(again);
    let (status, problem) = FormProblem::split(problem);
    let viewer = Viewer { id: session.who.person.id, role: session.who.person.role };
    let waits = view.request.state.name() == StateName::Pending;
    let identical =
        if waits { app.broker.identical_requests(&session.who, id).await?.len() } else { 0 };
    let may_stop = app.broker.system_permission(&session.who, Verb::Freeze).why_not().is_none();
    let shown = RequestPage::new(layout, view, viewer, app.broker.clock().now());
    page(status, &RequestPage { identical, may_stop, problem, typed, ..shown })
}

impl RequestPage {
    pub(in crate::web) fn new(
        layout: Layout,
        mut view: RequestView,
        viewer: Viewer,
        now: Time,
    ) -> Self {
        let timelines = timelines(&view.request, &view.timeline);
        let entries = std::mem::take(&mut view.timeline).into_iter().map(describe).collect();
        let (identical, may_stop, problem, typed) = (0, false, None, FormInput::default());
        Self { layout, view, entries, timelines, viewer, identical, may_stop, now, problem, typed }
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

    fn why_not_counted(&self, vote: &Vote) -> Option<&'static str> {
        self.view.request.why_not_counted(vote, &self.view.agent)
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
            .map(|platform| (number(platform), platform.name()))
            .filter(|(number, _)| *number > 0)
            .map(|(number, name)| format!("{number} {name}"))
            .collect();
        match targets.iter().map(|target| target.criticality).max() {
            None => all,
            Some(most) => format!("{all}: {}; highest criticality {most} of 5", parts.join(", ")),
        }
    }

    fn outcomes(&self) -> String {
        request::outcomes(&self.view.request.outcome_counts())
    }

    fn is_folded(rows: usize) -> bool {
        rows > ROWS_UNFOLDED_MAX
    }

    fn endpoint_rows(&self) -> Vec<EndpointRow<'_>> {
        endpoint_rows(&self.view.request, &self.timelines, self.now)
    }

    fn skipped_rows(&self) -> Vec<SkippedRow<'_>> {
        skipped_rows(&self.view.request, &self.timelines)
    }

    /// The endpoints whose outcome a person must find out.
    fn needing_attention(&self) -> Vec<&Target> {
        self.view.request.targets.iter().filter(|target| needs_attention(target)).collect()
    }

    /// How many of them are unknown, how many were not seen to start, and on how many nobody could
    /// look.
    fn attention_counts(&self) -> (usize, usize, usize) {
        let loud = self.needing_attention();
        let unknown = |t: &&&Target| matches!(t.outcome, Some(Outcome::Unknown { .. }));
        let unlooked = |t: &&&Target| t.outcome.as_ref().is_some_and(Outcome::nobody_looked);
        let unknown = loud.iter().filter(unknown).count();
        let unlooked = loud.iter().filter(unlooked).count();
        (unknown, loud.len() - unknown - unlooked, unlooked)
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

    fn attempt(&self, id: &AttemptId) -> Option<&Attempt> {
        self.view.request.attempts.iter().find(|attempt| attempt.id == *id)
    }

    /// Whether the bytes shown for an attempt are those that were recorded for it.
    fn same_bytes(body: &str, attempt: &Attempt) -> bool {
        Digest::of(body.as_bytes()) == attempt.body_hash
    }

    fn alert_level(&self) -> String {
        level_text(&self.view.request.alert)
    }

    fn alert_age(&self) -> Option<String> {
        let age = self.view.request.alert.age_seconds?;
        Some(request::duration(std::time::Duration::from_secs(age)))
    }

    fn is_open(&self) -> bool {
        matches!(self.view.request.state.name(), StateName::Pending | StateName::Approved)
    }

    pub(in crate::web) fn offer(&self, verb: Verb, what: &str) -> FormState {
        match self.view.permission(verb) {
            Permission::Now => FormState::Form(false),
            Permission::WithPassword => FormState::Form(true),
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
        if self.is_open() { self.offer(Verb::Reject, "reject it") } else { FormState::Nothing }
    }

    fn retract(&self) -> FormState {
        match self.mine() {
            Some(_) if self.is_open() => self.offer(Verb::Retract, "take your approval back"),
            Some(_) | None => FormState::Nothing,
        }
    }

    fn cancel(&self) -> FormState {
        match self.offer(Verb::Cancel, "cancel it") {
            form @ FormState::Form(_) if self.is_open() => form,
            // Cancelling is for the agent's side: to everybody else it is no offer that is missing.
            FormState::Form(_) | FormState::Refused(_) | FormState::Nothing => FormState::Nothing,
        }
    }

    fn undo(&self) -> FormState {
        match self.view.undo {
            UndoOption::Possible { .. } if self.view.request.state.name() == StateName::Settled => {
                self.offer(Verb::Undo, "take it back")
            }
            UndoOption::Possible { .. } => {
                FormState::Refused("It can be taken back once it has been sent.".to_owned())
            }
            UndoOption::Impossible { .. } | UndoOption::Nothing => FormState::Nothing,
        }
    }

    fn resolve(&self) -> FormState {
        if self.needing_attention().is_empty() {
            FormState::Nothing
        } else {
            self.offer(Verb::Resolve, "record what happened")
        }
    }
}
