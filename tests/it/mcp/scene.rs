//! A broker with its door for agents, a simulated manager and a clock that is moved by hand. The
//! worker is stepped by hand, and people vote through the verbs.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Once,
    time::Duration,
};

use countersign::{
    broker::{
        Broker, BusinessHours, Settings,
        execute::Progress,
        keeper::{Keeper, NewPerson},
    },
    clock::Clock,
    connector::{Commands, Connector, Secret, Settings as Manager, Tls},
    domain::{
        action::ActionKind,
        actor::{Actor, Role},
        endpoint::Platform,
        id::RequestId,
        lifecycle::Shown,
    },
    mcp,
    policy::Engine,
    simulator::{self, Simulator},
    store::Store,
    worker,
};
use reqwest::{Client, RequestBuilder, header};
use rmcp::{
    ClientLifecycleMode, ClientServiceExt as _, RoleClient,
    model::{CallToolRequestParams, ProtocolVersion},
    service::RunningService,
    transport::{
        IntoTransport, StreamableHttpClientTransport,
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const PASSWORD: &str = "correct horse battery";

pub(crate) struct Scene {
    pub(crate) clock: Clock,
    pub(crate) broker: Broker,
    pub(crate) stop: CancellationToken,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) manager: Simulator,
    _server: simulator::Server,
    _folder: TempDir,
}

impl Scene {
    /// bob is a senior, carol a lead; alice owns the agent `triage-bot`.
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(Clock::system().now());
        let mut settings = simulator::Settings::demo("manager-pw", "indexer-pw");
        settings.rate_limit_per_minute = 0;
        let manager = Simulator::new(settings);
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = manager.listen(loopback).await.unwrap();
        let store = Store::serve(&folder.path().join("countersign.db")).await.unwrap();
        let keeper = Keeper::new(store, clock.clone());
        for (name, role) in [("alice", Role::Analyst), ("bob", Role::Senior), ("carol", Role::Lead)]
        {
            let new = NewPerson { name, role, password: PASSWORD, must_change: false };
            keeper.add_person(&Actor::CommandLine, new).await.unwrap();
        }
        let new = keeper.add_agent(&Actor::CommandLine, "triage-bot", "alice").await.unwrap();
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let connector = Connector::new(connector(&server.url())).unwrap();
        let engine = Engine::load(&policies).unwrap();
        let broker = Broker::new(keeper, connector, engine, broker_settings());
        let stop = CancellationToken::new();
        let address = serve(&broker, &stop).await;
        Self {
            clock,
            broker,
            stop,
            address,
            token: new.token,
            manager,
            _server: server,
            _folder: folder,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A bare POST to `/mcp` of a legacy client, without a token.
    pub(crate) fn post(&self, message: &Value) -> RequestBuilder {
        http_client()
            .post(format!("{}/mcp", self.url()))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header("MCP-Protocol-Version", "2025-11-25")
            .body(message.to_string())
    }

    /// The agent's client, as old clients speak.
    pub(crate) async fn agent(&self) -> Agent {
        self.agent_with(&self.token, ClientLifecycleMode::Initialize).await
    }

    /// The agent's client, as new clients speak.
    pub(crate) async fn modern_agent(&self) -> Agent {
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        self.agent_with(&self.token, ClientLifecycleMode::Discover { preferred_versions }).await
    }

    /// Another agent, of the same owner.
    pub(crate) async fn other_agent(&self) -> Agent {
        let keeper = self.broker.keeper();
        let new = keeper.add_agent(&Actor::CommandLine, "other-bot", "alice").await.unwrap();
        self.agent_with(&new.token, ClientLifecycleMode::Initialize).await
    }

    async fn agent_with(&self, token: &str, mode: ClientLifecycleMode) -> Agent {
        let uri = format!("{}/mcp", self.url());
        let config = StreamableHttpClientTransportConfig::with_uri(uri).auth_header(token);
        Agent::over(StreamableHttpClientTransport::with_client(http_client(), config), mode).await
    }

    pub(crate) async fn approve(&self, name: &str, id: &str) {
        let token = self.broker.sign_in(name, PASSWORD).await.unwrap();
        let who = self.broker.session(&token).await.unwrap().unwrap();
        let id: RequestId = id.parse().unwrap();
        let request = self.broker.request_of_person(&who, id).await.unwrap().request;
        let shown = Shown { version: request.version, digest: request.digest };
        self.broker.approve(&who, id, shown, "").await.unwrap();
    }

    pub(crate) async fn reject(&self, name: &str, id: &str, reason: &str) {
        let token = self.broker.sign_in(name, PASSWORD).await.unwrap();
        let who = self.broker.session(&token).await.unwrap().unwrap();
        let id: RequestId = id.parse().unwrap();
        let request = self.broker.request_of_person(&who, id).await.unwrap().request;
        let shown = Shown { version: request.version, digest: request.digest };
        self.broker.reject(&who, id, shown, reason).await.unwrap();
    }

    pub(crate) async fn revoke(&self) {
        let keeper = self.broker.keeper();
        keeper.revoke_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    }

    /// Steps the worker until it has nothing to do.
    pub(crate) async fn work(&self) {
        while let Progress::Moved(_) = worker::step(&self.broker).await.unwrap() {}
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(broker: &Broker, stop: &CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = mcp::Settings {
        public_url: "https://countersign.example".to_owned(),
        hosts: vec![address.to_string()],
    };
    let router = mcp::router(broker.clone(), settings, stop.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A client of the protocol.
pub(crate) struct Agent(pub(crate) RunningService<RoleClient, ()>);

/// What a tool answered.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) error: bool,
    /// The structured part; null where there is none.
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Told {
    pub(crate) fn id(&self) -> String {
        self.json["request_id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    pub(crate) fn state(&self) -> &str {
        self.json["state"].as_str().unwrap_or_else(|| panic!("{self:?}"))
    }
}

impl Agent {
    pub(crate) async fn over<T, E, A>(transport: T, mode: ClientLifecycleMode) -> Self
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        Self(().serve_with_lifecycle(transport, mode).await.unwrap())
    }

    pub(crate) async fn call(&self, tool: &'static str, arguments: Value) -> Told {
        let mut params = CallToolRequestParams::new(tool);
        params.arguments = arguments.as_object().cloned();
        let result = self.0.call_tool(params).await.unwrap();
        let text = result.content.iter().filter_map(|part| part.as_text());
        Told {
            error: result.is_error.unwrap(),
            json: result.structured_content.clone().unwrap_or_default(),
            text: text.map(|part| part.text.as_str()).collect(),
        }
    }

    /// Asks for a block of ten minutes on 002, which one person must approve.
    pub(crate) async fn block(&self, more: Value) -> Told {
        self.call("block_ip", block(more)).await
    }
}

/// The arguments of [`Agent::block`], with others added or, by null, taken away.
pub(crate) fn block(more: Value) -> Value {
    let mut all: Map<_, _> = json!({
        "srcip": "198.51.100.23", "agent_ids": ["002"], "duration_seconds": 600,
        "reason": "a test asks",
    })
    .as_object()
    .cloned()
    .unwrap();
    let Value::Object(more) = more else { panic!("no object: {more}") };
    all.extend(more);
    all.retain(|_, value| !value.is_null());
    all.into()
}

/// A client that follows no redirect.
pub(crate) fn http_client() -> Client {
    static PROVIDER: Once = Once::new();
    // reqwest wants a provider even where no TLS is spoken.
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
    });
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

fn broker_settings() -> Settings {
    let groups = [("web", 2), ("office", 2), ("linux", 2), ("windows", 3), ("core", 5)];
    Settings {
        public_url: "https://countersign.example".to_owned(),
        decide_within: Duration::from_hours(4),
        use_approval_within: Duration::from_mins(10),
        batch_endpoints_max: 50,
        criticality: groups.map(|(group, level)| (group.to_owned(), level)).into(),
        own_networks: Vec::new(),
        protected_addresses: Vec::new(),
        protected_accounts: Vec::new(),
        privileged_accounts: Vec::new(),
        business_hours: BusinessHours { days: vec![], hours: 8..18, utc_offset_minutes: 0 },
    }
}

fn connector(url: &str) -> Manager {
    let linux = ((ActionKind::BlockIp, Platform::Linux), vec!["firewall-drop600".to_owned()]);
    Manager {
        name: "test".to_owned(),
        url: url.to_owned(),
        user: "wazuh".to_owned(),
        password: Secret::new("manager-pw"),
        tls: Tls::Plain,
        commands: Commands(BTreeMap::from([linux])),
        call_deadline: Manager::CALL_DEADLINE,
        read_deadline: Manager::READ_DEADLINE,
        indexer: None,
    }
}
