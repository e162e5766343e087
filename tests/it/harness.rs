//! The product on free ports with a clock that is moved by hand, and clients that speak in domain
//! verbs: an agent over MCP, people over the page, the manager as a simulator.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
    time::Duration,
};

use countersign::{
    app::{AppParts, Running},
    broker::{
        AgentLimits, Broker, BusinessHours, Settings,
        admin::{operator::Operator, people::NewPerson, policies::load_and_test},
        execution::progress::Progress,
    },
    clock::Clock,
    connector::{Channel, Connector, IndexerSettings, Secret, Tls, WazuhSettings as Manager},
    domain::{
        action::ActionKind,
        actor::{Actor, Role},
        digest::Digest,
        endpoint::Platform,
        kill_switch::Extent,
        public_url::PublicUrl,
    },
    policy::Engine,
    store::Store,
    worker,
};
use tempfile::TempDir;
use wazuh_simulator::Simulator;

pub(crate) mod agent;
pub(crate) mod page;
mod populated;
pub(crate) mod program;
pub(crate) mod stored;

pub(crate) use agent::AgentClient;
pub(crate) use page::PersonClient;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running product. The worker is stepped by hand.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) manager: Simulator,
    /// The second manager; it listens where the plan names it.
    pub(crate) also: Simulator,
    pub(crate) running: Running,
    pub(crate) token: String,
    pub(crate) folder: TempDir,
    pub(crate) store: Option<Store>,
    server: Mutex<Option<wazuh_simulator::Server>>,
    also_server: Option<wazuh_simulator::Server>,
}

/// What a test changes before the start.
pub(crate) struct Plan {
    pub(crate) manager: wazuh_simulator::Settings,
    pub(crate) broker: Settings,
    pub(crate) policies: PathBuf,
    pub(crate) indexer: bool,
    /// What the manager is called here.
    pub(crate) called: &'static str,
    /// The name of a second manager.
    pub(crate) also_called: Option<&'static str>,
    pub(crate) also: wazuh_simulator::Settings,
    /// What takes something back where Wazuh itself cannot.
    pub(crate) undo_commands: BTreeMap<(ActionKind, Platform), String>,
    /// What people type, where it is not the address itself.
    pub(crate) public_url: Option<String>,
    /// A database that is there already.
    pub(crate) database: Option<PathBuf>,
    /// The ways to tell people.
    pub(crate) channels: Vec<Channel>,
}

impl Default for Plan {
    fn default() -> Self {
        let mut manager = wazuh_simulator::Settings::demo("manager-pw", "indexer-pw");
        manager.rate_limit_per_minute = 0;
        Self {
            also: manager.clone(),
            manager,
            broker: settings(),
            policies: policies(),
            indexer: true,
            called: "test",
            also_called: None,
            undo_commands: BTreeMap::new(),
            public_url: None,
            database: None,
            channels: Vec::new(),
        }
    }
}

/// The policies that ship.
pub(crate) fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(Plan::default()).await
    }

    /// Four people (alice analyst, bob senior, carol lead, dora admin) and an agent that alice
    /// owns.
    pub(crate) async fn start_with(plan: Plan) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(Clock::system().now());
        let manager = Simulator::new(plan.manager.clone());
        let server = manager.listen(loopback()).await.unwrap();
        let path = folder.path().join("countersign.db");
        let token = match &plan.database {
            Some(database) => {
                std::fs::copy(database, &path).unwrap();
                populate(&path, &clock).await
            }
            None => populated::copy_to(&path, &clock).await,
        };
        let store = Store::serve(&path).await.unwrap();
        let kept = Some(store.clone());
        let also = Simulator::new(plan.also.clone());
        let also_server = match plan.also_called {
            Some(_) => Some(also.listen(loopback()).await.unwrap()),
            None => None,
        };
        let urls = (server.url(), also_server.as_ref().map(wazuh_simulator::Server::url));
        let running = open(store, clock.clone(), &urls, &plan).await;
        let server = Mutex::new(Some(server));
        Self { clock, manager, also, running, token, folder, store: kept, server, also_server }
    }

    /// The manager's machine is switched off.
    pub(crate) async fn stop_manager(&self) {
        let server = self.server.lock().unwrap().take();
        server.expect("it runs").stop().await;
    }

    /// Stops the broker, as a machine that is switched off would, and starts it again on the same
    /// database.
    pub(crate) async fn restart(self, plan: Plan) -> Self {
        let Self { clock, manager, also, running, token, folder, store, server, also_server } =
            self;
        drop(store);
        running.stop().await;
        let store = loop {
            // The lock is released when the last clone of the store is gone.
            match Store::serve(&folder.path().join("countersign.db")).await {
                Ok(store) => break store,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let url = server.lock().unwrap().as_ref().expect("it runs").url();
        let urls = (url, also_server.as_ref().map(wazuh_simulator::Server::url));
        let kept = Some(store.clone());
        let running = open(store, clock.clone(), &urls, &plan).await;
        Self { clock, manager, also, running, token, folder, store: kept, server, also_server }
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.running.broker
    }

    /// The command line beside the server.
    pub(crate) fn operator(&self) -> Operator {
        Operator::new(self.store.clone().expect("it runs"), self.clock.clone())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// The agent's MCP client.
    pub(crate) async fn agent(&self) -> AgentClient {
        AgentClient::connect(&self.url(), &self.token).await
    }

    /// A person, signed in.
    pub(crate) async fn person(&self, name: &str) -> PersonClient {
        PersonClient::sign_in(&self.url(), name, PASSWORD).await
    }

    /// Steps the worker until it has nothing to do.
    pub(crate) async fn work(&self) {
        while let Progress::Moved(_) = self.step().await {}
    }

    /// Steps the worker once.
    pub(crate) async fn step(&self) -> Progress {
        worker::step(self.broker()).await.unwrap()
    }

    /// Looks once for traces of what was sent.
    pub(crate) async fn look(&self) {
        for manager in self.broker().managers() {
            self.broker().observe(manager.name()).await.unwrap();
        }
    }

    /// Throws the kill switch for everything.
    pub(crate) async fn freeze(&self, reason: &str) {
        let operator = self.operator();
        operator.freeze(&Actor::CommandLine, &Extent::Everything, reason).await.unwrap();
    }

    /// The command line and dora release it.
    pub(crate) async fn unfreeze(&self) {
        let operator = self.operator();
        let dora = Actor::from(&operator.person("dora").await.unwrap());
        for key in [Actor::CommandLine, dora] {
            let done = operator.unfreeze(&key, &Extent::Everything, "all is well", |_| true).await;
            done.unwrap();
        }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Time passes for the broker and for the managers.
    pub(crate) fn pass_for_all(&self, time: Duration) {
        self.clock.advance(time);
        self.manager.advance(time);
        self.also.advance(time);
    }

    /// All that is stored, audit entries of these kinds apart.
    pub(crate) async fn stored(&self, but: &[&str]) -> stored::Stored {
        stored::stored(&self.folder.path().join("countersign.db"), but).await
    }

    /// The kinds of all audit entries, oldest first.
    pub(crate) async fn audit_kinds(&self) -> Vec<String> {
        let entries = self.operator().audit_after(0).await.unwrap();
        entries.into_iter().map(|entry| entry.kind).collect()
    }
}

/// Adds the people and the agent; gives the agent's token.
async fn populate(database: &Path, clock: &Clock) -> String {
    let operator = Operator::new(Store::open(database).await.unwrap(), clock.clone());
    for (name, role) in [
        ("alice", Role::Analyst),
        ("bob", Role::Senior),
        ("carol", Role::Lead),
        ("dora", Role::Admin),
        ("otto", Role::Auditor),
    ] {
        let new = NewPerson { name, role, password: PASSWORD, must_change: false, mail: None };
        operator.add_person(&Actor::CommandLine, new).await.unwrap();
    }
    let new = operator
        .add_agent(&Actor::CommandLine, "triage-bot", "alice", &ActionKind::RESPONSES)
        .await
        .unwrap();
    new.token
}

/// `urls`: where the manager is, and the second one.
async fn open(store: Store, clock: Clock, urls: &(String, Option<String>), plan: &Plan) -> Running {
    let listener = TcpListener::bind(loopback()).unwrap();
    let mut settings = plan.broker.clone();
    let address = format!("http://{}", listener.local_addr().unwrap());
    settings.public_url = PublicUrl::parse(plan.public_url.as_ref().unwrap_or(&address)).unwrap();
    let parts = AppParts {
        store,
        clock,
        managers: [(Some(plan.called), Some(&urls.0)), (plan.also_called, urls.1.as_ref())]
            .into_iter()
            .filter_map(|(name, url)| Some(manager(name?, url?, plan)))
            .collect(),
        channels: plan.channels.clone(),
        policies: plan.policies.clone(),
        engine: engine(&plan.policies),
        settings,
        listener,
        tls: None,
        configuration: Digest::ZERO,
    };
    parts.open().await.unwrap()
}

fn manager(name: &str, url: &str, plan: &Plan) -> Connector {
    let settings = connector(url, plan.indexer);
    let undo_commands = plan.undo_commands.clone();
    Connector::wazuh(Manager { name: name.to_owned(), undo_commands, ..settings }).unwrap()
}

/// Loading a set takes long in a debug build: the one that ships is loaded once.
fn engine(folder: &Path) -> Engine {
    static SHIPPED: OnceLock<Engine> = OnceLock::new();
    if folder == policies() {
        return SHIPPED.get_or_init(|| load_and_test(folder).unwrap()).clone();
    }
    load_and_test(folder).unwrap()
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

pub(crate) fn settings() -> Settings {
    let groups = [("web", 2), ("office", 2), ("linux", 2), ("windows", 3), ("core", 5)];
    Settings {
        public_url: PublicUrl::of_listener(loopback()),
        decide_within: Duration::from_hours(4),
        use_approval_within: Duration::from_mins(10),
        remind_before: Duration::from_mins(30),
        criticality: groups.map(|(group, level)| (group.to_owned(), level)).into(),
        own_networks: vec!["192.0.2.0/24".parse().unwrap()],
        protected_addresses: vec!["198.51.100.1".parse().unwrap()],
        protected_accounts: vec!["svc-*".to_owned()],
        privileged_accounts: vec!["dbadmin".to_owned()],
        business_hours: BusinessHours {
            days: vec![1, 2, 3, 4, 5],
            hours: 8..18,
            utc_offset_minutes: 0,
        },
        agents: AgentLimits { open_requests_max: 1000, asks_per_minute_max: 10_000 },
    }
}

pub(crate) fn connector(url: &str, indexer: bool) -> Manager {
    Manager {
        name: "test".to_owned(),
        url: url.to_owned(),
        user: "wazuh".to_owned(),
        password: Secret::new("manager-pw"),
        tls: Tls::Plain,
        undo_commands: BTreeMap::new(),
        batch_endpoints_max: Manager::BATCH_ENDPOINTS_MAX,
        calls_per_minute_max: 300,
        call_deadline: Manager::CALL_DEADLINE,
        read_deadline: Manager::READ_DEADLINE,
        indexer: indexer.then(|| IndexerSettings {
            url: url.to_owned(),
            user: "admin".to_owned(),
            password: Secret::new("indexer-pw"),
            tls: Tls::Plain,
            alert_index: IndexerSettings::ALERT_INDEX.to_owned(),
            confirm_within: IndexerSettings::CONFIRM_WITHIN,
        }),
    }
}
