//! How much an agent may have open and how often it may ask: an agent that asks and asks wears
//! people down until somebody clicks yes.

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        Time,
        action::ActionKind,
        actor::{Actor, Agent},
        audit::{AuditDetail, AuditEvent, detail::request::RefusalFacts},
        facts::history::ASK_COUNTS,
        id::AgentId,
        len_u64,
    },
    slots::Slot,
    store::{Read, StoreError, audit, requests},
};

impl Broker {
    /// A place among the agent's asks. Fails when it asks too much at once or too often, and while
    /// there is no room to store an ask.
    pub(in crate::broker) async fn acquire_slot(
        &self,
        agent: &Agent,
    ) -> Result<Slot<AgentId>, BrokerError> {
        self.ensure_room()?;
        let most = self.settings().agents.at_once_max;
        let at_once = || BrokerError::RateLimited(format!("more than {most} asks at once"));
        let place = self.in_flight().acquire(agent.id).ok_or_else(at_once)?;
        self.check_rate_now(agent).await?;
        Ok(place)
    }

    /// Fails when the agent asked as often by now as it may.
    pub(in crate::broker) async fn check_rate_now(&self, agent: &Agent) -> Result<(), BrokerError> {
        let mut reader = self.store().reader().await?;
        self.check_rate(&mut reader, agent, (1, self.clock().now())).await
    }

    /// Fails when the agent asked as often within the last minute as it may, with so many more.
    pub(in crate::broker) async fn check_rate(
        &self,
        read: &mut impl Read,
        agent: &Agent,
        (more, now): (usize, Time),
    ) -> Result<(), BrokerError> {
        let most = self.settings().agents.asks_per_minute_max;
        let asks = requests::asks_in_minute(read, agent.id, (now, None)).await?;
        let Some(room) = usize::try_from(most).unwrap_or(usize::MAX).checked_sub(more) else {
            return Err(BrokerError::RateLimited(format!(
                "{most} asks within a minute are the most, and these are {more}"
            )));
        };
        // The agent may ask again once this one no longer counts.
        let Some(last) = asks.iter().rev().nth(room) else { return Ok(()) };
        let ends = (*last + ASK_COUNTS).format("%H:%M:%S%.3f UTC");
        Err(BrokerError::RateLimited(format!(
            "{most} asks within a minute are the most, and there is room again at {ends}"
        )))
    }

    /// Fails when the agent has as much open as it may, with so many more.
    pub(in crate::broker) async fn check_open_limit(
        &self,
        read: &mut impl Read,
        agent: &Agent,
        (more, now): (usize, Time),
    ) -> Result<(), BrokerError> {
        let most = self.settings().agents.open_requests_max;
        let open = requests::open_count(read, agent.id, (now, None)).await?;
        if open.saturating_add(len_u64(more)) <= most {
            return Ok(());
        }
        Err(BrokerError::RateLimited(format!(
            "{most} open requests are the most; there is room as soon as people decide one, or you \
             cancel one"
        )))
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
            .for_agents()
            .write(|tx| {
                Box::pin(async move {
                    let (kind, lately) = (event.kind().name(), (minute_ago, now));
                    if !requests::noted_between(tx, agent.id, kind, lately).await? {
                        audit::append(tx, event, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Writes down that an agent's proposal was refused before it became a request, and gives the
    /// reason back. A plan is of no one action.
    pub async fn refuse_proposal(
        &self,
        agent: &Agent,
        kind: impl Into<Option<ActionKind>>,
        why: BrokerError,
    ) -> BrokerError {
        let kind = kind.into();
        if matches!(why, BrokerError::Halted(_)) {
            return why;
        }
        let why = self.check_rate_now(agent).await.err().unwrap_or(why);
        if matches!(why, BrokerError::RateLimited(_)) {
            let noted = self.record_throttled(agent, &why.to_string()).await;
            return noted.err().unwrap_or(why);
        }
        // Nobody was asked, so it costs no more than an ask too many.
        if let BrokerError::Manager(cause) = &why
            && cause.is_held_back()
        {
            let noted = self.record_throttled(agent, &cause.lasting()).await;
            return noted.err().unwrap_or(why);
        }
        let (event, now) = (&proposal_refused(agent, kind, why.to_string()), self.clock().now());
        let store = self.store().for_agents();
        let noted = store
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }));
        noted.await.err().map_or(why, |error: StoreError| error.into())
    }
}

/// An agent's proposal did not become a request.
pub(super) fn proposal_refused(
    agent: &Agent,
    kind: impl Into<Option<ActionKind>>,
    why: String,
) -> AuditEvent {
    let detail = AuditDetail::ProposalRefused(RefusalFacts { why });
    let mut event = AuditEvent::new(Actor::from(agent), None, detail);
    event.action = kind.into().map(|kind| kind.name().to_owned());
    event
}
