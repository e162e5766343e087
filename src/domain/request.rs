//! A validated proposal with a frozen list of endpoints, and everything that became of it.

mod effect;
mod fate;
mod outcome;
mod state;
mod step;
mod tier;
mod undone;
mod votes;
mod wait;

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;

pub use fate::Fate;
pub use outcome::{Counts, NOBODY_LOOKED, Outcome, OutcomeParts, Proof, UNDO_FAILED, Watch};
pub use state::{State, StateName};
pub use step::{FailureRule, PlanStep};
pub use tier::tier;
pub use undone::Undone;
pub use wait::{Parent, Wait};

use super::{
    Time,
    action::{Action, Term},
    actor::{Agent, Person, Role},
    decision::{Decision, NOTHING_LEFT, Tier},
    digest::{Canonical, Digest},
    endpoint::{Endpoint, EndpointId, SkipReason},
    facts::history::AgentHistory,
    facts::{AlertFacts, RequestFacts},
    id::{AgentId, AttemptId, PersonId, RequestId},
    len_u64,
    proposal::Claim,
    site::Site,
};

/// The version of the canonical bytes that [`Request::digest`] is taken over.
pub const DIGEST_VERSION: u8 = 1;

/// One endpoint of a request, frozen when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The endpoint as it was then.
    pub endpoint: Endpoint,
    /// How critical it is, 1 to 5.
    pub criticality: u8,
    /// The manager's command name for it.
    pub command: String,
    /// Whether it was away when it was asked for.
    pub away: bool,
    /// The attempt that was, or is, meant for it.
    pub attempt: Option<AttemptId>,
    /// What is known; none until something is.
    pub outcome: Option<Outcome>,
    /// When the outcome was learnt.
    pub outcome_at: Option<Time>,
    /// When it was, or may have been, sent; later where it was seen to start much later.
    pub since: Option<Time>,
    /// When the endpoint ends it at the latest; none where nothing does. Other commands for the same
    /// target move it ([`super::active_response`]).
    pub ends: Option<Time>,
    /// Whether it counts as run there: its start or its end was seen, or the manager took it and
    /// nobody looks for more. Only then does it end or lift what others decided.
    pub started: bool,
    /// What speaks against its effect although it was sent or started.
    pub doubt: Option<String>,
    /// Until when evidence of it is waited for before a conclusion is drawn.
    pub watch_until: Option<Time>,
}

impl Target {
    /// An endpoint that takes part, before anything was sent.
    pub const fn new(endpoint: Endpoint, criticality: u8, command: String) -> Self {
        Self {
            endpoint,
            criticality,
            command,
            away: false,
            attempt: None,
            outcome: None,
            outcome_at: None,
            since: None,
            ends: None,
            started: false,
            doubt: None,
            watch_until: None,
        }
    }
}

/// The person who asked, where it was not the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// The person who asked for the undo.
    pub person: PersonId,
    /// The name then.
    pub name: String,
    /// The role then.
    pub role: Role,
}

/// An endpoint that was asked for and takes no part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The endpoint as it was when asked.
    pub endpoint: Endpoint,
    /// What keeps it out.
    pub reason: SkipReason,
}

/// An approval that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Who, as the person is now.
    pub person: Person,
    /// The digest that the person saw and approved.
    pub digest: Digest,
    /// What the person added; may be empty.
    pub comment: String,
    /// When the person approved.
    pub at: Time,
    /// It stands in for the approvals that are missing: a lead on call used break glass.
    pub break_glass: bool,
}

/// The review that a break glass requires afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostReview {
    /// Until when another person must have reviewed it.
    pub due_at: Time,
    /// What was found; none until it was reviewed.
    pub done: Option<Reviewed>,
}

/// What came of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// Who reviewed it: the name then.
    pub by: String,
    /// What was found.
    pub finding: String,
    /// When it was reviewed.
    pub at: Time,
}

/// One call to the manager for a batch of endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Part of the correlation tag that the call carries.
    pub id: AttemptId,
    /// 1, 2, 3, … within the request.
    pub number: u32,
    /// SHA-256 of the exact body.
    pub body_hash: Digest,
    /// When it was recorded, before any byte left.
    pub started_at: Time,
    /// When it was known how it ended.
    pub answered_at: Option<Time>,
    /// How it ended, in words.
    pub answer: Option<String>,
}

/// A request: what an agent, or for an undo a person, asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name of the request everywhere: agents, page, audit.
    pub id: RequestId,
    /// Counts the changes; every change names the one it expects.
    pub version: u64,
    /// Who asked. Of an undo: who asked for what is undone.
    pub agent: AgentId,
    /// The agent's name then.
    pub agent_name: String,
    /// Who owned the agent then.
    pub owner: PersonId,
    /// Who issued the agent's token, as known then.
    pub issuer: Option<PersonId>,
    /// The request that this one takes back.
    pub undoes: Option<RequestId>,
    /// The plan that it is a step of; none where it was asked by itself.
    pub plan: Option<PlanStep>,
    /// The person who asked, where it was not the agent.
    pub asked_by: Option<Requester>,
    /// The response and what it acts on.
    pub action: Action,
    /// For how long. Of an undo: how long what it takes back lasts.
    pub term: Term,
    /// What the agent says.
    pub claim: Claim,
    /// Whether all endpoints were asked for.
    pub fleet_wide: bool,
    /// The name of the manager.
    pub manager: String,
    /// Where it acts, in the order of ids.
    pub targets: Vec<Target>,
    /// Where it does not, and why.
    pub skipped: Vec<Skipped>,
    /// The alert, as the broker found it when it was asked.
    pub alert: AlertFacts,
    /// What the agent did before it asked; none in requests of earlier versions.
    pub history: Option<AgentHistory>,
    /// What people approve.
    pub digest: Digest,
    /// When it was asked.
    pub asked_at: Time,
    /// Until when people may decide.
    pub deadline: Time,
    /// Where it stands.
    pub state: State,
    /// The approvals that stand, oldest first.
    pub votes: Vec<Vote>,
    /// Policy's latest answer.
    pub decision: Decision,
    /// The calls made for it, oldest first.
    pub attempts: Vec<Attempt>,
    /// Why the worker cannot claim it yet.
    pub held_because: Option<String>,
    /// The review that a break glass requires; none without break glass.
    pub review: Option<PostReview>,
    /// The wait for endpoints that are away; none where nothing waits for them.
    pub wait: Option<Wait>,
}

impl Request {
    /// Between two calls: how the last one ended, because of which the next is not made yet.
    pub fn waits_because(&self) -> Option<&str> {
        let last = self.attempts.iter().max_by_key(|attempt| attempt.number)?;
        let left = self.targets.iter().any(|target| target.outcome.is_none());
        last.answer.as_deref().filter(|_| left && last.answered_at.is_some())
    }

    /// The digest of all that people approve, computed again from the fields.
    pub fn computed_digest(&self) -> Digest {
        // The id of a child is made from its digest.
        let (kind, id) = self.parent().map_or(("request", self.id), |parent| ("child", parent.id));
        let canonical = Canonical::new(DIGEST_VERSION, kind)
            .text(&id.to_string())
            .text(&self.agent.to_string())
            .text(&self.owner.to_string())
            .text(self.action.kind().name())
            .text(&self.action.argument())
            .maybe(self.term.seconds().map(|s| s.to_string()).as_deref())
            .text(&self.claim.reason)
            .text(&self.manager)
            .list(self.targets.iter(), |canonical, target| {
                canonical
                    .text(target.endpoint.id.as_str())
                    .text(&target.endpoint.name)
                    .text(&target.endpoint.date_added)
                    .text(target.endpoint.platform.name())
                    .text(&target.command)
            });
        let canonical = match self.undoes {
            None => canonical,
            Some(undone) => canonical
                .text(&undone.to_string())
                .maybe(self.asked_by.as_ref().map(|asker| asker.person.to_string()).as_deref()),
        };
        // Out of its plan it would run out of its order.
        let canonical = match self.plan {
            None => canonical,
            Some(step) => canonical.text(&step.plan.to_string()).number(step.number.into()),
        };
        self.add_wait(self.action.kind().add_version(canonical)).digest()
    }

    /// The highest criticality among its endpoints; 5 when it has none.
    pub fn criticality(&self) -> u8 {
        self.targets.iter().map(|target| target.criticality).max().unwrap_or(5)
    }

    /// When it was refused in a way that counts against its agent: a person rejected it, or policy
    /// denied what was asked. None where a limit on the agent itself, a failed evaluation or the
    /// broker denied it: else a limit would feed itself, and faults would feed it.
    pub fn refused_at(&self) -> Option<Time> {
        let Decision { errors, reasons, .. } = &self.decision;
        let limited = self.history.as_ref().is_some_and(|history| history.limit.is_some());
        let by_broker = reasons.iter().any(|reason| reason.policy == NOTHING_LEFT);
        let at = if let State::Rejected { at, .. } = &self.state {
            Some(*at)
        } else if let State::Denied { at } = &self.state {
            (errors.is_empty() && !limited && !by_broker).then_some(*at)
        } else {
            None
        };
        at.filter(|_| self.asked_by.is_none() && self.parent().is_none())
    }

    /// When it was sent, call by call.
    pub fn sent_at(&self) -> impl Iterator<Item = Time> {
        self.attempts.iter().map(|attempt| attempt.started_at)
    }

    /// Whether it was sent without people: its agent asked for it, and nobody's approval stands.
    pub fn is_automatic(&self) -> bool {
        !self.attempts.is_empty() && self.asked_by.is_none() && self.votes.is_empty()
    }

    /// What policy may know of it.
    pub fn facts(&self, agent_now: &Agent) -> RequestFacts {
        RequestFacts {
            id: self.id,
            agent: agent_now.clone(),
            owner_then: self.owner,
            issuer_then: self.issuer,
            asker: self.asked_by.as_ref().map(|asker| asker.person),
            action: self.action.clone(),
            criticality: self.criticality(),
            tier: if self.state.name() == StateName::Pending { self.tier() } else { Tier::Low },
            sites: self.sites(),
        }
    }

    /// Where its endpoints are, those that were left out among them; never empty.
    pub fn sites(&self) -> BTreeSet<Site> {
        let taking_part = self.targets.iter().map(|target| &target.endpoint);
        let all = taking_part.chain(self.skipped.iter().map(|skipped| &skipped.endpoint));
        let sites: BTreeSet<_> =
            all.map(|endpoint| Site::new(&self.manager, &endpoint.groups)).collect();
        if sites.is_empty() { BTreeSet::from([Site::new(&self.manager, &[])]) } else { sites }
    }

    /// Where an endpoint stands among those that take part. They are in the order of ids; one that was
    /// stored in another order is found too.
    pub(super) fn position(&self, id: &EndpointId) -> Option<usize> {
        let is = |target: &Target| target.endpoint.id == *id;
        let at = self.targets.partition_point(|target| target.endpoint.id < *id);
        let found = self.targets.get(at).is_some_and(is).then_some(at);
        found.or_else(|| self.targets.iter().position(is))
    }

    /// What is known of an endpoint that takes part.
    pub fn target(&self, id: &EndpointId) -> Option<&Target> {
        self.position(id).and_then(|at| self.targets.get(at))
    }

    pub(super) fn target_mut(&mut self, id: &EndpointId) -> Option<&mut Target> {
        self.position(id).and_then(|at| self.targets.get_mut(at))
    }

    /// The next batch: endpoints without an outcome that share a command, at most `batch_max`.
    /// Those in `silent` come last, each by itself; those in `left_out` not at all.
    pub fn next_batch(
        &self,
        batch_max: usize,
        silent: &HashSet<&EndpointId>,
        left_out: &HashSet<&EndpointId>,
    ) -> Option<(String, Vec<EndpointId>)> {
        let quiet = |target: &&Target| silent.contains(&target.endpoint.id);
        let takes_part = |t: &&Target| t.outcome.is_none() && !left_out.contains(&t.endpoint.id);
        let open = || self.targets.iter().filter(takes_part);
        let Some(first) = open().find(|target| !quiet(target)) else {
            let alone = open().next()?;
            return Some((alone.command.clone(), vec![alone.endpoint.id.clone()]));
        };
        let ids = open()
            .filter(|target| target.command == first.command && !quiet(target))
            .take(batch_max)
            .map(|target| target.endpoint.id.clone())
            .collect();
        Some((first.command.clone(), ids))
    }

    /// When a response ends by itself on an endpoint; none where it does not, was not sent, takes
    /// another back, or leaves nothing that could end.
    pub fn ends(&self, target: &Target) -> Option<Time> {
        let kind = self.action.kind();
        target.ends.filter(|_| !kind.is_undo() && !kind.entry().once)
    }

    /// When a command that was sent at this moment ends by itself, if no other touches its target.
    pub(super) fn own_end(&self, since: Time) -> Option<Time> {
        let seconds = self.term.seconds().filter(|_| !self.action.kind().is_undo())?;
        Some(since + TimeDelta::seconds(seconds.into()))
    }

    /// How many endpoints have each outcome.
    pub fn outcome_counts(&self) -> Counts {
        let skipped = len_u64(self.skipped.len());
        let known = self.targets.iter().map(|target| target.outcome.as_ref());
        Counts { skipped, ..Counts::of(known) }
    }

    /// The endpoints on which it may stand, which are those that an undo is for.
    pub fn active_targets(&self) -> impl Iterator<Item = &Target> {
        let stands = |target: &&Target| target.outcome.as_ref().is_some_and(Outcome::may_be_active);
        self.targets.iter().filter(stands)
    }
}
