//! Outside systems: the API of a Wazuh 4.x manager, and the indexer that holds its alerts.
//!
//! Reads resolve endpoints and find alerts. One call acts: [`Connector::dispatch`] spends an
//! [`ExecutionPermit`]. What went wrong is a [`ConnectorError`], a sentence for people; nothing
//! here writes a log, so bodies, headers, tokens and passwords cannot get into one.
//!
//! Deliberately absent: any way to act on endpoints that are not named, to repeat a call, to
//! trust a certificate unseen, and to undo (the API has none).

mod addresses;
mod alert;
mod command;
mod dispatch;
mod error;
mod http;
mod inventory;
mod login;
mod manager;
mod relay;
mod settings;
mod tls;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use addresses::Addresses;
use alert::Indexer;
use command::Catalogue;
use inventory::{Found, Wanted};
use manager::Manager;

use crate::domain::{
    Time,
    action::{Action, ActionKind, Term},
    endpoint::{Inventory, Platform, Selection, SkipReason},
    evidence::{Sighting, Watched},
    facts::AlertFacts,
    permit::ExecutionPermit,
};

pub use command::{Commands, Mark};
pub use dispatch::Dispatched;
pub use error::ConnectorError;
pub use manager::ManagerInfo;
pub use relay::Relay;
pub use settings::{IndexerSettings, Secret, Settings, Tls};

/// What is known of a manager without asking it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why its circuit is open and when it is tried again, in a sentence.
    pub trouble: Option<String>,
    /// The calls of the last minute, by this broker.
    pub calls_last_minute: u32,
    /// The most calls a minute.
    pub calls_per_minute_max: u32,
}

/// A manager, and perhaps its indexer. Clones share connections and tokens.
#[derive(Clone)]
pub struct Connector {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    manager: Manager,
    indexer: Option<Indexer>,
    catalogue: Catalogue,
    addresses: Addresses,
    /// The cluster nodes that connected endpoints were seen on: one, where there is no cluster.
    nodes: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("name", &self.name())
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// Checks the settings; nothing is called yet.
    pub fn new(settings: Settings) -> Result<Self, ConnectorError> {
        let manager = Manager::new(&settings)?;
        let indexer = settings.indexer.as_ref();
        let indexer = indexer.map(|indexer| Indexer::new(indexer, &settings)).transpose()?;
        let hosts = [Some(&manager.reads), indexer.as_ref().map(|indexer| &indexer.site)];
        let hosts = hosts.into_iter().flatten().map(|site| site.address.clone()).collect();
        let inner = Inner {
            name: settings.name,
            manager,
            indexer,
            catalogue: Catalogue::read(&settings.commands)?,
            addresses: Addresses::new(hosts),
            nodes: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The manager's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Where the manager's API is.
    pub fn url(&self) -> &str {
        &self.inner.manager.reads.address.url
    }

    /// The endpoints of a selection, each with the command that it would be sent or the reason
    /// why there is none. Ids that the API user may not see count as unknown.
    pub async fn resolve(
        &self,
        selection: &Selection,
        action: &Action,
        term: Term,
        now: Time,
    ) -> Result<Inventory, ConnectorError> {
        self.inner.addresses.look_up().await;
        let wanted = Wanted { catalogue: &self.inner.catalogue, action, term };
        let found = self.inner.manager.inventory(selection, wanted, now).await?;
        let Found { inventory, nodes } = found;
        self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner).extend(nodes);
        Ok(inventory)
    }

    /// The seconds that a response can last, by platform; a platform without any is left out.
    pub fn durations(&self, kind: ActionKind) -> BTreeMap<Platform, Vec<u32>> {
        self.inner.catalogue.durations(kind)
    }

    /// The exact bytes that carry a command.
    pub fn body(&self, command: &str, action: &Action, mark: &Mark) -> Vec<u8> {
        command::body(command, action, mark)
    }

    /// The most endpoints in one call.
    pub const fn batch_max(&self) -> usize {
        50
    }

    /// How long the endpoints' own alerts may take; none where nobody looks for them.
    pub const fn confirm_within(&self) -> Option<Duration> {
        None
    }

    /// Traces of these calls.
    pub async fn observe(
        &self,
        _watched: &[Watched],
        _now: Time,
    ) -> Result<Vec<Sighting>, ConnectorError> {
        Ok(Vec::new())
    }

    /// Whether the manager has a means for an undo on a platform, as far as it was learnt.
    pub fn undoable(
        &self,
        action: &Action,
        term: Term,
        platform: Platform,
    ) -> Result<(), SkipReason> {
        self.inner.catalogue.command(action, platform, term).map(drop)
    }

    /// What is known of the manager without asking it.
    pub fn health(&self, _now: Time) -> Health {
        Health::default()
    }

    /// Makes sure that there is a token, so that [`Connector::dispatch`] need not wait for one.
    pub async fn sign_in(&self, now: Time) -> Result<(), ConnectorError> {
        self.inner.manager.login.token(&self.inner.manager.reads, now).await.map(drop)
    }

    /// Spends a permit: sends its bytes to its endpoints, at most once.
    pub async fn dispatch(&self, permit: ExecutionPermit, now: Time) -> Dispatched {
        // Not known to be one node: an error that proves nothing is read as one that does not.
        let one_node = {
            let nodes = self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            nodes.len() == 1
        };
        self.inner.manager.dispatch(permit, one_node, now).await
    }

    /// The alert of that id. Never fails: one that is not found says why.
    pub async fn find_alert(&self, alert_id: &str, action: &Action, now: Time) -> AlertFacts {
        let found = match &self.inner.indexer {
            None => Err("no indexer is configured, so no alert can be looked up".to_owned()),
            Some(indexer) => indexer.find(alert_id, action, now).await,
        };
        found.unwrap_or_else(|summary| AlertFacts { summary, ..AlertFacts::default() })
    }

    /// Asks the manager who it is.
    pub async fn probe(&self, now: Time) -> Result<ManagerInfo, ConnectorError> {
        self.inner.manager.info(now).await
    }

    /// Whether the indexer lets its alerts be read: a sentence, either way.
    pub async fn probe_indexer(&self) -> Result<String, String> {
        let Some(indexer) = &self.inner.indexer else {
            return Err("no indexer is configured".to_owned());
        };
        match indexer.probe().await {
            Ok(()) => Ok(format!("{} lets its alerts be read", indexer.site.system)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The addresses of manager and indexer: those in their URLs, and those that their names had
    /// when [`Connector::resolve`] last ran.
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        self.inner.addresses.all()
    }
}
