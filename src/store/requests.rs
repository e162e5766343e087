//! Requests: inserted and advanced only by a [`Transition`], so never without its audit event and
//! its notices.

use super::{
    Read, StoreError, Subject, Tx, audit, notices,
    row::{At, NewRow},
    sqlite::query,
};
use crate::domain::{
    Time,
    digest::Digest,
    id::{PersonId, RequestId},
    lifecycle::{Change, Transition},
    notice::{Notice, PreviousState},
    request::{Request, State},
};

mod active;
mod children;
mod endpoints;
mod history;
mod list;
mod load;
mod pending;
pub mod plans;
mod reach;
mod rule_responses;
mod undos;
mod watch;

pub use active::{
    ActiveFilter, ActiveKey, ActiveRow, ActiveSearch, ActiveSort, EndpointCommand,
    EndpointCommands, RequestOrigin, RestingRequest, RowOutcome, WantedEndpoint, WantedTarget,
    active, active_after, active_targets, approvers, commands, commands_on, find_active, origin,
    overlapping, targets_statement,
};
pub use children::{
    ChildSummary, MissedEndpoint, children, missed, open_children, scope, waiting, with_children,
};
pub use endpoints::sites::{sites, sites_of_plan, sites_of_request};
pub use history::{
    agent_events, asks_in_minute, noted_between, open_count, refusals, same_key, same_open_ask,
    unknown_outcomes,
};
pub use list::{
    Queued, RequestFilter, RequestSummary, approved_count, busy_managers, dispatching, in_queue,
    is_attempt_known, list, open, overdue, queue, reviews_due,
    search::{FoundRequests, RequestSearch, finds, is_target, search, targets},
};
pub use load::{load, reload};
pub use pending::{
    Pending, PendingFilter, PendingKind, assign, open_of_agent, pending, pending_kinds, snooze,
};
pub use reach::{automatic_since, lifted_at, reach};
pub use rule_responses::{
    RULE_RESPONSE_COUNTS, StandingRuleResponse, rule_responses_read, standing_rule_responses,
    store_rule_responses,
};
pub use undos::{is_uncertain, lifted_by, open_undo, open_undos_beside, uncertain_undo, undos};
pub use watch::{Wanted, note_look, watched, watched_count};

/// What a new request carries beside itself.
#[derive(Debug, Clone, Copy)]
pub struct AskKey<'a> {
    /// [`crate::domain::proposal::Proposal::digest`].
    pub proposal: Digest,
    /// [`crate::domain::proposal::Proposal::ask_digest`].
    pub ask: Digest,
    /// The agent's own name for the proposal.
    pub idempotency_key: Option<&'a str>,
}

/// Stores a new request, its decision and its audit event.
pub async fn insert(
    tx: &mut Tx<'_>,
    asked: &Transition,
    origin: AskKey<'_>,
    now: Time,
) -> Result<(), StoreError> {
    let request = asked.request();
    let id = request.id.to_string();
    let at = At { table: "request", id: &id };
    let (ended, asker) = (EndColumns::of(&request.state), request.asked_by.as_ref());
    NewRow::of("request")
        .set("id", &id)
        .set("version", at.integer(request.version)?)
        .set("agent_id", request.agent.to_string())
        .set("agent_name", &request.agent_name)
        .set("owner_id", request.owner.to_string())
        .set("issuer_id", request.issuer.map(|id| id.to_string()))
        .set("action", request.action.kind().name())
        .set("argument", request.action.argument())
        .set("action_entry", request.action.kind().version().map(|hash| hash.to_string()))
        .set("term_seconds", request.term.seconds())
        .set("reason", &request.claim.reason)
        .set("alert_id", &request.claim.alert_id)
        .set("confidence", request.claim.confidence)
        .set("fleet_wide", request.fleet_wide)
        .set("manager", &request.manager)
        .set("alert", at.to_json(&request.alert)?)
        .set("agent_history", request.history.as_ref().map(|h| at.to_json(h)).transpose()?)
        .set("refused_at", moment(request.refused_at()))
        .set("digest", request.digest.to_string())
        .set("proposal_digest", origin.proposal.to_string())
        .set("ask_digest", origin.ask.to_string())
        .set("idempotency_key", origin.idempotency_key)
        .set("asked_at", request.asked_at.timestamp_micros())
        .set("deadline", request.deadline.timestamp_micros())
        .set("state", request.state.name().name())
        .set("use_by", use_by(&request.state))
        .set("ended_at", ended.at.map(|at| at.timestamp_micros()))
        .set("ended_by", ended.by)
        .set("ended_reason", ended.reason)
        .set("decision", at.to_json(&request.decision)?)
        .set("tier", request.tier().name())
        .set("undoes", id_text(request.undoes))
        .set("plan_id", request.plan.map(|step| step.plan.to_string()))
        .set("plan_step", request.plan.map(|step| step.number))
        .set("asker_id", asker.map(|asker| asker.person.to_string()))
        .set("asker_name", asker.map(|asker| asker.name.as_str()))
        .set("asker_role", asker.map(|asker| asker.role.name()))
        .set("wait_seconds", request.wait.map(|wait| wait.seconds))
        .set("parent", id_text(request.parent().map(|parent| parent.id)))
        .set("parent_digest", request.parent().map(|parent| parent.digest.to_string()))
        .insert(tx)
        .await?;
    endpoints::insert(tx, request).await?;
    note_policies(tx, request).await?;
    audit::append(tx, asked.event(), now).await?;
    tx.effects.touched.extend(Subject::touched_by(asked, true));
    tx.effects.approves |= matches!(request.state, State::Approved { .. });
    for notice in Notice::of(None, asked, now) {
        notices::insert(tx, &notice).await?;
    }
    Ok(())
}

/// Stores what a transition changed, if the request is still the one it started from.
pub async fn advance(
    tx: &mut Tx<'_>,
    transition: Transition,
    now: Time,
) -> Result<Request, StoreError> {
    let id = transition.request().id;
    let state = load::state_now(tx, id).await?;
    let targets = load::targets(tx, id).await?;
    let before = PreviousState { state, targets: &targets };
    advance_from(tx, before, transition, now).await
}

/// The same, where it is known how the request stood: as [`reload`] gave it. What follows for the other
/// steps of its plan is stored with it.
pub async fn advance_from(
    tx: &mut Tx<'_>,
    before: PreviousState<'_>,
    transition: Transition,
    now: Time,
) -> Result<Request, StoreError> {
    let was_open = !before.state.terminal();
    // Every future that stores a transition would be as large as this one.
    let request = Box::pin(write(tx, before, transition, now)).await?;
    if request.state.name().terminal() {
        Box::pin(follow(tx, &request, (was_open, now))).await?;
    }
    Ok(request)
}

/// Stores what follows for the other steps of a plan from what became of one. `over`: it just ended.
pub async fn follow(
    tx: &mut Tx<'_>,
    ended: &Request,
    (over, now): (bool, Time),
) -> Result<(), StoreError> {
    let Some(step) = ended.plan else { return Ok(()) };
    if !plans::is_followed(tx, step).await? {
        return Ok(());
    }
    let plan = plans::load_plan(tx, step.plan).await?.ok_or(StoreError::Conflict)?;
    for transition in plan.what_follows(ended.id, (over, now)) {
        let id = transition.request().id;
        let before = plan.steps.iter().find(|step| step.id == id).ok_or(StoreError::Conflict)?;
        write(tx, PreviousState::of(before), transition, now).await?;
    }
    Ok(())
}

async fn write(
    tx: &mut Tx<'_>,
    before: PreviousState<'_>,
    transition: Transition,
    now: Time,
) -> Result<Request, StoreError> {
    let request = transition.request();
    let id = request.id.to_string();
    let at = At { table: "request", id: &id };
    let ended = EndColumns::of(&request.state);
    let reviewed = request.review.as_ref().and_then(|review| review.done.as_ref());
    let done = query(
        "UPDATE request SET version = version + 1, state = $3, use_by = $4, ended_at = $5,
             ended_by = $6, ended_reason = $7, decision = $8, held_because = $9,
             review_due_at = $10, reviewed_at = $11, reviewed_by = $12, review_finding = $13,
             refused_at = $14, first_sent_at = $15, last_sent_at = $16, automatic = $17, tier = $18,
             decided_at = CASE $3 WHEN 'pending' THEN NULL WHEN 'rejected' THEN $5
                 ELSE ifnull($19, decided_at) END
         WHERE id = $1 AND version = $2",
    )
    .bind(&id)
    .bind(at.integer(request.version)?)
    .bind(request.state.name().name())
    .bind(use_by(&request.state))
    .bind(ended.at.map(|at| at.timestamp_micros()))
    .bind(ended.by)
    .bind(ended.reason)
    .bind(at.to_json(&request.decision)?)
    .bind(&request.held_because)
    .bind(request.review.as_ref().map(|review| review.due_at.timestamp_micros()))
    .bind(reviewed.map(|done| done.at.timestamp_micros()))
    .bind(reviewed.map(|done| done.by.as_str()))
    .bind(reviewed.map(|done| done.finding.as_str()))
    .bind(moment(request.refused_at()))
    .bind(moment(request.sent_at().min()))
    .bind(moment(request.sent_at().max()))
    .bind(request.is_automatic())
    .bind(request.tier().name())
    .bind(moment(request.decided_at()))
    .execute(tx.connection())
    .await?;
    if done != 1 {
        return Err(StoreError::Conflict);
    }
    write_change(tx, &transition, now).await?;
    endpoints::write_outcomes(tx, request, before.targets).await?;
    note_policies(tx, request).await?;
    audit::append(tx, transition.event(), now).await?;
    tx.effects.touched.extend(Subject::touched_by(&transition, false));
    tx.effects.approves |= matches!(request.state, State::Approved { .. });
    if let (Change::Approved(_), State::Approved { .. }) = (transition.change(), &request.state) {
        tx.effects.waited.push(now - request.asked_at);
    }
    for notice in Notice::of(Some(before), &transition, now) {
        notices::insert(tx, &notice).await?;
    }
    let mut request = transition.into_request();
    request.version += 1;
    children::follow(tx, &request, before.state, now).await?;
    Ok(request)
}

async fn write_change(
    tx: &mut Tx<'_>,
    transition: &Transition,
    now: Time,
) -> Result<(), StoreError> {
    let request = transition.request();
    let id = request.id.to_string();
    match transition.change() {
        Change::Asked | Change::State => {}
        Change::Approved(vote) => {
            if vote.break_glass {
                // It takes the place of an earlier one, if there is one.
                take_vote(tx, &id, vote.person.id, now).await?;
            }
            query(
                "INSERT INTO vote (request_id, person_id, digest, role, comment, at, break_glass)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&id)
            .bind(vote.person.id.to_string())
            .bind(vote.digest.to_string())
            .bind(vote.person.role.name())
            .bind(&vote.comment)
            .bind(vote.at.timestamp_micros())
            .bind(vote.break_glass)
            .execute(tx.connection())
            .await?;
        }
        Change::Retracted(person) => retract(tx, &id, *person, now).await?,
        Change::Lapsed(people) => {
            for person in people {
                retract(tx, &id, *person, now).await?;
            }
        }
        Change::Attempt(attempt) => endpoints::insert_attempt(tx, &id, attempt).await?,
        Change::Answered(answered, next) => {
            let answered = request.attempts.iter().find(|attempt| attempt.id == *answered);
            if let Some(attempt) = answered {
                query("UPDATE attempt SET answered_at = $2, answer = $3 WHERE id = $1")
                    .bind(attempt.id.to_string())
                    .bind(attempt.answered_at.map(|at| at.timestamp_micros()))
                    .bind(&attempt.answer)
                    .execute(tx.connection())
                    .await?;
            }
            if let Some(attempt) = next {
                endpoints::insert_attempt(tx, &id, attempt).await?;
            }
        }
    }
    Ok(())
}

/// Takes a person's standing vote away. Of one that is not there nothing may be said to be taken back.
async fn retract(
    tx: &mut Tx<'_>,
    request: &str,
    person: PersonId,
    now: Time,
) -> Result<(), StoreError> {
    let taken = take_vote(tx, request, person, now).await?;
    if taken { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Takes a person's standing vote away; whether there was one.
async fn take_vote(
    tx: &mut Tx<'_>,
    request: &str,
    person: PersonId,
    now: Time,
) -> Result<bool, StoreError> {
    let taken = query(
        "UPDATE vote SET retracted_at = $3
         WHERE request_id = $1 AND person_id = $2 AND retracted_at IS NULL",
    )
    .bind(request)
    .bind(person.to_string())
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(taken == 1)
}

fn moment(time: Option<Time>) -> Option<i64> {
    time.map(|at| at.timestamp_micros())
}

async fn note_policies(tx: &mut Tx<'_>, request: &Request) -> Result<(), StoreError> {
    for policy in request.decision.policies() {
        query(
            "INSERT INTO decision_policy (request_id, policy_id) VALUES ($1, $2)
             ON CONFLICT (policy_id, request_id) DO NOTHING",
        )
        .bind(request.id.to_string())
        .bind(policy)
        .execute(tx.connection())
        .await?;
    }
    Ok(())
}

/// The facts of an end, as columns.
struct EndColumns<'a> {
    at: Option<Time>,
    by: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> EndColumns<'a> {
    fn of(state: &'a State) -> Self {
        let (at, by, reason) = match state {
            State::Pending
            | State::Approved { .. }
            | State::Dispatching { .. }
            | State::Waiting { .. } => (None, None, None),
            State::Settled { at } | State::Denied { at } => (Some(*at), None, None),
            State::Rejected { at, by, reason } | State::Cancelled { at, by, reason } => {
                (Some(*at), Some(by.as_str()), Some(reason.as_str()))
            }
            State::Expired { at, reason } | State::Withdrawn { at, reason } => {
                (Some(*at), None, Some(reason.as_str()))
            }
        };
        Self { at, by, reason }
    }
}

fn use_by(state: &State) -> Option<i64> {
    match state {
        State::Approved { use_by: last }
        | State::Dispatching { use_by: last }
        | State::Waiting { until: last } => Some(last.timestamp_micros()),
        State::Pending
        | State::Settled { .. }
        | State::Denied { .. }
        | State::Rejected { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Withdrawn { .. } => None,
    }
}

/// An id as text, or nothing.
fn id_text(id: Option<RequestId>) -> Option<String> {
    id.map(|id| id.to_string())
}
