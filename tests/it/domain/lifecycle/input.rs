//! Everything that can be done to a request: one input per call of a transition function.

use countersign::domain::{
    actor::Actor,
    decision::Verdict,
    digest::Digest,
    endpoint::EndpointId,
    evidence::FoundCall,
    id::AttemptId,
    lifecycle::{Ballot, DispatchReport, Displayed, Next, Refusal, Transition},
    permit::ExecutionPermit,
    request::{Outcome, Request},
};

use super::fixtures::{
    Who, agent, answer, attempt_id, by_others, decision, endpoint_id, fresh, minute, order,
};

pub(super) type Ids = &'static [&'static str];

/// What a person has on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Screen {
    Current,
    AnotherVersion,
    AnotherDigest,
}

/// What somebody who breaks the glass types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// The beginning of the digest, and a reason.
    Right,
    /// Something else, and a reason.
    WrongPrefix,
    /// The beginning of the digest, and a blank.
    NoReason,
}

/// Which attempt an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The one that waits for an answer.
    Open,
    /// One that has its answer, or that never was.
    Other,
}

/// What is known after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    AllSent,
    Mixed,
    AllUnknown,
    /// The endpoints were not connected.
    AllAway,
    /// Surely nothing was sent.
    Nothing,
    /// The report forgets all endpoints but the first.
    Partly,
    /// The report speaks of an endpoint that had no part in it.
    Stranger,
}

/// What follows a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Order { batch: Ids, verdict: Verdict, frozen: bool },
    Later,
    Stop,
}

/// One call of a transition function. Moments are minutes since the request was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Approve { who: Who, screen: Screen, may: bool, verdict: Verdict, now: i64 },
    BreakGlass { who: Who, screen: Screen, may: bool, words: Words, verdict: Verdict, now: i64 },
    Reject { who: Who, screen: Screen, may: bool, reason: &'static str, now: i64 },
    Retract { who: Who, may: bool, verdict: Verdict, now: i64 },
    Cancel { by_owner: bool, may: bool, now: i64 },
    Expire { now: i64 },
    Redecide { verdict: Verdict, other_policies: bool, now: i64 },
    LapseVotes { verdict: Verdict, now: i64 },
    Withdraw { now: i64 },
    BeginTurn { now: i64 },
    Hold,
    Claim { batch: Ids, lost: Ids, verdict: Verdict, frozen: bool, now: i64 },
    LoseAll { lost: Ids, now: i64 },
    Answer { attempt: Which, report: Said, next: Then, now: i64 },
    Resume { next: Then, now: i64 },
    Recover { now: i64 },
    Find { on: Ids, now: i64 },
    Return { verdict: Verdict, now: i64 },
    EndWait { now: i64 },
}

/// A request that moved.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) transition: Transition,
    pub(super) permit: Option<ExecutionPermit>,
}

impl Input {
    /// The name of the function.
    pub(super) fn function(self) -> &'static str {
        match self {
            Self::Approve { .. } => "approve",
            Self::BreakGlass { .. } => "break_glass",
            Self::Reject { .. } => "reject",
            Self::Retract { .. } => "retract",
            Self::Cancel { .. } => "cancel",
            Self::Expire { .. } => "expire",
            Self::Redecide { .. } => "redecide",
            Self::LapseVotes { .. } => "lapse_votes",
            Self::Withdraw { .. } => "withdraw",
            Self::BeginTurn { .. } => "begin_turn",
            Self::Hold => "hold",
            Self::Claim { .. } => "claim",
            Self::LoseAll { .. } => "lose_all",
            Self::Answer { .. } => "answered",
            Self::Resume { .. } => "resume",
            Self::Recover { .. } => "recover",
            Self::Find { .. } => "calls_found",
            Self::Return { .. } => "returned",
            Self::EndWait { .. } => "end_wait",
        }
    }

    /// The moment; `hold` has none.
    pub(super) fn now(self) -> Option<i64> {
        match self {
            Self::Approve { now, .. }
            | Self::BreakGlass { now, .. }
            | Self::Reject { now, .. }
            | Self::Retract { now, .. }
            | Self::Cancel { now, .. }
            | Self::Expire { now }
            | Self::Redecide { now, .. }
            | Self::LapseVotes { now, .. }
            | Self::Withdraw { now }
            | Self::BeginTurn { now }
            | Self::Claim { now, .. }
            | Self::LoseAll { now, .. }
            | Self::Answer { now, .. }
            | Self::Resume { now, .. }
            | Self::Recover { now }
            | Self::Find { now, .. }
            | Self::Return { now, .. }
            | Self::EndWait { now } => Some(now),
            Self::Hold => None,
        }
    }

    /// What policy said just now, where it was asked whether the request may run.
    pub(super) fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Approve { verdict, .. }
            | Self::BreakGlass { verdict, .. }
            | Self::Retract { verdict, .. }
            | Self::Redecide { verdict, .. }
            | Self::LapseVotes { verdict, .. }
            | Self::Return { verdict, .. }
            | Self::Claim { verdict, .. }
            | Self::Answer { next: Then::Order { verdict, .. }, .. }
            | Self::Resume { next: Then::Order { verdict, .. }, .. } => Some(verdict),
            Self::Reject { .. }
            | Self::Cancel { .. }
            | Self::Expire { .. }
            | Self::Withdraw { .. }
            | Self::BeginTurn { .. }
            | Self::Hold
            | Self::LoseAll { .. }
            | Self::Answer { next: Then::Later | Then::Stop, .. }
            | Self::Resume { next: Then::Later | Then::Stop, .. }
            | Self::Recover { .. }
            | Self::EndWait { .. }
            | Self::Find { .. } => None,
        }
    }

    /// Whether the kill switch is on.
    pub(super) fn frozen(self) -> bool {
        matches!(
            self,
            Self::Claim { frozen: true, .. }
                | Self::Answer { next: Then::Order { frozen: true, .. }, .. }
                | Self::Resume { next: Then::Order { frozen: true, .. }, .. }
        )
    }

    /// Calls the function. None: nothing changes.
    pub(super) fn apply(self, request: Request) -> Result<Option<Moved>, Refusal> {
        let moved = match self {
            Self::Approve { who, screen, may, verdict, now } => {
                let ballot = screen.ballot(who, &request, "looks right");
                request.approve(ballot, &answer(may), fresh(verdict, now))?
            }
            Self::BreakGlass { who, screen, may, words, verdict, now } => {
                let (wrong, blank) = (words == Words::WrongPrefix, words == Words::NoReason);
                let ballot = screen.ballot(who, &request, if blank { " \n" } else { "nobody" });
                let prefix = request.digest.prefix();
                let typed = if wrong { prefix.to_uppercase() + "0" } else { prefix };
                request.break_glass(ballot, &typed, &answer(may), fresh(verdict, now))?
            }
            Self::Reject { who, screen, may, reason, now } => {
                let ballot = screen.ballot(who, &request, reason);
                request.reject(ballot, &answer(may), minute(now))?
            }
            Self::Retract { who, may, verdict, now } => {
                request.retract(&who.person(), &answer(may), fresh(verdict, now))?
            }
            Self::Cancel { by_owner, may, now } => {
                let owner = Who::Owner.person();
                let actor = if by_owner { Actor::from(&owner) } else { Actor::from(&agent()) };
                request.cancel(actor, "not needed", &answer(may), minute(now))?
            }
            Self::Expire { now } => request.expire(minute(now))?,
            Self::Redecide { verdict, other_policies, now } => {
                let mut fresh = fresh(verdict, now);
                if other_policies {
                    fresh.run = by_others(fresh.run);
                }
                return Ok(request.redecide(fresh, "policy changed")?.map(Moved::without_permit));
            }
            Self::LapseVotes { verdict, now } => {
                request.lapse_votes(minute(now), fresh(verdict, now))?
            }
            Self::Withdraw { now } => {
                request.withdraw("another machine".to_owned(), minute(now))?
            }
            Self::BeginTurn { now } => {
                let begun = request.begin_turn(fresh(Verdict::Run, now).use_by);
                return Ok(begun.map(Moved::without_permit));
            }
            Self::Hold => {
                return Ok(request
                    .hold("the manager is away".to_owned())
                    .map(Moved::without_permit));
            }
            Self::LoseAll { lost, now } => request.end_disconnected(&gone(lost), minute(now))?,
            Self::Recover { now } => request.recover(None, minute(now))?,
            Self::Return { verdict, now } => request.returned(fresh(verdict, now))?,
            Self::EndWait { now } => request.end_wait(minute(now))?,
            Self::Find { on, now } => {
                let calls = [found_call(&request, on, now)];
                request.calls_found(&calls, minute(now))?
            }
            Self::Claim { .. } | Self::Answer { .. } | Self::Resume { .. } => {
                return self.call(request).map(Some);
            }
        };
        Ok(Some(Moved::without_permit(moved)))
    }

    /// The functions that may give a permit.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` sends only these three here")]
    fn call(self, request: Request) -> Result<Moved, Refusal> {
        let (transition, permit) = match self {
            Self::Claim { batch, lost, verdict, frozen, now } => {
                let order = order(&request, batch);
                let fresh = fresh(verdict, now);
                let (transition, permit) = request.claim(order, &gone(lost), fresh, frozen)?;
                (transition, Some(permit))
            }
            Self::Answer { attempt, report, next, now } => {
                let id = attempt.of(&request);
                let (report, next) = (report.about(&request, id), next.after(&request));
                request.answered(id, &report, next, minute(now))?
            }
            Self::Resume { next, now } => {
                let next = next.after(&request);
                request.resume(next, minute(now))?
            }
            other => panic!("{other:?} gives no permit"),
        };
        Ok(Moved { transition, permit })
    }
}

impl Moved {
    fn without_permit(transition: Transition) -> Self {
        Self { transition, permit: None }
    }
}

impl Screen {
    pub(super) const ALL: [Self; 3] = [Self::Current, Self::AnotherVersion, Self::AnotherDigest];

    fn ballot(self, who: Who, request: &Request, comment: &str) -> Ballot {
        let shown = match self {
            Self::Current => Displayed { version: request.version, digest: request.digest },
            Self::AnotherVersion => {
                Displayed { version: request.version + 1, digest: request.digest }
            }
            Self::AnotherDigest => {
                Displayed { version: request.version, digest: Digest::of(b"another request") }
            }
        };
        Ballot {
            person: who.person(),
            shown,
            comment: comment.to_owned(),
            proof: None,
            token: None,
        }
    }
}

impl Which {
    fn of(self, request: &Request) -> AttemptId {
        let waits = self == Self::Open;
        request
            .attempts
            .iter()
            .find(|attempt| attempt.answered_at.is_none() == waits)
            .map_or(attempt_id(999), |attempt| attempt.id)
    }
}

impl Said {
    pub(super) const ALL: [Self; 7] = [
        Self::AllSent,
        Self::Mixed,
        Self::AllUnknown,
        Self::AllAway,
        Self::Nothing,
        Self::Partly,
        Self::Stranger,
    ];

    fn about(self, request: &Request, attempt: AttemptId) -> DispatchReport {
        let endpoints = request.targets.iter().filter(|target| target.attempt == Some(attempt));
        let outcome = |place| match (self, place) {
            (Self::Mixed, 1) => Some(refused("no such command")),
            (Self::AllAway, _) => Some(refused("not active: gone")),
            (Self::Mixed, 2) => Some(Outcome::NotSent { why: "not in the answer".to_owned() }),
            (Self::AllUnknown, _) => Some(Outcome::Unknown { why: "timeout".to_owned() }),
            (Self::Nothing, _) | (Self::Partly, 1..) => None,
            (Self::AllSent | Self::Mixed | Self::Partly | Self::Stranger, _) => Some(Outcome::Sent),
        };
        let mut outcomes: Vec<_> = endpoints
            .enumerate()
            .filter_map(|(place, target)| Some((target.endpoint.id.clone(), outcome(place)?)))
            .collect();
        if self == Self::Stranger {
            outcomes.push((endpoint_id("999"), Outcome::Sent));
        }
        DispatchReport { outcomes, summary: format!("{self:?}"), confirm_within: None }
    }
}

fn refused(message: &str) -> Outcome {
    Outcome::Refused { code: Some(1652), message: message.to_owned() }
}

impl Then {
    fn after(self, request: &Request) -> Next {
        match self {
            Self::Order { batch, verdict, frozen } => {
                Next::Order { order: order(request, batch), run: decision(verdict), frozen }
            }
            Self::Later => Next::Wait,
            Self::Stop => Next::Stop { why: "nothing more to do".to_owned() },
        }
    }
}

/// A call that these endpoints show, a minute before.
pub(super) fn found_call(request: &Request, on: Ids, now: i64) -> FoundCall {
    FoundCall {
        request: request.id,
        attempt: attempt_id(998),
        action: None,
        endpoints: on.iter().map(|id| endpoint_id(id)).collect(),
        at: minute(now - 1),
    }
}

fn gone(ids: Ids) -> Vec<(EndpointId, String)> {
    ids.iter().map(|id| (endpoint_id(id), "not active (disconnected)".to_owned())).collect()
}
