//! One response sent, and what its ending means for each endpoint.
//!
//! Only what is provably not sent may be tried again. Everything that may have been done is
//! `unknown`: the manager goes on working after its own time-out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::{
    super::{DispatchResult, DispatchTurn},
    Wazuh,
    api::{
        fields::{Fields, some_of},
        manager_error::{ManagerError, refusal, refused_by_manager},
    },
};
use crate::{
    connector::{
        CorrelationTag,
        http::{
            client::{CallEffect, Reply, TransportError, first_chars},
            error::ConnectorError,
        },
        wazuh::api::rate_budget::CallPurpose,
    },
    domain::{
        Time,
        action::{Action, Place},
        endpoint::{EndpointId, SkipReason},
        lifecycle::DispatchReport,
        permit::{ExecutionPermit, Order},
        request::Outcome,
    },
};

/// What 4.14.0 and later reach with one call; the rest of a longer list is dropped silently.
const ENDPOINTS_MAX: usize = 500;
/// The first version, major and minor, that leaves out the manager without a word. Captures 26, 29.
/// Nothing else that is named in a call of so many endpoints was ever seen to be left out.
const SKIPS_MANAGER: (u32, u32) = (4, 14);
/// The id of the manager itself.
const MANAGER_ID: &str = "000";
/// How many ids that were not asked for a summary names.
const UNASKED_SHOWN_MAX: usize = 5;

/// The command is not in the node's `ar.conf`.
const NO_SUCH_NAME: u32 = 1652;

/// The exact body of `PUT /active-response`.
pub(super) fn body(command: &str, action: &Action, tag: &CorrelationTag) -> Vec<u8> {
    // In alphabetical order, which is the order of the bytes however serde_json is built.
    let (mut data, mut arguments) = (Map::new(), vec![tag.to_string()]);
    let mut words = command.split(' ');
    let command = words.next().unwrap_or_default();
    for (parameter, argument) in action.arguments() {
        match &parameter.fills {
            Place::Data(key) => drop(data.insert(key.clone(), argument.to_string().into())),
            Place::Argument(_) => arguments.push(argument.to_string()),
        }
    }
    arguments.extend(words.map(str::to_owned));
    json!({
        "alert": { "data": data },
        "arguments": arguments,
        "command": command,
    })
    .to_string()
    .into_bytes()
}

impl DispatchResult {
    /// One outcome for all.
    fn all(order: &Order, outcome: &Outcome, summary: String) -> Self {
        let outcomes = order.endpoints.iter().map(|id| (id.clone(), outcome.clone())).collect();
        let report = DispatchReport { outcomes, summary, confirm_within: None };
        Self { report, retry_in: None, local: false }
    }

    fn not_sent(order: &Order, why: &str) -> Self {
        let outcome = Outcome::NotSent { why: why.to_owned() };
        Self::all(order, &outcome, format!("not sent: {why}"))
    }

    fn unknown(order: &Order, why: &str) -> Self {
        let outcome = Outcome::Unknown { why: why.to_owned() };
        Self::all(order, &outcome, format!("it is unknown whether it was sent: {why}"))
    }

    /// Certainly nothing was sent, because of this error.
    fn unsent(order: &Order, error: &ConnectorError) -> Self {
        let Some(wait) = error.retry_in() else {
            return Self::not_sent(order, &error.to_string());
        };
        let summary = format!("not sent: {error}");
        Self {
            report: DispatchReport { outcomes: Vec::new(), summary, confirm_within: None },
            retry_in: Some(wait),
            local: matches!(error, ConnectorError::Local { .. }),
        }
    }
}

impl Wazuh {
    /// Spends a permit, when it is its turn.
    pub(super) async fn send(
        &self,
        permit: ExecutionPermit,
        turn: DispatchTurn,
        now: Time,
    ) -> DispatchResult {
        let mut dispatched = self.try_to_send(&permit, turn, now).await;
        let outcomes = &dispatched.report.outcomes;
        if outcomes.iter().any(|(_, outcome)| outcome.code() == Some(NO_SUCH_NAME)) {
            self.names.expire();
        }
        if !outcomes.is_empty() {
            dispatched.report.confirm_within = self.confirm_within();
        }
        dispatched
    }

    async fn try_to_send(
        &self,
        permit: &ExecutionPermit,
        turn: DispatchTurn,
        now: Time,
    ) -> DispatchResult {
        let order = permit.order();
        let count = order.endpoints.len();
        if !(1..=ENDPOINTS_MAX).contains(&count) {
            let why = format!("a call takes 1 to {ENDPOINTS_MAX} endpoints, not {count}");
            return DispatchResult::not_sent(order, &why);
        }
        let too_late = || DispatchResult::not_sent(order, "its time ran out before it was sent");
        let Some(left) = time_left(permit.use_by(), now) else { return too_late() };
        let manager = &self.manager;
        let ready = async {
            let turn = match turn {
                DispatchTurn(Some(turn)) => Some(turn),
                DispatchTurn(None) => self.turn().await,
            };
            let token = manager.login.token(&manager.reads, CallPurpose::Act, now).await;
            (turn, token)
        };
        let (_turn, token) = match timeout(left, ready).await {
            Ok((turn, Ok(token))) => (turn, token),
            Ok((_, Err(error))) => return DispatchResult::unsent(order, &error),
            Err(_elapsed) => return too_late(),
        };
        let answer = manager.respond(&order.endpoints, order.body.clone(), &token, now).await;
        match answer {
            Ok(reply) => {
                if reply.status == 401 {
                    manager.login.forget(&token).await;
                }
                // A single endpoint reports to a single node.
                self.judged(order, &reply, self.names.is_single_node() || count == 1)
            }
            Err(TransportError { effect: CallEffect::None, error }) => {
                DispatchResult::unsent(order, &error)
            }
            Err(TransportError { effect: CallEffect::Possible, error }) => {
                DispatchResult::unknown(order, &error.to_string())
            }
        }
    }

    /// What an answer means. `one_node`: no other node can have done a part of the work; in a
    /// cluster, the error of one node hides what the others have done. Sources:
    /// `framework/wazuh/core/cluster/dapi/dapi.py`, captures 24-103; `docs/endings.md` is the
    /// table.
    fn judged(&self, order: &Order, reply: &Reply, one_node: bool) -> DispatchResult {
        let error = || refusal(&self.manager.calls.http, reply, "active-response:command");
        match (reply.status, one_node) {
            (status, _) if status != 200 && !refused_by_manager(reply) => {
                let why = format!("answered {status}, and not as the manager itself does");
                DispatchResult::unknown(order, &why)
            }
            (200, _) => match reply.json::<Value>() {
                Ok(answer) => {
                    let skips_manager = self.manager.version() >= Some(SKIPS_MANAGER);
                    by_endpoint(order, &DispatchAnswer::read(&answer, skips_manager))
                }
                Err(why) => DispatchResult::unknown(order, &format!("answered 200, but {why}")),
            },
            (401 | 429, _) => DispatchResult::unsent(order, &error()),
            (400 | 403 | 404 | 405 | 406 | 413 | 415, true) => {
                let ManagerError { code, detail } = ManagerError::of(reply);
                let code = code.unwrap_or_else(|| reply.status.into());
                let summary = format!("{}: refused ({code}): {detail}", reply.status);
                let outcome = Outcome::Refused { code: Some(code), message: detail };
                DispatchResult::all(order, &outcome, summary)
            }
            (_, true) if matches!(error(), ConnectorError::Busy { .. }) => {
                DispatchResult::unsent(order, &error())
            }
            (status, _) => {
                let ManagerError { code, detail } = ManagerError::of(reply);
                let code = code.map(|code| format!("/{code}")).unwrap_or_default();
                DispatchResult::unknown(order, &format!("answered {status}{code}: {detail}"))
            }
        }
    }
}

/// The time until a deadline; none when it has come.
fn time_left(deadline: Time, now: Time) -> Option<Duration> {
    (deadline - now).to_std().ok().filter(|left| !left.is_zero())
}

/// What a valid answer says of endpoints.
struct DispatchAnswer {
    affected: BTreeSet<String>,
    /// What became of each that failed.
    failed: BTreeMap<String, Outcome>,
    /// What is odd about the lists. It may hide any endpoint that they do not name.
    odd: Option<String>,
    /// Whether this version leaves out the manager itself without a word.
    skips_manager: bool,
}

impl DispatchAnswer {
    fn read(answer: &Value, skips_manager: bool) -> Self {
        let mut fields = Fields::of(answer);
        fields.needed_list("data.affected_items");
        let affected = fields.texts("data.affected_items").into_iter().map(str::to_owned);
        let affected = affected.collect();
        let (mut failed, mut odd) = (BTreeMap::new(), Vec::new());
        for item in fields.list("data.failed_items") {
            let mut ids = Fields::of(item);
            ids.needed_list("id");
            let named: Vec<_> = ids.texts("id").into_iter().map(str::to_owned).collect();
            odd.extend(ids.odd().map(|why| format!("in `data.failed_items` {why}")));
            let outcome = failure(item);
            failed.extend(named.into_iter().map(|id| (id, outcome.clone())));
        }
        odd.extend(fields.odd());
        Self { affected, failed, odd: (!odd.is_empty()).then(|| some_of(odd)), skips_manager }
    }

    /// What is said of one endpoint. `error: 0` and the message count for nothing: both are also
    /// sent when nothing was done.
    fn outcome(&self, id: &EndpointId) -> Outcome {
        if self.affected.contains(id.as_str()) {
            return Outcome::Sent;
        }
        match (self.failed.get(id.as_str()), &self.odd) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(odd)) => Outcome::Unknown {
                why: format!(
                    "the manager's answer names it nowhere that can be read, and not all can be: \
                     {odd}"
                ),
            },
            (None, None) if self.skips_manager && id.as_str() == MANAGER_ID => Outcome::NotSent {
                why:
                    "it is the manager itself, which Wazuh 4.14 and later leave out without a word"
                        .to_owned(),
            },
            // Silence is no answer: what stands in between may have lost a part of it.
            (None, None) => {
                Outcome::Unknown { why: "the manager's answer does not name it".to_owned() }
            }
        }
    }

    fn names(&self, id: &EndpointId) -> bool {
        self.affected.contains(id.as_str()) || self.failed.contains_key(id.as_str())
    }

    /// Ids in the answer that were not asked for.
    fn unasked(&self, order: &Order) -> BTreeSet<&str> {
        let named = self.affected.iter().chain(self.failed.keys()).map(String::as_str);
        named.filter(|id| order.endpoints.iter().all(|asked| asked.as_str() != *id)).collect()
    }
}

/// The code where an endpoint was not connected.
const NOT_ACTIVE: u32 = 1707;

/// Why the manager did not do it for the endpoints of a failed item.
fn failure(item: &Value) -> Outcome {
    let mut error = Fields::of(item);
    let code = error.needed_number("error.code").map(u32::try_from);
    let unread = error.odd();
    let message = error.needed_text_of("error.message", usize::MAX).unwrap_or_default();
    let message = first_chars(&message);
    match (code, unread) {
        (Some(Ok(NOT_ACTIVE)), _) => {
            let message = format!("{}: {message}", SkipReason::NOT_ACTIVE);
            Outcome::Refused { code: Some(NOT_ACTIVE), message }
        }
        (Some(Ok(code)), _) => Outcome::Refused { code: Some(code), message },
        (_, odd) => {
            let odd = odd.unwrap_or_else(|| "`error.code` is no code of Wazuh's".to_owned());
            let why = format!("the manager says that it failed ({message}); {odd}");
            Outcome::NotSent { why }
        }
    }
}

/// A valid answer: endpoint by endpoint.
fn by_endpoint(order: &Order, answer: &DispatchAnswer) -> DispatchResult {
    let outcomes: Vec<_> =
        order.endpoints.iter().map(|id| (id.clone(), answer.outcome(id))).collect();
    let count = |name: &str| outcomes.iter().filter(|(_, o)| o.name() == name).count();
    let mut summary = format!("200: {} sent", count("sent"));
    let codes: BTreeSet<_> =
        outcomes.iter().filter_map(|(_, o)| o.code()).map(|code| code.to_string()).collect();
    let codes: Vec<_> = codes.into_iter().collect();
    // Writing to a text cannot fail.
    if !codes.is_empty() {
        write!(summary, ", {} refused ({})", count("refused"), codes.join(", ")).ok();
    }
    let unnamed = order.endpoints.iter().filter(|id| !answer.names(id)).count();
    if unnamed > 0 {
        write!(summary, ", {unnamed} not named in the answer").ok();
    }
    if let Some(odd) = &answer.odd {
        write!(summary, ", of which not all can be read: {odd}").ok();
    }
    let unasked = answer.unasked(order);
    if !unasked.is_empty() {
        let shown: Vec<_> = unasked.iter().take(UNASKED_SHOWN_MAX).map(first_chars).collect();
        let (count, shown) = (unasked.len(), shown.join(", "));
        write!(summary, "; the answer names {count} that were not asked for: {shown}").ok();
    }
    DispatchResult {
        report: DispatchReport { outcomes, summary, confirm_within: None },
        retry_in: None,
        local: false,
    }
}
