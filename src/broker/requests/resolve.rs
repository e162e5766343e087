//! A person looked and says what happened where nobody knew.

use super::{
    active_ends::{follow, update_ends},
    vote::VoteContext,
};
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        endpoint::EndpointId, facts::Verb, id::RequestId, lifecycle::Finding,
        proposal::check_reason, request::Request,
    },
    store::requests,
};

impl Broker {
    /// Settles unknown and unconfirmed outcomes by hand. Nothing is sent.
    pub async fn resolve(
        &self,
        who: &SignedIn,
        id: RequestId,
        endpoints: &[EndpointId],
        (ruling, reason): (Finding, &str),
    ) -> Result<Request, BrokerError> {
        let now = self.clock().now();
        let reason = reason.trim();
        check_reason(reason)?;
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let VoteContext { request, may, person, .. } =
                    self.vote_context(tx, who, id, (Verb::Resolve, now)).await?;
                let found = (endpoints, ruling, reason);
                let transition = request.resolve(&person, found, &may, now)?;
                let request = requests::advance(tx, transition, now).await?;
                let within = self.confirm_within(&request.manager);
                if let (Some(undone), Finding::NotDone) = (request.undoes, ruling) {
                    let change = |one: Request| one.undo_failed(id, endpoints, within, now);
                    follow(tx, undone, change, now).await?;
                }
                update_ends(tx, &request, within, now).await?;
                Ok(request)
            })
        });
        self.record_refused_vote(who, id, Verb::Resolve, done.await).await
    }
}
