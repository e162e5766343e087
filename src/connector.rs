//! Outside systems: what manages the endpoints, what keeps their alerts, and what tells people.
//!
//! A kind of manager is a [`Driver`] in a file of its own; [`Connector`] is the handle that the
//! rest of the crate holds. Reads resolve endpoints and find alerts and traces. One call acts:
//! [`Driver::dispatch`] spends an [`ExecutionPermit`]. What went wrong is a [`ConnectorError`], a
//! sentence for people; nothing here writes a log, so bodies, headers, tokens and passwords cannot
//! get into one.
//!
//! Deliberately absent: any way to act on endpoints that are not named, to repeat a call, and to
//! trust a certificate unseen.
//!
//! A [`Channel`] carries notices to people.

mod http;
mod notify;
mod relay;
mod wazuh;

use std::{
    collections::BTreeMap, fmt, net::IpAddr, ops::Deref, pin::Pin, sync::Arc, time::Duration,
};

use chrono::TimeDelta;
use tokio::sync::OwnedMutexGuard;

use crate::domain::{
    Time,
    action::{Action, ActionKind, Term},
    digest::Digest,
    endpoint::{Inventory, Platform, Selection, SkipReason},
    evidence::{Sighting, Watched},
    facts::AlertFacts,
    id::{AttemptId, RequestId},
    lifecycle::DispatchReport,
    permit::ExecutionPermit,
};

pub use http::error::ConnectorError;
pub use http::secret::{Secret, Tls};
pub use notify::{
    Channel, DEADLINE, MailSettings, Message, WebhookFormat, WebhookSettings, is_mail_address,
    is_signing_secret,
};
pub use relay::Relay;
pub use wazuh::rate_budget::{CircuitOpen, Health};
pub use wazuh::{IndexerSettings, WazuhSettings};

/// What a method of a [`Driver`] returns: its result, later.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The seconds that a response can last, by platform; a platform without any is left out.
pub type Durations = BTreeMap<Platform, Vec<u32>>;

/// A kind of manager: how endpoints are resolved, responses sent and their traces found.
///
/// `now` is the present by the broker's clock; limits and ages are counted by it.
pub trait Driver: fmt::Debug + Send + Sync {
    /// The name that people and policies use.
    fn name(&self) -> &str;

    /// Where it is.
    fn url(&self) -> &str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// How the last calls to it ended. Makes no call.
    fn health(&self, now: Time) -> Health;

    /// Its own addresses, as far as they are known: what must never be blocked.
    fn own_addresses(&self) -> Vec<IpAddr>;

    /// The exact bytes that carry a command.
    fn body(&self, command: &str, action: &Action, tag: &CorrelationTag) -> Vec<u8>;

    /// The endpoints of a selection, each with the command that it would be sent or the reason
    /// why there is none. Ids that it does not show to this user count as unknown.
    fn resolve<'a>(
        &'a self,
        selection: &'a Selection,
        action: &'a Action,
        term: Term,
        now: Time,
    ) -> BoxFuture<'a, Result<Inventory, ConnectorError>>;

    /// How long a response of this kind can last, on the parts of the manager that were asked for
    /// endpoints so far.
    fn durations(
        &self,
        kind: ActionKind,
        now: Time,
    ) -> BoxFuture<'_, Result<Durations, ConnectorError>>;

    /// Whether it has a means to take a response back on a platform; the reason says what to do
    /// instead. `action` is the undo.
    fn can_undo<'a>(
        &'a self,
        action: &'a Action,
        term: Term,
        platform: Platform,
        now: Time,
    ) -> BoxFuture<'a, Result<(), SkipReason>>;

    /// Everything that [`Driver::dispatch`] could have to wait for: a login, and its turn. While
    /// the turn is held nothing else makes the manager wait for an endpoint.
    fn sign_in(&self, now: Time) -> BoxFuture<'_, Result<DispatchTurn, ConnectorError>>;

    /// Spends a permit: sends its bytes to its endpoints, at most once. One at a time.
    /// A turn that is not held is waited for.
    fn dispatch(
        &self,
        permit: ExecutionPermit,
        turn: DispatchTurn,
        now: Time,
    ) -> BoxFuture<'_, DispatchResult>;

    /// The traces of these calls that endpoints left so far, the oldest first. The same trace is
    /// seen again each time. Empty without a source of evidence.
    fn observe<'a>(
        &'a self,
        watched: &'a [Watched],
        now: Time,
    ) -> BoxFuture<'a, Result<Vec<Sighting>, ConnectorError>>;

    /// The alert of that id. Never fails: one that is not found says why.
    fn find_alert<'a>(
        &'a self,
        alert_id: &'a str,
        action: &'a Action,
        now: Time,
    ) -> BoxFuture<'a, AlertFacts>;

    /// Asks it who it is: kind, version and machine.
    fn probe(&self, now: Time) -> BoxFuture<'_, Result<String, ConnectorError>>;

    /// Makes one call if the circuit is open and its time is over; otherwise nothing.
    fn probe_if_due(&self, now: Time) -> BoxFuture<'_, ()>;

    /// Looks at everything that a first installation gets wrong. Never sends a response.
    fn diagnose(&self, now: Time) -> BoxFuture<'_, Vec<Diagnosis>>;
}

/// A manager, of whatever kind. Clones share connections, tokens and limits.
#[derive(Debug, Clone)]
pub struct Connector(Arc<dyn Driver>);

impl Connector {
    /// A manager of any kind.
    pub fn new(driver: impl Driver + 'static) -> Self {
        Self(Arc::new(driver))
    }

    /// A Wazuh manager. Checks the settings; nothing is called yet.
    pub fn wazuh(settings: WazuhSettings) -> Result<Self, ConnectorError> {
        wazuh::Wazuh::new(settings).map(Self::new)
    }
}

impl Deref for Connector {
    type Target = dyn Driver;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

/// The right to be the one call in flight; given back when dropped.
#[derive(Debug, Default)]
pub struct DispatchTurn(Option<OwnedMutexGuard<()>>);

/// What a manager can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// How long an endpoint's own alert may take; none without a source of evidence.
    pub confirm_within: Option<TimeDelta>,
    /// The most endpoints in one call.
    pub batch_endpoints_max: usize,
}

/// What a call carries, so that the endpoint's own log leads back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorrelationTag {
    /// The request that the call is made for.
    pub request: RequestId,
    /// The call itself: another attempt has another tag.
    pub attempt: AttemptId,
    /// The digest that was approved.
    pub digest: Digest,
}

impl fmt::Display for CorrelationTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "countersign={}/{}/{}", self.request, self.attempt, self.digest.prefix())
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchResult {
    /// What it means. Without outcomes certainly nothing was sent.
    pub report: DispatchReport,
    /// Set exactly when the report has no outcomes: how long to wait before the same endpoints
    /// are tried again, as a new attempt.
    pub retry_in: Option<Duration>,
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
}

impl Diagnosis {
    /// All is well.
    pub fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, found: found.into(), advice: None }
    }

    /// Something is to be done.
    pub fn bad(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, found: found.into(), advice: Some(advice.into()) }
    }
}
