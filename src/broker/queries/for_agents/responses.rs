//! What is active: for a target, on endpoints, or of an action.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    broker::{Broker, BrokerError},
    connector::asked_by,
    domain::{
        action::{Action, ActionKind, known_responses, names},
        actor::Agent,
        id::RequestId,
        proposal::{InvalidField, endpoints},
    },
    store::requests::{ActiveRow, ActiveSearch, WantedEndpoint, WantedTarget, find_active},
};

/// What is active on an endpoint, or may be.
#[derive(Debug, Clone)]
pub struct FoundResponse {
    /// Where it is active, since when and until when.
    pub row: ActiveRow,
    /// The agent's own requests that it rests on.
    pub own: Vec<RequestId>,
}

/// What an agent looks for. At least one part is given.
#[derive(Debug, Clone, Copy)]
pub struct ResponseQuery<'a> {
    /// The first of what responses act on: an address, an account, a path.
    pub target: Option<&'a str>,
    /// The name of a response.
    pub action: Option<&'a str>,
    /// All arguments, for the endpoints among them, as a proposal names them.
    pub arguments: &'a Map<String, Value>,
    /// The most rows.
    pub limit: u32,
}

impl Broker {
    /// What is active, or may be: at most as many rows as wanted, and whether there are more. Requests
    /// of others are not named.
    pub async fn active_for_agent(
        &self,
        agent: &Agent,
        wanted: ResponseQuery<'_>,
    ) -> Result<(Vec<FoundResponse>, bool), BrokerError> {
        let _place = self.lookup_slot(agent)?;
        let search = &asked_by(agent.id, self.search(wanted)).await?;
        let (mut reader, now) = (self.store().reader().await?, self.clock().now());
        let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
        // One more than is shown tells whether there are more.
        let mut rows = find_active(&mut reader, search, wanted.limit + 1, now).await?;
        drop(reader);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let (mut is_own, mut found) = (BTreeMap::new(), Vec::new());
        for row in rows {
            let mut own = Vec::new();
            for one in &row.rests_on {
                let known = match is_own.get(&one.id) {
                    Some(known) => *known,
                    None => match self.request_of_agent(agent, one.id).await {
                        Ok(_) => true,
                        Err(BrokerError::NotFound) => false,
                        Err(error) => return Err(error),
                    },
                };
                is_own.insert(one.id, known);
                own.extend(known.then_some(one.id));
            }
            found.push(FoundResponse { row, own });
        }
        Ok((found, more))
    }

    async fn search(&self, wanted: ResponseQuery<'_>) -> Result<ActiveSearch, BrokerError> {
        // What was asked for with an entry that is gone by now may be active.
        let known = known_responses();
        let kind = wanted.action.map(|name| response(&known, name)).transpose()?;
        let places = self.with_ids(None, wanted.arguments).await?;
        let places = endpoints(&places)?.into_iter();
        let places: Vec<_> = places.map(|(manager, id)| WantedEndpoint { manager, id }).collect();
        let targets = match (wanted.target, kind) {
            (Some(target), only) => {
                let asked = actions_on(&only.map_or(known, |kind| vec![kind]), target)?;
                let wanted =
                    |action: &Action| Some(WantedTarget::of(action.kind(), action.target()?));
                asked.iter().filter_map(wanted).collect()
            }
            (None, Some(kind)) => {
                if places.is_empty() && !kind.parameters().is_empty() {
                    let problem = format!("it is missing, and so are agent_ids for {kind}");
                    return Err(missing(problem).into());
                }
                vec![WantedTarget::any(kind)]
            }
            (None, None) if places.is_empty() => {
                let problem = "it is missing, and so are agent_ids and action";
                return Err(missing(problem.to_owned()).into());
            }
            (None, None) => Vec::new(),
        };
        Ok(ActiveSearch { targets, endpoints: places })
    }
}

fn missing(problem: String) -> InvalidField {
    let allowed = "what is acted on (an IPv4 or IPv6 address, an account, a path, the id of a process, \
                   a domain), or agent_ids, or an action that acts on its endpoints alone";
    InvalidField { field: "target".to_owned(), problem, allowed: allowed.to_owned() }
}

fn response(known: &[ActionKind], name: &str) -> Result<ActionKind, InvalidField> {
    known.iter().find(|kind| kind.name() == name).copied().ok_or_else(|| InvalidField {
        field: "action".to_owned(),
        problem: format!("\"{}\" is not allowed", name.chars().take(80).collect::<String>()),
        allowed: names(known),
    })
}

/// Every response that can act on a target, on it. An address is no account here.
pub(super) fn actions_on(kinds: &[ActionKind], target: &str) -> Result<Vec<Action>, InvalidField> {
    let (mut found, mut allowed) = (Vec::new(), Vec::new());
    for kind in kinds {
        match Action::on_target(*kind, target) {
            Ok(action) => found.extend(action),
            Err(grammar) if !allowed.contains(&grammar) => allowed.push(grammar),
            Err(_) => {}
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    if allowed.is_empty() {
        allowed.push("nothing: the action acts on its endpoints alone");
    }
    let target: String = target.chars().take(80).collect();
    Err(InvalidField {
        field: "target".to_owned(),
        problem: format!("\"{target}\" is not allowed"),
        allowed: allowed.join("; or "),
    })
}
