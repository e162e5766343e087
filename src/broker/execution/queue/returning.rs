//! Endpoints that were away come back: what waits for them is decided again, and then goes the way of all
//! approved requests.

use std::collections::BTreeSet;

use crate::{
    broker::{Broker, BrokerError},
    domain::{id::RequestId, lifecycle::Refusal},
    failpoint,
    store::{accounts, requests},
};

impl Broker {
    /// Looks once for all endpoints of a manager that are waited for. How many requests moved.
    pub async fn look_for_returned(&self, manager: &str) -> Result<usize, BrokerError> {
        self.ensure_not_halted()?;
        let connector = self.manager(manager).ok_or(BrokerError::NotFound)?;
        let waiting = requests::waiting(&mut self.store().reader().await?, manager).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let endpoints: BTreeSet<_> = waiting.iter().map(|(_, endpoint)| endpoint.clone()).collect();
        let now = self.clock().now();
        let back = connector.connected(endpoints.into_iter().collect(), now).await?;
        let mut moved = 0;
        for (id, _) in waiting.iter().filter(|(_, endpoint)| back.contains(endpoint)) {
            moved += usize::from(self.endpoint_returned(*id).await?);
        }
        Ok(moved)
    }

    /// Decides again about a child whose endpoint is back. Whether it moved.
    async fn endpoint_returned(&self, id: RequestId) -> Result<bool, BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    if !request.may_try_again(now) {
                        return Ok(false);
                    }
                    let agent = accounts::agent_by_id(tx, request.agent)
                        .await?
                        .ok_or(BrokerError::NotFound)?;
                    let fresh = self.decide(tx, &request, &agent, now).await?;
                    match request.returned(fresh) {
                        Ok(transition) => {
                            requests::advance(tx, transition, now).await?;
                            failpoint::reached("in the return").await;
                            Ok(true)
                        }
                        // Somebody ended it in this very moment, or expiry ends it in the next.
                        Err(Refusal::WrongState { .. } | Refusal::TooLate { .. }) => Ok(false),
                        Err(other) => Err(other.into()),
                    }
                })
            })
            .await
    }
}
