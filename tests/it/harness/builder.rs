//! What a test changes in a [`World`] before it starts.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use countersign::{
    app::{AppParts, ConnectionLimits, Running, policies::at_start},
    broker::{
        Settings,
        admin::policies::{kept_set, load_and_test},
    },
    clock::Clock,
    connector::{
        Channel, Connector, Feed, IdentityProvider, IndexerSettings, Network, ProviderSettings,
    },
    domain::{action::ActionKind, digest::Digest, endpoint::Platform, public_url::PublicUrl},
    policy::{Engine, PolicyFiles},
    store::Store,
    web::Proxies,
};
use ipnet::IpNet;
use tempfile::TempDir;

use super::{
    World,
    fixtures::{connector, loopback, own_policies, policies, settings, simulated},
    line::limit_steps,
    network::FakeNetwork,
};

/// Starts a [`World`] that differs from the usual one.
#[derive(Clone)]
pub(crate) struct WorldBuilder {
    pub(super) simulator: wazuh_simulator::Settings,
    pub(super) second_simulator: wazuh_simulator::Settings,
    pub(super) database: Option<PathBuf>,
    settings: Settings,
    policies: Policies,
    more_policies: Option<&'static str>,
    indexer: bool,
    indexer_change: fn(&mut IndexerSettings),
    manager: &'static str,
    pub(super) second_manager: Option<&'static str>,
    undo_commands: BTreeMap<(ActionKind, Platform), String>,
    companion_groups: Vec<String>,
    keeps: Vec<String>,
    public_url: Option<String>,
    /// What clients call this machine.
    pub(super) host: &'static str,
    channels: Vec<Channel>,
    feeds: Vec<Feed>,
    network: Arc<dyn Network>,
    provider: Option<Box<ProviderSettings>>,
    connections: Box<ConnectionLimits>,
    proxies: Box<Proxies>,
    metrics_token: Option<&'static str>,
    metrics_port: bool,
    calls_in_flight: u16,
    batch_endpoints: u16,
    calls_per_minute: u16,
    steps_max_at_start: Option<i32>,
}

#[derive(Clone)]
enum Policies {
    /// Those that ship.
    Shipped,
    /// One policy, and no other.
    Only(String),
}

/// Where the managers listen.
pub(super) struct Urls {
    pub(super) manager: String,
    pub(super) second: Option<String>,
}

impl Default for WorldBuilder {
    fn default() -> Self {
        Self {
            simulator: simulated(),
            second_simulator: simulated(),
            database: None,
            settings: settings(),
            policies: Policies::Shipped,
            more_policies: None,
            indexer: true,
            indexer_change: |_| {},
            manager: "test",
            second_manager: None,
            undo_commands: BTreeMap::new(),
            companion_groups: Vec::new(),
            keeps: Vec::new(),
            public_url: None,
            host: "127.0.0.1",
            channels: Vec::new(),
            feeds: Vec::new(),
            network: Arc::new(FakeNetwork::default()),
            provider: None,
            connections: Box::default(),
            proxies: Box::default(),
            metrics_token: None,
            metrics_port: false,
            calls_in_flight: 1,
            batch_endpoints: 50,
            calls_per_minute: 300,
            steps_max_at_start: None,
        }
    }
}

impl WorldBuilder {
    /// Changes the site that the manager's simulator plays.
    pub(crate) fn with_simulator(
        mut self,
        change: impl FnOnce(&mut wazuh_simulator::Settings),
    ) -> Self {
        change(&mut self.simulator);
        self
    }

    /// Changes the broker's settings.
    pub(crate) fn with_settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Replaces the policies by this one.
    pub(crate) fn with_only_policy(self, text: &str) -> Self {
        Self { policies: Policies::Only(text.to_owned()), ..self }
    }

    /// Adds a file to the policies that ship.
    pub(crate) fn with_more_policies(self, text: &'static str) -> Self {
        Self { more_policies: Some(text), ..self }
    }

    pub(crate) fn without_indexer(self) -> Self {
        Self { indexer: false, ..self }
    }

    /// Changes how alerts are looked up.
    pub(crate) fn with_indexer(self, change: fn(&mut IndexerSettings)) -> Self {
        Self { indexer_change: change, ..self }
    }

    /// Names the manager, which is otherwise called `test`.
    pub(crate) fn with_manager_name(self, manager: &'static str) -> Self {
        Self { manager, ..self }
    }

    /// Adds a second manager with its own simulator.
    pub(crate) fn with_second_manager(self, name: &'static str) -> Self {
        let mut second_simulator = self.second_simulator;
        "00000000-0000-4000-8000-000000000002".clone_into(&mut second_simulator.uuid);
        Self { second_manager: Some(name), second_simulator, ..self }
    }

    /// Removes the second manager from the configuration; it still listens.
    pub(crate) fn without_second_manager(self) -> Self {
        Self { second_manager: None, ..self }
    }

    /// Changes the site of the second manager.
    pub(crate) fn with_second_simulator(
        mut self,
        change: impl FnOnce(&mut wazuh_simulator::Settings),
    ) -> Self {
        change(&mut self.second_simulator);
        self
    }

    /// Adds a command that undoes what Wazuh itself cannot undo.
    pub(crate) fn with_undo_command(
        mut self,
        action: ActionKind,
        platform: Platform,
        command: &str,
    ) -> Self {
        self.undo_commands.insert((action, platform), command.to_owned());
        self
    }

    /// Has the scripts of `deploy/active-response`, of version 1, on the endpoints of a group, and their
    /// rules on the manager.
    pub(crate) fn with_companions(mut self, group: &str) -> Self {
        self.simulator.companion_rules = true;
        for endpoint in &mut self.simulator.agents {
            if endpoint.groups.iter().any(|of| of == group) {
                endpoint.companions = Some("1");
            }
        }
        Self { companion_groups: vec![group.to_owned()], ..self }
    }

    /// Sets what an isolated endpoint still reaches.
    pub(crate) fn with_keeps(self, keeps: &[&str]) -> Self {
        Self { keeps: keeps.iter().map(|keep| (*keep).to_owned()).collect(), ..self }
    }

    /// Sets the address that people type, where it is not the listener's.
    pub(crate) fn with_public_url(self, url: &str) -> Self {
        Self { public_url: Some(url.to_owned()), ..self }
    }

    /// Starts on a copy of this database.
    /// A name, for which browsers make passkeys.
    pub(crate) fn with_host(self, host: &'static str) -> Self {
        Self { host, ..self }
    }

    pub(crate) fn with_database(self, path: PathBuf) -> Self {
        Self { database: Some(path), ..self }
    }

    /// Sets the channels for notifications.
    pub(crate) fn with_channels(self, channels: Vec<Channel>) -> Self {
        Self { channels, ..self }
    }

    /// Sets the programs that get the audit.
    pub(crate) fn with_feeds(self, feeds: Vec<Feed>) -> Self {
        Self { feeds, ..self }
    }

    /// Sets how often each manager is called at most.
    pub(crate) fn with_calls_in_flight(self, calls_in_flight: u16) -> Self {
        Self { calls_in_flight, ..self }
    }

    pub(crate) fn with_batches_of(self, batch_endpoints: u16) -> Self {
        Self { batch_endpoints, ..self }
    }

    pub(crate) fn with_calls_per_minute(self, calls_per_minute: u16) -> Self {
        Self { calls_per_minute, ..self }
    }

    /// Opens `/metrics` to whoever has this token.
    pub(crate) fn with_metrics_token(self, token: &'static str) -> Self {
        Self { metrics_token: Some(token), ..self }
    }

    /// Opens the port on which `/metrics` needs no token.
    pub(crate) fn with_metrics_port(self) -> Self {
        Self { metrics_port: true, ..self }
    }

    /// Sets where names are looked up; nothing is found otherwise.
    pub(crate) fn with_network(self, network: Arc<dyn Network>) -> Self {
        Self { network, ..self }
    }

    /// Lets people sign in at an identity provider.
    pub(crate) fn with_provider(self, provider: ProviderSettings) -> Self {
        Self { provider: Some(Box::new(provider)), ..self }
    }

    /// Changes how many connections there may be.
    pub(crate) fn with_connections(mut self, change: impl FnOnce(&mut ConnectionLimits)) -> Self {
        change(&mut self.connections);
        self
    }

    /// Puts a proxy in front; these are trusted.
    pub(crate) fn with_proxies(self, trusted: Vec<IpNet>) -> Self {
        Self { proxies: Box::new(Proxies { in_front: true, trusted }), ..self }
    }

    /// Lets the start fail with a statement that takes more steps of the database.
    pub(crate) fn with_steps_max_at_start(self, steps: i32) -> Self {
        Self { steps_max_at_start: Some(steps), ..self }
    }

    pub(crate) async fn start(self) -> World {
        Box::pin(World::start_as(self)).await
    }

    /// Writes the policies where the test needs its own; gives their folder.
    pub(super) fn write_policies(&self, folder: &Path) -> PathBuf {
        let own = folder.join("policies");
        match &self.policies {
            Policies::Shipped => {
                own_policies(folder);
                if let Some(text) = self.more_policies {
                    fs::write(own.join("60_more.cedar"), text).unwrap();
                }
            }
            Policies::Only(text) => {
                fs::create_dir(&own).unwrap();
                let schema = "schema.cedarschema";
                fs::copy(policies().join(schema), own.join(schema)).unwrap();
                fs::write(own.join("only.cedar"), text).unwrap();
            }
        }
        own
    }

    /// Opens the broker on a store.
    pub(super) async fn open(
        &self,
        store: Store,
        clock: Clock,
        urls: &Urls,
        policies: &Path,
    ) -> Running {
        let listener = TcpListener::bind(loopback()).unwrap();
        let mut settings = self.settings.clone();
        let address = format!("http://{}:{}", self.host, listener.local_addr().unwrap().port());
        let public_url = self.public_url.as_ref().unwrap_or(&address);
        settings.public_url = PublicUrl::parse(public_url).unwrap();
        let mut managers = vec![self.connector(self.manager, &urls.manager, &clock)];
        if let (Some(name), Some(url)) = (self.second_manager, &urls.second) {
            managers.push(self.connector(name, url, &clock));
        }
        let provider = self.provider.as_deref().map(|provider| {
            IdentityProvider::new(ProviderSettings {
                redirect_url: format!("{public_url}/sign-in/provider/back"),
                clock: clock.clone(),
                ..provider.clone()
            })
            .unwrap()
        });
        let engine = Box::pin(engine(&store, policies)).await;
        if let Some(steps) = self.steps_max_at_start {
            limit_steps(&store, steps).await;
        }
        let parts = AppParts {
            store,
            clock,
            managers,
            channels: self.channels.clone(),
            feeds: self.feeds.clone(),
            network: Arc::clone(&self.network),
            provider,
            policies: policies.to_owned(),
            engine,
            settings,
            listener,
            metrics: self.metrics_port.then(|| TcpListener::bind(loopback()).unwrap()),
            tls: None,
            connections: *self.connections,
            proxies: Proxies::clone(&self.proxies),
            metrics_token: self.metrics_token.map(|token| Digest::of(token.as_bytes())),
            configuration: Digest::ZERO,
        };
        parts.open().await.unwrap()
    }

    fn connector(&self, name: &str, url: &str, clock: &Clock) -> Connector {
        let mut settings = connector(name, url, self.indexer);
        settings.undo_commands.clone_from(&self.undo_commands);
        settings.companion_groups.clone_from(&self.companion_groups);
        settings.keeps.clone_from(&self.keeps);
        settings.clock = clock.clone();
        settings.calls_in_flight = self.calls_in_flight;
        settings.batch_endpoints_max = self.batch_endpoints;
        settings.calls_per_minute_max = self.calls_per_minute;
        if let Some(indexer) = &mut settings.indexer {
            (self.indexer_change)(indexer);
        }
        Connector::wazuh(settings).unwrap()
    }
}

/// As [`at_start`] does. Loading a set takes long in a debug build: the one that ships is loaded
/// once.
async fn engine(store: &Store, folder: &Path) -> Engine {
    static SHIPPED: OnceLock<Engine> = OnceLock::new();
    let shipped = SHIPPED.get_or_init(|| {
        let own = TempDir::new().unwrap();
        load_and_test(&own_policies(own.path())).unwrap()
    });
    let kept = kept_set(store).await.unwrap();
    let files = kept.unwrap_or_else(|| PolicyFiles::read(folder).unwrap());
    if files.digest() == shipped.files().digest() {
        return shipped.clone();
    }
    at_start(store, folder).await.unwrap()
}
