//! The broken glass: a lead on call lets a request run without the people who are missing, and
//! somebody else looks back at it afterwards.

use chrono::TimeDelta;

use super::{Ballot, Change, Reevaluation, Refusal, Transition};
use crate::domain::{
    Time,
    actor::{Actor, Agent, Person, Role},
    audit::{
        AuditDetail,
        detail::request::{AllowedBy, BreakGlassFacts, DecisionFacts, ReviewFacts},
    },
    decision::Authorization,
    printable::is_blank,
    request::{PostReview, Request, Reviewed, State, Vote},
};

/// Within this many hours after the glass was broken, somebody else must review it.
pub const REVIEW_HOURS: i64 = 24;

impl Request {
    /// A lead on call approves in place of everybody who is missing; an earlier approval of the
    /// same person is replaced. `typed` must be the beginning of the digest, the comment is the
    /// reason, and `fresh` policy's answer with this vote counted.
    pub fn break_glass(
        mut self,
        ballot: Ballot,
        typed: &str,
        may: &Authorization,
        fresh: Reevaluation,
    ) -> Result<Transition, Refusal> {
        let verb = "be let through by breaking the glass";
        self.ensure_votable(verb, ballot.shown, may, fresh.now)?;
        if self.state != State::Pending {
            return Err(Refusal::wrong_state(&self, verb));
        }
        let prefix = self.digest.prefix();
        if typed != prefix {
            return Err(Refusal::PrefixWrong { prefix });
        }
        if is_blank(&ballot.comment) {
            return Err(Refusal::ReasonMissing);
        }
        let proof = ballot.proof.clone();
        let vote = Vote { break_glass: true, ..ballot.vote(fresh.now) };
        let due_at = fresh.now + TimeDelta::hours(REVIEW_HOURS);
        let actor = Actor::from(&vote.person);
        let decision = DecisionFacts::from(&fresh.run);
        self.votes.retain(|earlier| earlier.person.id != vote.person.id);
        self.votes.push(vote.clone());
        self.review = Some(PostReview { due_at, done: None });
        self.decide(fresh);
        let detail = AuditDetail::GlassBroken(BreakGlassFacts {
            role: vote.person.role,
            reason: vote.comment.clone(),
            digest: vote.digest,
            review_due_at: due_at,
            allowed_by: AllowedBy::from(may),
            decision,
            state: self.state.name(),
            proof,
        });
        Ok(self.moved(Change::Approved(vote), actor, detail))
    }

    /// Whether a broken glass still counts: its vote does, and the person is a lead on call by now.
    pub fn break_glass_counts(&self, agent_now: &Agent) -> bool {
        self.votes.iter().any(|vote| {
            vote.break_glass
                && self.counts(vote, agent_now)
                && vote.person.role == Role::Lead
                && vote.person.on_call
        })
    }

    /// Whether somebody must look back at it now: the glass was broken and nothing further will be
    /// sent.
    pub fn review_due(&self) -> Option<&PostReview> {
        self.review.as_ref().filter(|review| review.done.is_none() && self.state.name().terminal())
    }

    /// Whether this person broke the glass.
    pub fn glass_broken_by(&self, person: &Person) -> bool {
        self.votes.iter().any(|vote| vote.break_glass && vote.person.id == person.id)
    }

    /// Somebody else looked back at a broken glass and says what was found. Nothing moves.
    pub fn review(
        mut self,
        person: &Person,
        finding: &str,
        may: &Authorization,
        now: Time,
    ) -> Result<Transition, Refusal> {
        if !may.allowed {
            return Err(Refusal::NotAllowed { why: may.why() });
        }
        let Some(due_at) = self.review_due().map(|review| review.due_at) else {
            return Err(Refusal::NoReviewDue);
        };
        if self.glass_broken_by(person) {
            return Err(Refusal::OwnGlass);
        }
        if is_blank(finding) {
            return Err(Refusal::ReasonMissing);
        }
        let done = Reviewed { by: person.name.clone(), finding: finding.to_owned(), at: now };
        self.review = Some(PostReview { due_at, done: Some(done) });
        let detail = AuditDetail::Reviewed(ReviewFacts {
            role: person.role,
            finding: finding.to_owned(),
            overdue: now > due_at,
            allowed_by: AllowedBy::from(may),
            state: self.state.name(),
        });
        Ok(self.moved(Change::State, Actor::from(person), detail))
    }
}
