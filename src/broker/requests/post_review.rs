//! Somebody looks back at a broken glass.

use super::vote::VoteContext;
use crate::{
    broker::{Broker, BrokerError, admin::sessions::SignedIn, queries::request::Permission},
    domain::{
        facts::{Resource, Verb},
        id::RequestId,
        proposal::{REASON_CHARS_MAX, check_text},
        request::Request,
    },
    store::{accounts, requests},
};

impl Broker {
    /// Writes down what was found when looking back at a broken glass. Nothing is sent.
    pub async fn review(
        &self,
        who: &SignedIn,
        id: RequestId,
        finding: &str,
    ) -> Result<Request, BrokerError> {
        let now = self.clock().now();
        let allowed = format!("1 to {REASON_CHARS_MAX} characters that say what you found");
        check_text("finding", finding, &allowed)?;
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let VoteContext { request, may, person, .. } =
                    self.vote_context(tx, who, id, (Verb::Review, now)).await?;
                let transition = request.review(&person, finding, &may, now)?;
                Ok(requests::advance(tx, transition, now).await?)
            })
        });
        self.record_refused_vote(who, id, Verb::Review, done.await).await
    }

    /// The reviews that are due and that this person may make, the longest due first.
    pub async fn reviews_due(&self, who: &SignedIn) -> Result<Vec<Request>, BrokerError> {
        let mut reader = self.store().reader().await?;
        let mut due = Vec::new();
        for id in requests::reviews_due(&mut reader).await? {
            let Some(request) = requests::load(&mut reader, id).await? else { continue };
            let Some(agent) = accounts::agent_by_id(&mut reader, request.agent).await? else {
                continue;
            };
            let resource = Resource::Request(request.facts(&agent));
            let may =
                !matches!(self.permission(who, Verb::Review, &resource), Permission::Denied(_));
            if may && !request.glass_broken_by(&who.person) {
                due.push(request);
            }
        }
        Ok(due)
    }
}
