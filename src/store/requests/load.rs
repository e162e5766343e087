//! One whole request out of its rows.

use sqlx::sqlite::SqliteRow;

use super::super::{
    Read, StoreError, accounts,
    row::{At, integer, maybe_integer, maybe_text, read_alert, read_decision, text},
};
use crate::domain::{
    action::{Action, ActionKind, Term},
    canonical::Digest,
    endpoint::{Endpoint, EndpointId, Platform, SkipReason},
    id::RequestId,
    proposal::Claim,
    request::{Attempt, Outcome, Request, Skipped, State, StateName, Target, Vote},
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
    endpoints(read, at, &mut request).await?;
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
    let confidence = maybe_integer(row, "confidence")?;
    Ok(Request {
        id,
        version: at.number(integer(row, "version")?)?,
        agent: at.read(&parsed("agent_id")?, |text| text.parse().ok())?,
        agent_name: parsed("agent_name")?,
        owner: at.read(&parsed("owner_id")?, |text| text.parse().ok())?,
        issuer: issuer.map(|id| at.read(&id, |text| text.parse().ok())).transpose()?,
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
    })
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

async fn endpoints(
    read: &mut impl Read,
    at: At<'_>,
    request: &mut Request,
) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM request_endpoint WHERE request_id = $1
         ORDER BY length(endpoint_id), endpoint_id",
    )
    .bind(at.id)
    .fetch_all(read.connection())
    .await?;
    for row in &rows {
        let endpoint = endpoint(at, row)?;
        match maybe_text(row, "skip_code")? {
            None => request.targets.push(target(at, endpoint, row)?),
            Some(code) => {
                let detail = text(row, "skip_detail")?;
                let reason = at.read(&code, |code| SkipReason::from_parts(code, detail))?;
                request.skipped.push(Skipped { endpoint, reason });
            }
        }
    }
    Ok(())
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
    let code = maybe_integer(row, "outcome_code")?.map(|code| at.number(code)).transpose()?;
    let detail = maybe_text(row, "outcome_detail")?.unwrap_or_default();
    let outcome = maybe_text(row, "outcome")?
        .map(|name| at.read(&name, |name| Outcome::from_parts(name, code, detail)))
        .transpose()?;
    Ok(Target {
        endpoint,
        criticality: at.number(integer(row, "criticality")?)?,
        command: text(row, "command")?,
        attempt: attempt.map(|id| at.read(&id, |text| text.parse().ok())).transpose()?,
        outcome,
        outcome_at: at.maybe_time(maybe_integer(row, "outcome_at")?)?,
    })
}

async fn votes(read: &mut impl Read, at: At<'_>) -> Result<Vec<Vote>, StoreError> {
    let rows = sqlx::query(
        "SELECT person.*, vote.digest, vote.comment, vote.at
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
