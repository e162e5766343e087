//! The whole product on one machine: a simulated manager, people, an agent that asks.
//!
//! Its secrets are random in every run, it listens on loopback only and reads no configuration.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use wazuh_simulator::{self as simulator, Simulator};

use super::app::{AppError, AppParts, ConnectionLimits, Proxies, Running};
use crate::{
    broker::{
        self, AgentLimits, BrokerError, BusinessHours, SignInSettings,
        admin::{
            operator::Operator,
            people::{NewPerson, PersonChange},
            policies::load_and_test,
        },
    },
    clock::Clock,
    connector::{
        AlertFields, Connector, IndexerSettings, Secret, SystemNetwork, Tls, WazuhSettings,
    },
    domain::{
        action::Catalogue,
        actor::{Actor, Agent, Role},
        digest::Digest,
        endpoint::Platform,
        facts::protected::ProtectedTargets,
        public_url::PublicUrl,
    },
    policy::write_starter_policies,
    store::Store,
};

mod machine;
pub mod story;

/// The port of the page, unless it is taken.
const PORT: u16 = 8650;

/// How often evidence is looked for: the simulated indexer shows an alert at once.
const OBSERVE_INTERVAL: Duration = Duration::from_secs(1);

/// A person of the demo.
#[derive(Debug, Clone)]
pub struct DemoPerson {
    /// The name to sign in with.
    pub name: &'static str,
    /// The role.
    pub role: Role,
    /// The password, random in every run.
    pub password: String,
}

/// The running demo. Dropping it removes its folder.
#[derive(Debug)]
pub struct Demo {
    /// The broker.
    pub running: Running,
    /// The simulated manager, to see what it was told.
    pub manager: Simulator,
    /// alice (analyst, owner of the agent), bob (senior), carol (lead, on call), dora (admin).
    pub people: Vec<DemoPerson>,
    /// The agent.
    pub agent: Agent,
    /// Its token.
    pub token: String,
    /// The command line beside the server.
    pub operator: Operator,
    server: simulator::Server,
    folder: TempDir,
}

impl Demo {
    /// Starts everything.
    pub async fn start() -> Result<Self, AppError> {
        let clock = Clock::system();
        let io = |what: &str, source| AppError::Io { what: what.to_owned(), source };
        let folder = tempfile::Builder::new()
            .prefix("countersign-demo-")
            .tempdir()
            .map_err(|error| io("cannot make a temporary folder", error))?;
        let (manager_password, indexer_password) = (clock.secret(), clock.secret());
        let simulated = simulator::Settings::demo(&manager_password, &indexer_password);
        let manager = Simulator::new(simulator::Settings { companion_rules: true, ..simulated });
        let server = manager
            .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .map_err(|error| io("cannot start the simulated manager", error))?;
        write_starter_policies(&folder.path().join("policies"))
            .map_err(|error| io("cannot write the policies", error))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))
            .or_else(|_taken| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .map_err(|error| io("cannot listen on loopback", error))?;
        let address = listener.local_addr().map_err(|error| io("cannot listen", error))?;
        let policies = folder.path().join("policies");
        let engine = load_and_test(&policies)?;
        let store = Store::serve(&folder.path().join("countersign.db"), None).await?;
        let operator = Operator::new(store.clone(), clock.clone());
        let (people, agent, token) = people(&operator, &clock).await?;
        let manager_settings =
            connector(&server.url(), (manager_password, indexer_password), clock.clone());
        let parts = AppParts {
            store,
            clock,
            managers: vec![Connector::wazuh(manager_settings)?],
            channels: Vec::new(),
            feeds: Vec::new(),
            network: Arc::new(SystemNetwork),
            provider: None,
            policies,
            engine,
            settings: settings(address),
            listener,
            metrics: None,
            tls: None,
            connections: ConnectionLimits::default(),
            proxies: Proxies::default(),
            metrics_token: None,
            configuration: Digest::ZERO,
        };
        let running = parts.open().await?.work_observing_every(OBSERVE_INTERVAL);
        Ok(Self { running, manager, people, agent, token, operator, server, folder })
    }

    /// How to look at it and how to connect to it.
    pub fn banner(&self) -> String {
        let page = PublicUrl::on_this_machine(self.running.address.port());
        let mut text = format!(
            "Countersign demo: everything runs on this machine and ends with Ctrl-C.\n\n\
             The page        {page}\n\
             sign in as"
        );
        for (index, person) in self.people.iter().enumerate() {
            let note = match person.name {
                "alice" => "owns the agent, so she may not approve for it",
                "bob" => "start with him",
                "carol" => "the second pair of eyes; on call, so she may break the glass",
                _ => "keeps people and agents, and does not vote",
            };
            let lead = if index == 0 { "      " } else { "                " };
            let (name, role) = (person.name, person.role.name());
            // Writing to a string cannot fail.
            let _written =
                writeln!(text, "{lead}{name:<6} {role:<8} {}   {note}", person.password).is_ok();
        }
        let server = json!({ "countersign": {
            "type": "http",
            "url": format!("{page}/mcp"),
            "headers": { "Authorization": format!("Bearer {}", self.token) },
        }});
        let client = json!({ "mcpServers": server });
        let client = serde_json::to_string_pretty(&client).unwrap_or_default();
        format!(
            "{text}\nMCP             {page}/mcp\n\
             agent's token   {}\n\
             manager         {} (simulated Wazuh 4.14)\n\n\
             For an MCP client such as Claude Code (VS Code wants \"servers\" instead of \
             \"mcpServers\"):\n{client}\n",
            self.token,
            self.server.url()
        )
    }

    /// [`Demo::banner`] for programs.
    pub fn facts(&self) -> Value {
        let page = PublicUrl::on_this_machine(self.running.address.port());
        let people = self.people.iter().map(|person| {
            json!({
                "name": person.name, "role": person.role.name(), "password": person.password,
            })
        });
        json!({
            "page": page.as_str(),
            "mcp": format!("{page}/mcp"),
            "token": self.token,
            "manager": self.server.url(),
            "people": people.collect::<Vec<_>>(),
        })
    }

    /// Lets the agent ask for a few responses, so that the inbox has something to decide.
    pub async fn ask(&self) -> Result<(), BrokerError> {
        for (action, arguments) in story::first_requests() {
            self.call(action, &arguments).await?;
        }
        Ok(())
    }

    /// The agent asks. What policy or form refuses is part of the demo.
    async fn call(&self, action: &str, arguments: &Value) -> Result<(), BrokerError> {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        match self.running.broker.submit(&self.agent, story::kind(action)?, &arguments).await {
            Ok(_) | Err(BrokerError::Invalid(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Stops everything and removes the folder.
    pub async fn stop(self) {
        self.running.stop().await;
        drop(self.server.stop().await);
        drop(self.folder);
    }
}

async fn people(
    operator: &Operator,
    clock: &Clock,
) -> Result<(Vec<DemoPerson>, Agent, String), BrokerError> {
    let mut people = Vec::new();
    let all = [
        ("alice", Role::Analyst),
        ("bob", Role::Senior),
        ("carol", Role::Lead),
        ("dora", Role::Admin),
    ];
    for (name, role) in all {
        let password: String = clock.secret().chars().take(16).collect();
        let new = NewPerson {
            name,
            role,
            password: &password,
            must_change: false,
            mail: None,
            teams: &[],
        };
        operator.add_person(&Actor::CommandLine, new).await?;
        people.push(DemoPerson { name, role, password });
    }
    operator.change_person(&Actor::CommandLine, "carol", &PersonChange::OnCall(true)).await?;
    let new = operator
        .add_agent(&Actor::CommandLine, "triage-bot", "alice", &Catalogue::built_in().usual())
        .await?;
    Ok((people, new.agent, new.token))
}

fn connector(
    url: &str,
    (manager_password, indexer_password): (String, String),
    clock: Clock,
) -> WazuhSettings {
    WazuhSettings {
        name: "demo".to_owned(),
        url: url.to_owned(),
        user: "wazuh".to_owned(),
        password: Secret::new(manager_password),
        tls: Tls::Plain,
        undo_commands: story::kind(story::UNLOCKED)
            .map(|kind| ((kind, Platform::Linux), "!countersign-unlock".to_owned()))
            .into_iter()
            .collect(),
        companion_groups: vec![story::machine::COMPANIONS.to_owned()],
        keeps: Vec::new(),
        batch_endpoints_max: WazuhSettings::BATCH_ENDPOINTS_MAX,
        calls_in_flight: WazuhSettings::CALLS_IN_FLIGHT,
        calls_per_minute_max: WazuhSettings::CALLS_PER_MINUTE_MAX,
        call_deadline: WazuhSettings::CALL_DEADLINE,
        read_deadline: WazuhSettings::READ_DEADLINE,
        indexer: Some(IndexerSettings {
            url: url.to_owned(),
            user: "admin".to_owned(),
            password: Secret::new(indexer_password),
            tls: Tls::Plain,
            alert_index: IndexerSettings::ALERT_INDEX.to_owned(),
            confirm_within: IndexerSettings::CONFIRM_WITHIN,
            stale_after: IndexerSettings::STALE_AFTER,
            fields: AlertFields::shipped(),
            dashboard_url: None,
        }),
        clock,
    }
}

fn settings(address: SocketAddr) -> broker::Settings {
    let groups = [("web", 2), ("office", 2), ("linux", 2), ("windows", 3), ("core", 3)];
    broker::Settings {
        // Browsers make passkeys for names alone.
        public_url: PublicUrl::on_this_machine(address.port()),
        decide_within: Duration::from_hours(4),
        use_approval_within: Duration::from_mins(10),
        wait_within: Duration::from_hours(24),
        remind_before: Duration::from_mins(30),
        escalate: BTreeMap::new(),
        criticality: groups.map(|(group, level)| (group.to_owned(), level)).into(),
        own_networks: Vec::new(),
        // The resolver of the office.
        protected_hosts: vec!["9.9.9.9".to_owned()],
        protected_accounts: vec!["svc-*".to_owned()],
        protected_targets: ProtectedTargets::default(),
        privileged_accounts: vec!["dbadmin".to_owned()],
        business_hours: BusinessHours {
            days: vec![1, 2, 3, 4, 5],
            hours: 8..18,
            utc_offset_minutes: 0,
        },
        agents: AgentLimits::default(),
        sign_in: SignInSettings::default(),
    }
}
