//! The agent that asked, or its owner, takes a request back.

pub(super) mod children;

use crate::{
    broker::{Broker, BrokerError, Caller, SignedIn},
    domain::{
        actor::Agent,
        facts::{Resource, Verb},
        id::RequestId,
        request::Request,
    },
    store::{accounts, requests},
};

impl Broker {
    /// The agent that asked takes it back. For another agent there is no such request.
    pub async fn cancel_as_agent(
        &self,
        agent: &Agent,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        self.cancel(Caller::Agent(agent), id, reason).await
    }

    /// The agent's owner takes it back.
    pub async fn cancel_as_person(
        &self,
        who: &SignedIn,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        self.cancel(Caller::Person(who), id, reason).await
    }

    async fn cancel(
        &self,
        caller: Caller<'_>,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        let now = self.clock().now();
        let reason = &reason.chars().take(500).collect::<String>();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = caller.active(tx, now).await?;
                    let who = &active.principal(now);
                    let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    let agent = accounts::agent_by_id(tx, request.agent)
                        .await?
                        .ok_or(BrokerError::NotFound)?;
                    let resource = Resource::Request(request.facts(&agent));
                    self.authorize(who, Verb::View, &resource)
                        .map_err(|_hidden| BrokerError::NotFound)?;
                    let may = self.engine().may(who, Verb::Cancel, &resource);
                    let transition = request.cancel(active.actor(), reason, &may, now)?;
                    let cancelled = requests::advance(tx, transition, now).await?;
                    let cancel = |child: Request| child.cancel(active.actor(), reason, &may, now);
                    self.end_children(tx, cancelled, now, cancel).await
                })
            })
            .await
    }
}
