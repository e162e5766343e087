//! A person says something about a request without voting.

use super::vote::VoteContext;
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        actor::Actor,
        audit::{AuditDetail, AuditEvent, detail::request::CommentFacts},
        facts::Verb,
        id::RequestId,
        lifecycle::Refusal,
        proposal::{REASON_CHARS_MAX, check_text},
        request::Request,
    },
    store::audit,
};

pub mod triage;

impl Broker {
    /// Writes a comment down beside the request, which stays as it is, whatever its state. Agents
    /// never see it.
    pub async fn comment(
        &self,
        who: &SignedIn,
        id: RequestId,
        comment: &str,
    ) -> Result<Request, BrokerError> {
        let now = self.clock().now();
        check_text("comment", comment, &format!("1 to {REASON_CHARS_MAX} characters"))?;
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let VoteContext { request, may, person, .. } =
                    self.vote_context(tx, who, id, (Verb::Comment, now)).await?;
                if !may.allowed {
                    return Err(Refusal::NotAllowed { why: may.why() }.into());
                }
                let facts = CommentFacts { role: person.role, comment: comment.to_owned() };
                let detail = AuditDetail::CommentAdded(facts);
                let mut event = AuditEvent::new(Actor::from(&person), None, detail);
                event.request = Some(id);
                audit::append(tx, &event, now).await?;
                Ok(request)
            })
        });
        self.record_refused_vote(who, id, Verb::Comment, done.await).await
    }
}
