//! One request, with all that is known of it.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    endpoint::{OutcomeAnswer, SkippedEndpoint},
    request::StepAnswer,
    spoken,
};
use crate::{
    broker::queries::{ChildSummary, request::ProgramView},
    domain::{
        actor::{Agent, api_token::UsedToken},
        audit::{AuditDetail, AuditEntry, EventKind},
        decision::{Decision, Tally, Verdict},
        request::{Attempt, Request, State, Vote},
    },
};

/// One request.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct RequestDetail {
    /// Its id.
    id: String,
    /// Counts the changes. Send it back with a rejection: what you read is what you reject.
    version: u64,
    /// SHA-256 of all that people approve. Send it back with a rejection.
    digest: String,
    /// Who asked.
    agent: NamedAgent,
    /// The person who asked in the agent's stead, for an undo.
    asked_by: Option<String>,
    /// The response that was asked for.
    action: &'static str,
    /// What it acts on. Text from outside.
    target: String,
    /// What it does, where and for how long, in one line.
    effect: String,
    /// The manager whose endpoints it acts on.
    manager: String,
    /// How long it lasts, in seconds; null where it stays until somebody undoes it.
    term_seconds: Option<u32>,
    /// What the agent says of it.
    claim: ClaimAnswer,
    /// The request that it takes back.
    undoes: Option<String>,
    /// The plan that it is a step of.
    plan: Option<StepAnswer>,
    /// Where it stands.
    state: &'static str,
    /// Whether nothing further will be sent.
    terminal: bool,
    /// When it was asked (RFC 3339, UTC).
    asked_at: String,
    /// Until when people may decide.
    deadline: String,
    /// How it ended; null while it is open.
    ended: Option<EndAnswer>,
    /// Why an approved request cannot be sent at the moment. Text from outside.
    held_because: Option<String>,
    /// What policy answered last.
    decision: DecisionAnswer,
    /// The approvals that stand, the first first.
    votes: Vec<VoteAnswer>,
    /// The endpoints that take part, and what became of each.
    endpoints: Vec<OutcomeAnswer>,
    /// The endpoints that were asked for and take no part.
    skipped: Vec<SkippedEndpoint>,
    /// The calls to the manager, the first first.
    dispatches: Vec<DispatchAnswer>,
    /// The requests that wait, or waited, for endpoints that were away.
    waiting: Vec<WaitingAnswer>,
    /// What people and programs said of it, the first first. Agents never see it.
    comments: Vec<CommentAnswer>,
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
struct NamedAgent {
    /// Its id.
    id: String,
    /// Its name when it asked.
    name: String,
}

/// What an agent says. Text from outside.
#[derive(Debug, Serialize, ToSchema)]
struct ClaimAnswer {
    /// Why.
    reason: String,
    /// How sure it is, in percent.
    confidence: Option<u8>,
    /// The alert that it names.
    alert: Option<AlertAnswer>,
}

/// An alert, as Countersign looked for it.
#[derive(Debug, Serialize, ToSchema)]
struct AlertAnswer {
    /// The id that the agent named.
    id: String,
    /// Whether Countersign found it itself.
    found: bool,
    /// Whether it names the very target.
    names_target: bool,
    /// The rule's description, or why it was not found. Text from outside.
    summary: String,
}

/// How a request ended.
#[derive(Debug, Serialize, ToSchema)]
struct EndAnswer {
    /// When (RFC 3339, UTC).
    at: String,
    /// Who rejected or cancelled it.
    by: Option<String>,
    /// Why. Text from outside.
    reason: Option<String>,
}

/// What policy answered.
#[derive(Debug, Serialize, ToSchema)]
struct DecisionAnswer {
    /// `run` without people, `approval` by people, or `deny`.
    verdict: &'static str,
    /// Who has to approve, while that is open.
    needs: Option<String>,
    /// How many approvals counted.
    approvals: u8,
    /// Whether somebody on call broke the glass.
    break_glass: bool,
    /// The policies that decided, with their reasons.
    policies: Vec<PolicyAnswer>,
    /// What went wrong during the evaluation.
    errors: Vec<String>,
    /// SHA-256 of the policy set that answered.
    policy_set: String,
    /// When it answered.
    at: String,
}

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
struct PolicyAnswer {
    /// Its id.
    id: String,
    /// Its reason, in plain words.
    why: String,
}

/// An approval.
#[derive(Debug, Serialize, ToSchema)]
struct VoteAnswer {
    /// Who.
    person: String,
    /// The person's role now.
    role: &'static str,
    /// When.
    at: String,
    /// What the person added; may be empty. Text from outside.
    comment: String,
    /// Whether it stands in for approvals that were missing.
    break_glass: bool,
    /// Why it does not count; null where it does.
    not_counted: Option<&'static str>,
}

/// A call to the manager.
#[derive(Debug, Serialize, ToSchema)]
struct DispatchAnswer {
    /// Its id, part of the tag that the call carried.
    id: String,
    /// 1, 2, 3, … within the request.
    number: u32,
    /// SHA-256 of the exact body.
    body_sha256: String,
    /// When it was recorded, before any byte left.
    started_at: String,
    /// When it was known how it ended.
    answered_at: Option<String>,
    /// How it ended. Text from outside.
    answer: Option<String>,
}

/// A request for one endpoint that was away.
#[derive(Debug, Serialize, ToSchema)]
struct WaitingAnswer {
    /// Its id.
    id: String,
    /// The endpoint's id.
    endpoint: String,
    /// The endpoint's name. Text from outside.
    name: String,
    /// Where it stands.
    state: &'static str,
    /// What is known on the endpoint.
    outcome: Option<String>,
}

/// A comment.
#[derive(Debug, Serialize, ToSchema)]
struct CommentAnswer {
    /// The place of its entry in the audit.
    audit_seq: u64,
    /// When.
    at: Option<String>,
    /// `person` or `service`.
    by_kind: String,
    /// Who.
    by: String,
    /// The token that a program used; null where the person was on the page.
    token: Option<TokenAnswer>,
    /// What was said. Text from outside.
    text: String,
}

/// A token that was used.
#[derive(Debug, Serialize, ToSchema)]
struct TokenAnswer {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// The person who answers for the service; null where it is the person's own.
    owner: Option<String>,
}

impl From<ProgramView> for RequestDetail {
    fn from(view: ProgramView) -> Self {
        let ProgramView { request, agent, timeline, children } = view;
        let vote = |vote: &Vote| vote_answer(&request, &agent, vote);
        Self {
            id: request.id.to_string(),
            version: request.version,
            digest: request.digest.to_string(),
            agent: NamedAgent { id: request.agent.to_string(), name: request.agent_name.clone() },
            asked_by: request.asked_by.as_ref().map(|asker| asker.name.clone()),
            action: request.action.kind().name(),
            target: request.action.argument(),
            effect: request.effect(),
            manager: request.manager.clone(),
            term_seconds: request.term.seconds(),
            claim: claim(&request),
            undoes: request.undoes.map(|undone| undone.to_string()),
            plan: request.plan.map(StepAnswer::from),
            state: request.state.name().name(),
            terminal: request.state.name().terminal(),
            asked_at: spoken(request.asked_at),
            deadline: spoken(request.deadline),
            ended: ended(&request.state),
            held_because: request.held_because.clone(),
            decision: decision(&request.decision),
            votes: request.votes.iter().map(vote).collect(),
            endpoints: request.targets.iter().map(|one| OutcomeAnswer::of(&request, one)).collect(),
            skipped: request.skipped.iter().map(SkippedEndpoint::from).collect(),
            dispatches: request.attempts.iter().map(dispatch).collect(),
            waiting: children.into_iter().map(waiting).collect(),
            comments: timeline.iter().filter_map(comment).collect(),
        }
    }
}

fn claim(request: &Request) -> ClaimAnswer {
    let alert = request.claim.alert_id.as_ref().map(|id| AlertAnswer {
        id: id.clone(),
        found: request.alert.found,
        names_target: request.alert.names_target,
        summary: request.alert.summary.clone(),
    });
    ClaimAnswer {
        reason: request.claim.reason.clone(),
        confidence: request.claim.confidence,
        alert,
    }
}

fn ended(state: &State) -> Option<EndAnswer> {
    let (at, by, reason) = match state {
        State::Pending
        | State::Approved { .. }
        | State::Dispatching { .. }
        | State::Waiting { .. } => return None,
        State::Settled { at } | State::Denied { at } => (at, None, None),
        State::Rejected { at, by, reason } | State::Cancelled { at, by, reason } => {
            (at, Some(by.clone()), Some(reason.clone()))
        }
        State::Expired { at, reason } | State::Withdrawn { at, reason } => {
            (at, None, Some(reason.clone()))
        }
    };
    Some(EndAnswer { at: spoken(*at), by, reason: reason.filter(|reason| !reason.is_empty()) })
}

fn decision(decision: &Decision) -> DecisionAnswer {
    let (verdict, needs) = match decision.verdict {
        Verdict::Run if decision.tally == Tally::NONE => ("run", None),
        Verdict::Run => ("approval", None),
        Verdict::Approval(least) => ("approval", Some(least.to_string())),
        Verdict::Deny => ("deny", None),
    };
    let policies = decision.reasons.iter();
    let policies =
        policies.map(|reason| PolicyAnswer { id: reason.policy.clone(), why: reason.why.clone() });
    DecisionAnswer {
        verdict,
        needs,
        approvals: decision.tally.people,
        break_glass: decision.break_glass,
        policies: policies.collect(),
        errors: decision.errors.clone(),
        policy_set: decision.policy_hash.to_string(),
        at: spoken(decision.at),
    }
}

fn vote_answer(request: &Request, agent: &Agent, vote: &Vote) -> VoteAnswer {
    VoteAnswer {
        person: vote.person.name.clone(),
        role: vote.person.role.name(),
        at: spoken(vote.at),
        comment: vote.comment.clone(),
        break_glass: vote.break_glass,
        not_counted: request.why_not_counted(vote, agent),
    }
}

fn dispatch(attempt: &Attempt) -> DispatchAnswer {
    DispatchAnswer {
        id: attempt.id.to_string(),
        number: attempt.number,
        body_sha256: attempt.body_hash.to_string(),
        started_at: spoken(attempt.started_at),
        answered_at: attempt.answered_at.map(spoken),
        answer: attempt.answer.clone(),
    }
}

fn waiting(child: ChildSummary) -> WaitingAnswer {
    WaitingAnswer {
        id: child.id.to_string(),
        endpoint: child.endpoint.to_string(),
        name: child.name,
        state: child.state.name(),
        outcome: child.outcome,
    }
}

/// A comment among the audit entries of a request.
fn comment(entry: &AuditEntry) -> Option<CommentAnswer> {
    if entry.kind != EventKind::CommentAdded.name() {
        return None;
    }
    let Ok(AuditDetail::CommentAdded(facts)) = entry.typed_detail() else { return None };
    let token = |UsedToken { id, name, owner }| TokenAnswer { id: id.to_string(), name, owner };
    Some(CommentAnswer {
        audit_seq: entry.seq,
        at: entry.time().ok().map(spoken),
        by_kind: entry.actor_kind.clone(),
        by: entry.actor_name.clone(),
        token: facts.token.map(token),
        text: facts.comment,
    })
}
