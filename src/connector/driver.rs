//! What a kind of manager must be able to do, and what it says of itself.

use std::{collections::BTreeSet, fmt, net::IpAddr, pin::Pin, time::Duration};

use chrono::TimeDelta;
use tokio::sync::OwnedSemaphorePermit;

use super::http::error::ConnectorError;
use crate::domain::{
    Time,
    action::{Action, TAG_PREFIX, Term},
    digest::Digest,
    endpoint::{EndpointId, Inventory, Platform, Selection, SkipReason},
    evidence::{FoundCalls, Observation, RuleResponses, TargetAlerts, Watched},
    facts::{AlertFacts, AlertShown, IndexerState},
    id::{AttemptId, RequestId},
    lifecycle::DispatchReport,
    permit::ExecutionPermit,
    request::Undone,
};

/// What a method of a [`Driver`] returns: its result, later.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A kind of manager: how one of them is asked, told and watched.
///
/// `now` is the present by the broker's clock; limits and ages are counted by it.
pub trait Driver: fmt::Debug + Send + Sync {
    /// The name that people and policies use.
    fn name(&self) -> &str;

    /// Where it is.
    fn url(&self) -> &str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// How the last calls to it ended. Calls nobody.
    fn health(&self, now: Time) -> Health;

    /// The hosts that it consists of, by name or address: what must never be blocked.
    fn hosts(&self) -> Vec<String>;

    /// The addresses of all its endpoints, as far as it knows them.
    fn endpoint_addresses(&self, now: Time) -> BoxFuture<'_, Result<Vec<IpAddr>, ConnectorError>>;

    /// Which of these endpoints are connected: one look for all of them.
    fn connected(
        &self,
        ids: Vec<EndpointId>,
        now: Time,
    ) -> BoxFuture<'_, Result<BTreeSet<EndpointId>, ConnectorError>>;

    /// The exact bytes that carry a command.
    fn body(&self, command: &str, action: &Action, tag: &CorrelationTag) -> Vec<u8>;

    /// The endpoints of a selection, each with the command that it would be sent or the reason
    /// why there is none. Ids that it does not show to this user count as unknown. The same function
    /// decides about the term asked for and about [`Inventory::other_terms`].
    fn resolve<'a>(
        &'a self,
        selection: &'a Selection,
        action: &'a Action,
        term: Term,
        now: Time,
    ) -> BoxFuture<'a, Result<Inventory, ConnectorError>>;

    /// The same for what takes a request back, which may be another command where that was done by a
    /// companion script.
    fn resolve_undo<'a>(
        &'a self,
        undone: &'a Undone,
        what: (&'a Selection, &'a Action),
        term: Term,
        now: Time,
    ) -> BoxFuture<'a, Result<Inventory, ConnectorError>>;

    /// Whether it has a command for an action on a platform, be it a response or an undo; the reason
    /// says what to do instead.
    fn can_run<'a>(
        &'a self,
        action: &'a Action,
        term: Term,
        platform: Platform,
        now: Time,
    ) -> BoxFuture<'a, Result<(), SkipReason>>;

    /// Everything that [`Driver::dispatch`] could have to wait for: a login, and its turn. There are
    /// [`Capabilities::calls_in_flight`] turns for all that makes the manager wait for an endpoint.
    fn sign_in(&self, now: Time) -> BoxFuture<'_, Result<DispatchTurn, ConnectorError>>;

    /// Spends a permit: sends its bytes to its endpoints, at most once. A turn that is not held is waited for.
    fn dispatch(
        &self,
        permit: ExecutionPermit,
        turn: DispatchTurn,
        now: Time,
    ) -> BoxFuture<'_, DispatchResult>;

    /// The evidence of these calls so far, and why some may be missing. The same evidence is
    /// seen again each time. None where nobody looks.
    fn observe<'a>(
        &'a self,
        watched: &'a [Watched],
        now: Time,
    ) -> BoxFuture<'a, Result<Observation, ConnectorError>>;

    /// The calls that left alerts behind since a moment, of one request or of all, by their tags
    /// alone: also those that the broker does not know. None where nobody looks.
    fn find_calls(
        &self,
        request: Option<RequestId>,
        since: Option<Time>,
        now: Time,
    ) -> BoxFuture<'_, Result<FoundCalls, ConnectorError>>;

    /// Whether what holds the alerts can say what endpoints do at the moment. Never fails.
    fn indexer_state(&self, now: Time) -> BoxFuture<'_, IndexerState>;

    /// The same for people: how old its newest alert is, or why it cannot say what endpoints do.
    /// None where nothing holds alerts.
    fn probe_indexer(&self, now: Time) -> BoxFuture<'_, Option<Result<String, String>>>;

    /// The address that shows an alert to people where it is kept; none where there is none.
    fn alert_url(&self, alert: &AlertShown) -> Option<String>;

    /// What endpoints did since a moment without a request of ours, because the manager's own rules
    /// or somebody else told them to: the oldest first, and not necessarily all. None where nobody
    /// looks.
    fn rule_responses(
        &self,
        since: Time,
        now: Time,
    ) -> BoxFuture<'_, Result<RuleResponses, ConnectorError>>;

    /// The alert of that id. Never fails: one that is not found says why.
    fn find_alert<'a>(
        &'a self,
        alert_id: &'a str,
        action: &'a Action,
        now: Time,
    ) -> BoxFuture<'a, AlertFacts>;

    /// How often alerts of the last 24 hours name what an action acts on, and where. None where
    /// nothing holds alerts, and where they name nothing of the kind.
    fn alerts_naming<'a>(
        &'a self,
        action: &'a Action,
        now: Time,
    ) -> BoxFuture<'a, Result<Option<TargetAlerts>, ConnectorError>>;

    /// Asks it who it is: kind, version and machine.
    fn probe(&self, now: Time) -> BoxFuture<'_, Result<String, ConnectorError>>;

    /// How far its clock is ahead of this machine's now; none where it does not say.
    fn clock_ahead(&self, now: Time) -> BoxFuture<'_, Result<Option<TimeDelta>, ConnectorError>>;

    /// Which installation it is: what stays the same when its name or address changes, and does not
    /// when another takes its place. None where it does not say.
    fn identity(&self, now: Time) -> BoxFuture<'_, Result<Option<String>, ConnectorError>>;

    /// Asks it, if it was given up for a while and that while is over. Does nothing else.
    fn probe_if_due(&self, now: Time) -> BoxFuture<'_, ()>;

    /// Looks at everything that a first installation gets wrong. Never sends a response.
    fn diagnose(&self, now: Time) -> BoxFuture<'_, Vec<Diagnosis>>;
}

/// The right to be one of the calls in flight; given back when dropped.
#[derive(Debug, Default)]
pub struct DispatchTurn(pub(super) Option<OwnedSemaphorePermit>);

/// What a manager can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// How long an endpoint's own alert may take; none where nobody looks for it.
    pub confirm_within: Option<TimeDelta>,
    /// The most endpoints in one call.
    pub batch_endpoints_max: usize,
    /// How many calls it may be given at once, at least one.
    pub calls_in_flight: usize,
}

/// What a call carries, so that the endpoint's own log leads back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorrelationTag {
    /// The request.
    pub request: RequestId,
    /// The attempt.
    pub attempt: AttemptId,
    /// The digest that was approved.
    pub digest: Digest,
}

impl CorrelationTag {
    /// What every tag begins with.
    pub const PREFIX: &'static str = TAG_PREFIX;

    /// What the tags of a request begin with, or all of them.
    pub fn beginning(request: Option<RequestId>) -> String {
        match request {
            None => Self::PREFIX.to_owned(),
            Some(request) => format!("{}{request}/", Self::PREFIX),
        }
    }

    /// The request and the attempt that a tag names.
    pub fn parse(text: &str) -> Option<(RequestId, AttemptId)> {
        let mut parts = text.strip_prefix(Self::PREFIX)?.split('/');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

impl fmt::Display for CorrelationTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, attempt, digest } = self;
        write!(f, "{}{request}/{attempt}/{}", Self::PREFIX, digest.prefix())
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchResult {
    /// What it means. Without outcomes surely nothing was sent.
    pub report: DispatchReport,
    /// Set exactly when the report has no outcomes: how long to wait before the same endpoints
    /// are tried again, as a new attempt.
    pub retry_in: Option<Duration>,
    /// This machine itself lacked what the call takes. It is tried again however often that was
    /// so, until the approval is over.
    pub local: bool,
}

/// One thing that `countersign doctor` looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// What was looked at.
    pub check: &'static str,
    /// What was found.
    pub found: String,
    /// What to do; none where all is well.
    pub advice: Option<String>,
    /// Whether something does not work, or can go wrong.
    pub fails: bool,
}

impl Diagnosis {
    /// All is well.
    pub fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, found: found.into(), advice: None, fails: false }
    }

    /// It works as it should, and somebody should know of it.
    pub fn note(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, found: found.into(), advice: Some(advice.into()), fails: false }
    }

    /// Something is to be done.
    pub fn bad(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, found: found.into(), advice: Some(advice.into()), fails: true }
    }
}

/// How the last calls to a manager ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Set while the manager counts as down and is not called.
    pub circuit_open: Option<CircuitOpen>,
    /// The calls of the last 60 seconds.
    pub calls_last_minute: usize,
    /// The most of them.
    pub calls_per_minute_max: usize,
    /// Whether approved requests wait until some of these calls are a minute old.
    pub at_limit: bool,
    /// When it last answered anything; none if it never did.
    pub last_answer_at: Option<Time>,
}

/// A manager that is given up for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitOpen {
    /// Since when.
    pub since: Time,
    /// How the last call failed.
    pub why: String,
    /// When one call is let through.
    pub next_try: Time,
}
