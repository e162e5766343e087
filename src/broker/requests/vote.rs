//! People decide: approve, reject, retract. All in one transaction with fresh facts: the request,
//! the person, the agent, policy's answer.

use crate::{
    broker::{
        Broker, BrokerError, SignedIn, TokenHolder,
        signed_in::{passkey::act_on, token::Objector},
    },
    domain::{
        Time,
        actor::{
            Actor, Agent, Person,
            api_token::{TokenScope, UsedToken},
        },
        audit::{
            AuditDetail, AuditEvent,
            detail::{passkey::ProofFacts, request::RefusedVoteFacts},
        },
        decision::{Authorization, Tier, Verdict},
        facts::{PolicyQuestion, Principal, Resource, Verb},
        id::RequestId,
        lifecycle::{Ballot, Displayed, Reevaluation, Refusal},
        request::{Request, StateName},
    },
    store::{Tx, accounts, requests, system},
};

pub mod reject_many;

impl Broker {
    /// Approves what was shown; not while nothing is sent, and not what the kill switch stops: an
    /// approval has a use-by.
    pub async fn approve(
        &self,
        who: &SignedIn,
        id: RequestId,
        shown: Displayed,
        comment: &str,
    ) -> Result<Request, BrokerError> {
        self.ensure_not_halted()?;
        let now = self.clock().now();
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let verb = (Verb::Approve, now);
                let moment = self.signed_vote_context(tx, who, (id, shown), verb).await?;
                self.approve_now(tx, moment, (shown, comment), now).await
            })
        });
        let done = self.record_refused_vote(who, id, Verb::Approve, done.await).await;
        self.redecide_refused(id, done).await
    }

    /// Counts one more approval.
    pub(in crate::broker) async fn approve_now(
        &self,
        tx: &mut Tx<'_>,
        VoteContext { request, agent, may, person, question, proof, .. }: VoteContext,
        (shown, comment): (Displayed, &str),
        now: Time,
    ) -> Result<Request, BrokerError> {
        let ballot = Ballot { person, shown, comment: comment.to_owned(), proof, token: None };
        let mut with_vote = request.clone();
        with_vote.votes.push(ballot.clone().vote(now));
        let fresh = self.decide_with_vote(tx, (&agent, question), &with_vote, now).await?;
        let transition = request.approve(ballot, &may, fresh)?;
        ensure_not_stopped(tx, transition.request()).await?;
        Ok(requests::advance(tx, transition, now).await?)
    }

    /// Rejects what was shown; the comment is the reason.
    pub async fn reject(
        &self,
        who: &SignedIn,
        id: RequestId,
        shown: Displayed,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        self.reject_as(Objector::Person(who), id, shown, reason).await
    }

    /// The same for a program with a token: what it read is what it rejects.
    pub async fn reject_with_token(
        &self,
        who: &TokenHolder,
        id: RequestId,
        shown: Displayed,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        who.ensure_scope(TokenScope::Reject)?;
        self.reject_as(Objector::Program(who), id, shown, reason).await
    }

    async fn reject_as(
        &self,
        who: Objector<'_>,
        id: RequestId,
        shown: Displayed,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        let now = self.clock().now();
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let VoteContext { request, may, person, token, .. } =
                    self.objection_context(tx, who, id, (Verb::Reject, now)).await?;
                let comment = reason.to_owned();
                let ballot = Ballot { person, shown, comment, proof: None, token };
                let transition = request.reject(ballot.clone(), &may, now)?;
                let rejected = requests::advance(tx, transition, now).await?;
                let reject = |child: Request| {
                    let shown = Displayed { version: child.version, digest: child.digest };
                    child.reject(Ballot { shown, ..ballot.clone() }, &may, now)
                };
                self.end_children(tx, rejected, now, reject).await
            })
        });
        self.record_refused_objection(who, id, Verb::Reject, done.await).await
    }

    /// Takes one's own approval back.
    pub async fn retract(&self, who: &SignedIn, id: RequestId) -> Result<Request, BrokerError> {
        let now = self.clock().now();
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let VoteContext { request, agent, may, person, .. } =
                    self.vote_context(tx, who, id, (Verb::Retract, now)).await?;
                let mut without = request.clone();
                without.votes.retain(|vote| vote.person.id != person.id);
                let fresh = self.decide_unless_stopped(tx, &without, &agent, now).await?;
                let transition = request.retract(&person, &may, fresh)?;
                Ok(requests::advance(tx, transition, now).await?)
            })
        });
        self.record_refused_vote(who, id, Verb::Retract, done.await).await
    }

    /// What a vote rests on. What the person may not see, they do not decide.
    pub(in crate::broker) async fn vote_context(
        &self,
        tx: &mut Tx<'_>,
        who: &SignedIn,
        id: RequestId,
        (verb, now): (Verb, Time),
    ) -> Result<VoteContext, BrokerError> {
        let active = who.active(tx, now).await?;
        let principal = active.principal(now);
        self.context_of(tx, active.person(), id, (verb, &principal, now)).await
    }

    /// The same of what programs may do too: they comment and reject, and nothing else comes here.
    pub(in crate::broker) async fn objection_context(
        &self,
        tx: &mut Tx<'_>,
        who: Objector<'_>,
        id: RequestId,
        (verb, now): (Verb, Time),
    ) -> Result<VoteContext, BrokerError> {
        let active = who.active(tx, now).await?;
        let principal = active.principal(now);
        let context = self.context_of(tx, active.person(), id, (verb, &principal, now)).await?;
        Ok(VoteContext { token: active.token(), ..context })
    }

    /// The same, of a vote that a passkey may have signed: for what was shown, and nothing else.
    pub(in crate::broker) async fn signed_vote_context(
        &self,
        tx: &mut Tx<'_>,
        who: &SignedIn,
        (id, shown): (RequestId, Displayed),
        (verb, now): (Verb, Time),
    ) -> Result<VoteContext, BrokerError> {
        let active = who.active(tx, now).await?;
        let mut proof = active.passkey_proof(act_on(verb, id, shown)).cloned();
        if proof.is_some() {
            // It may have been removed since it signed.
            let own = accounts::passkeys(tx, who.id()).await?;
            proof = proof.filter(|proof| own.iter().any(|passkey| passkey.id == proof.passkey));
        }
        let principal = match proof {
            Some(_) => active.principal_with_passkey(),
            None => active.principal(now),
        };
        let context = self.context_of(tx, active.person(), id, (verb, &principal, now)).await?;
        Ok(VoteContext { proof, ..context })
    }

    async fn context_of(
        &self,
        tx: &mut Tx<'_>,
        person: &Person,
        id: RequestId,
        (verb, principal, now): (Verb, &Principal, Time),
    ) -> Result<VoteContext, BrokerError> {
        let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
        let agent = accounts::agent_by_id(tx, request.agent).await?.ok_or(BrokerError::NotFound)?;
        let mut facts = request.facts(&agent);
        self.authorize(principal, Verb::View, &Resource::Request(facts.clone()))?;
        let (mut question, mut tier) = (None, facts.tier);
        if matches!(verb, Verb::Approve | Verb::BreakGlass)
            && request.state.name() == StateName::Pending
        {
            // It may ask more of people by now than when it was stored.
            let asked = self.question_now(tx, &request, &agent, now).await?;
            let decision = self.decide_asked(tx, &request, &asked).await?.run;
            let verdict = decision.verdict;
            tier = tier.max(Request { decision, ..request.clone() }.tier());
            // What is denied asks nobody: the vote ends it.
            if let Verdict::Approval(_) = verdict {
                facts.tier = tier;
            }
            question = Some(Box::new(asked));
        }
        let may = self.engine().may(principal, verb, &Resource::Request(facts));
        let person = person.clone();
        Ok(VoteContext { request, agent, may, person, tier, question, proof: None, token: None })
    }

    /// Policy's answer with one more vote.
    pub(in crate::broker) async fn decide_with_vote(
        &self,
        tx: &mut Tx<'_>,
        (agent, question): (&Agent, Option<Box<PolicyQuestion>>),
        with_vote: &Request,
        now: Time,
    ) -> Result<Reevaluation, BrokerError> {
        let question = match question {
            Some(question) => *question,
            None => self.question_now(tx, with_vote, agent, now).await?,
        };
        let question = PolicyQuestion { tally: with_vote.tally(agent), ..question };
        Ok(self.decide_asked(tx, with_vote, &question).await?)
    }

    /// Decides a request again that somebody may not approve as it is now: its page must say what it
    /// takes. Nothing changes where policy's answer is the same.
    pub(in crate::broker) async fn redecide_refused(
        &self,
        id: RequestId,
        done: Result<Request, BrokerError>,
    ) -> Result<Request, BrokerError> {
        if let Err(BrokerError::Refused(Refusal::NotAllowed { .. })) = &done {
            self.redecide(id, "what it rests on has changed since it was last decided").await?;
        }
        done
    }

    /// A refused vote changes nothing, but it is recorded.
    pub(in crate::broker) async fn record_refused_vote(
        &self,
        who: &SignedIn,
        id: RequestId,
        verb: Verb,
        done: Result<Request, BrokerError>,
    ) -> Result<Request, BrokerError> {
        if let Err(BrokerError::Refused(refusal)) = &done {
            self.note_refused_vote(who, id, verb, refusal).await?;
        }
        done
    }

    pub(in crate::broker) async fn note_refused_vote(
        &self,
        who: &SignedIn,
        id: RequestId,
        verb: Verb,
        refusal: &Refusal,
    ) -> Result<(), BrokerError> {
        self.record_of(who, |actor| refused_vote(actor, id, (verb, refusal), None)).await
    }

    /// [`Broker::record_refused_vote`] for what programs may try too.
    pub(in crate::broker) async fn record_refused_objection<T>(
        &self,
        who: Objector<'_>,
        id: RequestId,
        verb: Verb,
        done: Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        if let Err(BrokerError::Refused(refusal)) = &done {
            match who {
                Objector::Person(who) => self.note_refused_vote(who, id, verb, refusal).await?,
                Objector::Program(who) => {
                    let used = who.used();
                    self.record_of_token(who, |actor| {
                        refused_vote(actor, id, (verb, refusal), Some(used.clone()))
                    })
                    .await?;
                }
            }
        }
        done
    }
}

/// What the audit is told of a vote that was refused.
fn refused_vote(
    actor: Actor,
    id: RequestId,
    (verb, refusal): (Verb, &Refusal),
    token: Option<UsedToken>,
) -> AuditEvent {
    let why = refusal.to_string();
    let detail = AuditDetail::VoteRefused(RefusedVoteFacts { verb, why, token });
    AuditEvent { request: Some(id), ..AuditEvent::new(actor, None, detail) }
}

/// Refuses to let through what the kill switch stops: it would be sent at the release, and nobody
/// would look at it again.
pub(in crate::broker) async fn ensure_not_stopped(
    tx: &mut Tx<'_>,
    request: &Request,
) -> Result<(), BrokerError> {
    if system::stopped(tx, request).await? {
        return Err(Refusal::Frozen.into());
    }
    Ok(())
}

/// Everything a vote rests on, read in its transaction.
pub(in crate::broker) struct VoteContext {
    pub(in crate::broker) request: Request,
    pub(in crate::broker) agent: Agent,
    pub(in crate::broker) may: Authorization,
    pub(in crate::broker) person: Person,
    /// How much it asks of people by now, where it waits for them; high where policy denies it.
    pub(in crate::broker) tier: Tier,
    /// What policy is asked about it by now, where it waits for people.
    pub(in crate::broker) question: Option<Box<PolicyQuestion>>,
    /// What a passkey signed for it.
    pub(in crate::broker) proof: Option<ProofFacts>,
    /// The token with which a program acts.
    pub(in crate::broker) token: Option<UsedToken>,
}
