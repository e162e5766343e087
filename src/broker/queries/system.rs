//! The state of the whole: managers, audit chain, counts, health.

pub mod endpoints;
pub mod security_review;

use super::audit_walk::Walked;
use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        in_memory::{CountsByName, crowd},
        notifications::{ChannelState, feeds::FeedState},
    },
    connector::{CircuitOpen, Connector, Health},
    domain::{
        Time, action::with_count, audit::high_water_mark::HighWaterMark, facts::Verb, halt::Halt,
        seconds_of,
    },
    store::{
        requests::{self, Wanted},
        system,
    },
};

mod metrics;

pub use metrics::METRICS_TYPE;

/// How a manager is doing.
#[derive(Debug, Clone)]
pub struct ManagerStatus {
    /// What it is called here.
    pub name: String,
    /// Where its API is.
    pub address: String,
    /// What it says of itself, or why it cannot be asked.
    pub answer: Result<String, String>,
    /// How old the newest alert in its indexer is, or why nobody can look there; none without one.
    pub indexer: Option<Result<String, String>>,
    /// What the connector knows without asking.
    pub health: Health,
    /// How many approved requests wait for it.
    pub waiting: u64,
    /// What the look for evidence leaves out, in sentences; empty where it leaves out nothing.
    pub unseen: Vec<String>,
}

/// The state of the system.
#[derive(Debug, Clone)]
pub struct SystemStatus {
    /// The managers, in the order of the configuration.
    pub managers: Vec<ManagerStatus>,
    /// The ways to tell people, in the order of the configuration.
    pub channels: Vec<ChannelState>,
    /// The programs that get the audit, in the order of the configuration.
    pub feeds: Vec<FeedState>,
    /// The audit chain.
    pub audit: Walked,
    /// Why nothing at all is sent, the kill switch aside.
    pub halted: Option<Halt>,
    /// The names of managers that are gone or stand for another installation, while something that
    /// was sent under them is not over: nothing runs without people.
    pub changed_managers: Vec<String>,
    /// How many sources failed so often to sign in that they have to wait.
    pub throttled_sources: usize,
    /// The high-water mark; none where there is none that can be kept.
    pub mark: Option<HighWaterMark>,
    /// How many requests are in each state.
    pub requests: Vec<(String, u64)>,
    /// How many endpoints have each outcome.
    pub outcomes: Vec<(String, u64)>,
}

impl Broker {
    /// The state of the system: asks each manager and its indexer, and goes on with the walk along
    /// the audit.
    pub async fn system(&self, who: &SignedIn) -> Result<SystemStatus, BrokerError> {
        self.authorize_read(who, Verb::ViewAudit)?;
        let mut managers = Vec::new();
        let seen = self.manager_names(who).await?;
        let seen = |one: &&Connector| seen.iter().any(|name| name == one.name());
        for connector in self.managers().iter().filter(seen) {
            let now = self.clock().now();
            let answer = connector.probe(now).await;
            let indexer = connector.probe_indexer(now).await;
            let mut reader = self.reader_for(who).await?;
            let mut unseen: Vec<_> =
                self.look_problems().of(connector.name()).into_iter().collect();
            for wanted in Wanted::ALL {
                let count = requests::watched_count(&mut reader, connector.name(), wanted).await?;
                unseen.extend(crowd(wanted, count));
            }
            managers.push(ManagerStatus {
                name: connector.name().to_owned(),
                address: connector.url().to_owned(),
                answer: answer.map_err(|error| error.to_string()),
                indexer,
                health: connector.health(now),
                waiting: requests::approved_count(&mut reader, connector.name()).await?,
                unseen,
            });
        }
        let audit = self.walked().await;
        let mut reader = self.reader_for(who).await?;
        Ok(SystemStatus {
            managers,
            channels: self.channel_states(&mut reader).await?,
            feeds: self.feed_states(&mut reader).await?,
            audit,
            halted: self.halted(),
            changed_managers: self.unsettled(&mut reader).await?,
            throttled_sources: self.unchecked().attempts().waiting(self.clock().now()),
            mark: self.store().mark(),
            requests: system::counts_by_state(&mut reader).await?,
            outcomes: system::counts_by_outcome(&mut reader).await?,
        })
    }

    /// What each manager says of itself, or why it cannot be asked: for whoever starts the broker.
    pub async fn manager_answers(&self) -> Vec<(String, Result<String, String>)> {
        let mut answers = Vec::new();
        for connector in self.managers() {
            let answer = connector.probe(self.clock().now()).await;
            let answer = answer.map_err(|error| error.to_string());
            answers.push((connector.name().to_owned(), answer));
        }
        answers
    }

    /// What keeps the approved requests of each manager waiting, in sentences; empty while all are
    /// called. Nobody is asked for it.
    pub fn outages(&self) -> Vec<String> {
        let now = self.clock().now();
        self.managers().iter().filter_map(|manager| outage(manager, now)).collect()
    }

    /// The same, of the managers that a person sees something of.
    pub async fn outages_for(&self, who: &SignedIn) -> Result<Vec<String>, BrokerError> {
        let now = self.clock().now();
        let named = |manager: &Connector| Some((manager.name().to_owned(), outage(manager, now)?));
        let outages: Vec<_> = self.managers().iter().filter_map(named).collect();
        if outages.is_empty() {
            return Ok(Vec::new());
        }
        let seen = self.manager_names(who).await?;
        let outages = outages.into_iter().filter(|(name, _)| seen.contains(name));
        Ok(outages.map(|(_, outage)| outage).collect())
    }

    /// Writes to the high-water mark how far the database has come, and syncs it. Call it at least
    /// once a second.
    pub async fn keep_mark(&self) -> Result<(), BrokerError> {
        Ok(self.store().keep_mark().await?)
    }

    /// What keeps the approved requests of one manager waiting: another that is down does not.
    pub fn outage_of(&self, manager: &str) -> Option<String> {
        outage(self.manager(manager)?, self.clock().now())
    }
}

/// Why approved requests of a manager wait.
fn outage(manager: &Connector, now: Time) -> Option<String> {
    let CircuitOpen { since, why, next_try } = manager.health(now).circuit_open?;
    Some(format!(
        "The manager {} does not answer since {} UTC: {why}. Approved requests wait; it is tried \
         again in {}.",
        manager.name(),
        since.format("%H:%M"),
        with_count(seconds_of(next_try - now), "second"),
    ))
}

/// Numbers by name.
type NamedCounts = Vec<(String, u64)>;
