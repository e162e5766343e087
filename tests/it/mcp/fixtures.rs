//! The world of all tests without an indexer and under a public name, with clients of both eras.
//! People vote through the verbs.

use std::ops::Deref;

use countersign::{
    broker::SignedIn,
    domain::{actor::Actor, id::RequestId, lifecycle::Displayed},
};
use reqwest::{RequestBuilder, header};
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

pub(crate) use crate::harness::page::http_client;
use crate::harness::{World, WorldBuilder};

pub(crate) struct Scene(pub(crate) World);

impl Deref for Scene {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::of(World::builder().without_indexer()).await
    }

    pub(crate) async fn with_indexer() -> Self {
        Self::of(World::builder()).await
    }

    /// With a second manager.
    pub(crate) async fn with_second_manager(name: &'static str) -> Self {
        Self::of(World::builder().without_indexer().with_second_manager(name)).await
    }

    pub(crate) async fn of(builder: WorldBuilder) -> Self {
        Self(builder.with_public_url("https://countersign.example").start().await)
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
        let token = self.add_agent("other-bot", "alice").await;
        self.agent_with(&token, ClientLifecycleMode::Initialize).await
    }

    async fn agent_with(&self, token: &str, mode: ClientLifecycleMode) -> Agent {
        let uri = format!("{}/mcp", self.url());
        let config = StreamableHttpClientTransportConfig::with_uri(uri).auth_header(token);
        Agent::over(StreamableHttpClientTransport::with_client(http_client(), config), mode).await
    }

    pub(crate) async fn approve(&self, name: &str, id: &str) {
        let (who, id, shown) = self.opened(name, id).await;
        self.broker().approve(&who, id, shown, "").await.unwrap();
    }

    pub(crate) async fn reject(&self, name: &str, id: &str, reason: &str) {
        let (who, id, shown) = self.opened(name, id).await;
        self.broker().reject(&who, id, shown, reason).await.unwrap();
    }

    /// A person who has opened a request, and what they were shown.
    async fn opened(&self, name: &str, id: &str) -> (SignedIn, RequestId, Displayed) {
        let who = self.signed_in(name).await;
        let id = id.parse().unwrap();
        let request = self.broker().request_of_person(&who, id).await.unwrap().request;
        (who, id, Displayed { version: request.version, digest: request.digest })
    }

    pub(crate) async fn revoke(&self) {
        let operator = self.operator();
        operator.revoke_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    }
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
