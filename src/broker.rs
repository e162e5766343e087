//! The verbs: all that agents, people and time can do, reads included. Every one is authorized.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    connector::{Channel, Connector, Feed, IdentityProvider, Network},
    domain::{
        Time,
        action::{Action, Argument},
        actor::Actor,
        address::{
            forms,
            known::{KnownAddresses, network_of},
        },
        audit::AuditEvent,
        facts::{Principal, Resource, Verb},
        id::AgentId,
    },
    policy::Engine,
    slots::Slots,
    store::{Store, StoreError, audit},
};

pub mod admin;
mod error;
pub mod execution;
mod halt;
mod in_memory;
mod input;
pub mod notifications;
pub mod queries;
pub mod requests;
mod settings;
pub mod signed_in;
mod unchecked;

pub use error::BrokerError;
pub use settings::{AgentLimits, BusinessHours, Escalation, Settings, SignInSettings};
pub use signed_in::{SESSION_HOURS, SESSION_IDLE_MINUTES, SignedIn, token::TokenHolder};

use in_memory::{
    AlertCounts, AuditWalk, Executing, FeedActivities, LookProblems, Lookups, Measures,
    PasskeyQuestions, ProviderSessions, RefusedTokens, SetupCode,
};
pub use in_memory::{ConnectionCounts, FeedActivity};
use signed_in::{Authority, Caller};
use unchecked::Unchecked;

/// Everything that the verbs need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Broker {
    unchecked: Unchecked,
    parts: Arc<BrokerParts>,
}

/// What the broker calls outside.
#[derive(Debug)]
pub struct Integrations {
    /// The managers, each with a name of its own.
    pub managers: Vec<Connector>,
    /// The ways to tell people, each with a name of its own.
    pub channels: Vec<Channel>,
    /// The programs that get the audit, each with a name of its own.
    pub feeds: Vec<Feed>,
    /// Where names are looked up.
    pub network: Arc<dyn Network>,
    /// Where people sign in beside this server.
    pub provider: Option<IdentityProvider>,
}

#[derive(Debug)]
struct BrokerParts {
    integrations: Integrations,
    engine: RwLock<Engine>,
    /// Held while a policy set becomes active.
    activation: tokio::sync::Mutex<()>,
    settings: Settings,
    known_addresses: RwLock<KnownAddresses>,
    /// The asks of agents that are being looked into.
    in_flight: Slots<AgentId>,
    /// How often they looked something up.
    lookups: Lookups,
    alert_counts: AlertCounts,
    passkey_questions: PasskeyQuestions,
    provider_sessions: ProviderSessions,
    refused_tokens: RefusedTokens,
    executing: Executing,
    stopping: CancellationToken,
    look_problems: LookProblems,
    audit_walk: AuditWalk,
    feed_activities: FeedActivities,
    measures: Measures,
    setup: SetupCode,
    began_at: Time,
    /// Which installation each manager is, once it has said so to this process.
    identified: Mutex<BTreeMap<String, String>>,
}

impl Broker {
    /// Puts the verbs on their ground.
    pub fn new(
        store: Store,
        clock: Clock,
        outside: Integrations,
        engine: Engine,
        settings: Settings,
    ) -> Self {
        let began_at = clock.now();
        let store = if outside.channels.is_empty() { store.without_notices() } else { store };
        let in_flight = Slots::new(settings.agents.at_once_max);
        let measures = Measures::of(outside.channels.iter().map(Channel::name));
        let parts = Arc::new(BrokerParts {
            integrations: outside,
            engine: RwLock::new(engine),
            activation: tokio::sync::Mutex::default(),
            settings,
            known_addresses: RwLock::default(),
            in_flight,
            lookups: Lookups::default(),
            alert_counts: AlertCounts::default(),
            passkey_questions: PasskeyQuestions::default(),
            provider_sessions: ProviderSessions::default(),
            refused_tokens: RefusedTokens::default(),
            executing: Executing::default(),
            stopping: CancellationToken::new(),
            look_problems: LookProblems::default(),
            audit_walk: AuditWalk::default(),
            feed_activities: FeedActivities::default(),
            measures,
            setup: SetupCode::default(),
            began_at,
            identified: Mutex::default(),
        });
        Self { unchecked: Unchecked::new(store, clock), parts }
    }

    /// The same broker for the worker, which reads through connections of its own.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self { unchecked: self.unchecked.for_worker(), parts: Arc::clone(&self.parts) }
    }

    /// The same broker for pages: what they read holds up neither the agents nor the worker, and ends
    /// in time.
    #[must_use]
    pub fn for_pages(&self) -> Self {
        Self { unchecked: self.unchecked.for_pages(), parts: Arc::clone(&self.parts) }
    }

    /// What it was told about its surroundings.
    pub fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// For verbs that have asked policy.
    fn unchecked(&self) -> &Unchecked {
        &self.unchecked
    }

    /// The time, for doors that say how long ago something was.
    pub fn clock(&self) -> &Clock {
        self.unchecked().clock()
    }

    /// When this run began.
    fn began_at(&self) -> Time {
        self.parts.began_at
    }

    /// The active policy set.
    pub fn engine(&self) -> Engine {
        self.parts.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_engine(&self, engine: Engine) {
        *self.parts.engine.write().unwrap_or_else(PoisonError::into_inner) = engine;
    }

    fn activation(&self) -> &tokio::sync::Mutex<()> {
        &self.parts.activation
    }

    /// Changes whenever this process wrote something.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.store().changes()
    }

    /// Changes whenever something may have to be sent.
    pub fn work(&self) -> tokio::sync::watch::Receiver<u64> {
        self.store().work()
    }

    /// Changes with accounts, the kill switch and policies.
    pub fn system_changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.store().system_changes()
    }

    fn store(&self) -> &Store {
        self.unchecked().store()
    }

    /// The managers that are configured.
    pub fn managers(&self) -> &[Connector] {
        &self.parts.integrations.managers
    }

    /// The ways to tell people.
    pub fn channels(&self) -> &[Channel] {
        &self.parts.integrations.channels
    }

    /// The programs that get the audit.
    pub fn feeds(&self) -> &[Feed] {
        &self.parts.integrations.feeds
    }

    /// What becomes of connections of people and agents.
    pub fn connections(&self) -> &Arc<ConnectionCounts> {
        &self.parts.measures.connections
    }

    fn passkey_questions(&self) -> &PasskeyQuestions {
        &self.parts.passkey_questions
    }

    fn provider_sessions(&self) -> &ProviderSessions {
        &self.parts.provider_sessions
    }

    fn refused_tokens(&self) -> &RefusedTokens {
        &self.parts.refused_tokens
    }

    fn network(&self) -> &Arc<dyn Network> {
        &self.parts.integrations.network
    }

    /// The hosts that no response may touch, each a name or an address.
    fn own_hosts(&self) -> Vec<String> {
        let public = self.settings().public_url.bare_host();
        let managers = self.managers().iter().flat_map(|manager| manager.hosts());
        let provider = self.parts.integrations.provider.iter().map(IdentityProvider::host);
        let own = self.settings().protected_hosts.iter().cloned().chain([public]);
        own.chain(managers).chain(provider.map(str::to_owned)).collect()
    }

    fn known_addresses(&self) -> RwLockReadGuard<'_, KnownAddresses> {
        self.parts.known_addresses.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_addresses_mut(&self) -> RwLockWriteGuard<'_, KnownAddresses> {
        self.parts.known_addresses.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a host of ours, a gateway or a resolver has one of these addresses, or had it.
    fn is_own_address(&self, target: &[IpAddr]) -> bool {
        let literal = |host: String| host.parse().ok();
        let mut own = self.own_hosts().into_iter().filter_map(literal).flat_map(forms);
        own.any(|form| target.contains(&form)) || self.known_addresses().is_ours(target)
    }

    /// A protected address in the network of one that a request acts on: a slip of one digit would hit
    /// it.
    fn protected_neighbour(&self, action: &Action) -> Option<IpAddr> {
        let address =
            |of: &Argument| if let Argument::Address(address) = of { Some(*address) } else { None };
        let mut addresses = action.arguments().filter_map(|(_, argument)| address(argument));
        addresses.find_map(|address| {
            let network = network_of(address)?;
            let own = self.own_hosts().into_iter().filter_map(|host| host.parse().ok());
            let mut near = own.filter(|own| *own != address && network.contains(own));
            near.next().or_else(|| self.known_addresses().neighbour(address))
        })
    }

    /// Whether a network holds an address of ours or of an endpoint.
    fn holds_known_address(&self, network: &IpNet) -> bool {
        let mut own = self.own_hosts().into_iter().filter_map(|host| host.parse().ok());
        own.any(|address: IpAddr| network.contains(&address))
            || self.known_addresses().lie_in(network)
    }

    /// Whether an endpoint of any manager has one of these addresses, or had it lately.
    fn is_endpoint_address(&self, target: &[IpAddr], now: Time) -> bool {
        self.known_addresses().is_endpoints(target, now)
    }

    /// Whether ids of endpoints alone may mean more than one machine.
    pub fn several_managers(&self) -> bool {
        self.managers().len() > 1
    }

    /// The manager of that name; none where it is no longer configured.
    fn manager(&self, name: &str) -> Option<&Connector> {
        self.managers().iter().find(|manager| manager.name() == name)
    }

    fn identified(&self) -> &Mutex<BTreeMap<String, String>> {
        &self.parts.identified
    }

    fn in_flight(&self) -> &Slots<AgentId> {
        &self.parts.in_flight
    }

    fn lookups(&self) -> &Lookups {
        &self.parts.lookups
    }

    fn alert_counts(&self) -> &AlertCounts {
        &self.parts.alert_counts
    }

    fn executing(&self) -> &Executing {
        &self.parts.executing
    }

    /// Whether nothing more is to be waited for.
    fn stopping(&self) -> &CancellationToken {
        &self.parts.stopping
    }

    fn look_problems(&self) -> &LookProblems {
        &self.parts.look_problems
    }

    fn audit_walk(&self) -> &AuditWalk {
        &self.parts.audit_walk
    }

    fn feed_activities(&self) -> &FeedActivities {
        &self.parts.feed_activities
    }

    fn measures(&self) -> &Measures {
        &self.parts.measures
    }

    fn setup_code(&self) -> &SetupCode {
        &self.parts.setup
    }

    fn use_by(&self, now: Time) -> Time {
        now + self.settings().use_approval_within
    }

    /// Fails with the policies' reasons unless the principal may.
    fn authorize(&self, who: &Principal, verb: Verb, on: &Resource) -> Result<(), BrokerError> {
        let answer = self.engine().may(who, verb, on);
        if answer.allowed {
            Ok(())
        } else if answer.is_out_of_sight() {
            Err(BrokerError::NotFound)
        } else {
            Err(BrokerError::NotAllowed(answer.why()))
        }
    }

    /// Writes an event of a person that changes nothing else.
    async fn record_of(
        &self,
        who: &SignedIn,
        event: impl Fn(Actor) -> AuditEvent + Send + Sync,
    ) -> Result<(), BrokerError> {
        let (now, event) = (self.clock().now(), &event);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let actor = who.active(tx, now).await?.actor();
                    audit::append(tx, &event(actor), now).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Writes an event that changes nothing else, and that no person did.
    async fn record(&self, event: &AuditEvent) -> Result<(), StoreError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }))
            .await
    }
}
