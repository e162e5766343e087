//! Tokens for the API. One that was revoked is kept, and never found.

use super::{changed_one, person};
use crate::{
    domain::{
        Time,
        actor::{Person, api_token::ApiToken},
        digest::Digest,
        id::{ApiTokenId, PersonId},
    },
    store::{
        Read, StoreError, Tx,
        row::{At, text},
        sqlite::{Row, query},
    },
};

/// A token that was not revoked, and the person whose role decides what it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApiToken {
    /// The token.
    pub token: ApiToken,
    /// Its owner, disabled or not.
    pub owner: Person,
    /// Whether the owner signs in at an identity provider.
    pub provided: bool,
}

/// Each token with its owner. The columns of both have names of their own.
const TOKENS: &str = "SELECT person.*, api_token.id AS token_id, api_token.name AS token_name,
         service, scopes, networks, api_token.created_at AS token_created_at, expires_at, used_at,
         used_from,
         EXISTS (SELECT 1 FROM identity WHERE identity.person_id = person.id) AS provided
     FROM api_token JOIN person ON person.id = api_token.person_id
     WHERE revoked_at IS NULL";

/// Adds a token with its hash.
pub async fn add_api_token(
    tx: &mut Tx<'_>,
    token: &ApiToken,
    hash: Digest,
) -> Result<(), StoreError> {
    let id = token.id.to_string();
    let at = At { table: "api_token", id: &id };
    query(
        "INSERT INTO api_token (id, person_id, name, service, token_hash, scopes, networks,
             created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&id)
    .bind(token.owner.to_string())
    .bind(&token.name)
    .bind(token.service)
    .bind(hash.to_string())
    .bind(at.to_json(&token.scopes)?)
    .bind(at.to_json(&token.networks)?)
    .bind(token.created_at.timestamp_micros())
    .bind(token.expires_at.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The token with this hash.
pub async fn api_token_by_hash(
    read: &mut impl Read,
    hash: Digest,
) -> Result<Option<StoredApiToken>, StoreError> {
    let found = query(format!("{TOKENS} AND token_hash = $1"))
        .bind(hash.to_string())
        .fetch_optional(read.connection())
        .await?;
    found.as_ref().map(stored).transpose()
}

/// A token, by id.
pub async fn api_token_by_id(
    read: &mut impl Read,
    id: ApiTokenId,
) -> Result<Option<StoredApiToken>, StoreError> {
    let found = query(format!("{TOKENS} AND api_token.id = $1"))
        .bind(id.to_string())
        .fetch_optional(read.connection())
        .await?;
    found.as_ref().map(stored).transpose()
}

/// The tokens of a person, the first made first.
pub async fn api_tokens(
    read: &mut impl Read,
    of: PersonId,
) -> Result<Vec<StoredApiToken>, StoreError> {
    let rows =
        query(format!("{TOKENS} AND api_token.person_id = $1 ORDER BY api_token.created_at"))
            .bind(of.to_string())
            .fetch_all(read.connection())
            .await?;
    rows.iter().map(stored).collect()
}

/// The tokens of all people, by owner.
pub async fn all_api_tokens(read: &mut impl Read) -> Result<Vec<StoredApiToken>, StoreError> {
    let rows = query(format!("{TOKENS} ORDER BY person.name, api_token.created_at"))
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(stored).collect()
}

/// Notes when a token was used, and from where.
pub async fn touch_api_token(
    tx: &mut Tx<'_>,
    id: ApiTokenId,
    (now, from): (Time, &str),
) -> Result<(), StoreError> {
    query("UPDATE api_token SET used_at = $2, used_from = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(now.timestamp_micros())
        .bind(from)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Revokes a token, at once and for ever.
pub async fn revoke_api_token(
    tx: &mut Tx<'_>,
    id: ApiTokenId,
    now: Time,
) -> Result<(), StoreError> {
    let done = query("UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id.to_string())
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    changed_one(done)
}

fn stored(row: &Row) -> Result<StoredApiToken, StoreError> {
    let owner = person(row)?;
    let id = text(row, "token_id")?;
    let row = At { table: "api_token", id: &id }.columns(row);
    let used = row.maybe_time("used_at")?.zip(row.maybe_text("used_from")?);
    let token = ApiToken {
        id: row.parse("token_id")?,
        owner: owner.id,
        name: row.text("token_name")?,
        service: row.flag("service")?,
        scopes: row.json("scopes")?,
        networks: row.json("networks")?,
        created_at: row.time("token_created_at")?,
        expires_at: row.time("expires_at")?,
        used,
    };
    Ok(StoredApiToken { token, owner, provided: row.flag("provided")? })
}
