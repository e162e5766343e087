//! One request: everything that a person must know before deciding, and everything that became of
//! it.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use super::endpoint::{EndpointRow, SkippedRow, left, needs_attention, parts};
use crate::{
    broker::queries::request::{Permission, RequestView, UndoOption},
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
        request::{Attempt, Outcome, State as RequestState, StateName, Target, Vote},
    },
    text::{
        audit::{AuditText, EventText, describe},
        request,
        timeline::{EndpointTimeline, timelines},
    },
    web::{
        AppState,
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
    pub(in crate::web) seen: RequestView,
    pub(in crate::web) told: Vec<AuditText>,
    pub(in crate::web) timelines: Vec<EndpointTimeline>,
    pub(in crate::web) me: PersonId,
    /// The role of whoever looks.
    pub(in crate::web) role: Role,
    /// How many identical requests this person may approve together, this one among them.
    pub(in crate::web) together: usize,
    /// Whether this person may throw the kill switch.
    pub(in crate::web) may_stop: bool,
    pub(in crate::web) now: Time,
    /// What went wrong with the form that was just sent.
    pub(in crate::web) problem: Option<String>,
    /// What was typed into it, so that it is not lost.
    pub(in crate::web) typed: FormInput,
}

/// What was typed into a form that could not be taken.
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
    /// What a person saw who looked.
    pub(in crate::web) resolve: String,
    /// The reason for breaking the glass.
    pub(in crate::web) glass: String,
    /// What was found when looking back at it.
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

/// The page.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    request_page(&app, &session, id_of(&id)?, None).await
}

/// Reads the id in an address. What is no id leads nowhere.
pub(in crate::web) fn id_of(text: &str) -> Result<RequestId, PageError> {
    text.parse().map_err(|_no_id| PageError::not_found())
}

/// The page as it is now, after a form that could not be taken with the reason why.
pub(in crate::web) async fn request_page(
    app: &AppState,
    session: &PageSession,
    id: RequestId,
    problem: Option<(StatusCode, String, FormInput)>,
) -> Result<Response, PageError> {
    let session = &session.refreshed(app);
    let seen = app.broker.request_of_person(&session.who, id).await?;
    let effect = seen.request.effect_among(app.broker.several_managers());
    let again = format!("/requests/{id}");
    let layout = Layout::new(app, session, effect).await?.section("/requests").refresh_url(again);
    let (status, problem, typed) = match problem {
        None => (StatusCode::OK, None, FormInput::default()),
        Some((status, problem, typed)) => (status, Some(problem), typed),
    };
    let me = (session.who.person.id, session.who.person.role);
    let waits = seen.request.state.name() == StateName::Pending;
    let together =
        if waits { app.broker.identical_requests(&session.who, id).await?.len() } else { 0 };
    let may_stop = app.broker.system_permission(&session.who, Verb::Freeze).why_not().is_none();
    let shown = RequestPage::new(layout, seen, me, app.broker.clock().now());
    page(status, &RequestPage { together, may_stop, problem, typed, ..shown })
}

impl RequestPage {
    pub(in crate::web) fn new(
        layout: Layout,
        mut seen: RequestView,
        (me, role): (PersonId, Role),
        now: Time,
    ) -> Self {
        let timelines = timelines(&seen.request, &seen.timeline);
        let told = std::mem::take(&mut seen.timeline).into_iter().map(describe).collect();
        let (together, may_stop, problem, typed) = (0, false, None, FormInput::default());
        Self { layout, seen, told, timelines, me, role, together, may_stop, now, problem, typed }
    }

    fn nobody_had_to(&self) -> bool {
        self.seen.request.decision.verdict == Verdict::Run
    }

    fn standing(&self) -> String {
        request::status(&self.seen.request)
    }

    fn ending(&self) -> &str {
        request::ending(&self.seen.request.state)
    }

    fn ended_at(&self) -> Option<Time> {
        request::ended_at(&self.seen.request.state)
    }

    /// Until when it may stay in this state.
    fn limit(&self) -> Option<(&'static str, Time)> {
        match self.seen.request.state {
            RequestState::Pending => Some(("people may decide until", self.seen.request.deadline)),
            RequestState::Approved { use_by } => Some(("it must be claimed before", use_by)),
            RequestState::Dispatching { use_by } => Some(("calls may begin until", use_by)),
            RequestState::Settled { .. }
            | RequestState::Denied { .. }
            | RequestState::Rejected { .. }
            | RequestState::Cancelled { .. }
            | RequestState::Expired { .. }
            | RequestState::Withdrawn { .. } => None,
        }
    }

    /// Whether it may run and the kill switch alone keeps it from being sent.
    fn stopped(&self) -> bool {
        let request = &self.seen.request;
        let may = matches!(request.state.name(), StateName::Approved | StateName::Dispatching);
        may && self.layout.freezes.iter().any(|freeze| freeze.extent.stops(request))
    }

    fn left(&self, until: &Time) -> String {
        request::time_left(*until, self.now)
    }

    fn needed(&self) -> String {
        let request = &self.seen.request;
        request::needed(&request.decision, &request.counted(&self.seen.agent))
    }

    fn ruling(&self) -> String {
        request::verdict(&self.seen.request.decision)
    }

    fn why_not_counted(&self, vote: &Vote) -> Option<&'static str> {
        self.seen.request.why_not_counted(vote, &self.seen.agent)
    }

    /// What people said about it without voting, oldest first.
    fn comments(&self) -> impl Iterator<Item = (&AuditText, &EventText)> {
        let kind = EventKind::CommentAdded.name();
        let comments = self.told.iter().filter(move |entry| entry.kind == kind);
        comments.filter_map(|entry| Some((entry, entry.event.as_ref().ok()?)))
    }

    fn owner(&self) -> String {
        let owner = self.seen.owner.as_ref().map(|owner| owner.name.clone());
        owner.unwrap_or_else(|| self.seen.agent.owner.to_string())
    }

    /// How far it reaches: "12 endpoints: 10 linux, 2 windows; highest criticality 4".
    fn reach(&self) -> String {
        let targets = &self.seen.request.targets;
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

    fn sum(&self) -> String {
        request::outcomes(&self.seen.request.outcome_counts())
    }

    fn fold(rows: usize) -> bool {
        rows > ROWS_UNFOLDED_MAX
    }

    fn parts(&self) -> Vec<EndpointRow<'_>> {
        parts(&self.seen.request, &self.timelines, self.now)
    }

    fn left_out(&self) -> Vec<SkippedRow<'_>> {
        left(&self.seen.request, &self.timelines)
    }

    /// Where nobody knows what happened.
    fn loud(&self) -> Vec<&Target> {
        self.seen.request.targets.iter().filter(|target| needs_attention(target)).collect()
    }

    /// How many of them are unknown, and how many unconfirmed.
    fn loud_counts(&self) -> (usize, usize) {
        let loud = self.loud();
        let unknown = |t: &&&Target| matches!(t.outcome, Some(Outcome::Unknown { .. }));
        let unknown = loud.iter().filter(unknown).count();
        (unknown, loud.len() - unknown)
    }

    pub(in crate::web) fn mine(&self) -> Option<&Vote> {
        self.seen.request.votes.iter().find(|vote| vote.person.id == self.me)
    }

    /// The digest, with the part that people compare apart from the rest.
    fn digest(&self) -> (String, String) {
        let (all, prefix) =
            (self.seen.request.digest.to_string(), self.seen.request.digest.prefix());
        let rest = all.strip_prefix(&prefix).unwrap_or_default().to_owned();
        (prefix, rest)
    }

    fn attempt(&self, id: &AttemptId) -> Option<&Attempt> {
        self.seen.request.attempts.iter().find(|attempt| attempt.id == *id)
    }

    /// Whether the bytes shown for an attempt are those that were recorded for it.
    fn same_bytes(body: &str, attempt: &Attempt) -> bool {
        Digest::of(body.as_bytes()) == attempt.body_hash
    }

    fn alert_age(&self) -> Option<String> {
        let age = self.seen.request.alert.age_seconds?;
        Some(request::duration(std::time::Duration::from_secs(age)))
    }

    fn open(&self) -> bool {
        matches!(self.seen.request.state.name(), StateName::Pending | StateName::Approved)
    }

    pub(in crate::web) fn offer(&self, verb: Verb, what: &str) -> FormState {
        match self.seen.permission(verb) {
            Permission::Now => FormState::Form(false),
            Permission::WithPassword => FormState::Form(true),
            Permission::Denied(why) => FormState::Refused(format!("You may not {what}: {why}.")),
        }
    }

    fn approve(&self) -> FormState {
        let pending = self.seen.request.state.name() == StateName::Pending;
        match self.mine() {
            None if pending => self.offer(Verb::Approve, "approve it"),
            None | Some(_) => FormState::Nothing,
        }
    }

    fn reject(&self) -> FormState {
        if self.open() { self.offer(Verb::Reject, "reject it") } else { FormState::Nothing }
    }

    fn retract(&self) -> FormState {
        match self.mine() {
            Some(_) if self.open() => self.offer(Verb::Retract, "take your approval back from it"),
            Some(_) | None => FormState::Nothing,
        }
    }

    fn cancel(&self) -> FormState {
        match self.offer(Verb::Cancel, "cancel it") {
            form @ FormState::Form(_) if self.open() => form,
            // Cancelling is for the agent's side: to everybody else it is no offer that is missing.
            FormState::Form(_) | FormState::Refused(_) | FormState::Nothing => FormState::Nothing,
        }
    }

    fn undo(&self) -> FormState {
        match self.seen.undo {
            UndoOption::Possible { .. } if self.seen.request.state.name() == StateName::Settled => {
                self.offer(Verb::Undo, "take it back")
            }
            UndoOption::Possible { .. } => {
                FormState::Refused("It can be taken back once it was sent.".to_owned())
            }
            UndoOption::Impossible { .. } | UndoOption::Nothing => FormState::Nothing,
        }
    }

    fn resolve(&self) -> FormState {
        if self.loud().is_empty() {
            FormState::Nothing
        } else {
            self.offer(Verb::Resolve, "say what happened")
        }
    }
}
