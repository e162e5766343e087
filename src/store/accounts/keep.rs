//! What an admin changes about people and agents.

use std::collections::{BTreeMap, BTreeSet};

use super::{agent, changed_one};
use crate::{
    domain::{
        Time,
        action::ActionKind,
        actor::{Agent, Role},
        digest::Digest,
        id::{AgentId, PersonId},
    },
    store::{
        Read, StoreError, Tx,
        row::{At, count, text},
        sqlite::query,
    },
};

/// Gives a person a role. The sessions stay.
pub async fn set_role(tx: &mut Tx<'_>, id: PersonId, role: Role) -> Result<(), StoreError> {
    let done = query("UPDATE person SET role = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(role.name())
        .execute(tx.connection())
        .await?;
    changed_one(done)
}

/// Puts a person on call, or takes the person off.
pub async fn set_on_call(tx: &mut Tx<'_>, id: PersonId, on_call: bool) -> Result<(), StoreError> {
    let done = query("UPDATE person SET on_call = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(on_call)
        .execute(tx.connection())
        .await?;
    changed_one(done)
}

/// Puts a person into teams, and takes the person out of others. The sessions stay.
pub async fn set_teams(
    tx: &mut Tx<'_>,
    id: PersonId,
    teams: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let text = id.to_string();
    let done = query("UPDATE person SET teams = $2 WHERE id = $1")
        .bind(&text)
        .bind(At { table: "person", id: &text }.to_json(teams)?)
        .execute(tx.connection())
        .await?;
    changed_one(done)
}

/// Sets where notices for a person are mailed; none for nowhere.
pub async fn set_mail(tx: &mut Tx<'_>, id: PersonId, mail: Option<&str>) -> Result<(), StoreError> {
    let done = query("UPDATE person SET mail = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(mail)
        .execute(tx.connection())
        .await?;
    changed_one(done)
}

/// How many sessions people have that began and were used since these moments.
pub async fn session_counts(
    read: &mut impl Read,
    begun_since: Time,
    used_since: Time,
) -> Result<BTreeMap<PersonId, u64>, StoreError> {
    let rows = query(
        "SELECT person_id, count(*) AS number FROM session
         WHERE created_at >= $1 AND seen_at >= $2 GROUP BY person_id",
    )
    .bind(begun_since.timestamp_micros())
    .bind(used_since.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    rows.iter()
        .map(|row| {
            let id = text(row, "person_id")?;
            let person = At { table: "session", id: &id }.parse(&id)?;
            Ok((person, count(row, "number")?))
        })
        .collect()
}

/// An agent, by name.
pub async fn agent_by_name(read: &mut impl Read, name: &str) -> Result<Option<Agent>, StoreError> {
    let row = query(
        "SELECT agent.*, disabled_at, suspended_at FROM agent JOIN person ON person.id = owner_id
         WHERE agent.name = $1",
    )
    .bind(name)
    .fetch_optional(read.connection())
    .await?;
    row.map(|row| agent(&row)).transpose()
}

/// Sets what an agent may ask for.
pub async fn set_scopes(
    tx: &mut Tx<'_>,
    id: AgentId,
    scopes: &[ActionKind],
) -> Result<(), StoreError> {
    let id = id.to_string();
    let scopes = At { table: "agent", id: &id }.to_json(&scopes)?;
    let done = query("UPDATE agent SET scopes = $2 WHERE id = $1")
        .bind(&id)
        .bind(scopes)
        .execute(tx.connection())
        .await?;
    changed_one(done)
}

/// Gives an agent another token, with its issuer and time: the old one no longer works.
pub async fn rotate_token(tx: &mut Tx<'_>, agent: &Agent, token: Digest) -> Result<(), StoreError> {
    let done =
        query("UPDATE agent SET token_hash = $2, issuer_id = $3, issued_at = $4 WHERE id = $1")
            .bind(agent.id.to_string())
            .bind(token.to_string())
            .bind(agent.issuer.map(|id| id.to_string()))
            .bind(agent.issued_at.timestamp_micros())
            .execute(tx.connection())
            .await?;
    changed_one(done)
}
