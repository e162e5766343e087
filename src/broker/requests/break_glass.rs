//! A lead on call lets a request run without the people who are missing.

use super::vote::VoteContext;
use crate::{
    broker::{Broker, BrokerError, admin::sessions::SignedIn},
    domain::{
        facts::Verb,
        id::RequestId,
        lifecycle::{Ballot, Displayed},
        proposal::check_reason,
        request::{Request, Vote},
    },
    store::requests,
};

impl Broker {
    /// Breaks the glass on what was shown. `typed` is the beginning of its digest.
    pub async fn break_glass(
        &self,
        who: &SignedIn,
        id: RequestId,
        shown: Displayed,
        (typed, reason): (&str, &str),
    ) -> Result<Request, BrokerError> {
        let now = self.clock().now();
        check_reason(reason)?;
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let VoteContext { request, agent, may, person } =
                    self.vote_context(tx, who, id, (Verb::BreakGlass, now)).await?;
                let ballot = Ballot { person, shown, comment: reason.to_owned() };
                let vote = Vote { break_glass: true, ..ballot.clone().vote(now) };
                let mut with_vote = request.clone();
                with_vote.votes.retain(|earlier| earlier.person.id != vote.person.id);
                with_vote.votes.push(vote);
                let fresh = self.decide(tx, &with_vote, &agent, now).await?;
                let transition = request.break_glass(ballot, typed, &may, fresh)?;
                Ok(requests::advance(tx, transition, now).await?)
            })
        });
        self.record_refused_vote(who, id, Verb::BreakGlass, done.await).await
    }
}
