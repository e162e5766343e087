//! How much an agent may have open and how often it may ask: an agent that asks and asks wears
//! people down until somebody clicks yes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        Time,
        actor::{Actor, Agent},
        audit::{AuditEvent, EventKind},
        id::AgentId,
    },
    store::{Read, audit, requests},
};

/// How much an agent may ask for. Repeating an open ask counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentLimits {
    /// Requests of one agent that wait for people, for the worker or for an answer.
    pub open_requests_max: u64,
    /// Asks of one agent within a minute, refused ones included.
    pub asks_per_minute_max: u64,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self { open_requests_max: 20, asks_per_minute_max: 30 }
    }
}

/// So many asks of one agent are looked into at the same time.
const AT_ONCE_MAX: u32 = 4;

/// The asks that are being looked into.
#[derive(Debug, Clone, Default)]
pub(in crate::broker) struct Asking(Arc<Mutex<BTreeMap<AgentId, u32>>>);

/// One ask that is being looked into, until it is dropped.
#[derive(Debug)]
pub(in crate::broker) struct Place {
    asking: Asking,
    agent: AgentId,
}

impl Asking {
    fn enter(&self, agent: AgentId) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(agent).or_default();
        if *count >= AT_ONCE_MAX {
            return None;
        }
        *count += 1;
        Some(Place { asking: self.clone(), agent })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.asking.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&self.agent) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(all.remove(&self.agent)),
        }
    }
}

impl Broker {
    /// A place among the agent's asks. Fails when it asks too much at once or too often.
    pub(in crate::broker) async fn enter(&self, agent: &Agent) -> Result<Place, BrokerError> {
        let at_once = || BrokerError::AsksTooMuch(format!("more than {AT_ONCE_MAX} asks at once"));
        let place = self.asking().enter(agent.id).ok_or_else(at_once)?;
        self.paced(agent).await?;
        Ok(place)
    }

    /// Fails when the agent asked as often by now as it may.
    pub(in crate::broker) async fn paced(&self, agent: &Agent) -> Result<(), BrokerError> {
        let mut reader = self.store().reader().await?;
        self.heed_pace(&mut reader, agent, self.clock().now()).await
    }

    /// Fails when the agent asked as often within the last minute as it may.
    pub(in crate::broker) async fn heed_pace(
        &self,
        read: &mut impl Read,
        agent: &Agent,
        now: Time,
    ) -> Result<(), BrokerError> {
        let most = self.settings().agents.asks_per_minute_max;
        if requests::asks_in_minute(read, agent.id, (now, None)).await? < most {
            return Ok(());
        }
        Err(BrokerError::AsksTooMuch(format!("{most} asks within a minute are the most")))
    }

    /// Fails when the agent has as much open as it may.
    pub(in crate::broker) async fn heed_open(
        &self,
        read: &mut impl Read,
        agent: &Agent,
        now: Time,
    ) -> Result<(), BrokerError> {
        let most = self.settings().agents.open_requests_max;
        if requests::open_count(read, agent.id, (now, None)).await? < most {
            return Ok(());
        }
        Err(BrokerError::AsksTooMuch(format!("{most} open requests are the most")))
    }

    /// Writes down that an agent is not heard, once a minute at most: its asks must not fill the
    /// audit either.
    pub(in crate::broker) async fn note_throttled(
        &self,
        agent: &Agent,
        why: &str,
    ) -> Result<(), BrokerError> {
        let now = self.clock().now();
        let kind = EventKind::AsksThrottled;
        let minute_ago = now - chrono::TimeDelta::minutes(1);
        let event = &AuditEvent::new(kind, Actor::from(agent), None, json!({ "why": why }));
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    if !requests::noted_since(tx, agent.id, kind.name(), minute_ago).await? {
                        audit::append(tx, event, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
