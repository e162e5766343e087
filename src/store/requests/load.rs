//! One whole request out of its rows.

use super::super::{
    Read, StoreError, accounts,
    row::{At, Columns, text},
    sqlite::{Row, query},
};
use crate::domain::{
    action::{Action, Term},
    digest::Digest,
    endpoint::{Endpoint, EndpointId, Platform, SkipReason},
    id::RequestId,
    proposal::Claim,
    request::{
        Attempt, Outcome, OutcomeParts, Parent, PlanStep, PostReview, Request, Requester, Reviewed,
        Skipped, State, StateName, Target, Vote, Wait,
    },
};

/// A request with its endpoints, standing votes and attempts.
pub async fn load(read: &mut impl Read, id: RequestId) -> Result<Option<Request>, StoreError> {
    let key = id.to_string();
    let row = query("SELECT * FROM request WHERE id = $1")
        .bind(&key)
        .fetch_optional(read.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let at = At { table: "request", id: &key };
    let mut request = request(at, id, at.columns(&row))?;
    (request.targets, request.skipped) = endpoints(read, at).await?;
    request.votes = votes(read, &request).await?;
    request.attempts = attempts(read, at).await?;
    Ok(Some(request))
}

/// The request as it is now: a copy of the known one, where nothing changed it since. Whoever voted
/// may be somebody else by now.
pub async fn reload(read: &mut impl Read, known: &Request) -> Result<Option<Request>, StoreError> {
    let key = known.id.to_string();
    let row = query("SELECT version FROM request WHERE id = $1")
        .bind(&key)
        .fetch_optional(read.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let at = At { table: "request", id: &key };
    let version: u64 = at.columns(&row).number("version")?;
    if version != known.version {
        return load(read, known.id).await;
    }
    let votes = if known.votes.is_empty() { Vec::new() } else { votes(read, known).await? };
    Ok(Some(Request { votes, ..known.clone() }))
}

fn request(at: At<'_>, id: RequestId, row: Columns<'_>) -> Result<Request, StoreError> {
    let (action, term) = action(row)?;
    Ok(Request {
        id,
        version: row.number("version")?,
        agent: row.parse("agent_id")?,
        agent_name: row.text("agent_name")?,
        owner: row.parse("owner_id")?,
        issuer: row.maybe_parse("issuer_id")?,
        undoes: row.maybe_parse("undoes")?,
        plan: plan_step(row)?,
        asked_by: asker(row)?,
        action,
        term,
        claim: Claim {
            reason: row.text("reason")?,
            alert_id: row.maybe_text("alert_id")?,
            confidence: row.maybe_number("confidence")?,
        },
        fleet_wide: row.flag("fleet_wide")?,
        manager: row.text("manager")?,
        targets: Vec::new(),
        skipped: Vec::new(),
        alert: row.json("alert")?,
        history: row.maybe_json("agent_history")?,
        digest: row.read("digest", Digest::parse)?,
        asked_at: row.time("asked_at")?,
        deadline: row.time("deadline")?,
        state: state(at, row)?,
        votes: Vec::new(),
        decision: row.json("decision")?,
        attempts: Vec::new(),
        held_because: row.maybe_text("held_because")?,
        review: review(row)?,
        wait: wait(row)?,
    })
}

/// What a request does and for how long.
pub(super) fn action(row: Columns<'_>) -> Result<(Action, Term), StoreError> {
    Ok((action_alone(row)?, term(row)?))
}

/// For how long.
pub(super) fn term(row: Columns<'_>) -> Result<Term, StoreError> {
    Ok(row.maybe_number("term_seconds")?.map_or(Term::Permanent, Term::Seconds))
}

/// What a request does, by the entry that it was asked with.
pub(super) fn action_alone(row: Columns<'_>) -> Result<Action, StoreError> {
    let name = row.text("action")?;
    let version = match row.maybe_text("action_entry")? {
        None => None,
        Some(_) => Some(row.read("action_entry", Digest::parse)?),
    };
    row.read("argument", |text| Action::stored(&name, version, text))
}

fn review(row: Columns<'_>) -> Result<Option<PostReview>, StoreError> {
    let Some(due_at) = row.maybe_time("review_due_at")? else { return Ok(None) };
    let done = match row.maybe_time("reviewed_at")? {
        None => None,
        Some(at) => Some(Reviewed {
            by: row.text("reviewed_by")?,
            finding: row.text("review_finding")?,
            at,
        }),
    };
    Ok(Some(PostReview { due_at, done }))
}

pub(super) fn plan_step(row: Columns<'_>) -> Result<Option<PlanStep>, StoreError> {
    let Some(plan) = row.maybe_parse("plan_id")? else { return Ok(None) };
    Ok(Some(PlanStep { plan, number: row.number("plan_step")? }))
}

fn wait(row: Columns<'_>) -> Result<Option<Wait>, StoreError> {
    let Some(seconds) = row.maybe_number("wait_seconds")? else { return Ok(None) };
    let parent = match row.maybe_parse("parent")? {
        None => None,
        Some(id) => Some(Parent { id, digest: row.read("parent_digest", Digest::parse)? }),
    };
    Ok(Some(Wait { seconds, parent }))
}

fn asker(row: Columns<'_>) -> Result<Option<Requester>, StoreError> {
    let Some(person) = row.maybe_parse("asker_id")? else { return Ok(None) };
    let (name, role) = (row.text("asker_name")?, row.parse("asker_role")?);
    Ok(Some(Requester { person, name, role }))
}

fn state(at: At<'_>, row: Columns<'_>) -> Result<State, StoreError> {
    let name = row.parse("state")?;
    let use_by = row.maybe_time("use_by")?;
    let ended = row.maybe_time("ended_at")?;
    let by = row.maybe_text("ended_by")?;
    let reason = row.maybe_text("ended_reason")?;
    let read = || {
        Some(match name {
            StateName::Pending => State::Pending,
            StateName::Approved => State::Approved { use_by: use_by? },
            StateName::Dispatching => State::Dispatching { use_by: use_by? },
            StateName::Waiting => State::Waiting { until: use_by? },
            StateName::Settled => State::Settled { at: ended? },
            StateName::Denied => State::Denied { at: ended? },
            StateName::Rejected => State::Rejected { at: ended?, by: by?, reason: reason? },
            StateName::Cancelled => State::Cancelled { at: ended?, by: by?, reason: reason? },
            StateName::Expired => State::Expired { at: ended?, reason: reason? },
            StateName::Withdrawn => State::Withdrawn { at: ended?, reason: reason? },
        })
    };
    read().ok_or_else(|| at.wrong(format!("the state {name} lacks a fact")))
}

/// Where a request stands.
pub(super) async fn state_now(
    read: &mut impl Read,
    id: RequestId,
) -> Result<StateName, StoreError> {
    let key = id.to_string();
    let row = query("SELECT state FROM request WHERE id = $1")
        .bind(&key)
        .fetch_optional(read.connection())
        .await?
        .ok_or(StoreError::Conflict)?;
    At { table: "request", id: &key }.read(&text(&row, "state")?, StateName::parse)
}

/// The endpoints that take part in a request, and what is known of them.
pub(super) async fn targets(
    read: &mut impl Read,
    id: RequestId,
) -> Result<Vec<Target>, StoreError> {
    let key = id.to_string();
    Ok(endpoints(read, At { table: "request", id: &key }).await?.0)
}

async fn endpoints(
    read: &mut impl Read,
    at: At<'_>,
) -> Result<(Vec<Target>, Vec<Skipped>), StoreError> {
    let rows = query(
        "SELECT * FROM request_endpoint WHERE request_id = $1
         ORDER BY length(endpoint_id), endpoint_id",
    )
    .bind(at.id)
    .fetch_all(read.connection())
    .await?;
    let (mut targets, mut skipped) = (Vec::new(), Vec::new());
    for row in &rows {
        let row = at.columns(row);
        let endpoint = endpoint(row)?;
        match row.maybe_text("skip_code")? {
            None => targets.push(target(at, endpoint, row)?),
            Some(code) => {
                let detail = row.text("skip_detail")?;
                let reason = at.read(&code, |code| SkipReason::from_parts(code, detail))?;
                skipped.push(Skipped { endpoint, reason });
            }
        }
    }
    Ok((targets, skipped))
}

fn endpoint(row: Columns<'_>) -> Result<Endpoint, StoreError> {
    Ok(Endpoint {
        id: row.read("endpoint_id", EndpointId::parse)?,
        name: row.text("name")?,
        date_added: row.text("date_added")?,
        platform: Platform::parse(&row.text("platform")?),
        groups: row.json("endpoint_groups")?,
        address: row.maybe_text("address")?,
    })
}

fn target(at: At<'_>, endpoint: Endpoint, row: Columns<'_>) -> Result<Target, StoreError> {
    Ok(Target {
        away: row.flag("away")?,
        attempt: row.maybe_parse("attempt_id")?,
        outcome: row.maybe_text("outcome")?.map(|name| outcome(at, name, row)).transpose()?,
        outcome_at: row.maybe_time("outcome_at")?,
        since: row.maybe_time("since")?,
        ends: row.maybe_time("ends_at")?,
        started: row.flag("started")?,
        doubt: row.maybe_text("doubt")?,
        watch_until: row.maybe_time("watch_until")?,
        ..Target::new(endpoint, row.number("criticality")?, row.text("command")?)
    })
}

pub(super) fn outcome(at: At<'_>, name: String, row: Columns<'_>) -> Result<Outcome, StoreError> {
    let parts = OutcomeParts {
        code: row.maybe_number("outcome_code")?,
        detail: row.maybe_text("outcome_detail")?.unwrap_or_default(),
        evidence: row.maybe_json("evidence")?,
        reverted_by: row.maybe_parse("reverted_by")?,
        name,
    };
    let wrong = at.wrong(format!("{parts:?} is not an outcome"));
    Outcome::from_parts(parts).ok_or(wrong)
}

/// The approvals that stand; those of a child are its parent's.
async fn votes(read: &mut impl Read, request: &Request) -> Result<Vec<Vote>, StoreError> {
    let id = request.parent().map_or(request.id, |parent| parent.id).to_string();
    let at = At { table: "vote", id: &id };
    let rows = query(
        "SELECT person.*, vote.digest, vote.comment, vote.at, vote.break_glass
         FROM vote JOIN person ON person.id = vote.person_id
         WHERE request_id = $1 AND retracted_at IS NULL ORDER BY vote.at, person.id",
    )
    .bind(at.id)
    .fetch_all(read.connection())
    .await?;
    let vote = |row: &Row| {
        let vote = at.columns(row);
        Ok(Vote {
            person: accounts::person(row)?,
            digest: vote.read("digest", Digest::parse)?,
            comment: vote.text("comment")?,
            at: vote.time("at")?,
            break_glass: vote.flag("break_glass")?,
        })
    };
    rows.iter().map(vote).collect()
}

async fn attempts(read: &mut impl Read, at: At<'_>) -> Result<Vec<Attempt>, StoreError> {
    let rows = query("SELECT * FROM attempt WHERE request_id = $1 ORDER BY number")
        .bind(at.id)
        .fetch_all(read.connection())
        .await?;
    let attempt = |row: &Row| {
        let row = at.columns(row);
        Ok(Attempt {
            id: row.parse("id")?,
            number: row.number("number")?,
            body_hash: row.read("body_hash", Digest::parse)?,
            started_at: row.time("started_at")?,
            answered_at: row.maybe_time("answered_at")?,
            answer: row.maybe_text("answer")?,
        })
    };
    rows.iter().map(attempt).collect()
}
