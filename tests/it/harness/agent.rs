//! An agent: rmcp's own client over HTTP.

use rmcp::{
    RoleClient, ServiceExt as _,
    model::CallToolRequestParams,
    service::RunningService,
    transport::{
        StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Value, json};

use super::page::http_client;

/// An agent's client.
pub(crate) struct AgentClient(RunningService<RoleClient, ()>);

/// What a tool answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) error: bool,
    /// The structured part; null where there is none.
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn id(&self) -> String {
        self.json["request_id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    pub(crate) fn state(&self) -> &str {
        self.json["state"].as_str().unwrap_or("")
    }

    /// "002: sent", in the order of the answer.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let list = self.json["endpoints"]["outcomes"].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|o| {
                format!(
                    "{}: {}",
                    o["id"].as_str().unwrap(),
                    o["outcome"].as_str().unwrap_or("none")
                )
            })
            .collect()
    }

    pub(crate) fn skipped(&self) -> Vec<&str> {
        let list = self.json["endpoints"]["skipped"].as_array();
        list.into_iter().flatten().filter_map(|s| s["id"].as_str()).collect()
    }
}

impl AgentClient {
    pub(crate) async fn connect(url: &str, token: &str) -> Self {
        let config =
            StreamableHttpClientTransportConfig::with_uri(format!("{url}/mcp")).auth_header(token);
        let transport = StreamableHttpClientTransport::with_client(http_client(), config);
        Self(().serve(transport).await.unwrap())
    }

    pub(crate) async fn tools(&self) -> Vec<String> {
        self.0.list_all_tools().await.unwrap().into_iter().map(|t| t.name.into_owned()).collect()
    }

    pub(crate) async fn call(&self, tool: &'static str, arguments: Value) -> Answer {
        let mut params = CallToolRequestParams::new(tool);
        params.arguments = arguments.as_object().cloned();
        let result = self.0.call_tool(params).await.unwrap();
        let text = result.content.iter().filter_map(|c| c.as_text()).map(|t| t.text.clone());
        Answer {
            error: result.is_error == Some(true),
            json: result.structured_content.clone().unwrap_or(Value::Null),
            text: text.collect::<Vec<_>>().join("\n"),
        }
    }

    /// Asks for a block of ten minutes, with whatever else a test needs.
    pub(crate) async fn block(&self, srcip: &str, more: Value) -> Answer {
        self.call("block_ip", with(json!({ "srcip": srcip, "duration_seconds": 600 }), more)).await
    }

    /// Asks to disable an account for ten minutes.
    pub(crate) async fn disable(&self, dstuser: &str, more: Value) -> Answer {
        let base = json!({ "dstuser": dstuser, "duration_seconds": 600 });
        self.call("disable_account", with(base, more)).await
    }

    pub(crate) async fn get(&self, id: &str) -> Answer {
        self.call("get_request", json!({ "request_id": id })).await
    }

    pub(crate) async fn undo(&self, id: &str) -> Answer {
        self.call("undo_request", json!({ "request_id": id, "reason": "a false alarm" })).await
    }

    pub(crate) async fn cancel(&self, id: &str) -> Answer {
        self.call("cancel_request", json!({ "request_id": id })).await
    }
}

fn with(base: Value, more: Value) -> Value {
    let mut all = json!({ "reason": "a test asks" });
    for part in [base, more] {
        for (key, value) in part.as_object().unwrap() {
            all[key] = value.clone();
        }
    }
    all
}
