//! How much an agent may still ask.

use crate::{
    broker::{Broker, BrokerError, signed_in::active_agent},
    domain::{action::ActionKind, actor::Agent, len_u64},
    store::requests,
};

/// What an agent may, and how much of it is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsLeft {
    /// What it may ask for.
    pub scopes: Vec<ActionKind>,
    /// The managers whose endpoints it can name.
    pub managers: Vec<String>,
    /// Asks that it may make now; there are more once those of the last minute no longer count.
    pub asks: u64,
    /// Asks within a minute.
    pub asks_per_minute: u64,
    /// Requests that it may have open beside those that it has.
    pub open_requests: u64,
}

impl Broker {
    /// How much an agent may still ask.
    pub async fn limits_of_agent(&self, agent: &Agent) -> Result<LimitsLeft, BrokerError> {
        let _place = self.lookup_slot(agent)?;
        let (mut reader, now) = (self.store().reader().await?, self.clock().now());
        let agent = active_agent(&mut reader, agent).await?;
        let limits = self.settings().agents;
        let asks = requests::asks_in_minute(&mut reader, agent.id, (now, None)).await?;
        let open = requests::open_count(&mut reader, agent.id, (now, None)).await?;
        Ok(LimitsLeft {
            scopes: agent.scopes,
            managers: self.managers().iter().map(|one| one.name().to_owned()).collect(),
            asks: limits.asks_per_minute_max.saturating_sub(len_u64(asks.len())),
            asks_per_minute: limits.asks_per_minute_max,
            open_requests: limits.open_requests_max.saturating_sub(open),
        })
    }
}
