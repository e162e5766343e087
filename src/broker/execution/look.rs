//! One look before the claim of what is older than this run: a copy of the database that was put back
//! does not know what was sent since, but the endpoints' alerts may show it.

use super::progress::Progress;
use crate::{
    broker::{Broker, BrokerError, requests::active_ends::update_ends},
    connector::Connector,
    domain::{evidence::FoundCall, id::RequestId, lifecycle::Refusal, request::Request},
    store::requests,
};

/// What a look for calls of a request brought.
pub(super) enum Look {
    /// Nothing shows that it was sent, or nobody can look.
    Nothing,
    /// It was sent.
    Found(Vec<FoundCall>),
    /// Somebody should look, and could not: why.
    Failed(String),
}

impl Broker {
    /// Looks for calls of a request that was asked before this run.
    pub(super) async fn look_before_claim(&self, request: &Request, connector: &Connector) -> Look {
        let looks = connector.capabilities().confirm_within.is_some();
        if request.asked_at >= self.began_at() || !looks {
            return Look::Nothing;
        }
        let now = self.clock().now();
        let failed = |why: String| {
            let what = "it was asked before the broker started, and the indexer cannot say whether \
                        it was sent";
            Look::Failed(format!("{what}: {why}"))
        };
        match connector.find_calls(Some(request.id), Some(request.asked_at), now).await {
            Ok(found) if !found.calls.is_empty() => Look::Found(found.calls),
            Ok(found) => found.gap.map_or(Look::Nothing, failed),
            Err(error) => failed(error.lasting()),
        }
    }

    /// Closes a request that was sent already.
    pub(super) async fn end_found(
        &self,
        id: RequestId,
        calls: &[FoundCall],
    ) -> Result<Progress, BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    let within = self.confirm_within(&request.manager);
                    let transition = match request.calls_found(calls, now) {
                        Ok(transition) => transition,
                        Err(Refusal::WrongState { .. }) => return Ok(()),
                        Err(other) => return Err(other.into()),
                    };
                    let request = requests::advance(tx, transition, now).await?;
                    update_ends(tx, &request, within, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok(Progress::Moved(id))
    }
}
