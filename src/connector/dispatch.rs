//! One response sent, and what its ending means for each endpoint.
//!
//! Only what is provably not sent may be tried again. Everything that may have been done is
//! `unknown`: the manager goes on working after its own time-out.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use serde::Deserialize;
use tokio::time::timeout;

use super::{
    error::ConnectorError,
    http::{Effect, Failure, Problem, Reply, cut},
    manager::Manager,
};
use crate::domain::{
    Time,
    endpoint::EndpointId,
    lifecycle::Report,
    permit::{ExecutionPermit, Order},
    request::Outcome,
};

/// What 4.14.0 and later reach with one call; the rest of a longer list is dropped silently.
const ENDPOINTS_MAX: usize = 500;
/// How many ids nobody asked for a summary names.
const STRANGERS_SHOWN_MAX: usize = 5;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// What it means. Without outcomes surely nothing was sent.
    pub report: Report,
    /// Set exactly when the report has no outcomes: how long to wait before the same endpoints
    /// are tried again, as a new attempt.
    pub retry_in: Option<Duration>,
}

impl Dispatched {
    /// One outcome for all.
    fn all(order: &Order, outcome: &Outcome, summary: String) -> Self {
        let outcomes = order.endpoints.iter().map(|id| (id.clone(), outcome.clone())).collect();
        Self { report: Report { outcomes, summary, confirm_within: None }, retry_in: None }
    }

    fn not_sent(order: &Order, why: &str) -> Self {
        let outcome = Outcome::NotSent { why: why.to_owned() };
        Self::all(order, &outcome, format!("not sent: {why}"))
    }

    fn unknown(order: &Order, why: &str) -> Self {
        let outcome = Outcome::Unknown { why: why.to_owned() };
        Self::all(order, &outcome, format!("nobody knows whether it was sent: {why}"))
    }

    /// Surely nothing was sent, because of this error.
    fn unsent(order: &Order, error: &ConnectorError) -> Self {
        let Some(wait) = error.retry_in() else {
            return Self::not_sent(order, &error.to_string());
        };
        let summary = format!("not sent: {error}");
        Self {
            report: Report { outcomes: Vec::new(), summary, confirm_within: None },
            retry_in: Some(wait),
        }
    }
}

impl Manager {
    /// Spends a permit. `one_node`: the manager is known to be no cluster; in one, an error of
    /// one node hides what the others have done.
    pub(super) async fn dispatch(
        &self,
        permit: ExecutionPermit,
        one_node: bool,
        now: Time,
    ) -> Dispatched {
        let order = permit.order();
        let count = order.endpoints.len();
        if !(1..=ENDPOINTS_MAX).contains(&count) {
            let why = format!("a call takes 1 to {ENDPOINTS_MAX} endpoints, not {count}");
            return Dispatched::not_sent(order, &why);
        }
        let too_late = || Dispatched::not_sent(order, "its time ran out before it was sent");
        let Some(left) = time_left(permit.use_by(), now) else { return too_late() };
        let token = match timeout(left, self.login.token(&self.reads, now)).await {
            Ok(Ok(token)) => token,
            Ok(Err(error)) => return Dispatched::unsent(order, &error),
            Err(_elapsed) => return too_late(),
        };
        match self.respond(&order.endpoints, order.body.clone(), &token).await {
            Ok(reply) => {
                if reply.status == 401 {
                    self.login.forget(&token).await;
                }
                self.judged(order, &reply, one_node || count == 1)
            }
            Err(Failure { effect: Effect::None, error }) => Dispatched::unsent(order, &error),
            Err(Failure { effect: Effect::Possible, error }) => {
                Dispatched::unknown(order, &error.to_string())
            }
        }
    }

    /// What an answer means. Sources: `framework/wazuh/core/cluster/dapi/dapi.py`, captures
    /// 24-103.
    fn judged(&self, order: &Order, reply: &Reply, one_node: bool) -> Dispatched {
        match reply.status {
            200 => match reply.json() {
                Ok(answer) => told(order, &answer),
                Err(why) => Dispatched::unknown(order, &format!("answered 200, but {why}")),
            },
            401 | 429 => Dispatched::unsent(order, &self.refused(reply)),
            400 | 403 | 404 | 405 | 406 | 413 | 415 => {
                let Problem { code, detail } = reply.problem();
                let code = code.unwrap_or_else(|| reply.status.into());
                let summary = format!("{}: refused ({code}): {detail}", reply.status);
                Dispatched::all(
                    order,
                    &Outcome::Refused { code: Some(code), message: detail },
                    summary,
                )
            }
            status => {
                let error = self.refused(reply);
                if one_node && matches!(error, ConnectorError::Busy { .. }) {
                    return Dispatched::unsent(order, &error);
                }
                let Problem { code, detail } = reply.problem();
                let code = code.map(|code| format!("/{code}")).unwrap_or_default();
                Dispatched::unknown(order, &format!("answered {status}{code}: {detail}"))
            }
        }
    }

    fn refused(&self, reply: &Reply) -> ConnectorError {
        self.calls.refusal(reply, "active-response:command")
    }
}

/// The time until a deadline; none when it has come.
fn time_left(deadline: Time, now: Time) -> Option<Duration> {
    (deadline - now).to_std().ok().filter(|left| !left.is_zero())
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    affected_items: Vec<String>,
    #[serde(default)]
    failed_items: Vec<Failed>,
}

#[derive(Deserialize)]
struct Failed {
    error: FailedBecause,
    id: Vec<String>,
}

#[derive(Deserialize)]
struct FailedBecause {
    code: u32,
    #[serde(default)]
    message: String,
}

impl Data {
    /// What is said of one endpoint. `error: 0` and the message count for nothing: both are also
    /// sent when nothing was done.
    fn outcome(&self, id: &EndpointId) -> Outcome {
        let named = |ids: &[String]| ids.iter().any(|named| named == id.as_str());
        if named(&self.affected_items) {
            return Outcome::Sent;
        }
        match self.failed_items.iter().find(|failed| named(&failed.id)) {
            Some(Failed { error: FailedBecause { code, message }, .. }) => {
                Outcome::Refused { code: Some(*code), message: cut(message) }
            }
            None => Outcome::NotSent { why: "the manager's answer does not name it".to_owned() },
        }
    }

    /// Ids that nobody asked for.
    fn strangers(&self, order: &Order) -> BTreeSet<&str> {
        let failed = self.failed_items.iter().flat_map(|failed| &failed.id);
        let named = self.affected_items.iter().chain(failed).map(String::as_str);
        named.filter(|id| order.endpoints.iter().all(|asked| asked.as_str() != *id)).collect()
    }
}

/// A valid answer: endpoint by endpoint.
fn told(order: &Order, Answer { data }: &Answer) -> Dispatched {
    let outcomes: Vec<_> =
        order.endpoints.iter().map(|id| (id.clone(), data.outcome(id))).collect();
    let count = |name: &str| outcomes.iter().filter(|(_, o)| o.name() == name).count();
    let mut summary = format!("200: {} sent", count("sent"));
    let codes: BTreeSet<_> =
        outcomes.iter().filter_map(|(_, o)| o.code()).map(|code| code.to_string()).collect();
    let codes: Vec<_> = codes.into_iter().collect();
    // Writing to a text cannot fail.
    if !codes.is_empty() {
        write!(summary, ", {} refused ({})", count("refused"), codes.join(", ")).ok();
    }
    if count("not_sent") > 0 {
        write!(summary, ", {} not named in the answer", count("not_sent")).ok();
    }
    let strangers = data.strangers(order);
    if !strangers.is_empty() {
        let shown: Vec<_> = strangers.iter().take(STRANGERS_SHOWN_MAX).map(cut).collect();
        let (count, shown) = (strangers.len(), shown.join(", "));
        write!(summary, "; the answer names {count} that nobody asked for: {shown}").ok();
    }
    Dispatched { report: Report { outcomes, summary, confirm_within: None }, retry_in: None }
}
