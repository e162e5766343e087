//! Asked, decided, ended: what agents, people and time do before anything is sent.

use super::{Ballot, Change, Displayed, Reevaluation, Refusal, Transition};
use crate::domain::{
    Time,
    actor::{Actor, Person},
    audit::{
        AuditDetail,
        detail::request::{
            AllowedBy, ApprovalFacts, CancellationFacts, DecisionFacts, EndFacts, LeftOutFacts,
            RedecisionFacts, RejectionFacts, RetractionFacts, SubmissionFacts, WithdrawalFacts,
        },
    },
    decision::{Authorization, Verdict},
    printable::is_blank,
    request::{Request, Skipped, State, StateName},
};

/// How the cause begins where approvals lapse; the names of those who gave them follow.
pub const LAPSED: &str = "what it would cut short began after it was approved by ";

impl Request {
    /// The beginning: policy has answered a proposal. `self.state` becomes what the answer says.
    pub fn submit(mut self, use_by: Time, now: Time) -> Transition {
        self.state = match self.decision.verdict {
            Verdict::Deny => State::Denied { at: now },
            Verdict::Approval(_) => State::Pending,
            Verdict::Run => State::Approved { use_by },
        };
        let actor = match &self.asked_by {
            None => Actor::Agent { id: self.agent, name: self.agent_name.clone() },
            Some(asker) => Actor::Person { id: asker.person, name: asker.name.clone() },
        };
        let left_out = |skipped: &Skipped| LeftOutFacts {
            endpoint: skipped.endpoint.id.clone(),
            why: skipped.reason.to_string(),
        };
        let detail = AuditDetail::RequestAsked(Box::new(SubmissionFacts {
            effect: self.effect(),
            manager: self.manager.clone(),
            undoes: self.undoes,
            endpoints: self.targets.iter().map(|target| target.endpoint.id.clone()).collect(),
            skipped: self.skipped.iter().map(left_out).collect(),
            term_seconds: self.term.seconds(),
            claim: self.claim.clone(),
            alert_found: self.alert.found,
            digest: self.digest,
            decision: DecisionFacts::from(&self.decision),
            state: self.state.name(),
        }));
        self.moved(Change::Asked, actor, detail)
    }

    /// A person approves. `fresh` is policy's answer with this vote counted.
    pub fn approve(
        mut self,
        ballot: Ballot,
        may: &Authorization,
        fresh: Reevaluation,
    ) -> Result<Transition, Refusal> {
        self.ensure_votable("be approved", ballot.shown, may, fresh.now)?;
        if self.state != State::Pending {
            return Err(Refusal::wrong_state(&self, "be approved"));
        }
        if self.votes.iter().any(|earlier| earlier.person.id == ballot.person.id) {
            return Err(Refusal::AlreadyVoted);
        }
        let proof = ballot.proof.clone();
        let vote = ballot.vote(fresh.now);
        let actor = Actor::from(&vote.person);
        let decision = DecisionFacts::from(&fresh.run);
        self.votes.push(vote.clone());
        self.decide(fresh);
        let detail = AuditDetail::VoteApproved(ApprovalFacts {
            role: vote.person.role,
            comment: vote.comment.clone(),
            digest: vote.digest,
            allowed_by: AllowedBy::from(may),
            decision,
            state: self.state.name(),
            proof,
        });
        Ok(self.moved(Change::Approved(vote), actor, detail))
    }

    /// A person rejects, with the comment as the reason: the end. What waits for its children
    /// waits on: whoever rejects it rejects them, and ends it with the last of them.
    pub fn reject(
        mut self,
        ballot: Ballot,
        may: &Authorization,
        now: Time,
    ) -> Result<Transition, Refusal> {
        self.ensure_votable("be rejected", ballot.shown, may, now)?;
        let Ballot { person, shown, comment: reason, token, .. } = ballot;
        if is_blank(&reason) {
            return Err(Refusal::ReasonMissing);
        }
        let actor = Actor::with_token(&person, token.as_ref());
        let by = actor.name().to_owned();
        if !self.waits_for_children() {
            self.state = State::Rejected { at: now, by, reason: reason.clone() };
        }
        let detail = AuditDetail::RequestRejected(RejectionFacts {
            role: person.role,
            reason,
            allowed_by: AllowedBy::from(may),
            digest: shown.digest,
            state: self.state.name(),
            token,
        });
        Ok(self.moved(Change::State, actor, detail))
    }

    /// A person takes an approval back. `fresh` is policy's answer without it.
    pub fn retract(
        mut self,
        person: &Person,
        may: &Authorization,
        fresh: Reevaluation,
    ) -> Result<Transition, Refusal> {
        self.open("be retracted", may)?;
        // The approvals of a child are its parent's, and those of its siblings. Whoever no longer wants
        // it rejects it.
        if self.state.name() == StateName::Waiting || self.parent().is_some() {
            return Err(Refusal::wrong_state(&self, "be retracted"));
        }
        self.ensure_in_time(fresh.now)?;
        let votes = self.votes.len();
        self.votes.retain(|vote| vote.person.id != person.id);
        if self.votes.len() == votes {
            return Err(Refusal::NotVoted);
        }
        // Nothing ran: without a broken glass there is nothing to look back at.
        if !self.votes.iter().any(|vote| vote.break_glass) {
            self.review = None;
        }
        let decision = DecisionFacts::from(&fresh.run);
        self.decide(fresh);
        let allowed_by = AllowedBy::from(may);
        let facts = RetractionFacts { allowed_by, decision, state: self.state.name() };
        let detail = AuditDetail::VoteRetracted(facts);
        Ok(self.moved(Change::Retracted(person.id), Actor::from(person), detail))
    }

    /// The agent that asked, or its owner, takes it back: the end; of what waits for its children,
    /// as by [`Request::reject`].
    pub fn cancel(
        mut self,
        actor: Actor,
        reason: &str,
        may: &Authorization,
        now: Time,
    ) -> Result<Transition, Refusal> {
        self.open("be cancelled", may)?;
        let by = actor.name().to_owned();
        if !self.waits_for_children() {
            self.state = State::Cancelled { at: now, by, reason: reason.to_owned() };
        }
        let (reason, allowed_by) = (reason.to_owned(), AllowedBy::from(may));
        let facts = CancellationFacts { reason, allowed_by, state: self.state.name() };
        Ok(self.moved(Change::State, actor, AuditDetail::RequestCancelled(facts)))
    }

    /// Time passes: the end of a request whose deadline, or use-by, has come.
    pub fn expire(mut self, now: Time) -> Result<Transition, Refusal> {
        let (limit, reason) = match self.state {
            State::Pending => (self.deadline, "nobody decided in time"),
            State::Approved { use_by } => (use_by, "it was approved but not sent in time"),
            State::Waiting { until } if self.parent().is_some() => {
                (until, "the endpoint did not come back in time")
            }
            State::Dispatching { .. }
            | State::Waiting { .. }
            | State::Settled { .. }
            | State::Denied { .. }
            | State::Rejected { .. }
            | State::Cancelled { .. }
            | State::Expired { .. }
            | State::Withdrawn { .. } => return Err(Refusal::wrong_state(&self, "expire")),
        };
        if now < limit {
            return Err(Refusal::TooEarly);
        }
        let reason = match &self.held_because {
            Some(held) => format!("{reason}: {held}"),
            None => reason.to_owned(),
        };
        let from = self.state.name();
        self.state = State::Expired { at: now, reason: reason.clone() };
        let facts = EndFacts { from, reason, state: self.state.name() };
        Ok(self.moved(Change::State, Actor::System, AuditDetail::RequestExpired(facts)))
    }

    /// The request without the approvals that were given before this moment.
    #[must_use]
    pub fn without_votes_before(mut self, moment: Time) -> Self {
        self.votes.retain(|vote| vote.at >= moment);
        // Nothing ran: without a broken glass there is nothing to look back at.
        if !self.votes.iter().any(|vote| vote.break_glass) {
            self.review = None;
        }
        self
    }

    /// The approvals that were given before this moment lapse: what the request would now cut short
    /// began then, and nobody who approved saw that. `fresh` is policy's answer without them. The
    /// approvals of a child are not its own, and nobody can renew them: it ends.
    pub fn lapse_votes(self, moment: Time, fresh: Reevaluation) -> Result<Transition, Refusal> {
        if self.state.name() != StateName::Approved {
            return Err(Refusal::wrong_state(&self, "lose approvals"));
        }
        let lapsed = self.votes.iter().filter(|vote| vote.at < moment);
        let (ids, names): (Vec<_>, Vec<_>) =
            lapsed.map(|vote| (vote.person.id, vote.person.name.clone())).unzip();
        if ids.is_empty() {
            return Err(Refusal::NotVoted);
        }
        let names = names.join(", ");
        let cause = format!("{LAPSED}{names}");
        if self.parent().is_some() {
            return self.withdraw(cause, fresh.now);
        }
        Ok(self.without_votes_before(moment).redecided(fresh, Change::Lapsed(ids), cause))
    }

    /// Policy was asked again with the votes that stand. None when its answer is the same, be it by
    /// another set.
    pub fn redecide(self, fresh: Reevaluation, cause: &str) -> Result<Option<Transition>, Refusal> {
        let before = self.state.name();
        if !self.is_open() || self.waits_for_children() {
            return Err(Refusal::wrong_state(&self, "be decided"));
        }
        // Its endpoint is still away: only an answer that ends it says anything.
        if before == StateName::Waiting && fresh.run.verdict == Verdict::Run {
            return Ok(None);
        }
        self.ensure_in_time(fresh.now)?;
        let same = self.decision.verdict == fresh.run.verdict
            && self.decision.reasons == fresh.run.reasons;
        let transition = self.redecided(fresh, Change::State, cause.to_owned());
        Ok((!same || transition.request.state.name() != before).then_some(transition))
    }

    fn redecided(mut self, fresh: Reevaluation, change: Change, cause: String) -> Transition {
        let from = self.state.name();
        let decision = DecisionFacts::from(&fresh.run);
        self.decide(fresh);
        let state = self.state.name();
        let facts = RedecisionFacts { from, cause, decision, state };
        let detail = if state == StateName::Withdrawn {
            AuditDetail::RequestWithdrawn(WithdrawalFacts::ByPolicy(facts))
        } else {
            AuditDetail::RequestRedecided(facts)
        };
        self.moved(change, Actor::System, detail)
    }

    /// The facts it rests on changed: the end.
    pub fn withdraw(mut self, reason: String, now: Time) -> Result<Transition, Refusal> {
        if !self.is_open() || self.waits_for_children() {
            return Err(Refusal::wrong_state(&self, "be withdrawn"));
        }
        let from = self.state.name();
        self.state = State::Withdrawn { at: now, reason: reason.clone() };
        let facts = WithdrawalFacts::ByFacts(EndFacts { from, reason, state: self.state.name() });
        Ok(self.moved(Change::State, Actor::System, AuditDetail::RequestWithdrawn(facts)))
    }

    pub(super) fn ensure_votable(
        &self,
        verb: &'static str,
        shown: Displayed,
        may: &Authorization,
        now: Time,
    ) -> Result<(), Refusal> {
        self.open(verb, may)?;
        if shown.digest != self.digest || self.computed_digest() != self.digest {
            return Err(Refusal::DigestChanged);
        }
        if shown.version != self.version {
            return Err(Refusal::VersionChanged);
        }
        self.ensure_in_time(now)
    }

    /// A pending request whose deadline has come can only end.
    fn ensure_in_time(&self, now: Time) -> Result<(), Refusal> {
        if now >= self.deadline && self.state == State::Pending {
            return Err(Refusal::TooLate { deadline: self.deadline });
        }
        Ok(())
    }

    fn open(&self, verb: &'static str, may: &Authorization) -> Result<(), Refusal> {
        if !self.is_open() {
            return Err(Refusal::wrong_state(self, verb));
        }
        if !may.allowed {
            return Err(Refusal::NotAllowed { why: may.why() });
        }
        Ok(())
    }

    /// Whether people and policy can still end it: it is not under way and not over.
    pub fn is_open(&self) -> bool {
        matches!(self.state.name(), StateName::Pending | StateName::Approved | StateName::Waiting)
    }

    pub(super) fn decide(&mut self, Reevaluation { run, use_by, stopped, now }: Reevaluation) {
        self.state = match (run.verdict, &self.state) {
            // It would be sent at the release, and nobody would look at it again.
            (Verdict::Run, State::Pending) if stopped => State::Pending,
            (Verdict::Run, State::Approved { use_by }) => State::Approved { use_by: *use_by },
            (Verdict::Run, State::Waiting { until }) => State::Approved { use_by: *until },
            (Verdict::Run, _) => State::Approved { use_by },
            // Nobody can add to the approvals of a child.
            (Verdict::Approval(_), _) if self.parent().is_none() => State::Pending,
            (Verdict::Approval(_) | Verdict::Deny, _) => {
                State::Withdrawn { at: now, reason: run.why() }
            }
        };
        if self.state.name() != StateName::Approved {
            self.held_because = None;
        }
        self.decision = run;
    }
}
