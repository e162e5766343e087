//! A lead on call lets a request run without the people who are missing; afterwards another
//! person reviews it.

use super::vote::{VoteContext, ensure_not_stopped};
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        facts::Verb,
        id::RequestId,
        lifecycle::{Ballot, Displayed},
        proposal::{REASON_CHARS_MAX, check_reason, check_text},
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
        self.ensure_not_halted()?;
        let now = self.clock().now();
        check_reason(reason)?;
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let verb = (Verb::BreakGlass, now);
                let VoteContext { request, agent, may, person, question, proof, .. } =
                    self.signed_vote_context(tx, who, (id, shown), verb).await?;
                let ballot =
                    Ballot { person, shown, comment: reason.to_owned(), proof, token: None };
                let vote = Vote { break_glass: true, ..ballot.clone().vote(now) };
                let mut with_vote = request.clone();
                with_vote.votes.retain(|earlier| earlier.person.id != vote.person.id);
                with_vote.votes.push(vote);
                let fresh = self.decide_with_vote(tx, (&agent, question), &with_vote, now).await?;
                let transition = request.break_glass(ballot, typed, &may, fresh)?;
                ensure_not_stopped(tx, transition.request()).await?;
                Ok(requests::advance(tx, transition, now).await?)
            })
        });
        let done = self.record_refused_vote(who, id, Verb::BreakGlass, done.await).await;
        self.redecide_refused(id, done).await
    }

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
}
