//! The product on free ports with a clock that is moved by hand, and clients that speak in domain
//! verbs: an agent over MCP, people over the page, the manager as a simulator.

use std::{path::PathBuf, sync::Mutex, time::Duration};

use countersign::{
    app::Running,
    broker::{
        Broker, SignedIn,
        admin::{
            operator::Operator,
            people::{NewPerson, PersonChange},
            policies::folder::digest_of,
        },
        execution::progress::Progress,
    },
    clock::Clock,
    domain::{
        action::{ActionKind, Catalogue},
        actor::sign_in::SignInOrigin,
        actor::{Actor, Role},
        digest::Digest,
        kill_switch::Extent,
    },
    passkey::{Assertion, RelyingParty},
    policy::PolicyFiles,
    store::Store,
    worker,
};
use tempfile::TempDir;
use tokio::net::TcpSocket;
use wazuh_simulator::Simulator;

pub(crate) mod agent;
pub(crate) mod authenticator;
mod builder;
pub(crate) mod fixtures;
pub(crate) mod installation;
pub(crate) mod line;
pub(crate) mod network;
pub(crate) mod page;
mod populated;
pub(crate) mod program;
pub(crate) mod provider;
pub(crate) mod stored;

pub(crate) use agent::AgentClient;
pub(crate) use builder::WorldBuilder;
pub(crate) use fixtures::{ALERT, PASSWORD};
pub(crate) use page::PersonClient;

use self::{builder::Urls, fixtures::loopback};

/// A running product. The worker is stepped by hand.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) manager: Simulator,
    /// The second manager; it listens only where the builder names it.
    pub(crate) second_manager: Simulator,
    pub(crate) running: Running,
    pub(crate) token: String,
    pub(crate) folder: TempDir,
    /// The folder of the policies, which tests may change.
    pub(crate) policies: PathBuf,
    pub(crate) store: Option<Store>,
    builder: WorldBuilder,
    server: Mutex<Option<wazuh_simulator::Server>>,
    /// The port of the manager that was stopped: no test beside this one may listen there.
    closed_port: Mutex<Option<TcpSocket>>,
    second_server: Option<wazuh_simulator::Server>,
}

impl World {
    /// The usual world.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    /// A world that differs from the usual one.
    pub(crate) fn builder() -> WorldBuilder {
        WorldBuilder::default()
    }

    /// Five people (alice analyst, bob senior, carol lead, dora admin, otto auditor) and an agent
    /// that alice owns.
    async fn start_as(builder: WorldBuilder) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(Clock::system().now());
        let manager = Simulator::new(builder.simulator.clone());
        let server = manager.listen(loopback()).await.unwrap();
        let path = folder.path().join("countersign.db");
        let token = match &builder.database {
            Some(database) => {
                std::fs::copy(database, &path).unwrap();
                populated::populate(&path, &clock).await
            }
            None => populated::copy_to(&path, &clock).await,
        };
        let store = Store::serve(&path, None).await.unwrap();
        let second_manager = Simulator::new(builder.second_simulator.clone());
        let second_server = match builder.second_manager {
            Some(_) => Some(second_manager.listen(loopback()).await.unwrap()),
            None => None,
        };
        let policies = builder.write_policies(folder.path());
        let urls = Urls {
            manager: server.url(),
            second: second_server.as_ref().map(wazuh_simulator::Server::url),
        };
        let running = builder.open(store.clone(), clock.clone(), &urls, &policies).await;
        Self {
            clock,
            manager,
            second_manager,
            running,
            token,
            folder,
            policies,
            store: Some(store),
            builder,
            server: Mutex::new(Some(server)),
            closed_port: Mutex::default(),
            second_server,
        }
    }

    /// The manager's machine is switched off.
    pub(crate) async fn stop_manager(&self) {
        let server = self.server.lock().unwrap().take();
        let closed = server.expect("it runs").stop().await.unwrap();
        *self.closed_port.lock().unwrap() = Some(closed);
    }

    /// Stops the broker, as a machine that is switched off would, and starts it again on the same
    /// database, policies and managers.
    pub(crate) async fn restart(self) -> Self {
        Box::pin(self.restart_with(|builder| builder)).await
    }

    /// [`World::restart`] with another configuration.
    pub(crate) async fn restart_with(
        self,
        change: impl FnOnce(WorldBuilder) -> WorldBuilder,
    ) -> Self {
        let Self { running, store, builder, .. } = self;
        drop(store);
        running.stop().await;
        let store = loop {
            // The lock is released when the last clone of the store is gone.
            match Store::serve(&self.folder.path().join("countersign.db"), None).await {
                Ok(store) => break store,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let builder = change(builder);
        let urls = Urls {
            manager: self.server.lock().unwrap().as_ref().expect("it runs").url(),
            second: self.second_server.as_ref().map(wazuh_simulator::Server::url),
        };
        let opened = builder.open(store.clone(), self.clock.clone(), &urls, &self.policies);
        let running = Box::pin(opened).await;
        Self { running, store: Some(store), builder, ..self }
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.running.broker
    }

    /// The command line beside the server.
    pub(crate) fn operator(&self) -> Operator {
        Operator::new(self.store.clone().expect("it runs"), self.clock.clone())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}:{}", self.builder.host, self.running.address.port())
    }

    /// The agent's MCP client.
    pub(crate) async fn agent(&self) -> AgentClient {
        AgentClient::connect(&self.url(), &self.token).await
    }

    /// A person, signed in.
    pub(crate) async fn person(&self, name: &str) -> PersonClient {
        PersonClient::sign_in(&self.url(), name, PASSWORD).await
    }

    /// Somebody as the broker knows them once it has read the session.
    pub(crate) async fn signed_in(&self, name: &str) -> SignedIn {
        let origin = SignInOrigin::program();
        let session = self.broker().sign_in(name, PASSWORD, &origin).await.unwrap();
        self.broker().session(&session.token).await.unwrap().unwrap()
    }

    /// Another person with the usual password.
    pub(crate) async fn add_person(&self, name: &str, role: Role) {
        let new = NewPerson {
            name,
            role,
            password: PASSWORD,
            must_change: false,
            mail: None,
            teams: &[],
        };
        self.operator().add_person(&Actor::CommandLine, new).await.unwrap();
    }

    /// Puts somebody into teams.
    pub(crate) async fn put_into_teams(&self, name: &str, teams: &[&str]) {
        let teams = teams.iter().map(|team| (*team).to_owned()).collect();
        let change = PersonChange::Teams(teams);
        self.operator().change_person(&Actor::CommandLine, name, &change).await.unwrap();
    }

    /// Another agent that may ask for everything; its token.
    pub(crate) async fn add_agent(&self, name: &str, owner: &str) -> String {
        let operator = self.operator();
        let responses = &Catalogue::built_in().usual();
        let new = operator.add_agent(&Actor::CommandLine, name, owner, responses).await;
        new.unwrap().token
    }

    /// The MCP client of [another agent](World::add_agent).
    pub(crate) async fn another_agent(&self, name: &str, owner: &str) -> AgentClient {
        AgentClient::connect(&self.url(), &self.add_agent(name, owner).await).await
    }

    /// Steps the worker until it has nothing to do.
    pub(crate) async fn work(&self) {
        while let Progress::Moved(_) = self.step().await {}
    }

    /// Steps the worker once.
    pub(crate) async fn step(&self) -> Progress {
        worker::step(self.broker()).await.unwrap()
    }

    /// Looks once for evidence of what was sent, and for what was not.
    pub(crate) async fn look(&self) {
        for manager in self.broker().managers() {
            self.broker().observe(manager.name()).await.unwrap();
            self.broker().observe_rule_responses(manager.name()).await.unwrap();
        }
    }

    /// Looks once whether endpoints that are waited for are back.
    pub(crate) async fn look_for_returned(&self) {
        let broker = self.broker().for_worker();
        for manager in broker.managers() {
            broker.look_for_returned(manager.name()).await.unwrap();
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

    /// Names the difference between the active policies and the folder, as the page does.
    pub(crate) fn policy_difference(&self) -> Digest {
        let files = PolicyFiles::read(&self.policies).unwrap();
        digest_of(self.broker().engine().files(), &files)
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Time passes for the broker and for the managers.
    pub(crate) fn pass_for_all(&self, time: Duration) {
        self.clock.advance(time);
        self.manager.advance(time);
        self.second_manager.advance(time);
    }

    /// All that is stored, audit entries of these kinds apart.
    pub(crate) async fn stored(&self, but: &[&str]) -> stored::Stored {
        stored::stored(&self.folder.path().join("countersign.db"), but).await
    }

    /// Changes what is stored, past every door, as another version or a person with a shell does.
    pub(crate) async fn execute(&self, sql: &'static str) {
        stored::execute(&self.folder.path().join("countersign.db"), sql).await;
    }

    /// The kinds of all audit entries, oldest first.
    pub(crate) async fn audit_kinds(&self) -> Vec<String> {
        let entries = self.operator().audit_after(0).await.unwrap();
        entries.into_iter().map(|entry| entry.kind).collect()
    }
}

/// An action of the catalogue.
pub(crate) fn kind(name: &str) -> ActionKind {
    ActionKind::parse(name).unwrap()
}
