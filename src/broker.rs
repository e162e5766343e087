//! The verbs: all that agents, people and time can do, reads included. Every one is authorized.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use ipnet::IpNet;

use crate::{
    clock::Clock,
    connector::{Channel, Connector, ConnectorError},
    domain::{
        Time,
        action::ActionKind,
        actor::{Actor, Agent},
        audit::{AuditDetail, AuditEvent, detail::request::RefusalFacts},
        facts::{Principal, Resource, Verb},
        lifecycle::Refusal,
        proposal::InvalidField,
    },
    policy::{Engine, PolicyError},
    store::{Store, StoreError, audit},
};

pub mod admin;
pub mod execution;
pub mod notifications;
pub mod queries;
pub mod requests;

/// What the broker may be told about its surroundings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address that people type, without a slash at its end.
    pub public_url: String,
    /// How long people may take to decide.
    pub decide_within: Duration,
    /// How long an approval may wait for the worker.
    pub use_approval_within: Duration,
    /// How long before a deadline people are reminded of it.
    pub remind_before: Duration,
    /// How much hangs on the endpoints of a group, 1 to 5.
    pub criticality: BTreeMap<String, u8>,
    /// Networks that responses may not touch.
    pub own_networks: Vec<IpNet>,
    /// Addresses that responses may not touch.
    pub protected_addresses: Vec<IpAddr>,
    /// Accounts that responses may not touch; a name may end in `*`.
    pub protected_accounts: Vec<String>,
    /// Accounts with rights that others have not; a name may end in `*`.
    pub privileged_accounts: Vec<String>,
    /// When the office is staffed.
    pub business_hours: BusinessHours,
    /// How much an agent may ask for.
    pub agents: requests::rate_limit::AgentLimits,
}

/// When the office is staffed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessHours {
    /// Days of the week, 1 is Monday.
    pub days: Vec<u8>,
    /// From this hour on, until that hour.
    pub hours: std::ops::Range<u8>,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i16,
}

/// Why the broker did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A field is not as it must be.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// The life cycle does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such thing, or it is not theirs to know.
    #[error("not found")]
    NotFound,
    /// Policy does not let them.
    #[error("policy does not allow it: {0}")]
    NotAllowed(String),
    /// An agent has as much open, or asks as often, as it may.
    #[error(
        "you ask for too much: {0}. Nothing was stored. Wait a minute, or until a request of yours is decided"
    )]
    RateLimited(String),
    /// Name or password is wrong, or neither is known.
    #[error("name or password is wrong")]
    SignInRefused,
    /// Too many sign-ins failed.
    #[error("too many sign-ins failed; wait {} minutes", admin::sessions::THROTTLE_WINDOW_MINUTES)]
    SignInThrottled,
    /// A password that cannot be one.
    #[error(
        "a password has {} to {} characters",
        admin::sessions::PASSWORD_CHARS_MIN,
        admin::sessions::PASSWORD_CHARS_MAX
    )]
    WeakPassword,
    /// The manager could not be asked; nothing was stored.
    #[error("{0}. Nothing was stored; ask again later.")]
    Manager(#[from] ConnectorError),
    /// A policy set cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything that the verbs need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Broker(Arc<BrokerParts>);

/// What the broker calls outside.
#[derive(Debug)]
pub struct Integrations {
    /// The managers, each with a name of its own.
    pub managers: Vec<Connector>,
    /// The ways to tell people, each with a name of its own.
    pub channels: Vec<Channel>,
}

#[derive(Debug)]
struct BrokerParts {
    operator: admin::operator::Operator,
    integrations: Integrations,
    engine: RwLock<Engine>,
    settings: Settings,
    in_flight: requests::rate_limit::InFlight,
    setup: admin::setup::Setup,
}

impl Broker {
    /// Puts the verbs on their ground.
    pub fn new(
        operator: admin::operator::Operator,
        outside: Integrations,
        engine: Engine,
        settings: Settings,
    ) -> Self {
        Self(Arc::new(BrokerParts {
            operator: operator,
            integrations: outside,
            engine: RwLock::new(engine),
            settings,
            in_flight: requests::rate_limit::InFlight::default(),
            setup: admin::setup::Setup::default(),
        }))
    }

    /// What it was told about its surroundings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Whoever keeps people, agents, the kill switch and the audit.
    pub fn operator(&self) -> &admin::operator::Operator {
        &self.0.operator
    }

    /// The time, for doors that say how long ago something was.
    pub fn clock(&self) -> &Clock {
        self.0.operator.clock()
    }

    /// The active policy set.
    pub fn engine(&self) -> Engine {
        self.0.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_engine(&self, engine: Engine) {
        *self.0.engine.write().unwrap_or_else(PoisonError::into_inner) = engine;
    }

    /// Changes whenever this process wrote something.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.store().changes()
    }

    fn store(&self) -> &Store {
        self.0.operator.store()
    }

    /// The managers that are configured.
    pub fn managers(&self) -> &[Connector] {
        &self.0.integrations.managers
    }

    /// The ways to tell people.
    pub fn channels(&self) -> &[Channel] {
        &self.0.integrations.channels
    }

    /// Whether ids of endpoints alone may mean more than one machine.
    pub fn several_managers(&self) -> bool {
        self.managers().len() > 1
    }

    /// The manager of that name; none where it is no longer configured.
    fn manager(&self, name: &str) -> Option<&Connector> {
        self.managers().iter().find(|manager| manager.name() == name)
    }

    fn in_flight(&self) -> &requests::rate_limit::InFlight {
        &self.0.in_flight
    }

    fn use_by(&self, now: Time) -> Time {
        now + self.settings().use_approval_within
    }

    /// Fails with the policies' reasons unless the principal may.
    fn authorize(&self, who: &Principal, verb: Verb, on: &Resource) -> Result<(), BrokerError> {
        let answer = self.engine().may(who, verb, on);
        if answer.allowed { Ok(()) } else { Err(BrokerError::NotAllowed(answer.why())) }
    }

    /// Writes an event that changes nothing else.
    async fn record(&self, event: &AuditEvent) -> Result<(), StoreError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }))
            .await
    }

    /// Writes down that an agent's proposal was refused before it became a request, and gives the
    /// reason back.
    pub async fn refuse_proposal(
        &self,
        agent: &Agent,
        kind: ActionKind,
        why: BrokerError,
    ) -> BrokerError {
        let why = self.check_rate_now(agent).await.err().unwrap_or(why);
        if matches!(why, BrokerError::RateLimited(_)) {
            let noted = self.record_throttled(agent, &why.to_string()).await;
            return noted.err().unwrap_or(why);
        }
        let detail = AuditDetail::ProposalRefused(RefusalFacts { why: why.to_string() });
        let mut event = AuditEvent::new(Actor::from(agent), None, detail);
        event.action = Some(kind.name().to_owned());
        match self.record(&event).await {
            Ok(()) => why,
            Err(error) => error.into(),
        }
    }
}
