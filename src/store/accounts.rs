//! People, their sessions, and agents. Tokens and session ids are stored as SHA-256 only.

use super::{
    Read, StoreError, Tx,
    row::{At, text},
    sqlite::{Row, query},
};
use crate::domain::{
    Time,
    actor::{Agent, Person},
    digest::Digest,
    id::{AgentId, PersonId},
};

mod api_tokens;
mod identity;
mod keep;
mod passkeys;
mod second_factor;
mod sessions;
mod views;

pub use api_tokens::{
    StoredApiToken, add_api_token, all_api_tokens, api_token_by_hash, api_token_by_id, api_tokens,
    revoke_api_token, touch_api_token,
};
pub use identity::{
    StoredIdentity, add_identity, identities, identity, person_by_identity, resume_person,
    set_display_name, suspend_person,
};
pub use keep::{
    agent_by_name, rotate_token, session_counts, set_mail, set_on_call, set_role, set_scopes,
    set_teams,
};
pub use passkeys::{
    Passkey, add_passkey, passkey_by_credential, passkey_holders, passkeys, remove_passkey,
    use_passkey,
};
pub use second_factor::{
    SecondFactor, person_and_hash, second_factor, set_recovery_codes, switch_second_factor_off,
    switch_second_factor_on, use_recovery_code,
};
pub use sessions::{
    ListedSession, end_other_sessions, quiet_hours, quiet_people, sessions_of, set_quiet_hours,
};
pub use views::{SavedView, delete_view, save_view, saved_views};

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// The person who signed in.
    pub person: Person,
    /// When it began.
    pub created_at: Time,
    /// When it was last used, to the minute.
    pub seen_at: Time,
    /// When the password was last given.
    pub authenticated_at: Time,
    /// When the last proof was given, for any act.
    pub proved_at: Time,
    /// The names of the servers that the person has passkeys for.
    pub passkeys_for: Vec<String>,
    /// Who the person is at an identity provider; none for who is kept here.
    pub identity: Option<StoredIdentity>,
}

/// Adds a person.
pub async fn add_person(
    tx: &mut Tx<'_>,
    person: &Person,
    password_hash: &str,
    now: Time,
) -> Result<(), StoreError> {
    let id = person.id.to_string();
    let done = query(
        "INSERT INTO person (id, name, role, password_hash, must_change_password, created_at, mail,
             teams)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING",
    )
    .bind(&id)
    .bind(&person.name)
    .bind(person.role.name())
    .bind(password_hash)
    .bind(person.must_change_password)
    .bind(now.timestamp_micros())
    .bind(&person.mail)
    .bind(At { table: "person", id: &id }.to_json(&person.teams)?)
    .execute(tx.connection())
    .await?;
    changed_one(done)
}

/// A person and the hash of the password.
pub async fn person_by_name(
    read: &mut impl Read,
    name: &str,
) -> Result<Option<(Person, String)>, StoreError> {
    let row = query("SELECT * FROM person WHERE name = $1")
        .bind(name)
        .fetch_optional(read.connection())
        .await?;
    row.map(|row| Ok((person(&row)?, text(&row, "password_hash")?))).transpose()
}

/// A person, by id.
pub async fn person_by_id(
    read: &mut impl Read,
    id: PersonId,
) -> Result<Option<Person>, StoreError> {
    let row = query("SELECT * FROM person WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(read.connection())
        .await?;
    row.map(|row| person(&row)).transpose()
}

/// All people, by name.
pub async fn people(read: &mut impl Read) -> Result<Vec<Person>, StoreError> {
    let rows = query("SELECT * FROM person ORDER BY name").fetch_all(read.connection()).await?;
    rows.iter().map(person).collect()
}

/// Disables a person and ends the sessions. Whether the person was enabled.
pub async fn disable_person(tx: &mut Tx<'_>, id: PersonId, now: Time) -> Result<bool, StoreError> {
    let done = query("UPDATE person SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL")
        .bind(id.to_string())
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    end_sessions(tx, id).await?;
    Ok(done == 1)
}

/// Sets a password and ends the sessions.
pub async fn set_password(
    tx: &mut Tx<'_>,
    id: PersonId,
    password_hash: &str,
    must_change: bool,
) -> Result<(), StoreError> {
    let done =
        query("UPDATE person SET password_hash = $2, must_change_password = $3 WHERE id = $1")
            .bind(id.to_string())
            .bind(password_hash)
            .bind(must_change)
            .execute(tx.connection())
            .await?;
    end_sessions(tx, id).await?;
    changed_one(done)
}

/// Begins a session of somebody who proved who they are at that other moment, from an address and with a
/// browser.
pub async fn begin_session(
    tx: &mut Tx<'_>,
    token: Digest,
    id: PersonId,
    (now, authenticated_at): (Time, Time),
    (source, device): (&str, &str),
) -> Result<(), StoreError> {
    query(
        "INSERT INTO session
             (token_hash, person_id, created_at, seen_at, authenticated_at, proved_at, source, device)
         VALUES ($1, $2, $3, $3, $4, $4, $5, $6)",
    )
    .bind(token.to_string())
    .bind(id.to_string())
    .bind(now.timestamp_micros())
    .bind(authenticated_at.timestamp_micros())
    .bind(source)
    .bind(device)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The session of a token.
pub async fn session(
    read: &mut impl Read,
    token: Digest,
) -> Result<Option<StoredSession>, StoreError> {
    let row = query(
        "SELECT person.*, session.created_at AS begun_at, seen_at, authenticated_at,
             proved_at,
             (SELECT group_concat(DISTINCT relying_party) FROM passkey
              WHERE person_id = person.id AND removed_at IS NULL) AS passkeys_for,
             issuer, subject, display_name
         FROM session JOIN person ON person.id = session.person_id
             LEFT JOIN identity ON identity.person_id = person.id
         WHERE token_hash = $1",
    )
    .bind(token.to_string())
    .fetch_optional(read.connection())
    .await?;
    row.map(|row| {
        let session = At { table: "session", id: "of a token" }.columns(&row);
        let servers = session.maybe_text("passkeys_for")?.unwrap_or_default();
        Ok(StoredSession {
            person: person(&row)?,
            created_at: session.time("begun_at")?,
            seen_at: session.time("seen_at")?,
            authenticated_at: session.time("authenticated_at")?,
            proved_at: session.time("proved_at")?,
            passkeys_for: servers.split(',').map(str::to_owned).collect(),
            identity: identity::optional(&row)?,
        })
    })
    .transpose()
}

/// Notes that a session was used.
pub async fn touch_session(tx: &mut Tx<'_>, token: Digest, now: Time) -> Result<(), StoreError> {
    query("UPDATE session SET seen_at = $2 WHERE token_hash = $1")
        .bind(token.to_string())
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Notes that a proof was given in a session.
pub async fn prove_session(tx: &mut Tx<'_>, token: Digest, now: Time) -> Result<(), StoreError> {
    let done = query("UPDATE session SET proved_at = $2 WHERE token_hash = $1")
        .bind(token.to_string())
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    changed_one(done)
}

/// Ends one session. Whether there was one.
pub async fn end_session(tx: &mut Tx<'_>, token: Digest) -> Result<bool, StoreError> {
    let done = query("DELETE FROM session WHERE token_hash = $1")
        .bind(token.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done == 1)
}

/// Ends all sessions of a person. How many there were.
pub async fn end_sessions(tx: &mut Tx<'_>, id: PersonId) -> Result<u64, StoreError> {
    let done = query("DELETE FROM session WHERE person_id = $1")
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done)
}

/// Ends the sessions that began or were last used before these moments.
pub async fn end_old_sessions(
    tx: &mut Tx<'_>,
    begun_before: Time,
    used_before: Time,
) -> Result<(), StoreError> {
    query("DELETE FROM session WHERE created_at < $1 OR seen_at < $2")
        .bind(begun_before.timestamp_micros())
        .bind(used_before.timestamp_micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Adds an agent with the hash of its token.
pub async fn add_agent(
    tx: &mut Tx<'_>,
    agent: &Agent,
    token: Digest,
    now: Time,
) -> Result<(), StoreError> {
    let id = agent.id.to_string();
    let scopes = At { table: "agent", id: &id }.to_json(&agent.scopes)?;
    let done = query(
        "INSERT INTO agent (id, name, owner_id, issuer_id, token_hash, created_at, issued_at, scopes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING",
    )
    .bind(&id)
    .bind(&agent.name)
    .bind(agent.owner.to_string())
    .bind(agent.issuer.map(|id| id.to_string()))
    .bind(token.to_string())
    .bind(now.timestamp_micros())
    .bind(agent.issued_at.timestamp_micros())
    .bind(scopes)
    .execute(tx.connection())
    .await?;
    changed_one(done)
}

/// The agent of a token.
pub async fn agent_by_token(
    read: &mut impl Read,
    token: Digest,
) -> Result<Option<Agent>, StoreError> {
    let row = query("SELECT agent.*, disabled_at, suspended_at FROM agent JOIN person ON person.id = owner_id WHERE token_hash = $1")
        .bind(token.to_string())
        .fetch_optional(read.connection())
        .await?;
    row.map(|row| agent(&row)).transpose()
}

/// An agent, by id.
pub async fn agent_by_id(read: &mut impl Read, id: AgentId) -> Result<Option<Agent>, StoreError> {
    let row = query("SELECT agent.*, disabled_at, suspended_at FROM agent JOIN person ON person.id = owner_id WHERE agent.id = $1")
        .bind(id.to_string())
        .fetch_optional(read.connection())
        .await?;
    row.map(|row| agent(&row)).transpose()
}

/// All agents, by name.
pub async fn agents(read: &mut impl Read) -> Result<Vec<Agent>, StoreError> {
    let rows =
        query("SELECT agent.*, disabled_at, suspended_at FROM agent JOIN person ON person.id = owner_id ORDER BY agent.name").fetch_all(read.connection()).await?;
    rows.iter().map(agent).collect()
}

/// Lets refusals up to a moment no longer count against an agent.
pub async fn lift_refusals(tx: &mut Tx<'_>, id: AgentId, now: Time) -> Result<(), StoreError> {
    query("UPDATE agent SET refusals_lifted_at = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Revokes an agent's token. Whether it opened something until now.
pub async fn revoke_agent(tx: &mut Tx<'_>, id: AgentId, now: Time) -> Result<bool, StoreError> {
    let done = query("UPDATE agent SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id.to_string())
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    Ok(done == 1)
}

fn changed_one(rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

pub(super) fn person(row: &Row) -> Result<Person, StoreError> {
    let id = text(row, "id")?;
    let row = At { table: "person", id: &id }.columns(row);
    Ok(Person {
        id: row.parse("id")?,
        name: row.text("name")?,
        role: row.parse("role")?,
        must_change_password: row.flag("must_change_password")?,
        disabled: row.maybe_time("disabled_at")?.is_some(),
        suspended: row.maybe_time("suspended_at")?.is_some(),
        on_call: row.flag("on_call")?,
        mail: row.maybe_text("mail")?,
        teams: row.json("teams")?,
    })
}

fn agent(row: &Row) -> Result<Agent, StoreError> {
    let id = text(row, "id")?;
    let row = At { table: "agent", id: &id }.columns(row);
    Ok(Agent {
        id: row.parse("id")?,
        name: row.text("name")?,
        owner: row.parse("owner_id")?,
        issuer: row.maybe_parse("issuer_id")?,
        // An agent whose owner is disabled or suspended has no person who answers for it.
        revoked: row.maybe_time("revoked_at")?.is_some()
            || row.maybe_time("disabled_at")?.is_some()
            || row.maybe_time("suspended_at")?.is_some(),
        scopes: row.json("scopes")?,
        issued_at: row.time("issued_at")?,
    })
}
