//! What agents look up before they ask: endpoints, what is active, alerts, and how much they may
//! still ask.
//!
//! A look-up changes nothing. An agent makes as many within a minute as it may ask, and as many at
//! once.

use crate::{
    broker::{Broker, BrokerError},
    domain::{actor::Agent, id::AgentId},
    slots::Slot,
};

pub mod alert;
pub mod endpoints;
pub mod limits;
pub mod responses;

impl Broker {
    /// A place for a look-up, which counts.
    fn lookup_slot(&self, agent: &Agent) -> Result<Slot<AgentId>, BrokerError> {
        let limits = self.settings().agents;
        let at_once = || format!("more than {} asks and look-ups at once", limits.at_once_max);
        let place = self.in_flight().acquire(agent.id);
        let place = place.ok_or_else(|| BrokerError::RateLimited(at_once()))?;
        let most = limits.asks_per_minute_max;
        if self.lookups().note(agent.id, self.clock().now(), most) {
            return Ok(place);
        }
        Err(BrokerError::RateLimited(format!("{most} look-ups within a minute are the most")))
    }
}
