//! The tools: one for each action, and four to follow what became of a request.
//!
//! The schemas are written out, not derived: some clients follow no `$ref`, know no list of types
//! and no format of our own.

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use crate::domain::action::ActionKind;

mod input;
mod output;

/// The longest that a call waits, in seconds: clients commonly give up after sixty.
pub const WAIT_SECONDS_MAX: u32 = 50;
/// How long `wait_for_decision` waits unless told otherwise.
pub const TIMEOUT_SECONDS_DEFAULT: u32 = 25;
/// The most requests in one list.
pub const LIST_LIMIT_MAX: u32 = 50;
/// How many requests a list has unless told otherwise.
pub const LIST_LIMIT_DEFAULT: u32 = 20;
/// The longest reason of a cancellation, in characters.
pub const CANCEL_REASON_CHARS_MAX: usize = 500;

/// A property of a schema: its name and its own schema.
type Field = (&'static str, Value);

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolName {
    /// Asks for a response.
    Act(ActionKind),
    /// Shows a request.
    GetRequest,
    /// Waits for a request.
    WaitForDecision,
    /// Lists the agent's requests.
    ListRequests,
    /// Takes a request back.
    CancelRequest,
}

impl ToolName {
    /// All tools, always in this order.
    pub fn all() -> impl Iterator<Item = Self> {
        let others =
            [Self::GetRequest, Self::WaitForDecision, Self::ListRequests, Self::CancelRequest];
        ActionKind::RESPONSES.into_iter().map(Self::Act).chain(others)
    }

    /// The name that clients call.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Act(kind) => kind.name(),
            Self::GetRequest => "get_request",
            Self::WaitForDecision => "wait_for_decision",
            Self::ListRequests => "list_requests",
            Self::CancelRequest => "cancel_request",
        }
    }

    /// The tool of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|tool| tool.name() == name)
    }

    /// The tool as clients are told of it.
    pub fn tool(self) -> Tool {
        let output = match self {
            Self::ListRequests => output::list(),
            Self::Act(_) | Self::GetRequest | Self::WaitForDecision | Self::CancelRequest => {
                output::request()
            }
        };
        Tool::new(self.name(), self.description(), object(self.fields(), self.required()))
            .with_title(self.title())
            .with_raw_output_schema(output.into())
            .with_annotations(self.annotations())
    }

    /// What it takes.
    pub fn fields(self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Act(kind) => input::action(kind),
            Self::GetRequest => vec![input::request_id()],
            Self::WaitForDecision => vec![input::request_id(), input::timeout()],
            Self::ListRequests => input::list(),
            Self::CancelRequest => vec![input::request_id(), input::cancel_reason()],
        }
    }

    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Act(ActionKind::BlockIp | ActionKind::UnblockIp) => &["srcip", "reason"],
            Self::Act(ActionKind::DisableAccount | ActionKind::EnableAccount) => {
                &["dstuser", "reason"]
            }
            Self::GetRequest | Self::WaitForDecision | Self::CancelRequest => &["request_id"],
            Self::ListRequests => &[],
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Act(ActionKind::BlockIp | ActionKind::UnblockIp) => "Ask to block an IP address",
            Self::Act(ActionKind::DisableAccount | ActionKind::EnableAccount) => {
                "Ask to disable an account"
            }
            Self::GetRequest => "Look at a request",
            Self::WaitForDecision => "Wait for a request",
            Self::ListRequests => "List your requests",
            Self::CancelRequest => "Take a request back",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Act(ActionKind::BlockIp | ActionKind::UnblockIp) => {
                "Asks for all traffic from one IP address to be dropped on endpoints. Policy \
                 decides: it runs at once, waits for analysts, or is refused. Answers at once with \
                 a request_id; read `message` for what to do next. Ask once: the same proposal \
                 again gives the same request while it is open. Name the endpoints (agent_ids) or \
                 say all_agents: true; say how long (duration_seconds) or permanent: true."
            }
            Self::Act(ActionKind::DisableAccount | ActionKind::EnableAccount) => {
                "Asks for the password of one account to be locked on endpoints (Linux only). \
                 Policy decides: it runs at once, waits for analysts, or is refused. Answers at \
                 once with a request_id; read `message` for what to do next. Ask once: the same \
                 proposal again gives the same request while it is open. Name the endpoints \
                 (agent_ids) or say all_agents: true; say how long (duration_seconds) or \
                 permanent: true."
            }
            Self::GetRequest => {
                "Shows one of your requests as it is now: its state, what it waits for, and the \
                 outcome of each endpoint. Use it to look again at a request that takes long."
            }
            Self::WaitForDecision => {
                "Waits until nothing more will happen to one of your requests, or until \
                 timeout_seconds have passed, and shows it. A request that is still open then is \
                 no failure: call this again, or do other work and call get_request later."
            }
            Self::ListRequests => {
                "Lists your own requests, newest first, in short form. Use it to find a request_id \
                 again, or to see what is still open before you ask for more."
            }
            Self::CancelRequest => {
                "Takes one of your requests back. Possible until it is being sent; it does not \
                 undo what was sent."
            }
        }
    }

    fn annotations(self) -> ToolAnnotations {
        let hints = |read_only, destructive, idempotent, open_world| {
            ToolAnnotations::new()
                .read_only(read_only)
                .destructive(destructive)
                .idempotent(idempotent)
                .open_world(open_world)
        };
        match self {
            // A repetition may be a second request once the first has ended.
            Self::Act(_) => hints(false, true, false, true),
            Self::GetRequest | Self::WaitForDecision | Self::ListRequests => {
                hints(true, false, true, false)
            }
            Self::CancelRequest => hints(false, false, true, false),
        }
    }
}

fn object(fields: Vec<Field>, required: &[&str]) -> Map<String, Value> {
    let properties: Map<_, _> =
        fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("required".to_owned(), json!(required));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}
