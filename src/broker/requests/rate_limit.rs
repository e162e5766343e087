//! How much an agent may have open and how often it may ask: an agent that asks and asks wears
//! people down until somebody clicks yes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        Time,
        actor::{Actor, Agent},
        audit::{AuditDetail, AuditEvent, detail::request::RefusalFacts},
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
pub(in crate::broker) struct InFlight(Arc<Mutex<BTreeMap<AgentId, u32>>>);

/// One ask that is being looked into, until it is dropped.
#[derive(Debug)]
pub(in crate::broker) struct Slot {
    asking: InFlight,
    agent: AgentId,
}

impl InFlight {
    fn acquire(&self, agent: AgentId) -> Option<Slot> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(agent).or_default();
        if *count >= AT_ONCE_MAX {
            return None;
        }
        *count += 1;
        Some(Slot { asking: self.clone(), agent })
    }
}

impl Drop for Slot {
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
    pub(in crate::broker) async fn acquire_slot(&self, agent: &Agent) -> Result<Slot, BrokerError> {
        let at_once = || BrokerError::RateLimited(format!("more than {AT_ONCE_MAX} asks at once"));
        let place = self.in_flight().acquire(agent.id).ok_or_else(at_once)?;
        self.check_rate_now(agent).await?;
        Ok(place)
    }

    /// Fails when the agent asked as often by now as it may.
    pub(in crate::broker) async fn check_rate_now(&self, agent: &Agent) -> Result<(), BrokerError> {
        let mut reader = self.store().reader().await?;
        self.check_rate(&mut reader, agent, self.clock().now()).await
    }

    /// Fails when the agent asked as often within the last minute as it may.
    pub(in crate::broker) async fn check_rate(
        &self,
        read: &mut impl Read,
        agent: &Agent,
        now: Time,
    ) -> Result<(), BrokerError> {
        let most = self.settings().agents.asks_per_minute_max;
        if requests::asks_in_minute(read, agent.id, (now, None)).await? < most {
            return Ok(());
        }
        Err(BrokerError::RateLimited(format!("{most} asks within a minute are the most")))
    }

    /// Fails when the agent has as much open as it may.
    pub(in crate::broker) async fn check_open_limit(
        &self,
        read: &mut impl Read,
        agent: &Agent,
        now: Time,
    ) -> Result<(), BrokerError> {
        let most = self.settings().agents.open_requests_max;
        if requests::open_count(read, agent.id, (now, None)).await? < most {
            return Ok(());
        }
        Err(BrokerError::RateLimited(format!("{most} open requests are the most")))
    }

    /// Writes down that an agent is not heard, once a minute at most: its asks must not fill the
    /// audit either.
    pub(in crate::broker) async fn record_throttled(
        &self,
        agent: &Agent,
        why: &str,
    ) -> Result<(), BrokerError> {
        let now = self.clock().now();
        let minute_ago = now - chrono::TimeDelta::minutes(1);
        let detail = AuditDetail::AsksThrottled(RefusalFacts { why: why.to_owned() });
        let event = &AuditEvent::new(Actor::from(agent), None, detail);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    if !requests::noted_since(tx, agent.id, event.kind().name(), minute_ago).await?
                    {
                        audit::append(tx, event, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
