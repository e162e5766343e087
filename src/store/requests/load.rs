//! One whole request out of its rows.

use sqlx::sqlite::SqliteRow;

use super::super::{
    Read, StoreError, accounts,
    row::{At, integer, maybe_integer, maybe_text, read_alert, read_decision, read_evidence, text},
};
use crate::domain::{
    action::{Action, ActionKind, Term},
    actor::Role,
    digest::Digest,
    endpoint::{Endpoint, EndpointId, Platform, SkipReason},
    id::RequestId,
    proposal::Claim,
    request::{
        Attempt, Outcome, OutcomeParts, PostReview, Request, Requester, Reviewed, Skipped, State,
        StateName, Target, Vote,
    },
};

/// A request with its endpoints, standing votes and attempts.
pub async fn load(read: &mut impl Read, id: RequestId) -> Result<Option<Request>, StoreError> {
    let key = id.to_string();
    let row = sqlx::query("SELECT * FROM request WHERE id = $1")
        .bind(&key)
        .fetch_optional(read.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let at = At { table: "request", id: &key };
    let mut request = request(at, id, &row)?;
    (request.targets, request.skipped) = endpoints(read, at).await?;
    request.votes = votes(read, at).await?;
    request.attempts = attempts(read, at).await?;
    Ok(Some(request))
}

fn request(at: At<'_>, id: RequestId, row: &SqliteRow) -> Result<Request, StoreError> {
    let parsed = |column| text(row, column);
    let kind = at.read(&parsed("action")?, ActionKind::parse)?;
    let term = match maybe_integer(row, "term_seconds")? {
        None => Term::Permanent,
        Some(seconds) => Term::Seconds(at.number(seconds)?),
    };
    let issuer = maybe_text(row, "issuer_id")?;
    let undoes = maybe_text(row, "undoes")?;
    let confidence = maybe_integer(row, "confidence")?;
    Ok(Request {
        id,
        version: at.number(integer(row, "version")?)?,
        agent: at.read(&parsed("agent_id")?, |text| text.parse().ok())?,
        agent_name: parsed("agent_name")?,
        owner: at.read(&parsed("owner_id")?, |text| text.parse().ok())?,
        issuer: issuer.map(|id| at.read(&id, |text| text.parse().ok())).transpose()?,
        undoes: undoes.map(|id| at.read(&id, |text| text.parse().ok())).transpose()?,
        asked_by: asker(at, row)?,
        action: at.read(&parsed("argument")?, |text| Action::parse(kind, text).ok())?,
        term,
        claim: Claim {
            reason: parsed("reason")?,
            alert_id: maybe_text(row, "alert_id")?,
            confidence: confidence.map(|number| at.number(number)).transpose()?,
        },
        fleet_wide: integer(row, "fleet_wide")? == 1,
        manager: parsed("manager")?,
        targets: Vec::new(),
        skipped: Vec::new(),
        alert: read_alert(at, &parsed("alert")?)?,
        digest: at.read(&parsed("digest")?, Digest::parse)?,
        asked_at: at.time(integer(row, "asked_at")?)?,
        deadline: at.time(integer(row, "deadline")?)?,
        state: state(at, row)?,
        votes: Vec::new(),
        decision: read_decision(at, &parsed("decision")?)?,
        attempts: Vec::new(),
        held_because: maybe_text(row, "held_because")?,
        review: review(at, row)?,
    })
}

fn review(at: At<'_>, row: &SqliteRow) -> Result<Option<PostReview>, StoreError> {
    let moment = |column| at.maybe_time(maybe_integer(row, column)?);
    let Some(due_at) = moment("review_due_at")? else { return Ok(None) };
    let done = match moment("reviewed_at")? {
        None => None,
        Some(at) => Some(Reviewed {
            by: text(row, "reviewed_by")?,
            finding: text(row, "review_finding")?,
            at,
        }),
    };
    Ok(Some(PostReview { due_at, done }))
}

fn asker(at: At<'_>, row: &SqliteRow) -> Result<Option<Requester>, StoreError> {
    let Some(person) = maybe_text(row, "asker_id")? else { return Ok(None) };
    Ok(Some(Requester {
        person: at.read(&person, |text| text.parse().ok())?,
        name: text(row, "asker_name")?,
        role: at.read(&text(row, "asker_role")?, |text| text.parse::<Role>().ok())?,
    }))
}

fn state(at: At<'_>, row: &SqliteRow) -> Result<State, StoreError> {
    let name = at.read(&text(row, "state")?, StateName::parse)?;
    let use_by = at.maybe_time(maybe_integer(row, "use_by")?)?;
    let ended = at.maybe_time(maybe_integer(row, "ended_at")?)?;
    let by = maybe_text(row, "ended_by")?;
    let reason = maybe_text(row, "ended_reason")?;
    let read = || {
        Some(match name {
            StateName::Pending => State::Pending,
            StateName::Approved => State::Approved { use_by: use_by? },
            StateName::Dispatching => State::Dispatching { use_by: use_by? },
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
    let row = sqlx::query("SELECT state FROM request WHERE id = $1")
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
    let rows = sqlx::query(
        "SELECT * FROM request_endpoint WHERE request_id = $1
         ORDER BY length(endpoint_id), endpoint_id",
    )
    .bind(at.id)
    .fetch_all(read.connection())
    .await?;
    let (mut targets, mut skipped) = (Vec::new(), Vec::new());
    for row in &rows {
        let endpoint = endpoint(at, row)?;
        match maybe_text(row, "skip_code")? {
            None => targets.push(target(at, endpoint, row)?),
            Some(code) => {
                let detail = text(row, "skip_detail")?;
                let reason = at.read(&code, |code| SkipReason::from_parts(code, detail))?;
                skipped.push(Skipped { endpoint, reason });
            }
        }
    }
    Ok((targets, skipped))
}

fn endpoint(at: At<'_>, row: &SqliteRow) -> Result<Endpoint, StoreError> {
    let groups = at.json(&text(row, "endpoint_groups")?)?;
    let groups = groups.as_array().map(|groups| {
        groups.iter().filter_map(|group| group.as_str().map(str::to_owned)).collect()
    });
    Ok(Endpoint {
        id: at.read(&text(row, "endpoint_id")?, EndpointId::parse)?,
        name: text(row, "name")?,
        date_added: text(row, "date_added")?,
        platform: Platform::parse(&text(row, "platform")?),
        groups: groups.ok_or_else(|| at.wrong("the groups are no list"))?,
        address: maybe_text(row, "address")?,
    })
}

fn target(at: At<'_>, endpoint: Endpoint, row: &SqliteRow) -> Result<Target, StoreError> {
    let attempt = maybe_text(row, "attempt_id")?;
    let moment = |column| at.maybe_time(maybe_integer(row, column)?);
    Ok(Target {
        attempt: attempt.map(|id| at.read(&id, |text| text.parse().ok())).transpose()?,
        outcome: maybe_text(row, "outcome")?.map(|name| outcome(at, name, row)).transpose()?,
        outcome_at: moment("outcome_at")?,
        since: moment("since")?,
        doubt: maybe_text(row, "doubt")?,
        watch_until: moment("watch_until")?,
        ..Target::new(endpoint, at.number(integer(row, "criticality")?)?, text(row, "command")?)
    })
}

fn outcome(at: At<'_>, name: String, row: &SqliteRow) -> Result<Outcome, StoreError> {
    let evidence = maybe_text(row, "evidence")?;
    let reverted_by = maybe_text(row, "reverted_by")?;
    let parts = OutcomeParts {
        code: maybe_integer(row, "outcome_code")?.map(|code| at.number(code)).transpose()?,
        detail: maybe_text(row, "outcome_detail")?.unwrap_or_default(),
        evidence: evidence.map(|text| read_evidence(at, &text)).transpose()?,
        reverted_by: reverted_by.map(|id| at.read(&id, |text| text.parse().ok())).transpose()?,
        name,
    };
    let wrong = at.wrong(format!("{parts:?} is no outcome"));
    Outcome::from_parts(parts).ok_or(wrong)
}

async fn votes(read: &mut impl Read, at: At<'_>) -> Result<Vec<Vote>, StoreError> {
    let rows = sqlx::query(
        "SELECT person.*, vote.digest, vote.comment, vote.at, vote.break_glass
         FROM vote JOIN person ON person.id = vote.person_id
         WHERE request_id = $1 AND retracted_at IS NULL ORDER BY vote.at, person.id",
    )
    .bind(at.id)
    .fetch_all(read.connection())
    .await?;
    let vote = |row: &SqliteRow| {
        Ok(Vote {
            person: accounts::person(row)?,
            digest: at.read(&text(row, "digest")?, Digest::parse)?,
            comment: text(row, "comment")?,
            at: at.time(integer(row, "at")?)?,
            break_glass: integer(row, "break_glass")? == 1,
        })
    };
    rows.iter().map(vote).collect()
}

async fn attempts(read: &mut impl Read, at: At<'_>) -> Result<Vec<Attempt>, StoreError> {
    let rows = sqlx::query("SELECT * FROM attempt WHERE request_id = $1 ORDER BY number")
        .bind(at.id)
        .fetch_all(read.connection())
        .await?;
    let attempt = |row: &SqliteRow| {
        Ok(Attempt {
            id: at.read(&text(row, "id")?, |text| text.parse().ok())?,
            number: at.number(integer(row, "number")?)?,
            body_hash: at.read(&text(row, "body_hash")?, Digest::parse)?,
            started_at: at.time(integer(row, "started_at")?)?,
            answered_at: at.maybe_time(maybe_integer(row, "answered_at")?)?,
            answer: maybe_text(row, "answer")?,
        })
    };
    rows.iter().map(attempt).collect()
}
