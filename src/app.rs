//! Puts everything together, starts it and stops it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::middleware::from_fn_with_state;
use axum_server::Handle;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    broker::{self, Broker, BrokerError, Integrations},
    clock::Clock,
    config::{Config, ConfigError},
    connector::{
        Channel, Connector, ConnectorError, Feed, IdentityProvider, Network, SystemNetwork,
    },
    domain::{audit::detail::system::StartFacts, digest::Digest, public_url::Authority},
    mcp,
    policy::{Engine, PolicyError},
    store::{Store, StoreError, audit},
    trusted_file, web, worker,
};

pub mod bridge;
mod certificate;
pub mod doctor;
mod feeds;
mod front_door;
mod identity;
mod metrics;
pub mod notifications;
pub mod policies;
pub mod recover;
mod request_log;
pub mod settings;

pub use crate::web::Proxies;
pub use certificate::ServerCertificate;
pub use front_door::ConnectionLimits;

use front_door::{DoorListener, FrontDoor, Peer};

/// Open requests have this long to finish when the program stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What is under way at a manager has this long, which is longer than a call usually may take. One
/// that is cut off is `unknown` at the next start.
const STOP: Duration = Duration::from_secs(90);

/// Why it did not start, or went wrong.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of secrets or data, or a folder of data, that is not ours alone.
    #[error("cannot use {}: {why}", path.display())]
    NotOurs {
        /// The file or folder.
        path: PathBuf,
        /// Who may read or write it, and what to do.
        why: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The policies.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The set that was active does not work with this version.
    #[error(
        "the active policy set, which the database keeps, does not work here: {0}; correct the \
         folder, then run `countersign policy activate`"
    )]
    ActivePolicy(PolicyError),
    /// The connector's settings.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The bridge's address or token leads to no broker.
    #[error("{0}")]
    Bridge(String),
    /// A verb at start-up.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The network, or a file.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Everything that is needed to start.
#[derive(Debug)]
pub struct AppParts {
    /// The store, held by this process alone.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The managers.
    pub managers: Vec<Connector>,
    /// The ways to tell people.
    pub channels: Vec<Channel>,
    /// The programs that get the audit.
    pub feeds: Vec<Feed>,
    /// Where names are looked up.
    pub network: Arc<dyn Network>,
    /// Where people sign in beside this server.
    pub provider: Option<IdentityProvider>,
    /// The folder of the policies.
    pub policies: PathBuf,
    /// The set to begin with, tested: see [`policies::at_start`].
    pub engine: Engine,
    /// What the verbs are told.
    pub settings: broker::Settings,
    /// Where people and agents come in.
    pub listener: TcpListener,
    /// Where Prometheus comes in without a token.
    pub metrics: Option<TcpListener>,
    /// Certificate and key, where this process speaks TLS itself.
    pub tls: Option<ServerCertificate>,
    /// How many connections there may be.
    pub connections: ConnectionLimits,
    /// What stands in front of the listener.
    pub proxies: Proxies,
    /// SHA-256 of the token that opens `/metrics`; without one there is no such page.
    pub metrics_token: Option<Digest>,
    /// SHA-256 of the configuration, for the audit.
    pub configuration: Digest,
}

/// A broker at work.
#[derive(Debug)]
pub struct Running {
    /// The verbs.
    pub broker: Broker,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it listens for Prometheus.
    pub metrics_address: Option<SocketAddr>,
    stop: CancellationToken,
    server: Handle<Peer>,
    certificate: Option<ServerCertificate>,
    tasks: Vec<JoinHandle<()>>,
}

impl AppParts {
    /// Reads everything that a configuration names.
    pub async fn from_config(config: &Config) -> Result<Self, AppError> {
        for file in config.private_files() {
            only_ours(file)?;
        }
        data_folder(&config.server.database)?;
        let clock = Clock::system();
        let managers = settings::connectors(config, &clock)?;
        let managers = managers.into_iter().map(Connector::wazuh).collect::<Result<_, _>>()?;
        let channels = notifications::channels(config)?;
        let feeds = feeds::feeds(config)?;
        let provider = identity::identity_provider(config, &clock)?;
        // The lock first: who finds the port taken by another broker should hear of that one.
        let mark = config.server.high_water_mark.as_deref();
        let store = Store::serve(&config.server.database, mark).await?;
        let listener = listen(config.server.listen)?;
        let metrics = config.metrics.as_ref().map(|metrics| listen(metrics.listen)).transpose()?;
        let engine = policies::at_start(&store, &config.server.policies).await?;
        Ok(Self {
            store,
            clock,
            managers,
            channels,
            feeds,
            network: Arc::new(SystemNetwork),
            provider,
            policies: config.server.policies.clone(),
            engine,
            settings: settings::broker(config),
            listener,
            metrics,
            tls: ServerCertificate::load(config)?,
            connections: settings::connections(config),
            proxies: settings::proxies(config),
            metrics_token: settings::metrics_token(config)?,
            configuration: config.sha256,
        })
    }

    async fn go_on_from_last_run(&self) -> Result<(), StoreError> {
        let last = audit::last_moment(&mut self.store.reader().await?).await?;
        if let Some(last) = last {
            self.clock.go_on_from(last);
        }
        Ok(())
    }

    /// Closes what an earlier run left, then opens the doors. The worker is not started.
    pub async fn open(self) -> Result<Running, AppError> {
        self.go_on_from_last_run().await?;
        let managers = self.managers.iter().map(|m| (m.name().to_owned(), m.url().to_owned()));
        let started = StartFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration_sha256: self.configuration,
            managers: managers.collect(),
            high_water_mark: self.store.mark_file().map(|file| file.display().to_string()),
            gap: self.store.gap().map(|gap| gap.to_string()),
        };
        if let Some(why) = &started.gap {
            tracing::error!(why, "nothing is sent until the database is recovered");
        }
        let outside = Integrations {
            managers: self.managers,
            channels: self.channels,
            feeds: self.feeds,
            network: self.network,
            provider: self.provider,
        };
        let broker =
            Broker::new(self.store, self.clock, outside, self.engine, self.settings.clone());
        // Before the first entry of this run.
        broker.open_feeds().await?;
        broker.started(started).await?;
        broker.recover(None).await?;
        broker.update_all_ends().await?;
        broker.withdraw_orphans().await?;
        policies::record(&broker, &self.policies).await?;
        for name in broker.changed_managers().await? {
            tracing::warn!(manager = name, "nothing runs by itself until this is settled");
        }
        broker.recall_addresses().await?;
        // The worker looks them up again, and says which are not found.
        let _missing = broker.look_up_own_addresses().await?;
        let address = ready(&self.listener)?;
        let metrics_address = self.metrics.as_ref().map(ready).transpose()?;
        let stop = CancellationToken::new();
        let public_url = self.settings.public_url.clone();
        let settings = web::WebSettings {
            public_url,
            policies: self.policies,
            hosts: own_hosts(address),
            certificate: self.tls.as_ref().map(ServerCertificate::status),
            proxies: self.proxies,
            metrics_token: self.metrics_token,
        };
        let (router, door) = doors(&broker, settings, self.connections, &stop);
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, "listening");
        let server = Handle::new();
        let certificate = self.tls;
        let tls = certificate.as_ref().map(|certificate| certificate.config.clone());
        let listener = DoorListener::new(self.listener, door);
        let serving = tokio::spawn(front_door::serve(listener, tls, server.clone(), router));
        let metrics = self.metrics.map(|listener| metrics::serve(listener, &broker, &server));
        let tasks = std::iter::once(serving).chain(metrics).collect();
        Ok(Running { broker, address, metrics_address, stop, server, certificate, tasks })
    }
}

impl Running {
    /// Starts the worker.
    pub fn work(self) -> Self {
        self.work_observing_every(worker::OBSERVE_INTERVAL)
    }

    /// Starts the worker, which looks for evidence at this interval.
    pub(crate) fn work_observing_every(mut self, interval: Duration) -> Self {
        let work = worker::run(self.broker.clone(), interval, self.stop.clone());
        self.tasks.push(tokio::spawn(work));
        if let Some(certificate) = self.certificate.clone() {
            let watch = certificate.watch(self.broker.clock().clone(), self.stop.clone());
            self.tasks.push(tokio::spawn(watch));
        }
        self
    }

    /// Has a new certificate taken from its files, if there is one that can be used. It does not wait
    /// for that: whoever calls it must hear the next signal.
    pub fn renew_certificate(&self) {
        if let Some(certificate) = &self.certificate {
            certificate.look();
        } else {
            tracing::info!("no certificate is configured; nothing is read again");
        }
    }

    /// Ends waits, lets what is under way finish, and stops.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.stop.cancel();
        self.server.graceful_shutdown(Some(DRAIN));
        for mut task in self.tasks {
            match timeout(STOP, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "a part of the broker failed"),
                // It waits for a manager to come back: what is left is closed at the next start.
                Err(_elapsed) => task.abort(),
            }
        }
        if let Err(error) = self.broker.record_refused_sign_ins(true).await {
            tracing::warn!(%error, "refused sign-ins could not be recorded");
        }
        if let Err(error) = self.broker.close().await {
            tracing::warn!(%error, "the database was not left as one file");
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, AppError> {
    let what = format!("cannot listen on {address}");
    TcpListener::bind(address).map_err(|source| AppError::Io { what, source })
}

/// Where a socket listens, which may be served from now on.
fn ready(listener: &TcpListener) -> Result<SocketAddr, AppError> {
    let what = "cannot use the listening socket".to_owned();
    let address = listener.local_addr();
    address
        .and_then(|address| listener.set_nonblocking(true).map(|()| address))
        .map_err(|source| AppError::Io { what, source })
}

/// All that people and agents come in by, and who is in.
fn doors(
    broker: &Broker,
    settings: web::WebSettings,
    limits: ConnectionLimits,
    stop: &CancellationToken,
) -> (axum::Router, FrontDoor) {
    if settings.proxies.in_front && settings.proxies.trusted.is_empty() {
        tracing::warn!("failed sign-ins are not limited: server.trusted_proxies names no proxy");
    }
    let limits = front_door::within_descriptors(limits);
    let clock = broker.clock().clone();
    let door = FrontDoor::new(clock.clone(), limits, Arc::clone(broker.connections()));
    let public_url = settings.public_url.clone();
    let agents = mcp::router(broker.clone(), public_url, stop.child_token());
    let agents = mcp::in_json(web::guard(agents, settings.clone()));
    let programs = api::in_json(web::guard(api::router(broker.for_pages()), settings.clone()));
    let router = web::router(broker.for_pages(), settings, stop.child_token())
        .merge(agents)
        .merge(programs)
        .layer(from_fn_with_state(clock, request_log::log_request))
        .layer(from_fn_with_state(door.clone(), front_door::watch));
    (router, door)
}

/// The names under which the broker may be called beside its public one. The unspecified address
/// is none: a listener on it has many, and a browser that is told to go there comes from elsewhere.
fn own_hosts(address: SocketAddr) -> Vec<Authority> {
    let own = (!address.ip().is_unspecified()).then(|| Authority::from(address));
    let localhost = address.ip().is_loopback().then(|| Authority::localhost(address.port()));
    own.into_iter().chain(localhost).collect()
}

/// Files that hold secrets or data belong to their owner alone. What is missing is reported by
/// whoever reads it.
fn only_ours(file: &Path) -> Result<(), AppError> {
    trusted_file::check_private(file)
        .map_err(|why| AppError::NotOurs { path: file.to_owned(), why })
}

/// Whoever may write the folder of the database can put another one there.
fn data_folder(database: &Path) -> Result<(), AppError> {
    let home = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    for folder in [database, &home].into_iter().filter_map(Path::parent) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        trusted_file::check_writers(folder)
            .map_err(|why| AppError::NotOurs { path: folder.to_owned(), why })?;
    }
    Ok(())
}
