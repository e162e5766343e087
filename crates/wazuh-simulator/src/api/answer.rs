//! The manager's answers: data, failed items, problems.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const DOCS: &str = "https://documentation.wazuh.com/4.14/user-manual";

/// The result of a call that answers in JSON.
pub(crate) type Answer = Result<Json<Value>, Problem>;

/// Why one endpoint failed, by Wazuh's codes (framework/wazuh/core/exception.py).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentError {
    /// 1013: remoted's socket is missing.
    SocketGone,
    /// 1117: it could not be asked for its configuration.
    Unreachable,
    /// 1652: the command is not in ar.conf.
    NotConfigured,
    /// 1701: there is no such id.
    Unknown,
    /// 1703: it is the manager itself. Up to 4.13; the wording is not from a capture.
    Manager,
    /// 1707: it is not active.
    NotActive,
    /// 1735: it is older than 3.7. The wording is not from a capture.
    TooOld,
    /// 1750: active response is disabled on the endpoint.
    ResponsesOff,
    /// 4000: the user is not permitted to do this.
    Denied,
}

impl AgentError {
    /// Wazuh's number for it.
    pub fn code(self) -> u16 {
        match self {
            Self::SocketGone => 1013,
            Self::Unreachable => 1117,
            Self::NotConfigured => 1652,
            Self::Unknown => 1701,
            Self::Manager => 1703,
            Self::NotActive => 1707,
            Self::TooOld => 1735,
            Self::ResponsesOff => 1750,
            Self::Denied => 4000,
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::SocketGone => "Unable to connect with socket: remote",
            Self::Unreachable => {
                "Unable to connect with component. The component might be disabled.: \
                 com:active-response"
            }
            Self::NotConfigured => "The command used is not defined in the configuration.",
            Self::Unknown => "Agent does not exist",
            Self::Manager => "Action not available for Wazuh manager",
            Self::NotActive => "Cannot send request, agent is not active",
            Self::TooOld => "The agent is older than the minimum required version: v3.7.0",
            Self::ResponsesOff => {
                "Could not send restart command, active-response is disabled in the agent"
            }
            Self::Denied => "Permission denied: Resource type: agent:id",
        }
    }

    pub(crate) fn remedy(self) -> Option<String> {
        Some(match self {
            Self::SocketGone => "Please, restart Wazuh to restore sockets".to_owned(),
            Self::Unreachable | Self::Manager => return None,
            // The missing space before "to get" is Wazuh's.
            Self::NotConfigured => format!(
                "Please, visit the official documentation ({DOCS}/capabilities/active-response/\
                 how-to-configure.html)to get more information"
            ),
            Self::Unknown => {
                "Please, use `GET /agents?select=id,name` to find all available agents".to_owned()
            }
            Self::NotActive => format!(
                "Please, check non-active agents connection and try again. Visit {DOCS}/\
                 registering/index.html and {DOCS}/agents/agent-connection.html to obtain more \
                 information on registering and connecting agents"
            ),
            Self::TooOld => "Please, upgrade the agent".to_owned(),
            Self::ResponsesOff => {
                "You can activate it in agents' `WAZUH_HOME/etc/ossec.conf`".to_owned()
            }
            Self::Denied => denied_remedy(),
        })
    }

    fn shown(self) -> Value {
        let mut error = json!({"code": self.code(), "message": self.message()});
        if let (Some(remedy), Some(fields)) = (self.remedy(), error.as_object_mut()) {
            fields.insert("remediation".to_owned(), Value::from(remedy));
        }
        error
    }
}

fn denied_remedy() -> String {
    format!(
        "Please, make sure you have permissions to execute the current request. For more \
         information on how to set up permissions, please visit {DOCS}/api/rbac/configuration.html"
    )
}

/// The three messages of an answer about several items: none failed, some failed, none succeeded.
pub(crate) struct Sentences(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

/// What succeeded and what failed, grouped by code with sorted ids, as the API merges them.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) affected: Vec<Value>,
    /// The number of affected items before paging, where it differs.
    pub(crate) total: Option<usize>,
    failed: BTreeMap<AgentError, Vec<String>>,
}

impl Outcome {
    pub(crate) fn of(affected: Vec<Value>) -> Self {
        Self { affected, ..Self::default() }
    }

    pub(crate) fn fail(&mut self, error: AgentError, id: &str) {
        let ids = self.failed.entry(error).or_default();
        ids.push(id.to_owned());
        ids.sort_unstable();
    }

    pub(crate) fn fail_all(&mut self, error: AgentError, ids: &[String]) {
        for id in ids {
            self.fail(error, id);
        }
    }

    /// Adds the outcome of another node, and sorts the affected ids.
    pub(crate) fn merge(&mut self, other: Self) {
        self.affected.extend(other.affected);
        self.affected.sort_by_key(|id| id.as_str().map(|id| (id.len(), id.to_owned())));
        for (error, ids) in other.failed {
            self.fail_all(error, &ids);
        }
    }

    /// The body. `error` is 0 if nothing failed, 2 if some items failed, 1 if all failed.
    pub(crate) fn shown(&self, sentences: &Sentences) -> Value {
        let failed: usize = self.failed.values().map(Vec::len).sum();
        let groups: Vec<Value> = self
            .failed
            .iter()
            .map(|(error, ids)| json!({"error": error.shown(), "id": ids}))
            .collect();
        let (message, error) = match (self.affected.is_empty(), failed) {
            (false, 0) => (sentences.0, 0),
            (false, _) => (sentences.1, 2),
            (true, 0) => (sentences.2, 0),
            (true, _) => (sentences.2, 1),
        };
        json!({
            "data": {
                "affected_items": self.affected,
                "total_affected_items": self.total.unwrap_or(self.affected.len()),
                "total_failed_items": failed,
                "failed_items": groups,
            },
            "message": message,
            "error": error,
        })
    }
}

/// A request that failed as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Value,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = match status {
            StatusCode::FORBIDDEN => "Permission Denied",
            StatusCode::INTERNAL_SERVER_ERROR => "Wazuh Internal Error",
            StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
            _ => status.canonical_reason().unwrap_or("Error"),
        };
        Self { status, body: json!({"title": title, "detail": detail.into()}) }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// RBAC denies the whole call: `agent:id` for endpoints, `*:*` for the manager.
    pub(crate) fn denied(resource: &str) -> Self {
        let detail = format!("Permission denied: Resource type: {resource}");
        Self::new(StatusCode::FORBIDDEN, detail.clone())
            .code(4000)
            .remedy(denied_remedy())
            .said_by_node("unknown-node", &detail)
    }

    pub(crate) fn too_many_requests() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "Maximum number of requests per minute reached")
            .code(6001)
            .remedy(format!(
                "This limit can be changed in api.yaml file. More information here: \
             {DOCS}/api/configuration.html#configuration-file"
            ))
    }

    pub(crate) fn code(self, code: u16) -> Self {
        self.with("error", Value::from(code))
    }

    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        self.with("remediation", Value::from(remedy.into()))
    }

    /// Adds the node's own message, for errors that come from the framework and not from the API.
    pub(crate) fn said_by_node(self, node: &str, said: &str) -> Self {
        self.with("dapi_errors", json!({node: {"error": said}}))
    }

    /// The same for errors that the node also writes to its log.
    pub(crate) fn logged_by_node(self, node: &str, said: &str) -> Self {
        let said = json!({node: {"error": said, "logfile": "WAZUH_HOME/logs/api.log"}});
        self.with("dapi_errors", said)
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        if let Some(fields) = self.body.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let form = [(header::CONTENT_TYPE, "application/problem+json; charset=utf-8")];
        (self.status, form, self.body.to_string()).into_response()
    }
}

/// Why a search was not answered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The credentials are missing or wrong.
    Login,
    /// The user may not search.
    Rights,
    /// The simulator does not understand the query.
    Query(String),
    /// Every shard of this index fails, for this reason.
    Shards { index: String, reason: String },
    /// The call was one to the manager's API on the same path.
    Manager(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Manager(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Login => {
                let asks = [(header::WWW_AUTHENTICATE, "Basic realm=\"OpenSearch Security\"")];
                (StatusCode::UNAUTHORIZED, asks, "Unauthorized").into_response()
            }
            Self::Rights => {
                let reason = "no permissions for [indices:data/read/search]";
                let cause = json!({"type": "security_exception", "reason": reason});
                let body = json!({"error": {"root_cause": [cause], "type": "security_exception", "reason": reason}, "status": 403});
                (StatusCode::FORBIDDEN, Json(body)).into_response()
            }
            Self::Query(reason) => {
                let cause = json!({"type": "parsing_exception", "reason": reason});
                let mut error = cause.clone();
                if let Some(fields) = error.as_object_mut() {
                    fields.insert("root_cause".to_owned(), json!([cause]));
                }
                let body = json!({"error": error, "status": 400});
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Self::Shards { index, reason } => {
                let cause = json!({"type": "illegal_argument_exception", "reason": reason});
                let body = json!({
                    "error": {
                        "root_cause": [cause],
                        "type": "search_phase_execution_exception",
                        "reason": "all shards failed",
                        "phase": "query",
                        "grouped": true,
                        "failed_shards": [{"shard": 0, "index": index, "reason": cause}],
                        "caused_by": cause,
                    },
                    "status": 400,
                });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Self::Manager(problem) => problem.into_response(),
        }
    }
}

/// Refuses a query.
pub(crate) fn refused(reason: &str) -> Refusal {
    Refusal::Query(reason.to_owned())
}
